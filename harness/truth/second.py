"""Second derivatives by their definition: what the true gradient changes by along a direction.

The gradient of a contracted gradient is asked along axes (`sides.py`). There it may have no number, or a wrong one,
where the other inputs stay on a kink or a pole while one moves: sin(a b) / (a b) along b, at a = 0. H v is what
(g(x + h v) - g(x)) / h tends to from both sides, g the gradient. It exists only where that is linear in v, which a
second direction tells: the gradient of x^3 y / (x^2 + y^2) has a slope along every line through 0, and no derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isclose, isinf, isnan, nan
from typing import Any, TypeAlias, cast

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Constant
from .arrays import array
from .beside import Beside, beside, limit
from .germs import Motion, coefficient, mover
from .numbers import constant
from .precision import PRECISION, working
from .reference import Number
from .sides import LENGTH, Index, Sides, derivative

Array: TypeAlias = NDArray[Any]
Direction: TypeAlias = Mapping[str, Array]
Seen: TypeAlias = "tuple[float, float]"  # what a component begins with on one side, and its derivative there

HAIR, THINNER = arb(2) ** -1200, arb(2) ** -1600  # below every float64
BITS = 12288  # what cancels to sixth order has bits left
SMALLEST = 1e-290


def by_definition(
    graph: Graph,
    inputs: Mapping[str, Array],
    cotangent: Array,
    direction: Direction,
    gradients: Mapping[str, Number],
    axes: Mapping[str, Mapping[Index, Sides]],
    left: Mapping[str, Collection[Index]],
) -> dict[str, dict[Index, Sides]]:
    """The open components of H v, of which `axes` has what the axes say; `gradients` are the true ones of the graph.

    Those that are `left` have not been looked at along axes, nor has their gradient: it is what it tends to from both
    sides, as that of a continuous function is.
    """
    axes = {name: {**dict.fromkeys(left[name], Sides(nan, nan)), **of} for name, of in axes.items()}
    if not any(axes.values()):
        return {name: {} for name in axes}
    with working():
        random = np.random.default_rng(1)
        other = {n: random.integers(1, 64, v.shape) * random.choice((-1, 1), v.shape) for n, v in direction.items()}
        both = {name: direction[name] + v for name, v in other.items()}
        look = _Change(graph.pruned([graph.output.name]), inputs, cotangent, gradients)
        v, u, w = (look.along(d, axes) for d in (direction, other, both))

        def settled(name: str, index: Index, axis: Sides) -> Sides:
            if not np.isfinite(gradients[name].high[index]) and index not in left[name]:
                return Sides(nan, nan)
            at = name, index
            return _settled(axis, v(at), lambda: same(v(at).single + u(at).single, w(at).single))

        return {name: {index: settled(name, index, axis) for index, axis in of.items()} for name, of in axes.items()}


def same(a: float, b: float) -> bool:
    """Whether two numbers are one, as far as float64 tells."""
    return isclose(a, b, rel_tol=1e-12, abs_tol=SMALLEST)


def _settled(axis: Sides, seen: Sides, linear: Callable[[], bool]) -> Sides:
    """What is true, by what the axes say and what the definition says along the direction."""
    sides = [side for side in (seen.left, seen.right) if not isnan(side)]
    if len(sides) == 2 and same(*sides):
        if linear():
            return Sides(seen.right, seen.right)
        return axis if same(axis.single, seen.right) else Sides(nan, nan)
    if len(sides) == 2 and axis.both and not any(map(isinf, sides)):  # a kink of the gradient: whatever a side gives
        ends = [*sides, axis.left, axis.right]
        return axis if _within(axis, sides) else Sides(min(ends), max(ends))
    contradicted = sides and not isnan(axis.single) and not any(same(axis.single, side) for side in sides)
    return Sides(nan, nan) if contradicted else axis


def _within(axis: Sides, sides: list[float]) -> bool:
    return all(axis.outside(side) == 0 for side in sides)


@dataclass(frozen=True)
class _Change:
    """The gradient around one point."""

    graph: Graph
    inputs: Mapping[str, Array]
    cotangent: Array
    gradients: Mapping[str, Number]

    @cached_property
    def move(self) -> tuple[Motion, Mapping[str, Array]]:
        """The germs of the gradient, as far as it is no constant, and all inputs of its graph."""
        derived = gradient(self.graph, stable=False, seeded=True)
        names = [arg for arg in map(derived.adjoints.get, self.gradients) if isinstance(arg, str)]
        motion = mover(derived.graph.pruned(list(dict.fromkeys(names))), power=2, length=LENGTH, ties="ahead")
        germs = {**self.inputs, derived.seed: self.cotangent}

        def moved(inputs: Mapping[str, Array], direction: Direction) -> dict[str, Array]:
            made = motion(inputs, direction)
            return {
                name: array(constant(arg.text)) if isinstance(arg, Constant) else made[arg]
                for name, arg in ((name, derived.adjoints[name]) for name in self.gradients)
            }

        return moved, germs

    @cached_property
    def there(self) -> Beside:
        return beside(self.graph, self.inputs, self.cotangent, BITS)

    def along(
        self, direction: Direction, asked: Mapping[str, Mapping[Index, Any]]
    ) -> Callable[[tuple[str, Index]], Sides]:
        """Both sides of each component that is asked, along a direction."""
        places = [(name, index) for name, indices in asked.items() for index in indices]
        before, after = (self._side({n: sign * v for n, v in direction.items()}, places) for sign in (-1, 1))

        def sides(at: tuple[str, Index]) -> Sides:
            here = float(self.gradients[at[0]].high[at[1]])
            (start, back), (begin, ahead) = before[at], after[at]
            here = begin if isnan(here) else here
            return Sides(0.0 - back if same(start, here) else nan, ahead if same(begin, here) else nan)

        return sides

    def _side(self, direction: Direction, places: list[tuple[str, Index]]) -> dict[tuple[str, Index], Seen]:
        seen, left = dict[tuple[str, Index], Seen](), places
        motion, inputs = self.move
        for bits in (PRECISION, 4 * PRECISION):
            with flint.ctx.workprec(bits):
                germs = motion(inputs, direction) if left else {}
                for name, index in left:
                    germ = np.broadcast_to(germs[name], self.graph[name].shape)[index]
                    start, steep, slope = (cast(Any, coefficient(array(germ), k)[()]) for k in (0, 1, 2))
                    seen[name, index] = float(start.mid()), derivative(steep, slope)
            left = [at for at in places if isnan(seen[at][1])]
        return {**seen, **self._hair(direction, left)}

    def _hair(self, direction: Direction, places: list[tuple[str, Index]]) -> dict[tuple[str, Index], Seen]:
        """The same where germs do not know."""
        if not places:
            return {}
        seen = [[self.there(direction, step * hair)[1] for step in (1, 2)] for hair in (HAIR, THINNER)]

        def told(name: str, index: Index) -> Seen:
            at = [[slopes[name][index] for slopes in pair] for pair in seen]
            with flint.ctx.workprec(BITS):
                quotients = [(far - near) / hair for (near, far), hair in zip(at, (HAIR, THINNER), strict=True)]
                return limit(at[0][0], at[1][0]), limit(*quotients)

        return {at: told(*at) for at in places}
