"""Where 1 is by far the nearest number to tanh or sigmoid: all engines give it, and 1 - y has no error to blow up.

One unit roundoff more of y there, in 1 - y times x or a large adjoint, would let any slope pass far out. JAX's tanh is
the last to get to 1, at a gap of u / 16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..records.formats import Format

Floats: TypeAlias = NDArray[np.float64]
Radius: TypeAlias = Callable[[Floats, Floats, Format], Floats]

EITHER_WAY = arb(0, 1)


def _tanh(low: Floats, high: Floats, form: Format) -> Floats:
    nearest = np.where(low * high > 0, np.minimum(np.abs(low), np.abs(high)), 0.0)
    return _saturated("tanh", 2 * np.exp(-2 * nearest), form)


def _sigmoid(low: Floats, high: Floats, form: Format) -> Floats:
    return _saturated("sigmoid", np.exp(-low), form)


def _saturated(name: str, gap: Floats, form: Format) -> Floats:
    """From 1 - |y| or a little more than it. What half precision computes in, it may not round from before 1 - y."""
    off = 2 * gap + 5e-324
    if form.inside:
        off = off + np.where(gap < form.inside.unit / 16, 0.0, OPERATIONS[name].cost * form.inside.unit)
    return np.where(gap < form.unit / 16, off, np.nan)


def _square(low: Floats, high: Floats, form: Format) -> Floats:
    """The square of 1 is exact, and so is that of what is left there of tanh."""
    near = np.maximum(np.abs(1 - np.abs(low)), np.abs(1 - np.abs(high))) < form.unit / 4
    return np.where(near, 0.0, np.nan)


RADII: Mapping[str, Radius] = {"tanh": _tanh, "sigmoid": _sigmoid, "square": _square}


def radius(name: str, form: Format) -> Callable[[Any], Floats] | None:
    """How far from y = f(x) a sound result may be, by x as floats or balls: NaN where it is rounded as elsewhere. None
    of an operation that always is."""
    measure = RADII.get(name)
    if measure is None:
        return None

    def at(x: Any) -> Floats:
        with np.errstate(all="ignore"):
            return measure(*_ends(x), form)

    return at


def as_read(operation: Operation, x: NDArray[Any], form: Format) -> tuple[float, Floats | None]:
    """By how many units roundoff the result that a rule reads may be off, and no further than how far."""
    at = radius(operation.name, form)
    return max(operation.cost, 1), None if at is None else at(x)


def snapped(y: Any, off: Floats) -> Any:
    """y, but 1 or -1 where that is all that it differs by, and balls of some digits would not know it."""
    with np.errstate(invalid="ignore"):
        there = off > 0
    if not np.any(there):
        return y
    array: NDArray[Any] = np.asarray(y)
    return _snapped(y, there) if array.dtype == object else np.where(there, np.sign(array), array)[()]


def closer(y: Any, wide: Any, off: Floats) -> Any:
    """Balls around y, no wider than so much where that is a number."""
    there = ~np.isnan(off)
    return _closer(y, wide, there, np.where(there, off, 0.0)) if np.any(there) else wide


def _ends(x: Any) -> tuple[Floats, Floats]:
    if np.asarray(x).dtype != object:
        x = np.asarray(x, dtype=np.float64)
        return x, x
    return np.asarray(_low(x), dtype=np.float64), np.asarray(_high(x), dtype=np.float64)


_low = np.frompyfunc(lambda x: float(x.lower()), 1, 1)
_high = np.frompyfunc(lambda x: float(x.upper()), 1, 1)
_snapped = np.frompyfunc(lambda y, there: y if not there else arb(1) if y > 0 else arb(-1), 2, 1)


def _around(y: arb, wide: arb, there: bool, off: float) -> arb:
    return y + EITHER_WAY * off if there else wide


_closer: Any = np.frompyfunc(_around, 4, 1)
