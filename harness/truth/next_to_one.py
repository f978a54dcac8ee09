"""How far one sound operation may be off, in units roundoff; less where 1 is by far the nearest number to its result.

Of tanh and sigmoid all engines give 1 there, and 1 - y has no error to blow up: one unit roundoff more of y, in 1 - y
times x or a large adjoint, would let any slope pass far out. JAX's tanh is the last to get to 1, at a gap of u / 16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..records.formats import Format

Floats: TypeAlias = NDArray[np.float64]
Off: TypeAlias = Any  # how far from 1, as floats or balls; NaN where that is no less than elsewhere

EITHER_WAY = arb(0, 1)
NAN = arb.nan()


def units(name: str, form: Format) -> float:
    """Units roundoff that one sound operation may be off."""
    return form.units(OPERATIONS[name].cost, OPERATIONS[name].half)


def radius(name: str, form: Format) -> Callable[[Any], Off] | None:
    """How far from y = f(x) a sound result may be, by x as floats or balls: NaN where it is rounded as elsewhere. None
    of an operation that always is."""
    if name == "square":
        # The square of 1 is exact, and so is that of what is left there of tanh.
        return lambda x: _marked(abs(1 - abs(x)) < form.unit / 4, 0)
    gap = {"tanh": _gap_of_tanh, "sigmoid": _gap_of_sigmoid}.get(name)
    if gap is None:
        return None

    def saturated(x: Any) -> Off:
        with np.errstate(all="ignore"):
            if _is_ball(x) and not np.any(gap(_middle(x)) < form.unit / 8):  # no end is nearer to 1 than the middle
                return np.full(np.shape(x), np.nan)
            left = gap(x)
            off = 2 * left if _is_ball(x) else 2 * left + 5e-324
            if form.inside:  # what half precision computes in, it may not round from before 1 - y
                off = off + np.where(left < form.inside.unit / 16, 0.0, OPERATIONS[name].cost * form.inside.unit)
            return _marked(left < form.unit / 16, off)

    return saturated


def as_read(operation: Operation, x: Any, form: Format) -> tuple[float, Off | None]:
    """By how many units roundoff the result that a rule reads may be off, and no further than how far."""
    at = radius(operation.name, form)
    return max(form.units(operation.cost, operation.half), 1), None if at is None else at(x)


def snapped(y: Any, off: Off) -> Any:
    """y, but 1 or -1 where that is all that it differs by, and balls of some digits would not know it."""
    with np.errstate(invalid="ignore"):
        there = np.asarray(off > 0, dtype=bool)
    if not there.any():
        return y
    array: NDArray[Any] = np.asarray(y)
    return _snapped(y, there) if array.dtype == object else np.where(there, np.sign(array), array)[()]


def closer(y: Any, wide: Any, off: Off) -> Any:
    """Balls around y, no wider than so much where that is a number."""
    with np.errstate(invalid="ignore"):
        return _closer(y, wide, off)


def known(off: Off) -> NDArray[np.bool_]:
    """Where it is a number."""
    return np.asarray(off == off, dtype=bool)


def _gap_of_tanh(x: Any) -> Any:
    """1 - |tanh x| or a little more."""
    return 2 * _exp(-2 * _nearest_to_0(x)) if _is_ball(x) else 2 * np.exp(-2 * np.abs(np.asarray(x, np.float64)))


def _gap_of_sigmoid(x: Any) -> Any:
    return _exp(-_least(x)) if _is_ball(x) else np.exp(-np.asarray(x, np.float64))


def _is_ball(x: Any) -> bool:
    return isinstance(x, arb) or np.asarray(x).dtype == object


def _marked(there: Any, off: Off) -> Off:
    return np.where(np.asarray(there, dtype=bool), off, np.nan)


def _middle(x: Any) -> Floats:
    return np.asarray(_float(x), dtype=np.float64)


_float = np.frompyfunc(float, 1, 1)
_nearest_to_0 = np.frompyfunc(lambda x: x.abs_lower(), 1, 1)
_least = np.frompyfunc(lambda x: x.lower(), 1, 1)
_exp = np.frompyfunc(lambda x: x.exp().upper(), 1, 1)
_snapped = np.frompyfunc(lambda y, there: y if not there else arb(1) if y > 0 else arb(-1), 2, 1)


def _around(y: arb, wide: arb, off: Any) -> arb:
    return y + EITHER_WAY * off if off == off else wide


_closer: Any = np.frompyfunc(_around, 3, 1)
