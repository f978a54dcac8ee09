"""How far rounding alone may move a gradient: R = sum over all links of |d gradient / d link| times the link's radius.

To first order every sound evaluation stays within R of the truth, whatever it shows of its inside: this is what
judges engines that show nothing, and what tells a problem that loses digits from an engine that does. The derivatives
come from reverse sweeps through the gradient graph, differentiated again by the same rules, in float64; the radii from
`links.py` at the true numbers (Higham 2002, section 1.6: forward error = condition times backward error; the sum over
links is that of linearised error analysis, Griewank & Walther 2008, section 3.4).

What leaves float64 is swept in balls, and there without what underflow may do inside: a step that leaves the range is a
cause to name, and no rounding. Of many components shaken runs (`shaken.py`) tell which stand out; those are swept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import isfinite
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.directional import contracted, reopened
from ..graph.emit import emit
from ..graph.gradient import Gradient, gradient
from ..graph.graph import Graph
from ..graph.node import Arg, Node, Use
from ..records.formats import Format
from .adjoints import adjoint
from .arrays import ZERO, array
from .batches import Batches
from .links import Step
from .numbers import INFINITY, balls, to_balls
from .precision import working
from .reference import Number, Reference
from .residuals import Numerals, Residual
from .rounding import entered, unless_infinite
from .shaken import spread, spread_in_balls

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Index: TypeAlias = "tuple[int, ...]"
Key: TypeAlias = "tuple[str, str | Use]"
# What is moved: the gradient of an input (the adjoint of any node), or the value of a node.
Moved: TypeAlias = Literal["adjoint", "value"]

WHOLE = 64  # gradients of up to so many components in all have one sweep for each
SAMPLED = 4  # components of each input of a larger one that are asked how much the problem itself loses
LARGEST = 20_000  # operations of a graph whose gradient is still differentiated again


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

    def probes(self, moved: Moved = "adjoint") -> Mapping[str, tuple[Probe, ...]]:
        """How far rounding may move each component of what is asked, where they are few; else of each input the largest
        and some others. None where the graph is too large."""
        asked = [self.graph.output] if moved == "value" else self.graph.wanted
        if self.too_large:
            return {node.name: () for node in asked}
        return {node.name: tuple(self.probe(node.name, i, moved) for i in self._chosen(node, asked)) for node in asked}

    @property
    def too_large(self) -> bool:
        return len(self.graph.operations) > LARGEST

    def _chosen(self, node: Node, asked: Iterable[Node]) -> Iterator[Index]:
        if sum(int(np.prod(other.shape)) for other in asked) <= WHOLE:
            return iter(np.ndindex(node.shape))
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

    def _measured(self, name: str, index: Index, moved: Moved) -> Probe:
        sweeps = _sweeps(self.graph, moved, self._together(name, moved))
        slopes = sweeps.slopes(
            {**self._arguments, sweeps.seed: self.cotangent.astype(np.float64), **sweeps.weights(name, index)}
        )
        bounds = {key: _reach(slope, self._radii[key]) for key, slope in slopes.items()}
        changed = {key: _reach(slopes[key], radius) for key, radius in self._steady.items() if key in slopes}
        plain = bounds | changed
        link = max(plain, key=lambda key: plain[key], default=("value", self.graph.output.name))
        bound, condition = sum(bounds.values()), sum(plain.values())
        if not isfinite(bound):
            bound = condition = self.in_balls(name, index, moved, self.form)
        return Probe(name, index, bound, condition, link)

    def _together(self, name: str, moved: Moved) -> tuple[str, ...]:
        """The nodes that one set of sweeps is compiled for."""
        wanted = tuple(node.name for node in self.graph.wanted)
        return wanted if moved == "adjoint" and name in wanted else (name,)

    def strict(self, name: str, index: Index, moved: Moved = "adjoint") -> float:
        """R of rounding alone: no step loses anything by underflow, and each reads what the steps before it have
        rounded already, and not what is rounded on its way in once more."""
        return self.in_balls(name, index, moved, self.form.without_underflow)

    def in_balls(self, name: str, index: Index, moved: Moved, form: Format) -> float:
        """R in balls, for what leaves float64; infinite where it has no finite bound."""
        with working():
            sweeps = _sweeps(self.graph, moved, self._together(name, moved))
            arguments = {n: to_balls(x) if x.dtype.kind not in "bi" else x for n, x in self.inputs.items()}
            arguments |= {n: _middles(self.truth.values[n].balls) for n in sweeps.fixed}
            arguments |= {sweeps.seed: to_balls(self.cotangent)}
            arguments |= {n: to_balls(w) for n, w in sweeps.weights(name, index).items()}
            slopes, radii = sweeps.slopes_in_balls(arguments), self._ball_radii(form)
            total = sum((_reach_of_balls(slope, radii[key]) for key, slope in slopes.items()), start=ZERO)
            return float(total.upper()) if total.is_finite() else np.inf

    def spread(self, name: str, moved: Moved = "adjoint") -> Floats:
        """How far shaken runs are from the truth, component by component: less than R, to first order."""
        there = self._spreads.get((moved, name))
        return np.zeros(self.graph[name].shape) if there is None else there

    def turned(self, name: str, moved: Moved) -> Floats:
        """The same in balls, which no step leaves: choices that rounding turns show themselves, and nothing else."""
        key = (moved, name)
        numbers = (self.truth.values if moved == "value" else self.truth.adjoints)[name]
        with working():
            there = spread_in_balls(self.graph, self.inputs, self.cotangent, key, numbers.balls, self.form)
        return np.zeros(self.graph[name].shape) if there is None else there

    @cached_property
    def _spreads(self) -> Mapping[tuple[Moved, str], Floats]:
        numbers: dict[tuple[Moved, str], Floats] = {("value", n): x.high for n, x in self.truth.values.items()}
        numbers |= {("adjoint", name): number.high for name, number in self.truth.adjoints.items()}
        return spread(self.graph, self.inputs, self.cotangent, numbers, self.form)

    @cached_property
    def _arguments(self) -> dict[str, Array]:
        floats = {n: x if x.dtype.kind in "bi" else x.astype(np.float64) for n, x in self.inputs.items()}
        fixed = {n: number.high for n, number in self.truth.values.items() if n not in floats}
        return fixed | floats

    @cached_property
    def _radii(self) -> Mapping[Key, Floats]:
        return dict(_radii(self.graph, self.truth, self.steps, self.form))

    @cached_property
    def _steady(self) -> Mapping[Key, Floats]:
        return dict(_steady(self._radii, self.truth, self.steps, self.form))

    def _ball_radii(self, form: Format) -> Mapping[Key, Any]:
        if form not in self._ball_radii_of:
            self._ball_radii_of[form] = dict(_radii_in_balls(self.graph, self.truth, self.steps, form))
        return self._ball_radii_of[form]

    @cached_property
    def _ball_radii_of(self) -> dict[Format, Mapping[Key, Any]]:
        return {}


def _weights(name: str) -> str:
    return f"weights:{name}"


# --- the second derivative ------------------------------------------------------------------------------


class _Sweeps:
    """The derivative of a contracted gradient, or value, with respect to every link, compiled once for a graph."""

    def __init__(self, graph: Graph, moved: Moved, names: tuple[str, ...]) -> None:
        opened = _open(graph)
        self.fixed = [node.name for node in opened.inputs if graph[node.name].op != "input"]
        first = gradient(opened, seeded=True, apart=True)
        self.seed = first.seed
        self._shapes = {name: graph[name].shape for name in names}
        # The cotangent moves too: what is made of it and of constants alone is rounded as well.
        builder = reopened(first, moving=True)
        weights = [builder.input(_weights(name), shape, constant=True) for name, shape in self._shapes.items()]
        numbers = [name if moved == "value" else first.adjoints[name] for name in names]
        total = contracted(builder, weights, numbers)
        second = gradient(builder.graph([total]))
        self._graph = second.graph
        self._places = dict(_placed(_links(graph, opened, first), second))
        self._outputs = [name for name in dict.fromkeys(self._places.values()) if name]
        self._inputs = [node.name for node in second.graph.inputs]
        self._run = emit(second.graph, arrays.namespace("float64"), self._outputs, nested=True)

    def weights(self, name: str, index: Index) -> dict[str, Floats]:
        """What contracts all to one component."""
        weights = {_weights(n): np.zeros(shape) for n, shape in self._shapes.items()}
        weights[_weights(name)][index] = 1.0
        return weights

    def slopes(self, arguments: Mapping[str, Array]) -> dict[Key, Any]:
        """The derivative of the contracted gradient with respect to each link that moves it."""
        operands = [arguments[name][()] for name in self._inputs]
        with np.errstate(all="ignore"):
            results = self._run(*operands)
            if not all(np.isfinite(result).all() for result in results):
                results = self._careful(*operands)
        return self._placed(results, 1.0)

    def slopes_in_balls(self, arguments: Mapping[str, Any]) -> dict[Key, Any]:
        return self._placed(self._in_balls(*(arguments[name] for name in self._inputs)), to_balls(1))

    def _placed(self, results: Iterable[Any], one: Any) -> dict[Key, Any]:
        derivatives: dict[str, Any] = {"": one, **dict(zip(self._outputs, results, strict=True))}
        return {key: derivatives[place] for key, place in self._places.items()}

    @cached_property
    def _careful(self) -> Any:
        """The sweep in which 0 times anything is 0: one infinite slope blinds no component that it does not reach."""
        namespace = {**arrays.namespace("float64"), "multiply": _product, "divide": _quotient}
        return emit(self._graph, namespace, self._outputs, operators=False)

    @cached_property
    def _in_balls(self) -> Any:
        namespace = {**balls(ties="decide"), "multiply": _ball_product, "divide": _ball_quotient}
        return emit(self._graph, namespace, self._outputs, operators=False)


def _product(a: Any, b: Any) -> Any:
    return np.where((np.asarray(a) == 0) | (np.asarray(b) == 0), 0.0, np.multiply(a, b))


def _quotient(a: Any, b: Any) -> Any:
    return np.where(np.asarray(a) == 0, 0.0, np.true_divide(a, b))


_ball_product = np.frompyfunc(lambda a, b: ZERO if a.is_zero() or b.is_zero() else a * b, 2, 1)
_ball_quotient = np.frompyfunc(lambda a, b: ZERO if a.is_zero() else a / b, 2, 1)
_middles = np.frompyfunc(lambda x: x.mid(), 1, 1)


def _links(graph: Graph, opened: Graph, first: Gradient) -> Iterator[tuple[Key, Arg]]:
    """Every link of a graph and the node of the gradient graph that is its number."""
    yield from ((("value", node.name), node.name) for node in graph.operations if node.kind == "float")
    yield from ((("adjoint", name), arg) for name, arg in first.adjoints.items() if name != opened.output.name)
    yield from ((("term", use), arg) for use, arg in first.terms.items())


def _placed(links: Iterable[tuple[Key, Arg]], second: Gradient) -> Iterator[tuple[Key, str]]:
    """For each link that moves the contracted gradient the node that says how far; empty where that is 1."""
    for key, node in links:
        derivative = second.adjoints.get(node) if isinstance(node, str) else None
        if isinstance(derivative, str):
            yield key, derivative
        elif derivative is not None and derivative.exact:
            yield key, ""  # a constant that is not 0 can only be the 1 of a copied gradient


def _reach(slope: Any, radius: Floats) -> float:
    """How far a link moves the gradient. What it does not touch it does not move, though it be unbounded itself."""
    with np.errstate(all="ignore"):
        return float(np.sum(np.where(slope == 0, 0.0, np.abs(slope) * radius)))


def _reach_of_balls(slope: Any, radius: Any) -> Any:
    pairs = zip(*(array(x).flat for x in np.broadcast_arrays(array(slope), array(radius))), strict=True)
    return sum((abs(s) * r for s, r in pairs if not (s.is_zero() or r.is_zero())), start=ZERO)


def _open(graph: Graph) -> Graph:
    """The graph with everything moving: inputs without a gradient, and what is made of constants alone, too."""
    nodes = [
        Node(node.name, "input", (), (), node.shape, node.kind)
        if node.kind == "float" and not any(isinstance(arg, str) for arg in node.args)
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes))


@lru_cache(maxsize=16)
def _sweeps(graph: Graph, moved: Moved, names: tuple[str, ...]) -> _Sweeps:
    return _Sweeps(graph, moved, names)


# --- the radii -------------------------------------------------------------------------------------------


def _radii(graph: Graph, truth: Reference, steps: Mapping[str, Step], form: Format) -> Iterator[tuple[Key, Floats]]:
    """What one sound step may lose at each link, at the true numbers."""
    values = {name: number.high.astype(_type(graph[name])) for name, number in truth.values.items()}
    adjoints = {name: number.high for name, number in truth.adjoints.items()}
    terms = {use: number.high for use, number in truth.terms.items()}
    batches = Batches(form)
    with working():
        for node in graph.operations:
            names = [arg for arg in node.args if isinstance(arg, str)]
            step, y, operands = steps[node.name], values[node.name], [values[name] for name in names]
            if node.kind == "float" and not batches.value(("value", node.name), step, operands, y):
                value_link = step.value([*_numerals(operands, form)], Numerals(y, form), form)
                yield ("value", node.name), _loss(value_link, form)
            uses = graph.uses_in[node.name]
            if uses and node.name in adjoints:
                g, shown = adjoints[node.name], [terms[use] for use in uses]
                if not batches.terms([("term", use) for use in uses], step, operands, y, g, shown):
                    numerals = [*_numerals([*operands, y, g, *shown], form)]
                    n = len(operands)
                    term_links = step.terms(numerals[:n], numerals[n], numerals[n + 1], numerals[n + 2 :], form)
                    yield from (
                        (("term", use), _loss(residual, form)) for use, residual in zip(uses, term_links, strict=True)
                    )
        for name, g in adjoints.items():
            parts = [terms[use] for use in graph.uses_of[name]]
            if name != graph.output.name:
                yield ("adjoint", name), adjoint(Numerals(g, form), parts, form).radius
        for keys, residual in batches.measured():
            yield from zip(cast("list[Key]", keys), _loss(residual, form), strict=True)


AT_KINKS = 16  # units that the rules of operations with kinks lose at most on one side: products with exact factors


def _loss(residual: Residual, form: Format) -> Floats:
    """What one sound step may lose. At a kink the ball is as wide as the choice, which is no rounding."""
    if not residual.kink.any():
        return residual.radius
    size = np.maximum(np.abs(residual.low), np.abs(residual.high))
    return np.where(
        residual.kink, np.minimum(residual.radius, AT_KINKS * form.unit * size + form.smallest), residual.radius
    )


def _steady(
    radii: Mapping[Key, Floats], truth: Reference, steps: Mapping[str, Step], form: Format
) -> Iterator[tuple[Key, Floats]]:
    """The radii that differ where no formula cancels: 0 where a term's usual one loses half of its digits."""
    for key, radius in radii.items():
        use = key[1]
        if isinstance(use, Use) and not steps[use.consumer].operation.linear:
            cancels = radius > np.abs(truth.terms[use].high) * form.unit**0.5
            if np.any(cancels):
                yield key, np.where(cancels, 0.0, radius)


