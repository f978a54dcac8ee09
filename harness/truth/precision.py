"""How many bits balls carry, and when they are tight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import numpy as np

PRECISION = 128
MOST_PRECISION = 4096
TIGHT = 60


def working() -> Any:
    """A context in which balls carry the precision that the truth starts from."""
    return flint.ctx.workprec(PRECISION)


def refined(compute: Callable[[], tuple[Any, ...]], bits: int = 80) -> tuple[Any, ...]:
    """Exact results, the precision doubled until all have `bits`, or no more can be had."""
    results, precision = compute(), PRECISION
    while precision < most_precision(bits) and any(np.any(is_loose(result, bits)) for result in results):
        precision *= 2
        with flint.ctx.workprec(precision):
            results = compute()
    return results


def most_precision(bits: int) -> int:
    """Where doubling ends. What is still loose there is a hull, or does not exist."""
    return max(MOST_PRECISION, 4 * bits)


def once(compute: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    return compute()


def _loose(ball: Any, bits: int) -> bool:
    """Neither right to `bits` nor so small that no format could tell it from 0. What is not finite stays so."""
    if not isinstance(ball, flint.arb) or ball.is_exact() or ball.rel_accuracy_bits() >= bits:
        return False
    return bool(ball.is_finite() and not abs(ball) < _NOTHING)


def is_nothing(ball: Any) -> bool:
    """Whether a ball is so close to 0 that no format could tell it from that."""
    return bool(ball.is_finite() and abs(ball) < _NOTHING)


def is_tight(ball: Any) -> bool:
    """Whether a ball is one number to more digits than any format has."""
    return bool(ball.is_finite() and ball.rel_accuracy_bits() >= TIGHT)


is_loose = np.frompyfunc(_loose, 2, 1)
_NOTHING = flint.arb(2) ** -1042  # 2^-20 of the smallest normal float64
