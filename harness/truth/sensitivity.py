"""How far rounding alone may move a gradient: R = sum over all links of |d gradient / d link| times the link's radius.

To first order every sound evaluation stays within R of the truth, whatever it shows of its inside: this is what
judges engines that show nothing, and what tells a problem that loses digits from an engine that does. The derivatives
come from reverse sweeps through the gradient (`sweeps.py`), differentiated again by the same rules, in float64;
the radii from `links.py` at the true numbers (`radii.py`; Higham 2002, section 1.6: forward error = condition times
backward error; the sum over links is that of linearised error analysis, Griewank & Walther 2008, section 3.4).

What leaves float64 is swept in balls, and there without what underflow may do inside: a step that leaves the range is a
cause to name, and no rounding. Of many components shaken runs (`shaken.py`) tell which stand out; those are swept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan
from typing import Any, TypeAlias

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import Node
from ..records.formats import Format
from . import radii
from .arrays import ZERO, array
from .links import Step
from .numbers import to_balls
from .precision import PRECISION
from .reference import Reference
from .residuals import is_finite
from .rounding import middle
from .shaken import Choices, Turned, enclosed, spread, spread_in_balls, turned_in_floats
from .sweeps import Key, Moved, Point, Sweeps
from .sweeps import sweeps as sweeps_of

Array: TypeAlias = NDArray[Any]
Index: TypeAlias = "tuple[int, ...]"
Floats: TypeAlias = NDArray[np.float64]

WHOLE = 64  # gradients of up to so many components in all have one sweep for each
SAMPLED = 4  # components of each input of a larger one that are asked how much the problem itself loses
STILL = 1.25  # times as far as shaken runs are those that err twice as far, where a choice is all that moves a number
LARGEST = 20_000  # operations of a graph whose gradient is still differentiated again
# Numbers of a graph up to which each component of a small gradient is swept by itself. A sweep of a larger one costs
# tens of milliseconds, and it has many gradients: there shaken runs choose, whatever the size of each.
SWEPT_WHOLE = 50_000


@dataclass(frozen=True, slots=True)
class Probe:
    """One component of a gradient or value, and how far rounding alone may move it.

    `bound` is R. `condition` is that part of it which no better formula could avoid: it leaves out terms whose usual
    formula cancels. `link` names the link that it owes most to.
    """

    name: str
    index: Index
    bound: float
    condition: float
    link: Key


@dataclass(frozen=True)
class Sensitivity:
    """That of one graph at one point in one format, each number measured when it is first asked for.

    `truth` has the numbers of ties decided.
    """

    graph: Graph
    inputs: Mapping[str, Array]
    cotangent: Array
    truth: Reference
    steps: Mapping[str, Step]
    form: Format

    def probes(self) -> Mapping[str, tuple[Probe, ...]]:
        """How far rounding may move each component of the gradients, where they are few; else of each input the largest
        and some others. None where the graph is too large."""
        wanted = self.graph.wanted
        if self.too_large:
            return {node.name: () for node in wanted}
        few = sum(int(np.prod(node.shape)) for node in wanted) <= WHOLE
        chosen = {node: np.ndindex(node.shape) if few else self._some(node) for node in wanted}
        return {node.name: tuple(self.probe(node.name, index) for index in some) for node, some in chosen.items()}

    @property
    def too_large(self) -> bool:
        return len(self.graph.operations) > LARGEST

    @cached_property
    def large(self) -> bool:
        """Whether shaken runs choose the components that are swept, of small gradients too."""
        return sum(int(np.prod(node.shape)) for node in self.graph.nodes) > SWEPT_WHOLE

    def _some(self, node: Node) -> Iterator[Index]:
        size = int(np.prod(node.shape))
        if not size:
            return iter(())
        largest = int(np.argmax(np.nan_to_num(np.abs(self.truth.adjoints[node.name].high))))
        others = np.random.default_rng(0).choice(size, min(size, SAMPLED) - 1, replace=False)
        return ((*map(int, np.unravel_index(k, node.shape)),) for k in dict.fromkeys([largest, *map(int, others)]))

    def probe(self, name: str, index: Index, moved: Moved = "adjoint") -> Probe:
        """How far rounding alone may move one component."""
        known = self._probes.get((moved, name, index))
        if known is None:
            known = self._probes[moved, name, index] = self._measured(name, index, moved)
        return known

    @cached_property
    def _probes(self) -> dict[tuple[Moved, str, Index], Probe]:
        return {}

    def carried(self, name: str, index: Index, moved: Moved, off: Mapping[Key, Floats]) -> float:
        """How far links that are off by so much move one component, to first order."""
        slopes = self._slopes(name, index, moved)
        with np.errstate(all="ignore"):
            return sum(_reach(slopes[key], far) for key, far in off.items() if key in slopes)

    def _slopes(self, name: str, index: Index, moved: Moved) -> Mapping[Key, Any]:
        one = np.zeros(self.graph[name].shape)
        one[index] = 1.0
        with np.errstate(all="ignore"):
            slopes = self._sweeps.slopes(self._point, moved, {name: one[()]}, "floats")
            if not all(np.isfinite(slope).all() for slope in slopes.values()):
                slopes = self._sweeps.slopes(self._point, moved, {name: one[()]}, "careful")
        return slopes

    @cached_property
    def _sweeps(self) -> Sweeps:
        return sweeps_of(self.graph)

    def _measured(self, name: str, index: Index, moved: Moved) -> Probe:
        slopes = self._slopes(name, index, moved)
        with np.errstate(all="ignore"):
            bounds = {key: _reach(slope, self._radii[key]) for key, slope in slopes.items()}
            changed = {key: _reach(slopes[key], radius) for key, radius in self._steady.items() if key in slopes}
        plain = bounds | changed
        link = max(plain, key=lambda key: plain[key], default=("value", self.graph.output.name))
        bound, condition = sum(bounds.values()), sum(plain.values())
        if not isfinite(bound) or self._leaves_floats:
            bound = condition = self.in_balls(name, index, moved, self.form)
        return Probe(name, index, bound, condition, link)

    @cached_property
    def _leaves_floats(self) -> bool:
        """Whether a true number is beyond float64: what is divided by it would move nothing there."""
        numbers = (*self.truth.values.values(), *self.truth.adjoints.values(), *self.truth.terms.values())
        beyond = ((x, lost) for x in numbers if (lost := np.isinf(x.high)).any())
        return any(bool((lost & np.asarray(is_finite(x.balls), dtype=bool)).any()) for x, lost in beyond)

    def strict(self, name: str, index: Index, moved: Moved = "adjoint") -> float:
        """R of rounding alone: no step loses anything by underflow, and each reads what the steps before it have
        rounded already, and not what is rounded on its way in once more."""
        known = self._stricts.get((moved, name, index))
        if known is None:
            known = self._stricts[moved, name, index] = self.in_balls(name, index, moved, self.form.without_underflow)
        return known

    @cached_property
    def _stricts(self) -> dict[tuple[Moved, str, Index], float]:
        return {}

    def in_balls(self, name: str, index: Index, moved: Moved, form: Format) -> float:
        """R in balls, for what leaves float64; infinite where it has no finite bound."""
        with flint.ctx.workprec(max(PRECISION, self.truth.precision)):
            one = to_balls(np.zeros(self.graph[name].shape))
            one[index] = flint.arb(1)
            slopes = self._sweeps.slopes(self._ball_point, moved, {name: one}, "balls")
            radii = self._ball_radii(form)
            total = sum((_reach_of_balls(slope, radii[key]) for key, slope in slopes.items()), start=ZERO)
            return float(total.upper()) if total.is_finite() else np.inf

    def spread(self, name: str, moved: Moved = "adjoint") -> Floats:
        """How far shaken runs are from the truth, component by component: less than R, to first order."""
        there = self._spreads.get((moved, name))
        return np.zeros(self.graph[name].shape) if there is None else there

    def turned(self, name: str, moved: Moved, times: int = 1) -> Turned:
        """The same in balls, which no step leaves: choices that rounding turns show themselves, and nothing else. Of
        runs that err several `times` as far where that is asked."""
        key = (moved, name)
        if (*key, times) not in self._turned:
            form = self.form.coarser(times)
            numbers = (self.truth.values if moved == "value" else self.truth.adjoints)[name]
            there = turned_in_floats(self.graph, self.inputs, self.cotangent, key, numbers.pairs, form)
            if there is None:
                with flint.ctx.workprec(max(PRECISION, self.truth.precision)):
                    there = spread_in_balls(self.graph, self.inputs, self.cotangent, key, numbers.balls, form)
            still = np.zeros(self.graph[name].shape)
            self._turned[*key, times] = Turned(still, still) if there is None else there
        return self._turned[*key, times]

    @cached_property
    def _turned(self) -> dict[tuple[Moved, str, int], Turned]:
        return {}

    def by_choice(self, name: str, index: Index, moved: Moved, number: float) -> bool:
        """Whether a choice that rounding turns makes this number of one component, and nothing else: it lies within
        what sound steps give that stay in the range, and not where they choose as the truth does."""
        form = self.form.without_underflow
        low, high = self.enclosed(name, index, moved, "open", form)
        if not (isfinite(low) and isfinite(high) and low <= number <= high):
            return False
        low, high = self.enclosed(name, index, moved, "held", form)
        return not low <= number <= high

    def beyond_choice(self, name: str, index: Index, moved: Moved, number: float) -> bool:
        """Whether choices that rounding turns are what moves one component, since runs that err twice as far go no
        further, and none of them makes this number of it."""
        once, twice = (self.turned(name, moved, times).by[index] for times in (1, 2))
        if not twice <= STILL * once:
            return False
        low, high = self.enclosed(name, index, moved, "open", self.form)
        return number < low or number > high

    def enclosed(self, name: str, index: Index, moved: Moved, choices: Choices, form: Format) -> tuple[float, float]:
        """Between which numbers one component of what sound steps give is; NaN where that is not asked."""
        key = (moved, name, choices, form)
        if key not in self._enclosed and not self.large:
            with flint.ctx.workprec(max(PRECISION, self.truth.precision)):
                self._enclosed[key] = enclosed(self.graph, self.inputs, self.cotangent, (moved, name), form, choices)
        low, high = self._enclosed.get(key) or (None, None)
        return (nan, nan) if low is None or high is None else (float(low[index]), float(high[index]))

    @cached_property
    def _enclosed(self) -> dict[tuple[Moved, str, Choices, Format], tuple[Floats, Floats] | None]:
        return {}

    @cached_property
    def _spreads(self) -> Mapping[tuple[Moved, str], Floats]:
        numbers: dict[tuple[Moved, str], Floats] = {("value", n): x.high for n, x in self.truth.values.items()}
        numbers |= {("adjoint", name): number.high for name, number in self.truth.adjoints.items()}
        return spread(self.graph, self.inputs, self.cotangent, numbers, self.form)

    @cached_property
    def _point(self) -> Point:
        """The true numbers in float64, and in the kinds of others."""
        values = {n: x.high.astype(radii.plain_type(self.graph[n]))[()] for n, x in self.truth.values.items()}
        return Point(values, {name: number.high[()] for name, number in self.truth.adjoints.items()})

    @cached_property
    def _ball_point(self) -> Point:
        values = {name: middle(number.balls) for name, number in self.truth.values.items()}
        others = [node.name for node in self.graph.nodes if node.kind != "float"]
        values |= {name: np.asarray(self._point.values[name]) for name in others}
        return Point(values, {name: middle(number.balls) for name, number in self.truth.adjoints.items()})

    @cached_property
    def _radii(self) -> Mapping[Key, Floats]:
        return dict(radii.in_floats(self.graph, self.truth, self.steps, self.form))

    @cached_property
    def _steady(self) -> Mapping[Key, Floats]:
        return dict(radii.steady(self._radii, self.truth, self.steps, self.form))

    def _ball_radii(self, form: Format) -> Mapping[Key, Any]:
        if form not in self._ball_radii_of:
            self._ball_radii_of[form] = dict(radii.in_balls(self.graph, self.truth, self.steps, form))
        return self._ball_radii_of[form]

    @cached_property
    def _ball_radii_of(self) -> dict[Format, Mapping[Key, Any]]:
        return {}


def _reach(slope: Any, radius: Floats) -> float:
    """How far a link moves the gradient. What it does not touch it does not move, though it be unbounded itself."""
    moved = np.abs(slope) * radius
    total = float(moved.sum())
    return total if isfinite(total) else float(np.sum(np.where(slope == 0, 0.0, moved)))


def _reach_of_balls(slope: Any, radius: Any) -> Any:
    pairs = zip(*(array(x).flat for x in np.broadcast_arrays(array(slope), array(radius))), strict=True)
    return sum((abs(s) * r for s, r in pairs if not (s.is_zero() or r.is_zero())), start=ZERO)