class _True(Numerals):
    """True numbers, which may lie beyond every float."""

    def __init__(self, balls: Any, numbers: Array, form: Format) -> None:
        super().__init__(numbers, form)
        self.__dict__["exact"] = _middles(balls) if numbers.dtype.kind not in "bi" else numbers
        self._read_exactly = form.smallest == 0

    def widened_by(self, form: Format, cost: float = 1) -> Any:
        if self.array.dtype.kind in "bi" or self._read_exactly:
            return self.exact
        return unless_infinite(entered(self.exact, form, cost), self.exact)


def _radii_in_balls(
    graph: Graph, truth: Reference, steps: Mapping[str, Step], form: Format
) -> Iterator[tuple[Key, Any]]:
    """What one sound step may lose at each link, at the true numbers, as balls."""

    def numerals(number: Number, kind: Any = np.float64) -> _True:
        return _True(number.balls, number.high.astype(kind), form)

    values = {name: numerals(number, _type(graph[name])) for name, number in truth.values.items()}
    adjoints = {name: numerals(number) for name, number in truth.adjoints.items()}
    for node in graph.operations:
        step, operands = steps[node.name], [values[arg] for arg in node.args if isinstance(arg, str)]
        if node.kind == "float":
            yield ("value", node.name), _radius(step.enclosure(operands, form))
        uses = graph.uses_in[node.name]
        if uses and node.name in adjoints:
            terms = step.enclosures(operands, values[node.name], adjoints[node.name], form, "decide")
            yield from ((("term", use), _radius(ball)) for use, ball in zip(uses, terms, strict=True))
    for name in truth.adjoints:
        parts = [abs(_middles(truth.terms[use].balls)) for use in graph.uses_of[name]]
        if name != graph.output.name and parts:
            yield ("adjoint", name), sum(parts) * (len(parts) * form.unit)


_radius = np.frompyfunc(lambda ball: ball.rad() if ball.is_finite() else INFINITY, 1, 1)


def _numerals(numbers: list[Array], form: Format) -> Iterator[Numerals]:
    return (Numerals(array, form) for array in numbers)


def _type(node: Node) -> Any:
    return {"float": np.float64, "int": np.int64, "bool": np.bool_}[node.kind]
