"""One-sided derivatives: what is true where a gradient is no single number.

Where reverse mode gives a hull (a kink) or nothing finite (0 times infinity), germs along +e_i and -e_i decide by what
comes first for small t > 0. The input moves as x +- t^2 e_i, so that square roots of what moves are power series
too: the derivative is the coefficient of t^2 where that of t is 0, and infinite where it is not. What is no power
series is told by the gradient a hair beside the point (`beside.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isinf, isnan, nan
from typing import Any, Literal, TypeAlias

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.graph import Graph
from .beside import THINNER, Beside, beside, contracted, limit, near
from .choice import NO_NUMBER
from .germs import Motion, coefficient, mover
from .poles import BEYOND, HAIR
from .precision import PRECISION, is_nothing, is_tight, working
from .reference import Number, replaced
from .rounding import floats

Array: TypeAlias = NDArray[Any]
Index: TypeAlias = "tuple[int, ...]"
Edge: TypeAlias = Literal["", "left", "right", "jump"]

MOST, NUMBERS = 64, 100_000  # components of one gradient that are looked at: so many, or with so many numbers in all
LENGTH = 8


@dataclass(frozen=True, slots=True)
class Sides:
    """The derivatives of the contracted output along one axis; NaN where there is none, or none is known.

    `edge` is the side on which the function does not exist, or says that it is another number from every side.
    """

    left: float
    right: float
    edge: Edge = ""

    @property
    def single(self) -> float:
        """The derivative where both sides agree, or the only one at the edge of a domain; else NaN."""
        if self.left == self.right:
            return self.left
        side = self.right if isnan(self.left) else self.left if isnan(self.right) else nan
        return side if isinf(side) or self.edge else nan

    @property
    def both(self) -> bool:
        """Whether each side is known."""
        return not (isnan(self.left) or isnan(self.right))

    @property
    def told(self) -> bool:
        """Whether anything is known of it."""
        return not (isnan(self.left) and isnan(self.right)) or bool(self.edge)

    def outside(self, number: float) -> float:
        """How far a number is from all between both sides; NaN where one is not known."""
        if not self.both or isnan(number):
            return nan
        low, high = min(self.left, self.right), max(self.left, self.right)
        return 0.0 if low <= number <= high else low - number if number < low else number - high

    def choice(self, number: float) -> str:
        """Which derivative a number is."""
        named = {self.left: "left", self.right: "right", (self.left + self.right) / 2: "middle"}
        return next(
            (name for side, name in named.items() if side == number or abs(number - side) <= 1e-6 * abs(side) < inf),
            "another",
        )


def open_components(number: Number) -> tuple[list[Index], list[Index]]:
    """The components of a gradient that are no single number, or none that is known, as many as are looked at; and
    those that are left out."""
    places = [tuple(int(i) for i in place) for place in np.argwhere(~number.tight | ~np.isfinite(number.high))]
    most = max(MOST, NUMBERS // max(number.high.size, 1))
    return places[:most], places[most:]


def sides(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, value: Number, asked: Mapping[str, Sequence[Index]]
) -> dict[str, dict[Index, Sides]]:
    """The one-sided derivatives of the contracted output, for each input with respect to the components that are asked.

    `value` is that of the output: a function that is not continuous from a side has no derivative there. Where it has
    no value, what both sides tend to stands for it: sin(x) / x at 0.
    """
    if not any(asked.values()):
        return {name: {} for name in asked}
    with working():
        look = Look(graph.pruned([graph.output.name]), inputs, cotangent, contracted(value.balls, cotangent))
        return {name: {index: look.along(name, index) for index in indices} for name, indices in asked.items()}


def along(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, value: Number, direction: Mapping[str, Array]
) -> Sides:
    """The one-sided derivatives of the contracted output along one direction of all inputs."""
    with working():
        look = Look(graph.pruned([graph.output.name]), inputs, cotangent, contracted(value.balls, cotangent))
        return look.across(direction)


def approached(graph: Graph, inputs: Mapping[str, Array]) -> NDArray[np.float64]:
    """What each component of the output tends to around the point, from all sides: 0 for exp(-1 / x^2) at 0, which has
    no value there. NaN where that is no number, or not known."""
    random, moving = np.random.default_rng(1), [node.name for node in graph.wanted]
    with working():
        move = mover(graph.pruned([graph.output.name]), power=2, length=LENGTH, ties="ahead")
        ways = [{n: random.integers(1, 64, np.shape(inputs[n])) for n in moving} for _ in range(2)]
        germs = [move(inputs, {n: sign * v for n, v in way.items()}) for way in ways for sign in (1, -1)]
        starts = [coefficient(germ[graph.output.name], 0) for germ in germs]
        agree = np.all([np.asarray(_near(starts[0], other), dtype=bool) for other in starts[1:]], axis=0)
        return np.where(agree, floats(starts[0]), nan)


_near = np.frompyfunc(near, 2, 1)


@dataclass(frozen=True)
class Look:
    """The contracted output around one point, where it is `here`."""

    graph: Graph
    inputs: Mapping[str, Array]
    cotangent: Array
    here: Any

    @cached_property
    def move(self) -> Motion:
        return mover(self.graph, power=2, length=LENGTH, ties="ahead")

    @cached_property
    def there(self) -> Beside:
        return beside(self.graph, self.inputs, self.cotangent)

    def along(self, name: str, index: Index) -> Sides:
        """Both sides of one component."""
        (start, back), (begin, right) = (self.germ({name: self._direction(name, index, sign)}) for sign in (-1, 1))
        left = 0.0 - back
        edge: Edge = ""
        if isnan(left) or isnan(right):
            (start, left, no_left), (begin, right, no_right) = (
                self._hair(name, index, sign, begun, slope)
                for sign, begun, slope in ((-1, start, left), (1, begin, right))
            )
            edge = "left" if no_left and not no_right else "right" if no_right and not no_left else ""
        return self.joined((start, left), (begin, right), edge)

    def across(self, direction: Mapping[str, Array]) -> Sides:
        """Both sides of one direction."""
        (start, back), (begin, ahead) = (self.germ({n: sign * v for n, v in direction.items()}) for sign in (-1, 1))
        return self.joined((start, 0.0 - back), (begin, ahead))

    def joined(self, before: tuple[Any, float], after: tuple[Any, float], edge: Edge = "") -> Sides:
        """Both sides, each by what the output begins with there and its derivative: NaN where it is not continuous."""
        (start, left), (begin, right) = before, after
        whole = self.here if self.here.is_finite() else start if near(start, begin) else arb.nan()
        continuous = [near(whole, side) for side in (start, begin)]
        if whole.is_finite() and not any(continuous) and (start.is_finite() or begin.is_finite()):
            edge = "jump"
        return Sides(left if continuous[0] else nan, right if continuous[1] else nan, edge)

    def germ(self, direction: Mapping[str, Array]) -> tuple[Any, float]:
        """What the output begins with along a direction, and its derivative, in as many bits as that needs."""
        start, slope = arb.nan(), nan
        for bits in (PRECISION, 4 * PRECISION, 16 * PRECISION):
            with flint.ctx.workprec(bits):
                germs = self.move(self.inputs, direction)[self.graph.output.name]
                start, steep, slope = (contracted(coefficient(germs, k), self.cotangent) for k in (0, 1, 2))
            if not isnan(known := derivative(steep, slope)):
                return start, known
            if not (steep.is_finite() and slope.is_finite()):
                break
        return start, nan

    def _hair(self, name: str, index: Index, sign: int, begun: Any, slope: float) -> tuple[Any, float, bool]:
        """The same where germs do not know, and whether the function does not exist there."""
        if not isnan(slope):
            return begun, slope, False
        direction = {name: self._direction(name, index, sign)}
        (value, slopes), (_, closer) = (self.there(direction, hair) for hair in (HAIR, THINNER))
        if abs(value) > BEYOND:
            return arb.nan(), nan, False
        return value, limit(slopes[name][index], closer[name][index]), bool(value.is_nan())

    def _direction(self, name: str, index: Index, sign: int) -> Array:
        direction = np.zeros(self.graph[name].shape, dtype=np.int64)
        direction[index] = sign
        return direction


def derivative(steep: Any, slope: Any) -> float:
    """The derivative along t^2 of a germ with these coefficients of t and t^2; NaN where their bits do not tell."""
    if is_nothing(steep) and (is_tight(slope) or is_nothing(slope)):
        return float(slope.mid()) + 0.0  # no -0.0
    return inf if steep > 0 else -inf if steep < 0 else nan


def agreed(number: Number, known: Mapping[Index, Sides]) -> Number:
    """The gradient with what both sides agree on in place of what reverse mode left open."""
    singles = {index: arb(pair.single) for index, pair in known.items() if not isnan(pair.single)}
    # A rule may have an infinity where a function jumps, which has no derivative.
    jumps = [index for index, pair in known.items() if pair.edge == "jump" and np.isinf(number.high[index])]
    singles |= dict.fromkeys(jumps, NO_NUMBER)
    return replaced(number, singles) if singles else number
