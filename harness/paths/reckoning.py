"""The operations of rules on inner intervals: what each makes of them, and then its own rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flint
import numpy as np

from ..graph.emit import Namespace
from ..records.formats import Format
from ..truth.next_to_one import units
from .arithmetic import met, stepping
from .inner import CLOSE, NARROW, SLACK, Condition, Floats, Inner, Setting, Unknown, work

FAR = 2.0**-9  # a shift that is worth knowing better


class Reckoning:
    """The operations of rules on inner intervals, for engines of one format, and on settings. `sided` as in
    `stepping`: of what may be 0 by underflow nothing is known, since its ball is not around its middle."""

    def __init__(self, form: Format, *, sided: bool = False) -> None:
        self.form, self._sided = form, sided
        self._work = work(form)
        self._long = self._work != np.float64
        self._lost = 2.0**-63 if self._long else 2.0**-52  # of a middle, by each operation; that is twice its rounding
        self._near = 2 * self._lost / form.unit  # what that is of a radius

    def namespace(self) -> Namespace:
        plain, exact = stepping(self.form, sided=self._sided), stepping(None)
        own: Mapping[str, Callable[..., Any]] = {
            "add": self.add, "subtract": self.subtract, "multiply": self.multiply, "divide": self.divide,
            "square": self.square, "sqrt": self.sqrt, "abs": self.absolute, "negative": self.negative,
            "maximum": self.larger, "minimum": self.smaller, "greater": self.greater, "less": self.less,
            "equal": self.equal, "sign": self.sign, "where": self.where, "copy": _copy,
        }  # fmt: skip

        def of(name: str) -> Callable[..., Any]:
            alone, exactly, together = plain[name], exact[name], own.get(name)

            def run(*operands: Any, **params: Any) -> Any:
                if all(isinstance(one, Setting) for one in operands):
                    return Setting(
                        alone(*(one.ball for one in operands), **params),
                        exactly(*(one.exact for one in operands), **params),
                    )
                if together is None:
                    raise Unknown
                return together(*map(self._beside, operands, (name == "where", *(False for _ in operands[1:]))))

            return run

        def constant(text: str) -> Setting:
            return Setting(plain["constant"](text), exact["constant"](text))

        return {**{name: of(name) for name in plain}, "constant": constant}

    def _beside(self, number: Any, chooses: bool) -> Any:
        """What stands beside arrays: of settings as `arithmetic.py` has them there. Raises Unknown of a setting that
        has no finite ball, or whose exact number is far from any of the work's."""
        if not isinstance(number, Setting):
            return number
        ball, exact = _one(number.ball), _one(number.exact)
        if chooses:
            return Condition(np.bool_(ball == 1), np.bool_(not ball.is_exact()))
        if self.form.inside and isinstance(number.ball, flint.arb):
            ball = met(ball, self.form)
        if not ball.is_finite():
            raise Unknown
        high = float(ball.mid())
        low = float(ball.mid() - flint.arb(high)) if self._long else 0.0
        held, radius = flint.arb(high) + flint.arb(low), ball.rad()
        off, inexact = abs(ball.mid() - held).upper(), abs(exact - held).upper()
        if not (off <= radius * CLOSE and inexact <= radius * CLOSE):
            raise Unknown
        middle = self._work.type(high) + self._work.type(low)
        if radius.is_zero():
            return Inner(middle, 0.0, lambda _: 0.0, same=lambda: np.True_)
        least, most = float((radius - off).lower()) * (1 - 2.0**-50), float((radius + off).upper()) * SLACK
        shift, close = float((off / radius).upper()), float((inexact / radius).upper())
        if most > abs(high) * NARROW:
            return Inner(middle, np.float64(least), lambda _: most, shift=shift, exact=close)
        relative = least / abs(high) * (1 - 2.0**-50)
        return Inner(middle, 0.0, lambda _: most, relative=relative, shift=shift, exact=close)

    # --- operations: each as a ball has it, and then its own rounding -------------------------------------------

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
        same: Callable[[], Any] | None = None,
    ) -> Inner:
        """A result, rounded. Underflow adds to radii in float16, and to the outer bound of all but what is 0 because
        operands are: `zero`."""
        cost = units(name, self.form) * self.form.step

        def rounded(made: Inner) -> Any:
            return (outer() + made.size * cost + np.where(zero(), 0.0, self.form.smallest)) * SLACK

        made = Inner(
            middle,
            radius,
            rounded,
            relative=relative + cost - self._lost,
            shift=max(self._near, *(one.shift for one in of)) + shift,
            exact=max(self._near, *(one.exact for one in of)),
            same=same,
        )
        if self.form.gradual:
            small = (made.size * self.form.unit < self.form.smallest * (1 - 2.0**-40)) & (middle != 0)
            made.radius = radius + np.where(small, self.form.smallest, 0.0)
        if self._sided:
            made.radius = _nan_where((made.outer() >= made.size) & ~(zero() & (made.middle == 0)), made.radius)
        return made

    def add(self, a: Inner, b: Inner) -> Inner:
        return self._sum("add", a.middle + b.middle, a, b)

    def subtract(self, a: Inner, b: Inner) -> Inner:
        return self._sum("subtract", a.middle - b.middle, a, b)

    def _sum(self, name: str, middle: Any, a: Inner, b: Inner) -> Inner:
        first, second = a.whole, b.whole

        def outer() -> Any:
            return a.outer() + b.outer()

        def same() -> Any:
            return (a.zero & b.same()) | (b.zero & a.same())

        made = self._made(name, middle, first + second, outer, a, b, zero=lambda: a.zero & b.zero, same=same)
        if made.shift > FAR and a.shift != b.shift:  # of the sum's radius the part with the larger one may be small
            made.shift = max(self._near, _most((a.shift * first + b.shift * second) / made.whole))
        return made

    def multiply(self, a: Inner, b: Inner) -> Inner:
        return self._product("multiply", a, b)

    def square(self, a: Inner) -> Inner:
        """As a product. A ball through 0 has another square; next to 1 that of a number that has hardly a radius has no
        rounding of its own."""
        made = self._product("square", a, a)
        made.radius = _nan_where(~(a.outer() <= a.size * 0.375), made.radius)  # or else 2 r |a| + r^2 may reach a^2
        if a.relative < self.form.unit / 2:
            next_to_1 = (np.abs(a.size - 1) < self.form.unit) & (a.whole < self.form.unit / 2)
            made.radius = _nan_where(next_to_1, made.radius)
        return made

    def _product(self, name: str, a: Inner, b: Inner) -> Inner:
        """|a| rb + |b| ra - ra rb, the least of what the four corners give."""
        radius: Any = 0.0
        if not _nothing(a.radius):
            radius = a.radius * (b.size * (1 - b.relative))
        if not _nothing(b.radius):
            radius = radius + b.radius * (a.size * (1 - a.relative))
        if not _nothing(a.radius) and not _nothing(b.radius):
            wide = (a.whole > a.size * NARROW) & (b.whole > b.size * NARROW)
            radius = _nan_where(wide, radius - a.radius * b.radius)

        def outer() -> Any:
            return a.outer() * b.size + b.outer() * a.size + a.outer() * b.outer()

        relative = a.relative + b.relative - a.relative * b.relative
        zero = lambda: a.zero | b.zero  # noqa: E731
        return self._made(name, a.middle * b.middle, radius, outer, a, b, relative=relative, zero=zero)

    def divide(self, a: Inner, b: Inner) -> Inner:
        """(ra + |a / b| rb) / (|b| + rb), the lesser of both sides."""
        wide = ~(b.outer() <= b.size * NARROW) | (b.size == 0)
        middle = a.middle / (np.where(wide, 1, b.middle) if np.any(wide) else b.middle)
        radius, relative = 0.0, (a.relative + b.relative) / (1 + b.relative)
        if not _nothing(b.radius):
            spread = b.whole
            radius, relative = (a.whole + np.abs(middle.astype(np.float64)) * spread) / (b.size + spread), 0.0
        elif not _nothing(a.radius):
            radius = a.radius / (b.size * (1 + b.relative))

        def outer() -> Any:
            made = np.abs(middle.astype(np.float64))
            return (a.outer() + made * b.outer()) / np.where(wide, np.nan, b.size - b.outer())

        radius, shift = _nan_where(wide, radius), self._shift(b, wide, max(a.relative, b.relative))
        return self._made("divide", middle, radius, outer, a, b, relative=relative, shift=shift, zero=lambda: a.zero)

    def sqrt(self, a: Inner) -> Inner:
        """r / 2 sqrt(a), less a quarter of r / a of it: the lesser of both sides. 0 has the root 0."""
        nothing = a.zero
        wide = ~((a.outer() <= a.size * NARROW) & (a.middle > 0)) & ~nothing
        middle = np.sqrt(np.where(wide, 1, a.middle) if np.any(wide) else a.middle)
        rooted = middle.astype(np.float64)
        rooted = np.where(nothing, 1.0, rooted) if np.any(nothing) else rooted
        radius, relative = 0.0, a.relative / 2 * (1 - a.relative / 4)
        if not _nothing(a.radius):
            part = a.outer() / np.where(nothing, 1.0, a.size)
            radius, relative = a.whole / rooted * (0.5 - part / 8), 0.0

        def outer() -> Any:
            return a.outer() / rooted

        radius, shift = _nan_where(wide, radius), self._shift(a, wide, a.relative)
        return self._made("sqrt", middle, radius, outer, a, relative=relative, shift=shift, zero=lambda: nothing)

    def _shift(self, b: Inner, wide: Any, least: float) -> float:
        """How far the quotient or root of a ball is from that of its middle, as a part of the radius. FLINT takes it
        from the ball's ends where that is wider than 2^-22, in few bits more than the ball has. `least`: than which no
        operand is narrower."""
        most = b.relative * SLACK
        if not _nothing(b.radius):
            parts = b.outer() / b.size
            most = _most(np.where(wide | (b.size == 0), np.nan, parts) if np.any(wide) else parts)
        return most + (2.0**-26 if max(most, least) < 2.0**-23 else min(2.0**-7, 2.0**-25 / least))

    def absolute(self, a: Inner) -> Inner:
        radius = _nan_where(~(a.outer() <= a.size), a.radius)
        return Inner(
            np.abs(a.middle),
            radius,
            lambda _: a.outer(),
            relative=a.relative,
            shift=a.shift,
            exact=a.exact,
            same=a.same,
        )

    def negative(self, a: Inner) -> Inner:
        return Inner(
            -a.middle, a.radius, lambda _: a.outer(), relative=a.relative, shift=a.shift, exact=a.exact, same=a.same
        )

    def larger(self, a: Inner, b: Inner) -> Inner:
        return self._one_of(a, b, a.middle >= b.middle)

    def smaller(self, a: Inner, b: Inner) -> Inner:
        return self._one_of(a, b, a.middle <= b.middle)

    def _one_of(self, a: Inner, b: Inner, first: Any) -> Inner:
        """One of both; where it is open which one that is, around its middle with the smaller radius."""
        decided = np.abs(a.middle - b.middle) > SLACK * (a.outer() + b.outer())
        ra, rb = np.broadcast_to(a.whole, first.shape), np.broadcast_to(b.whole, first.shape)
        radius = np.where(decided & ~(a.unknown | b.unknown), _chosen(first, ra, rb), np.minimum(ra, rb))

        def outer(_: Inner) -> Any:
            return _chosen(decided, _chosen(first, a.outer(), b.outer()), np.maximum(a.outer(), b.outer()))

        def same() -> Any:
            return _chosen(first, a.same(), b.same())

        middle, shift, exact = _chosen(first, a.middle, b.middle), max(a.shift, b.shift), max(a.exact, b.exact)
        return Inner(middle, radius, outer, shift=shift, exact=exact, same=same)

    # --- choices: an array's only where no ball leaves them open -------------------------------------------------

    def greater(self, a: Inner, b: Inner) -> Condition:
        apart, reach = a.middle - b.middle, a.outer() + b.outer()
        decided = (np.abs(apart) > SLACK * reach) | (reach == 0)
        return Condition(apart > 0, ~decided | a.unknown | b.unknown)

    def less(self, a: Inner, b: Inner) -> Condition:
        return self.greater(b, a)

    def equal(self, a: Inner, b: Inner) -> Condition:
        return Condition(a.middle == b.middle, self.greater(a, b).open)

    def sign(self, a: Inner) -> Inner:
        outer = a.outer()
        open_ = ~((a.size > SLACK * outer) | (outer == 0)) | a.unknown
        radius = _nan_where(open_, np.zeros(np.shape(a.middle)))
        return Inner(np.sign(a.middle), radius, lambda _: 0.0, same=lambda: ~open_)

    def where(self, condition: Condition, a: Inner, b: Inner) -> Inner:
        if np.ndim(condition.open) == 0 and bool(condition.open):
            return self._either(a, b)
        radius = _chosen(condition.holds, a.whole, b.whole)

        def outer(_: Inner) -> Any:
            return _chosen(condition.holds, a.outer(), b.outer())

        return Inner(
            _chosen(condition.holds, a.middle, b.middle),
            _nan_where(condition.open, radius),
            outer,
            shift=max(a.shift, b.shift),
            exact=max(a.exact, b.exact),
            same=lambda: _chosen(condition.holds, a.same(), b.same()),
        )

    def _either(self, a: Inner, b: Inner) -> Inner:
        """What holds both, where it is open for all of a step which one it is; the exact number is somewhere in it."""
        low = np.minimum(a.middle - a.whole, b.middle - b.whole)
        high = np.maximum(a.middle + a.whole, b.middle + b.whole)
        middle = (low + high) / 2
        radius = ((high - low) / 2).astype(np.float64) - np.abs(middle).astype(np.float64) * (4 * self._lost)

        def outer(_: Inner) -> Any:
            return (radius + np.maximum(a.outer(), b.outer())) * SLACK

        return Inner(middle, radius, outer, shift=2 * max(a.shift, b.shift, self._near), exact=1.0)


def _one(ball: Any) -> Any:
    return ball.reshape(-1)[0] if isinstance(ball, np.ndarray) else ball


_chosen: Any = np.where


def _copy(a: Inner) -> Inner:
    return a


def _nothing(radius: Any) -> bool:
    """Whether all of a radius is relative."""
    return type(radius) is float


def _most(numbers: Floats) -> float:
    """The largest of those of which anything is known."""
    return float(np.fmax.reduce(numbers, axis=None, initial=0.0))


def _nan_where(unknown: Any, radius: Any) -> Any:
    return np.where(unknown, np.nan, radius) if np.any(unknown) else radius
