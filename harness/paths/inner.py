"""Inner intervals: what the balls of a step are known to contain, in float64 and by whole arrays.

A number is told by a middle m and a radius r such that the ball of `arithmetic.py` contains m - r to m + r. By the
inclusion property of intervals (Moore, Kearfott & Cloud 2009, Introduction to Interval Analysis, section 5.1) the ball
of a result contains whatever the operation makes of what its operands contain, and then one rounding of that as well.
So radii are bounded from below; what float64 loses of the middle is taken off them. For float64 engines middles are
long doubles of 64 bits, as x86 has them; where there are none, nothing is known.

The other bound, `outer`, says how far a ball reaches at most: by it nothing is divided whose ball may hold 0, and no
choice is taken that may be open. Where any of this fails, a radius is NaN: there nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..records.formats import FLOAT64, Format

Floats: TypeAlias = NDArray[np.float64]

NARROW = 2.0**-3  # the widest divisor, root or factor, as a part of itself, that is still reckoned with
# How far the exact number is from a middle, as a part of the radius: settings, and float64's own errors.
CLOSE = 2.0**-4
OF_SETTING = 2.0**-6  # how far that of a setting may be
SLACK = 1 + 2.0**-6  # of an outer bound, for each operation: what balls add to their radii is far below
RANGE = 1e-140, 1e140  # of numbers of float64: no product or radius leaves the range


class Unknown(Exception):
    """No bound is known: of an operation, or of a setting."""


class Inner:
    """Numbers: `middle`, and the radius, `relative` |middle| + `radius`. `outer()` is that of the ball at most; it
    is made of the number itself, so that none holds itself and memory is given back at once.

    `shift`: how far at most the middle of the ball is from `middle`, as a part of the radius, since quotients and roots
    of wide balls are not around those of their middles. `exact`: so is the exact number, of which radii are but a part
    where they are wide: by no more than twice that.
    """

    __slots__ = ("_outer", "_outermost", "_same", "_size", "exact", "middle", "radius", "relative", "shift")

    def __init__(
        self,
        middle: Any,
        radius: Any,
        outer: Callable[[Inner], Any],
        *,
        relative: float = 0.0,
        shift: float = 0.0,
        exact: float = 0.0,
        same: Callable[[], Any] | None = None,
    ) -> None:
        self.middle, self.relative, self.radius, self.shift, self.exact = middle, relative, radius, shift, exact
        self._outer, self._same, self._size, self._outermost = outer, same, None, None

    @property
    def size(self) -> Any:
        if self._size is None:
            self._size = np.abs(self.middle.astype(np.float64))
        return self._size

    @property
    def whole(self) -> Any:
        """The radius."""
        return self.size * self.relative + self.radius if self.relative else self.radius

    @property
    def unknown(self) -> Any:
        return np.isnan(self.radius)

    @property
    def zero(self) -> Any:
        """Where it is 0, with no ball around it."""
        return (self.middle == 0) & (self.outer() == 0)

    def same(self) -> Any:
        """Where it is certain that the middle of the ball is the same number."""
        return self.zero if self._same is None else self._same()

    def outer(self) -> Any:
        if self._outermost is None:
            self._outermost = self._outer(self)
        return self._outermost


@dataclass(frozen=True, slots=True)
class Condition:
    """What is true, `holds`, and where that is open."""

    holds: Any
    open: Any


@dataclass(frozen=True, slots=True)
class Setting:
    """A number or a condition that arrays have no part in, by its ball and exactly."""

    ball: Any
    exact: Any


def work(form: Format) -> np.dtype[Any]:
    """What middles are reckoned in. Raises Unknown where nothing is fine enough."""
    if form is not FLOAT64:
        return np.dtype(np.float64)
    long = np.dtype(np.longdouble)
    if np.array(1, long) + np.array(2.0**-63, long) == 1:
        raise Unknown
    return long


def entered(array: NDArray[Any], form: Format) -> Inner:
    """An optimiser's numbers with one rounding each. Nothing is known of those that hardware may flush, but 0 is 0."""
    middle = array.astype(work(form))
    size = np.abs(array.astype(np.float64))
    known = (size <= form.largest) & ((size >= form.smallest) | (size == 0))
    if form is FLOAT64:
        known &= (size == 0) | ((size > RANGE[0]) & (size < RANGE[1]))
    half, radius = form.smallest / 2, 0.0
    if form.gradual:
        radius = np.where((size * form.unit < half) & (size > 0), half, 0.0)
    if not known.all():
        middle, radius = np.where(known, middle, middle.dtype.type(1)), np.where(known, radius, np.nan)
    return Inner(middle, radius, lambda made: SLACK * made.whole, relative=form.unit, same=lambda: known)
