"""Infinite derivatives of one step: at the edge of its domain, or where it has a pole.

Balls divide by 0 into nothing. The limit is what the step's own formula says a hair beside the point, in far more bits
than the hair is wide: sqrt' at 2^-3000 is 2^1499, beyond every format, so sqrt' at 0 is +inf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.emit import Program
from .numbers import to_balls

Array: TypeAlias = NDArray[Any]

HAIR = arb(2) ** -3000
BEYOND = arb(2) ** 1100  # every format
BITS = 6144
MOST = 64  # different points of one array that are looked at


def limits(value: Program, terms: Program, which: int, operands: Sequence[Array], g: Array) -> NDArray[np.float64]:
    """+inf or -inf for each element at which that is the limit of a term, else NaN.

    `value(x...)` and `terms(x..., g)` are the programs of a step, element by element; `which` says the term that is
    asked for. The first operand moves, to both sides: where only one lies in the domain, it decides; where they
    differ, there is no limit. Arrays are flat and of one length.
    """
    infinities, known = np.full(g.shape, np.nan), dict[tuple[float, ...], float]()
    for k, numbers in enumerate(zip(*(x.tolist() for x in operands), g.tolist(), strict=True)):
        if numbers not in known and len(known) < MOST:
            known[numbers] = _limit(value, terms, which, numbers)
        infinities[k] = known.get(numbers, np.nan)
    return infinities


def _limit(value: Program, terms: Program, which: int, numbers: tuple[float, ...]) -> float:
    with flint.ctx.workprec(BITS):
        sides = [_side(value, terms, which, numbers, hair) for hair in (HAIR, -HAIR)]
    signs = {side for side in sides if not np.isnan(side)}
    return signs.pop() * np.inf if len(signs) == 1 and 0 not in signs else np.nan


def _side(value: Program, terms: Program, which: int, numbers: tuple[float, ...], hair: arb) -> float:
    """The sign of a term that is beyond every format, 0 for one that is not; NaN outside of the domain."""
    x, *rest, g = (to_balls(np.asarray(number)) for number in numbers)
    [y] = np.ravel(np.asarray(value(x + hair, *rest)[0], dtype=object))
    [term] = np.ravel(np.asarray(terms(x + hair, *rest, g)[which], dtype=object))
    if y.is_nan() or not term.is_finite():
        return np.nan
    return 1.0 if term > BEYOND else -1.0 if term < -BEYOND else 0.0
