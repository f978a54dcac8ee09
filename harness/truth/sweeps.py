"""The derivative of a gradient, or a value, with respect to every link: reverse mode through the gradient graph.

In a sweep 0 times anything is 0: one infinite slope blinds no component that it does not reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.directional import contracted, reopened
from ..graph.emit import emit
from ..graph.gradient import Gradient, gradient
from ..graph.graph import Graph
from ..graph.node import Arg, Node, Use
from .arrays import ZERO
from .numbers import balls, to_balls

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Index: TypeAlias = "tuple[int, ...]"
Key: TypeAlias = "tuple[str, str | Use]"
# What is moved: the gradient of an input (the adjoint of any node), or the value of a node.
Moved: TypeAlias = Literal["adjoint", "value"]


def weights(name: str) -> str:
    """The input that contracts a number, by the name of its node."""
    return f"weights:{name}"


class Sweeps:
    """The derivative of a contracted gradient, or value, with respect to every link, compiled once for a graph."""

    def __init__(self, graph: Graph, moved: Moved, names: tuple[str, ...]) -> None:
        opened = _open(graph)
        self.fixed = [node.name for node in opened.inputs if graph[node.name].op != "input"]
        first = gradient(opened, seeded=True, apart=True)
        self.seed = first.seed
        self._shapes = {name: graph[name].shape for name in names}
        # The cotangent moves too: what is made of it and of constants alone is rounded as well.
        builder = reopened(first, moving=True)
        contracting = [builder.input(weights(name), shape, constant=True) for name, shape in self._shapes.items()]
        numbers = [name if moved == "value" else first.adjoints[name] for name in names]
        total = contracted(builder, contracting, numbers)
        second = gradient(builder.graph([total]))
        self._graph = second.graph
        self._places = dict(_placed(_links(graph, opened, first), second))
        self._outputs = [name for name in dict.fromkeys(self._places.values()) if name]
        self._inputs = [node.name for node in second.graph.inputs]
        self._run = emit(second.graph, arrays.namespace("float64"), self._outputs, nested=True)

    def component(self, name: str, index: Index) -> dict[str, Floats]:
        """What contracts all to one component."""
        one = {weights(n): np.zeros(shape) for n, shape in self._shapes.items()}
        one[weights(name)][index] = 1.0
        return one

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
def sweeps(graph: Graph, moved: Moved, names: tuple[str, ...]) -> Sweeps:
    return Sweeps(graph, moved, names)
