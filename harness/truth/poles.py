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
from .numbers import ball, to_balls

Array: TypeAlias = NDArray[Any]

HAIR = arb(2) ** -3000
BEYOND = arb(2) ** 1100  # every format
BITS = 6144
APART = arb(2) ** -8  # a jump; what is continuous goes less far in a hair
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


def jumps(value: Program, moved: int, operands: Sequence[Array]) -> NDArray[np.bool_]:
    """Where the value of a step is another from every side of one operand on which it exists: 0^b at b = 0.

    Whatever a rule says there, such a function has no derivative.
    """
    found, known = np.zeros(operands[0].shape, dtype=bool), dict[tuple[float, ...], bool]()
    for k, numbers in enumerate(zip(*(x.tolist() for x in operands), strict=True)):
        if numbers not in known and len(known) < MOST:
            known[numbers] = _jumps(value, moved, numbers)
        found[k] = known.get(numbers, False)
    return found


def _jumps(value: Program, moved: int, numbers: tuple[float, ...]) -> bool:
    with flint.ctx.workprec(BITS):
        here, *beside = (
            np.ravel(np.asarray(value(*(x + (hair if i == moved else 0) for i, x in enumerate(map(ball, numbers))))))[0]
            for hair in (0, HAIR, -HAIR)
        )
        seen = [y for y in beside if y.is_finite()]
        return bool(here.is_finite() and seen and all(abs(y - here) > (abs(here) + 1) * APART for y in seen))


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
