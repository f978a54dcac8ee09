"""Germs with a pole: t^-k times a power series, what a quotient of power series is where the divisor vanishes.

sin(x) / x at 0 is a quotient of two that vanish, and a power series again; 1 / |x| is none, and has a pole: it can
still be compared, multiplied by what vanishes and be the operand of a function with a limit there. Kept as the order of
the pole and an `arb_series` whose first coefficient is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from flint import arb, arb_series

from .choice import NAN

Germ: TypeAlias = Any  # an arb_series or a Laurent

LONGEST = 8  # coefficients


class Laurent:
    """t^order * series, the order below 0; arithmetic with power series and balls gives either kind."""

    __slots__ = ("order", "series")

    def __init__(self, order: int, series: arb_series) -> None:
        self.order = order
        self.series = series

    @property
    def positive(self) -> bool:
        """Whether it tends to +inf, and not to -inf, for small t > 0."""
        return bool(self.series[0] > 0)

    def __neg__(self) -> Germ:
        return Laurent(self.order, -self.series)

    def __add__(self, other: Any) -> Germ:
        (order, a), (other_order, b) = known(self), known(other)
        lowest = min(order, other_order)
        a, b = [arb(0)] * (order - lowest) + a, [arb(0)] * (other_order - lowest) + b
        return germ_of(lowest, [x + y for x, y in zip(a, b, strict=False)])

    def __sub__(self, other: Any) -> Germ:
        return self + -other

    def __rsub__(self, other: Any) -> Germ:
        return -self + other

    def __mul__(self, other: Any) -> Germ:
        order, series = _leading(other)
        if series is None:
            return _nothing(other, self.order)
        return germ_of(self.order + order, _coefficients(self.series * series))

    def __truediv__(self, other: Any) -> Germ:
        return quotient(self, other)

    def __rtruediv__(self, other: Any) -> Germ:
        return quotient(other, self)

    def __pow__(self, n: int) -> Germ:
        return germ_of(self.order * n, _coefficients(self.series**n))

    __radd__, __rmul__ = __add__, __mul__


def _nothing(zero: Any, shift: int) -> arb_series:
    """t^shift times what is 0 as far as it is known: a ball is 0 altogether, of a series the rest may be anything."""
    known = LONGEST if isinstance(zero, arb) else zero.prec + shift
    return arb_series([0], prec=min(known, LONGEST)) if known > 0 else arb_series([NAN], prec=1)


def quotient(a: Any, b: Any) -> Germ:
    """a / b. Raises ZeroDivisionError where b is 0 as far as it is known."""
    if isinstance(b, arb):
        b = arb_series([b], prec=LONGEST)
    if isinstance(b, arb_series) and not b[0].is_zero() and not isinstance(a, Laurent):
        return a / b
    below, divisor = _leading(b)
    if divisor is None or divisor[0].contains(0):
        raise ZeroDivisionError
    above, dividend = _leading(a)
    if dividend is None:
        return _nothing(a, -below)
    return germ_of(above - below, _coefficients(dividend / divisor))


def germ_of(order: int, coefficients: Sequence[arb]) -> Germ:
    """t^order times the power series with these coefficients, as far as they are known; NaN where its pole is not."""
    rest = list(coefficients)
    while rest and rest[0].is_zero():
        rest, order = rest[1:], order + 1
    if order >= 0:
        return arb_series([0] * order + rest, prec=max(min(order + len(rest), LONGEST), 1))
    if not rest or rest[0].contains(0):
        return arb_series([NAN], prec=1)
    return Laurent(order, arb_series(rest[:LONGEST], prec=min(len(rest), LONGEST)))


def known(x: Any) -> tuple[int, list[arb]]:
    """The order of a germ and its known coefficients from there on; a ball stands still."""
    if isinstance(x, Laurent):
        return x.order, _coefficients(x.series)
    return 0, _coefficients(x if isinstance(x, arb_series) else arb_series([x], prec=LONGEST))


def _leading(x: Any) -> tuple[int, arb_series | None]:
    """A germ as t^order times a series that does not begin with 0; None for one that is 0 as far as it is known."""
    order, coefficients = known(x)
    while coefficients and coefficients[0].is_zero():
        coefficients, order = coefficients[1:], order + 1
    return order, arb_series(coefficients, prec=len(coefficients)) if coefficients else None


def _coefficients(series: arb_series) -> list[arb]:
    return [series[k] for k in range(series.prec)]
