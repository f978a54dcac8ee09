"""How far rounding alone may move a gradient: R = sum over all links of |d gradient / d link| times the link's radius.

To first order every sound evaluation stays within R of the truth, whatever it shows of its inside: this is what
judges engines that show nothing, and what tells a problem that loses digits from an engine that does. The derivatives
come from reverse sweeps through the gradient graph, differentiated again by the same rules, in float64; the radii from
`links.py` at the true numbers (Higham 2002, section 1.6: forward error = condition times backward error; the sum over
links is that of linearised error analysis, Griewank & Walther 2008, section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias, cast

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
from .batches import Batches
from .links import Step
from .precision import working
from .reference import Number, Reference
from .residuals import Numerals, Residual

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Key: TypeAlias = "tuple[str, str | Use]"

WHOLE = 64  # gradients of up to so many components in all have one sweep for each; larger ones are sampled
COMPONENTS, PROJECTIONS = 4, 2  # of each input of a larger one
LARGEST = 20_000  # operations of a graph whose gradient is still differentiated again


@dataclass(frozen=True, slots=True)
class Probe:
    """One number made of an input's gradient, and how far rounding alone may move it.

    `weights`, in the gradient's shape, contract it: one component, or all that are no hulls with random signs
    (`index` is None).
    `bound` is R. `condition` is that part of it which no better formula could avoid: it leaves out terms whose usual
    formula cancels. `link` names the link that it owes most to.
    """

    name: str
    index: tuple[int, ...] | None
    weights: Floats
    bound: float
    condition: float
    link: Key

    def of(self, numbers: Floats) -> float:
        if self.index is not None:
            return float(numbers[self.index])
        return float(np.sum(np.where(self.weights == 0, 0.0, self.weights * numbers)))


def sensitivity(
    graph: Graph,
    inputs: Mapping[str, Array],
    cotangent: Array,
    truth: Reference,
    steps: Mapping[str, Step],
    form: Format,
    *,
    of_value: bool = False,
) -> dict[str, tuple[Probe, ...]]:
    """The probes of each wanted input's gradient; none where the graph is too large or an input was not sampled.

    `of_value`: that of the output's value instead, under its name.
    """
    contracted = [graph.output] if of_value else graph.wanted
    if len(graph.operations) > LARGEST:
        return {node.name: () for node in contracted}
    sweeps = _sweeps(graph, of_value)
    radii = dict(_radii(graph, truth, steps, form))
    steady = dict(_steady(radii, truth, steps, form))
    arguments = {
        name: array if array.dtype.kind in "bi" else array.astype(np.float64) for name, array in inputs.items()
    }
    arguments |= {name: truth.values[name].high for name in sweeps.fixed}
    arguments[sweeps.seed] = cotangent.astype(np.float64)
    still = {node.name: np.zeros(node.shape) for node in contracted}
    probes_of: dict[str, list[Probe]] = {node.name: [] for node in contracted}
    for name, index, weights in _chosen(contracted, truth.values if of_value else truth.adjoints):
        slopes = sweeps.slopes({**arguments, **{_weights(n): w for n, w in still.items()}, _weights(name): weights})
        bounds = {key: _reach(slope, radii[key]) for key, slope in slopes.items()}
        changed = {key: _reach(slopes[key], radius) for key, radius in steady.items() if key in slopes}
        plain = bounds | changed
        link = max(plain, key=lambda key: plain[key], default=("value", graph.output.name))
        probes_of[name].append(Probe(name, index, weights, sum(bounds.values()), sum(plain.values()), link))
    return {name: tuple(probes) for name, probes in probes_of.items()}


def _chosen(nodes: Sequence[Node], truth: Mapping[str, Number]) -> Iterator[tuple[str, tuple[int, ...] | None, Floats]]:
    """Every component where they are few; else of each node the largest, some others and random projections."""
    random = np.random.default_rng(0)
    wanted = [node for node in nodes if 0 not in node.shape]
    if sum(int(np.prod(node.shape)) for node in wanted) <= WHOLE:
        for node in wanted:
            for index in np.ndindex(node.shape):
                yield node.name, index, _one(node, index)
        return
    most = max(WHOLE // (COMPONENTS + PROJECTIONS), 1)
    if len(wanted) > most:
        picked = set(random.permutation(len(wanted))[:most].tolist())
        wanted = [node for k, node in enumerate(wanted) if k in picked]
    for node in wanted:
        size = int(np.prod(node.shape))
        largest = int(np.argmax(np.nan_to_num(np.abs(truth[node.name].high))))
        others = random.choice(size, min(size, COMPONENTS) - 1, replace=False)
        for flat in dict.fromkeys([largest, *map(int, others)]):
            index = tuple(int(i) for i in np.unravel_index(flat, node.shape))
            yield node.name, index, _one(node, index)
        for _ in range(PROJECTIONS if size > COMPONENTS else 0):
            signs = np.where(random.random(node.shape) < 0.5, -1.0, 1.0)
            yield node.name, None, np.where(truth[node.name].tight, signs, 0.0)


def _one(node: Node, index: tuple[int, ...]) -> Floats:
    weights = np.zeros(node.shape)
    weights[index] = 1.0
    return weights


def _weights(name: str) -> str:
    return f"weights:{name}"


# --- the second derivative ------------------------------------------------------------------------------


class _Sweeps:
    """The derivative of the contracted gradient, or value, with respect to every link, compiled once for a graph."""

    def __init__(self, graph: Graph, of_value: bool) -> None:
        opened = _open(graph)
        self.fixed = [node.name for node in opened.inputs if graph[node.name].op != "input"]
        first = gradient(opened, seeded=True, apart=True)
        self.seed = first.seed
        # The cotangent moves too: what is made of it and of constants alone is rounded as well.
        builder, asked = reopened(first, moving=True), [graph.output] if of_value else graph.wanted
        weights = [builder.input(_weights(node.name), node.shape, constant=True) for node in asked]
        numbers = [node.name if of_value else first.adjoints[node.name] for node in asked]
        total = contracted(builder, weights, numbers)
        second = gradient(builder.graph([total]))
        self._places = dict(_placed(_links(graph, opened, first), second))
        self._outputs = [name for name in dict.fromkeys(self._places.values()) if name]
        self._inputs = [node.name for node in second.graph.inputs]
        self._run = emit(second.graph, arrays.namespace("float64"), self._outputs, nested=True)

    def slopes(self, arguments: Mapping[str, Array]) -> dict[Key, Any]:
        """The derivative of the contracted gradient with respect to each link that moves it."""
        with np.errstate(all="ignore"):
            results = self._run(*(arguments[name][()] for name in self._inputs))
        derivatives: dict[str, Any] = {"": 1.0, **dict(zip(self._outputs, results, strict=True))}
        return {key: derivatives[place] for key, place in self._places.items()}


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
def _sweeps(graph: Graph, of_value: bool) -> _Sweeps:
    return _Sweeps(graph, of_value)


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


def _numerals(numbers: list[Array], form: Format) -> Iterator[Numerals]:
    return (Numerals(array, form) for array in numbers)


def _type(node: Node) -> Any:
    return {"float": np.float64, "int": np.int64, "bool": np.bool_}[node.kind]
