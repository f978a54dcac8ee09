"""One-sided derivatives: what is true where a gradient is no single number.

Where reverse mode gives a hull (a kink) or nothing finite (0 times infinity), germs along +e_i and -e_i decide by what
comes first for small t > 0. The input moves as x +- t^2 e_i, so that square roots of what moves are power series
too: the derivative is the coefficient of t^2 where that of t is 0, and infinite where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, isinf, isnan, nan
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.graph import Graph
from .arrays import ZERO
from .germs import coefficient, mover
from .numbers import to_balls
from .precision import working
from .reference import Number, replaced

Array: TypeAlias = NDArray[Any]
Index: TypeAlias = "tuple[int, ...]"

MOST = 64  # components of one gradient that are looked at
LENGTH = 8


@dataclass(frozen=True, slots=True)
class Sides:
    """The derivatives of the contracted output along one axis; NaN where there is none, or none is known."""

    left: float
    right: float

    @property
    def single(self) -> float:
        """The derivative where both sides agree, or an infinite one at the edge of a domain; else NaN."""
        if self.left == self.right:
            return self.left
        side = self.right if isnan(self.left) else self.left if isnan(self.right) else nan
        return side if isinf(side) else nan

    def outside(self, number: float) -> float:
        """How far a number is from all between both sides; NaN where one is not known."""
        low, high = min(self.left, self.right), max(self.left, self.right)
        return max(low - number, number - high, 0.0) if isfinite(low) and isfinite(high) else nan

    def choice(self, number: float) -> str:
        """Which derivative a number is."""
        named = {self.left: "left", self.right: "right", (self.left + self.right) / 2: "middle"}
        return next((name for side, name in named.items() if abs(number - side) <= 1e-6 * abs(side)), "another")


def open_components(number: Number) -> list[Index]:
    """The components of a gradient that are no single number, or none that is known; the first of them."""
    places = np.argwhere(~number.tight | ~np.isfinite(number.high))[:MOST]
    return [tuple(int(i) for i in place) for place in places]


def sides(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, value: Number, gradients: Mapping[str, Number]
) -> dict[str, dict[Index, Sides]]:
    """For each gradient its open components and their one-sided derivatives. `value` is that of the output: a
    function that is not continuous from a side has no derivative there."""
    asked = {name: open_components(number) for name, number in gradients.items()}
    if not any(asked.values()):
        return {name: {} for name in asked}
    output = graph.output
    move = mover(graph.pruned([output.name]), power=2, length=LENGTH)

    def along(name: str, index: Index, sign: int) -> float:
        direction = np.zeros(graph[name].shape, dtype=np.int64)
        direction[index] = sign
        germs = move(inputs, {name: direction})[output.name]
        start, steep, slope = (_contracted(coefficient(germs, k), cotangent) for k in (0, 1, 2))
        if not (start.is_finite() and here.is_finite() and start.overlaps(here)):
            return nan
        if steep.is_zero():
            return sign * _number(slope) + 0.0  # no -0.0
        return sign * inf if steep > 0 else -sign * inf if steep < 0 else nan

    with working():
        here = _contracted(value.balls, cotangent)
        return {
            name: {index: Sides(along(name, index, -1), along(name, index, 1)) for index in indices}
            for name, indices in asked.items()
        }


def _contracted(coefficients: Array, cotangent: Array) -> Any:
    weights = to_balls(cotangent)
    return sum((a * b for a, b in zip(coefficients.flat, weights.flat, strict=True)), start=ZERO)


def _number(ball: Any) -> float:
    return float(ball.mid()) if ball.is_finite() and (ball.rad() <= abs(ball.mid()) * arb(2) ** -60) else nan


def agreed(number: Number, known: Mapping[Index, Sides]) -> Number:
    """The gradient with what both sides agree on in place of what reverse mode left open."""
    singles = {index: arb(pair.single) for index, pair in known.items() if not isnan(pair.single)}
    return replaced(number, singles) if singles else number
