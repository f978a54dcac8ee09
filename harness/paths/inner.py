"""Inner intervals: what the balls of a step are known to contain, in float64 and by whole arrays.

A number is told by a middle m and a radius r such that the ball of `arithmetic.py` contains m - r to m + r. By the
inclusion property of balls (Moore, Kearfott & Cloud 2009, Introduction to Interval Analysis, section 5.1) the ball of a
result contains whatever the operation makes of what its operands contain, and then one rounding of that as well. So
every radius is bounded from below; what float64 loses of the middle, and of the radius, is taken off it. For float64
engines middles are long doubles of 64 bits, as x86 has them; where there are none, nothing is known.

The other bound, `outer`, says how far a ball reaches at most: by it nothing is divided whose ball may hold 0, and no
choice is taken that may be open. Where any of this fails, a radius is NaN: there nothing is known, and balls say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.emit import Namespace
from ..graph.operations import OPERATIONS
from ..records.formats import FLOAT64, Format
from .arithmetic import met, stepping

Wide: TypeAlias = NDArray[Any]  # float64, or long double for float64 engines
Floats: TypeAlias = NDArray[np.float64]

SLACK = 1 + 2.0**-6  # of an outer bound, for each operation: what balls add to their radii is far below
EXACT = 2.0**-8  # how far a setting may be from the middle of its ball, as a part of the radius
FAR = 2.0**-9  # a shift that would leave much to balls
NARROW = 2.0**-5  # the widest divisor, root or factor, as a part of itself, that is still reckoned with


class Unknown(Exception):
    """No bound is known: of an operation, or of a setting that is wide."""


def work(form: Format) -> np.dtype[Any]:
    """What middles are reckoned in. Raises Unknown where nothing is fine enough."""
    if form is not FLOAT64:
        return np.dtype(np.float64)
    long = np.dtype(np.longdouble)
    if np.array(1, long) + np.array(2.0**-63, long) == 1:
        raise Unknown
    return long


class Inner:
    """Numbers: `middle`, and the radius `relative` |middle| + `radius`. `outer()` is that of the ball at most.

    `shift`: how far at most the middle of the ball lies from `middle`, as a part of the radius, since quotients and
    roots of wide balls are not around those of their middles.
    """

    __slots__ = ("_outer", "_size", "middle", "outermost", "radius", "relative", "shift")

    def __init__(self, middle: Any, relative: float, radius: Any, outer: Callable[[], Any], shift: float = 0.0) -> None:
        self.middle, self.relative, self.radius, self.shift = middle, relative, radius, shift
        self._outer, self._size, self.outermost = outer, None, None

    @property
    def size(self) -> Any:
        if self._size is None:
            self._size = np.abs(self.middle).astype(np.float64)
        return self._size

    @property
    def whole(self) -> Any:
        """The radius."""
        return self.size * self.relative + self.radius if self.relative else self.radius

    @property
    def zero(self) -> Any:
        """Where it is 0, and no ball around it."""
        return (self.middle == 0) & (self.outer() == 0)

    def outer(self) -> Any:
        if self.outermost is None:
            self.outermost = self._outer()
        return self.outermost


def entered(array: NDArray[Any], form: Format) -> Inner:
    """An optimiser's numbers with one rounding each. Those that hardware may flush may be 0, and nothing is known of
    them; 0 is 0."""
    middle = array.astype(work(form))
    size = np.abs(middle).astype(np.float64)
    half = form.smallest / 2
    radius: Any = np.where(size * form.unit < half, half, 0.0) * (size > 0) if form.gradual else 0.0
    unknown = ~((size <= form.largest) & ((size >= form.smallest) | (size == 0)))
    if form is FLOAT64:
        unknown |= (size > 0) & ~((size > 1e-140) & (size < 1e140))  # radii and products must not leave the range
    if unknown.any():
        middle = np.where(unknown, middle.dtype.type(1), middle)
        radius = np.where(unknown, np.nan, radius)
    found = Inner(middle, form.unit, radius, lambda: SLACK * found.whole)
    return found


class Reckoning:
    """The operations of the rules on inner intervals, for engines of one format. `stepping` reckons with what is made
    of settings and of the step's number alone."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self._work = work(form)
        self._long = self._work != np.float64
        self._lost = 2.0**-63 if self._long else 2.0**-52  # of a middle, by each operation; twice that
        self._near = 2 * self._lost / form.unit  # what that is of a radius

    def namespace(self, *, apart: bool) -> Namespace:
        plain = stepping(self.form, apart=apart)
        own: Mapping[str, Callable[..., Any]] = {
            "add": self.add, "subtract": self.subtract, "multiply": self.multiply, "divide": self.divide,
            "square": self.square, "sqrt": self.sqrt, "abs": self.absolute, "negative": self.negative,
            "maximum": lambda a, b: self.larger(a, b, 1), "minimum": lambda a, b: self.larger(a, b, -1),
            "where": self.where, "sign": self.sign, "copy": lambda a: a,
            "less": lambda a, b: self.greater(b, a), "greater": self.greater,
            "equal": self.equal,
        }  # fmt: skip

        def mixed(name: str) -> Callable[..., Any]:
            alone = plain[name]

            def run(*operands: Any, **params: Any) -> Any:
                if not any(isinstance(one, (Inner, Condition)) for one in operands):
                    return alone(*operands, **params)
                if name not in own:
                    raise Unknown
                return own[name](*(self.beside(one, apart=apart) for one in operands), **params)

            return run

        return {**{name: mixed(name) for name in plain}, "constant": plain["constant"]}

    def beside(self, number: Any, *, apart: bool) -> Any:
        """What is made of settings, as it is beside arrays: as `arithmetic.py` has it there."""
        if isinstance(number, (Inner, Condition)):
            return number
        ball: Any = number.reshape(-1)[0] if isinstance(number, np.ndarray) else number
        if isinstance(ball, (bool, np.bool_)):
            return Condition(np.bool_(ball), np.False_)
        if apart and self.form.inside and isinstance(number, flint.arb):
            ball = met(ball, self.form)
        return self.scalar(ball)

    def scalar(self, ball: flint.arb) -> Inner:
        """Raises Unknown of one that is wide, or whose middle is no number of the work's format and far from one."""
        high = float(ball.mid())
        low = float(ball.mid() - flint.arb(high)) if self._long else 0.0
        middle, held = self._work.type(high) + self._work.type(low), flint.arb(high) + flint.arb(low)
        apart, radius = abs(ball.mid() - held), ball.rad()
        if not (ball.is_finite() and radius <= abs(held) * NARROW / 4 and apart <= radius * EXACT):
            raise Unknown
        if ball.is_exact():
            return Inner(middle, 0.0, 0.0, lambda: 0.0)
        relative = float(((radius - apart) / abs(held)).lower()) * (1 - 2.0**-40)
        most = float((radius + apart).upper()) * SLACK
        return Inner(middle, relative, 0.0, lambda: most, float((apart / radius).upper()))

    # --- operations: each as a ball has it, and then its own rounding -------------------------------------------

    def _unit(self, name: str) -> float:
        return OPERATIONS[name].cost * self.form.step - self._lost

    def _made(
        self,
        name: str,
        middle: Any,
        radius: Any,
        outer: Callable[[], Any],
        *of: Inner,
        relative: float = 0.0,
        shift: float = 0.0,
        zero: Callable[[], Any] = lambda: False,
    ) -> Inner:
        """A result, rounded. Underflow adds to radii in float16, and to the outer bound of all but what is 0 because
        operands are: `zero`."""
        cost = OPERATIONS[name].cost * self.form.step * SLACK

        def rounded() -> Any:
            return (outer() + made.size * cost + np.where(zero(), 0.0, self.form.smallest)) * SLACK

        shift += max(self._near, *(one.shift for one in of))
        made = Inner(middle, relative + self._unit(name), radius, rounded, shift)
        if self.form.gradual:
            small = (made.size * self.form.unit < self.form.smallest * (1 - 2.0**-40)) & (middle != 0)
            made.radius = radius + np.where(small, self.form.smallest, 0.0)
        return made

    def add(self, a: Inner, b: Inner) -> Inner:
        return self._sum("add", a.middle + b.middle, a, b)

    def subtract(self, a: Inner, b: Inner) -> Inner:
        return self._sum("subtract", a.middle - b.middle, a, b)

    def _sum(self, name: str, middle: Any, a: Inner, b: Inner) -> Inner:
        first, second = a.whole, b.whole
        outer, zero = (lambda: a.outer() + b.outer()), (lambda: a.zero & b.zero)
        made = self._made(name, middle, first + second, outer, a, b, zero=zero)
        if made.shift > FAR and a.shift != b.shift:  # what is far from its middle is but a part of the radius
            parts = (a.shift * first + b.shift * second) / made.whole
            made.shift = max(self._near, float(np.fmax.reduce(parts, axis=None, initial=0.0)))
        return made

    def multiply(self, a: Inner, b: Inner) -> Inner:
        return self._product("multiply", a, b)

    def _product(self, name: str, a: Inner, b: Inner) -> Inner:
        """|a| rb + |b| ra - ra rb, the least of what the four corners give."""
        middle, relative = a.middle * b.middle, a.relative + b.relative - a.relative * b.relative
        radius: Any = 0.0
        if not _nothing(a.radius):
            radius = a.radius * (b.size * (1 - b.relative))
        if not _nothing(b.radius):
            radius = radius + b.radius * (a.size * (1 - a.relative))
        if not _nothing(a.radius) and not _nothing(b.radius):
            wide = (a.whole > a.size * NARROW) & (b.whole > b.size * NARROW)
            radius = np.where(wide, np.nan, radius - a.radius * b.radius)

        def outer() -> Any:
            return a.outer() * b.size + b.outer() * a.size + a.outer() * b.outer()

        return self._made(name, middle, radius, outer, a, b, relative=relative, zero=lambda: a.zero | b.zero)

    def square(self, a: Inner) -> Inner:
        """As a product; next to 1 the square of a number that has hardly a radius has no rounding of its own."""
        made = self._product("square", a, a)
        if a.relative < self.form.unit / 2:
            next_to_1 = (np.abs(a.size - 1) < self.form.unit) & (a.whole < self.form.unit / 2)
            made.radius = _nan_where(next_to_1, made.radius)
        return made

    def divide(self, a: Inner, b: Inner) -> Inner:
        """(ra + |a / b| rb) / (|b| + rb), the lesser of both sides."""
        wide = b.outer() > b.size * NARROW
        with np.errstate(all="ignore"):
            middle = a.middle / b.middle
        made = np.abs(middle).astype(np.float64)
        relative = (a.relative + b.relative) / (1 + b.relative)
        if _nothing(a.radius) and _nothing(b.radius):
            radius: Any = 0.0
        elif _nothing(b.radius):
            radius = a.radius / (b.size * (1 + b.relative))
        else:
            relative = 0.0
            radius = (a.whole + made * b.whole) / (b.size + b.whole)
        if np.any(wide):
            radius = np.where(wide, np.nan, radius)
            middle = np.where(wide, 1, middle)

        def outer() -> Any:
            return (a.outer() + made * b.outer()) / np.where(wide, np.nan, b.size - b.outer())

        shift = self._shift(b, wide, max(a.relative, b.relative))
        return self._made("divide", middle, radius, outer, a, b, relative=relative, shift=shift, zero=lambda: a.zero)

    def _shift(self, b: Inner, wide: Any, least: float) -> float:
        """How far the quotient or root of a ball is from that of its middle, as a part of the radius. FLINT takes it
        from the ball's ends where that is wider than 2^-22, in few bits more than the ball has. `least`: than which no
        operand is narrower."""
        most = b.relative * SLACK
        if not _nothing(b.radius):
            with np.errstate(all="ignore"):
                most = float(np.max(np.where(wide | (b.size == 0), 0.0, b.outer() / b.size), initial=0.0))
        return most + (2.0**-26 if max(most, least) < 2.0**-23 else min(2.0**-7, 2.0**-25 / least))

    def sqrt(self, a: Inner) -> Inner:
        """r / 2 sqrt(a), less a quarter of r / a of it: the lesser of both sides. 0 has the root 0."""
        nothing = a.zero
        wide = ~((a.outer() <= a.size * NARROW) & (a.middle > 0)) & ~nothing
        middle = np.sqrt(np.where(wide, 1, a.middle))
        rooted = np.where(nothing, 1.0, np.asarray(middle, dtype=np.float64))
        relative, radius = a.relative / 2 * (1 - NARROW), 0.0
        if not _nothing(a.radius):
            radius = a.radius / rooted * (0.5 * (1 - NARROW))
        shift = self._shift(a, wide, a.relative)
        radius = _nan_where(wide, radius)

        def outer() -> Any:
            return a.outer() / rooted

        return self._made("sqrt", middle, radius, outer, a, relative=relative, shift=shift)

    def absolute(self, a: Inner) -> Inner:
        open_ = (a.size <= a.outer()) & (a.outer() > 0)
        return Inner(np.abs(a.middle), a.relative, _nan_where(open_, a.radius), a.outer, a.shift)

    def negative(self, a: Inner) -> Inner:
        return Inner(-a.middle, a.relative, a.radius, a.outer, a.shift)

    def larger(self, a: Inner, b: Inner, sign: int) -> Inner:
        """Around the larger of both middles, with the larger radius of both; where it is open which one that is, with
        the smaller."""
        apart = a.middle - b.middle
        first = apart * sign >= 0
        ra, rb = np.broadcast_to(a.whole, np.shape(apart)), np.broadcast_to(b.whole, np.shape(apart))
        shift = max(a.shift, b.shift) + 2.0**-9
        own, other = np.where(first, ra, rb), np.where(first, rb, ra)
        radius = np.maximum(own, other - own * shift)
        radius = np.where(np.abs(apart) > a.outer() + b.outer(), radius, np.minimum(ra, rb))
        middle = np.where(first, a.middle, b.middle)
        return Inner(middle, 0.0, radius, lambda: np.maximum(a.outer(), b.outer()), shift)

    # --- choices: only those that no ball leaves open ------------------------------------------------------------

    def greater(self, a: Inner, b: Inner) -> Condition:
        apart = a.middle - b.middle
        reach = a.outer() + b.outer()
        return Condition(apart > 0, ~((np.abs(apart) > SLACK * reach) | (reach == 0)))

    def equal(self, a: Inner, b: Inner) -> Condition:
        return Condition(a.middle == b.middle, self.greater(a, b).open)

    def where(self, condition: Condition | Inner, a: Inner, b: Inner) -> Inner:
        if isinstance(condition, Inner):  # one of a step: 1 or 0, or open
            if condition.relative:
                raise Unknown
            condition = Condition(condition.middle == 1, np.False_)
        shape = np.broadcast_shapes(np.shape(condition.holds), np.shape(a.middle), np.shape(b.middle))
        middle = np.where(condition.holds, a.middle, b.middle)
        radius = np.where(condition.holds, a.whole, b.whole)
        radius = np.broadcast_to(_nan_where(condition.open, radius), shape)
        return Inner(
            middle, 0.0, radius, lambda: np.where(condition.holds, a.outer(), b.outer()), max(a.shift, b.shift)
        )

    def sign(self, a: Inner) -> Inner:
        open_ = ~((a.size > SLACK * a.outer()) | (a.outer() == 0))
        return Inner(np.sign(a.middle), 0.0, _nan_where(open_, np.zeros(np.shape(a.middle))), lambda: 0.0)


class Condition:
    """What is true, `holds`, and where that is open."""

    __slots__ = ("holds", "open")

    def __init__(self, holds: Any, open_: Any) -> None:
        self.holds, self.open = holds, open_


def _nothing(radius: Any) -> bool:
    return isinstance(radius, float) and radius == 0


def _nan_where(where: Any, radius: Any) -> Any:
    return np.where(where, np.nan, radius) if np.any(where) else radius
