"""An engine's numbers against the balls of what they may be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import flint
import numpy as np
from numpy.typing import NDArray

from ..records.formats import Format
from .next_to_one import closer
from .numbers import to_balls
from .products import Estimate
from .rounding import entered, floats, radii

Numbers: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Residual:
    """An engine's numbers for one link against the ball of what they may be. Arrays have the link's shape.

    `deviation` is |engine - middle of the ball|, `radius` the ball's; `off` is |engine - exact| where
    exact is the step in exact arithmetic, and `exact` that number, in float64. `enclosed` marks elements
    whose ball says something: it is finite, or one infinity. `kink` marks elements at which the step has no
    single derivative, and `low`, `high` enclose all that it may be there. `products`: the step is a sum of products.
    """

    engine: Numbers
    deviation: NDArray[np.float64]
    radius: NDArray[np.float64]
    enclosed: NDArray[np.bool_]
    exact: NDArray[np.float64]
    off: NDArray[np.float64]
    kink: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    products: bool = False

    @property
    def score(self) -> NDArray[np.float64]:
        """Deviation over radius: sound up to 1, NaN where the ball or the engine's number is not finite."""
        with np.errstate(all="ignore"):
            return np.where(
                self.deviation == 0, np.where(np.isnan(self.radius), np.nan, 0.0), self.deviation / self.radius
            )

    def __getitem__(self, which: int) -> Residual:
        """One of several links that are stacked along the first axis."""
        arrays = {name: np.asarray(getattr(self, name)[which]) for name in _ARRAYS}
        return Residual(**arrays, products=self.products)


_ARRAYS = tuple(field.name for field in fields(Residual) if field.name != "products")


class Numerals:
    """An engine's array as balls, converted once: as it is, and widened by one rounding.

    `stands_for`: the number that each element is, where the format does not hold it.
    """

    def __init__(self, array: Numbers, form: Format, stands_for: flint.arb | None = None) -> None:
        self.array = array
        self.form = form
        self._stands_for = stands_for

    @property
    def itself(self) -> bool:
        """Whether its elements are the numbers that they stand for."""
        return self._stands_for is None

    @cached_property
    def exact(self) -> Any:
        if self._stands_for is not None:
            return np.full(self.array.shape, self._stands_for, dtype=object)
        return self.array if self.array.dtype.kind in "bi" else to_balls(self.array)

    @cached_property
    def widened(self) -> Any:
        return self.widened_by(self.form)

    def widened_by(self, form: Format, cost: float = 1, off: Floats | None = None) -> Any:
        """`off`: no further than that, where it is a number."""
        if self.array.dtype.kind in "bi":
            return self.array
        widened = np.asarray(entered(self.exact, form, cost), dtype=object)
        if off is not None:
            widened = closer(self.exact, widened, off)
        if not np.isfinite(self.array).all():
            widened = np.where(np.isfinite(self.array), widened, self.exact)
        return widened

    def in_form(self, form: Format) -> Any:
        return self.widened if form is self.form else self.widened_by(form)


def _as_balls(numbers: Any) -> Any:
    """Integers and conditions, which are moved as they are, as balls."""
    array = np.asarray(numbers)
    return to_balls(array.astype(np.float64)) if array.dtype.kind in "bi" else np.asarray(numbers, dtype=object)


def residual(engine: Numerals, enclosure: Any, exact: Any | None, products: bool = False) -> Residual:
    """Measure an engine's array against an enclosure and, where it is known apart, the exact value."""
    numbers = engine.array
    shown = to_balls(numbers.astype(np.float64)) if numbers.dtype.kind in "bi" else engine.exact
    enclosure, exact = _as_balls(enclosure), None if exact is None else _as_balls(exact)
    ball: Any = np.broadcast_to(enclosure, numbers.shape)
    deviation, radius, middle = np.abs(floats(shown - ball)), radii(ball), floats(ball)
    enclosed = np.asarray(is_finite(ball), dtype=bool)
    if not enclosed.all():
        # The ball may be one infinity, less something finite. An engine that says so is right; arithmetic on it would
        # give NaN.
        infinite = np.isinf(middle) & np.isfinite(radius)
        deviation = np.where(infinite & (numbers == middle), 0.0, deviation)
        enclosed |= infinite
    no_kink = np.zeros(numbers.shape, dtype=bool)
    if exact is None:
        return Residual(numbers, deviation, radius, enclosed, middle, deviation, no_kink, middle, middle, products)
    exactly: Any = np.broadcast_to(exact, numbers.shape)
    off, middle = np.abs(floats(shown - exactly)), floats(exactly)
    kink = at_kink(middle, radii(exactly))
    off = np.where(np.isinf(middle) & (numbers == middle), 0.0, off)
    low, high = (floats(_lower(exactly)), floats(_upper(exactly))) if kink.any() else (middle, middle)
    return Residual(numbers, deviation, radius, enclosed, middle, off, kink, low, high, products)


def plain(link: Residual, form: Format) -> NDArray[np.bool_]:
    """Where a residual without an exact value is sound, and its ball so narrow that no digit worth telling is lost: the
    exact value lies in it too. Only of steps that choose nothing."""
    with np.errstate(all="ignore"):
        most, least = link.off + link.radius, np.abs(link.exact) - link.radius
        narrow = (most <= least * form.unit**0.5) | (most <= form.underflow)
    return narrow & link.enclosed & (link.score <= 1)


def at_kink(middle: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where exact arithmetic gives no single number, but all of a kink: by the middles of its balls and their radii."""
    with np.errstate(all="ignore"):
        return np.isfinite(spread) & (spread > np.abs(middle) * 2.0**-40) & (spread > 1e-313)


is_finite = np.frompyfunc(flint.arb.is_finite, 1, 1)
union: Any = np.frompyfunc(flint.arb.union, 2, 1)
_lower = np.frompyfunc(flint.arb.lower, 1, 1)
_upper = np.frompyfunc(flint.arb.upper, 1, 1)


def beyond_doubt(engine: Numerals, estimate: Estimate) -> Residual | None:
    """The residual of a sum of products, if float64 is enough to tell that each of the engine's numbers is sound."""
    deviation, within = estimate.deviation(engine.array)
    if not within.all():
        return None
    exact, no_kink = estimate.high + estimate.low, np.zeros(engine.array.shape, dtype=bool)
    return Residual(engine.array, deviation, estimate.radius, ~no_kink, exact, deviation, no_kink, exact, exact, True)
