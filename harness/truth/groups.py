"""Many components of a gradient at once: what the function changes by along one random direction of all of them.

One-sided derivatives are asked axis by axis (`sides.py`), of so many components as there is time for; and along an axis
a function has no number where the other inputs stay at a hole of it: the sum of sin(x) / x at two zeros. Along random
directions that move all of them there is one. Where that derivative is the same from both sides and linear in the
direction, the function has a gradient as far as these components go, and <gradient, direction> is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from .beside import contracted
from .precision import working
from .reference import Number
from .sides import Index, Look

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = "tuple[tuple[str, Index], ...]"

GROUPS = 32  # that are asked at most: halves of halves, as far as kinks and poles are among them
SMALLEST = 1e-290


@dataclass(frozen=True, slots=True)
class Group:
    """Some components of the gradient of one input, a direction that moves them alone, and the derivative along it."""

    places: Sequence[Index]
    direction: Array
    slope: float


def groups(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, value: Number, asked: Mapping[str, Sequence[Index]]
) -> dict[str, list[Group]]:
    """Of each input groups of the components that are asked, with what is true of them together; those of which nothing
    is known are left out. `value` is that of the output.

    Where the output has no value all inputs move at any rate, and what a group adds is what changes with its sign.
    """
    found: dict[str, list[Group]] = {name: [] for name in asked}
    if not any(asked.values()):
        return found
    with working():
        look = Look(graph.pruned([graph.output.name]), inputs, cotangent, contracted(value.balls, cotangent))
        shapes = {name: np.shape(inputs[name]) for name in asked}
        every = tuple((name, index) for name, shape in shapes.items() for index in np.ndindex(shape))
        known = _Along(look, shapes, () if look.here.is_finite() else every)
        queue = [tuple((name, index) for index in indices) for name, indices in asked.items()]
        for _ in range(GROUPS):
            if not queue:
                break
            places = queue.pop(0)
            if not places:
                continue
            made = known.of(places)
            found[places[0][0]] += made
            if not made and len(places) > 1:
                queue += [places[: len(places) // 2], places[len(places) // 2 :]]
    return found


@dataclass(frozen=True)
class _Along:
    """Derivatives along random directions; `moving` is what moves besides, and has no share in them."""

    look: Look
    shapes: Mapping[str, tuple[int, ...]]
    moving: Places

    def of(self, places: Places) -> list[Group]:
        """The components along two directions; none where there is no derivative, or it is not linear."""
        random = np.random.default_rng(1)
        u, v, rest = (self._drawn(some, random) for some in (places, places, self._others(places)))
        u = {name: np.abs(way) for name, way in u.items()}  # numbers that are all alike add up
        both = {name: u[name] + v[name] for name in self.shapes}
        slopes: list[float] = []
        for way in (u, v, both):
            slopes.append(self._slope(way, rest))
            if not isfinite(slopes[-1]):
                return []
        size = abs(slopes[0]) + abs(slopes[1])
        if not isclose(slopes[0] + slopes[1], slopes[2], rel_tol=1e-12, abs_tol=1e-12 * size + SMALLEST):
            return []
        name, indices = places[0][0], [index for _, index in places]
        return [Group(indices, way[name].astype(np.float64), slope) for way, slope in zip((u, v), slopes, strict=False)]

    def _others(self, places: Places) -> Places:
        chosen = set(places)
        return tuple(place for place in self.moving if place not in chosen)

    def _drawn(self, places: Places, random: np.random.Generator) -> dict[str, Array]:
        direction = {name: np.zeros(shape, dtype=np.int64) for name, shape in self.shapes.items()}
        for name, index in places:
            direction[name][index] = random.integers(1, 64) * random.choice((-1, 1))
        return direction

    def _slope(self, way: Mapping[str, Array], rest: Mapping[str, Array]) -> float:
        """The derivative along a direction, NaN unless both sides agree on it: half of what changes where it alone
        is turned round."""
        if not any(v.any() for v in rest.values()):
            return self._both(way)
        ahead, back = (self._both({n: sign * way[n] + rest[n] for n in self.shapes}) for sign in (1, -1))
        return (ahead - back) / 2

    def _both(self, way: Mapping[str, Array]) -> float:
        pair = self.look.across(way)
        agree = isclose(pair.left, pair.right, rel_tol=1e-12, abs_tol=SMALLEST)
        return pair.right if agree else float("nan")
