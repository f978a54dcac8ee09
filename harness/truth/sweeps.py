"""The derivative of a gradient, or a value, with respect to every link: reverse mode through the gradient.

A gradient is made by the graph and, backwards, by the terms of its nodes. Reverse mode goes through the terms in the
order of the graph and gives each node a tangent: how far its adjoint, were it off, would move what is asked for. Then
it goes backwards and gives each node how far its value would. What a node has to do there is a program for its
operation and the shapes that it reads, compiled once for all graphs. Each rule is differentiated by itself, whatever
it may share.

In a sweep 0 times anything is 0: one infinite slope blinds no component that it does not reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np

from ..arithmetic import arrays
from ..graph.directional import contracted, reopened
from ..graph.emit import Namespace, emit
from ..graph.gradient import Gradient, gradient
from ..graph.graph import Graph
from ..graph.node import Arg, Node, Use
from .arrays import ZERO
from .links import Step, step_of
from .numbers import balls

Key: TypeAlias = "tuple[str, str | Use]"
# What is moved: the gradient of an input (the adjoint of any node), or the value of a node.
Moved: TypeAlias = Literal["adjoint", "value"]
# What is reckoned in: float64; where that is not finite, float64 in which 0 times anything is 0; and balls.
Arithmetic: TypeAlias = Literal["floats", "careful", "balls"]
Positions: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a graph is swept: the value of each node, and the adjoint of each that has one."""

    values: Mapping[str, Any]
    adjoints: Mapping[str, Any]


class Sweeps:
    """The derivatives of gradients, or values, of one graph with respect to its links."""

    def __init__(self, graph: Graph) -> None:
        moving = _moving(graph)
        self._graph = graph
        self._nodes = [_Swept(graph, node, moving) for node in graph.operations if node.name in moving]
        self._reached, self._terms = self._flowing()

    def slopes(self, point: Point, moved: Moved, weights: Mapping[str, Any], by: Arithmetic) -> dict[Key, Any]:
        """The derivative of the sum of weights * adjoints, or values, with respect to each link that moves it.

        `weights`, and the derivatives, are arrays of the shapes of the nodes that they belong to.
        """
        tangents, bent = self._forward(point, weights, by) if moved == "adjoint" else ({}, {})
        second = self._backward(point, weights if moved == "value" else {}, bent, by)
        values = (node.name for node in self._graph.operations if node.name in second)
        found: dict[Key, Any] = {("value", name): second[name] for name in values}
        found |= {("adjoint", name): tangents[name] for name in self._reached if name in tangents}
        return found | {("term", use): tangents[arg] for use, arg in self._terms.items() if arg in tangents}

    def _flowing(self) -> tuple[list[str], dict[Use, str]]:
        """The nodes below the output, and the uses, that anything flows back to, whatever the numbers are."""
        output, reached, terms = self._graph.output.name, dict[str, None](), dict[Use, str]()
        for node in reversed(self._nodes):
            if node.name == output or node.name in reached:
                active = ((k, arg) for k, arg in node.floats if arg in self._graph.active)
                flowing = {Use(node.name, k): arg for k, arg in active if node.part.flows(k)}
                terms |= flowing
                reached |= dict.fromkeys(flowing.values())
        return [*reached], terms

    def _forward(
        self, point: Point, weights: Mapping[str, Any], by: Arithmetic
    ) -> tuple[dict[str, Any], dict[str, Sequence[Any]]]:
        """The tangent of each node; and how what each hands on bends with each of its operands."""
        tangents, bent = dict(weights), dict[str, Sequence[Any]]()
        for node in self._nodes:
            along = tuple(position for position, arg in node.floats if arg in tangents)
            if along and node.name in point.adjoints and any(map(node.part.flows, along)):
                bends = node.part.bends(along, node.needed, by)
                g = point.adjoints[node.name]
                tangent, *bent[node.name] = bends(*node.read(point.values), g, *(tangents[node.args[p]] for p in along))
                if tangent is not None:
                    tangents[node.name] = tangents[node.name] + tangent if node.name in tangents else tangent
        return tangents, bent

    def _backward(
        self, point: Point, weights: Mapping[str, Any], bent: Mapping[str, Sequence[Any]], by: Arithmetic
    ) -> dict[str, Any]:
        """How far the value of each node would move what is asked for."""
        second = dict(weights)
        for node in reversed(self._nodes):
            found = [*zip(node.needed, bent.get(node.name, ()), strict=False)]
            if node.name in second and node.needed:
                terms = node.part.terms(node.needed, by)(*node.read(point.values), second[node.name])
                found += zip(node.needed, terms, strict=True)
            for position, term in found:
                name = node.args[position]
                if term is not None:
                    second[name] = second[name] + term if name in second else term
        return second


class _Swept:
    """A node of a graph that is swept: which operands are floats, and which of them, being no inputs, have a link."""

    def __init__(self, graph: Graph, node: Node, moving: frozenset[str]) -> None:
        self.name = node.name
        self.args = [str(arg) for arg in node.args]
        self._reads = [arg for arg in node.args if isinstance(arg, str)]
        floats = [arg for arg in self._reads if graph[arg].kind == "float"]
        self.floats = [(k, arg) for k, arg in enumerate(self.args) if arg in floats]
        self.needed = tuple(k for k, arg in self.floats if arg in moving and graph[arg].op != "input")
        self.part = _part(step_of(graph, node, floats))

    def read(self, values: Mapping[str, Any]) -> list[Any]:
        return [values[arg] for arg in self._reads]


class _Part:
    """An operation with its shapes: what a sweep takes of it, each program compiled when it is first asked for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.bends = cache(self._bends)
        self.terms = cache(self._terms)

    @cached_property
    def _derived(self) -> Gradient:
        """Its terms, and the result that a rule reads computed anew: whoever differentiates again gets the derivative
        with respect to that alone."""
        return gradient(self._graph, seeded=True, apart=True)

    def flows(self, position: int) -> bool:
        """Whether anything is handed on to an operand."""
        return isinstance(self._derived.adjoints.get(f"x{position}"), str)

    def _terms(self, needed: Positions, by: Arithmetic) -> Callable[..., Sequence[Any]]:
        """(operands..., g) -> the terms of the operands at these positions."""
        adjoints = self._derived.adjoints
        return _run(self._derived.graph, [adjoints.get(f"x{position}") for position in needed], by)

    def _bends(self, along: Positions, needed: Positions, by: Arithmetic) -> Callable[..., Sequence[Any]]:
        """(operands..., g, the tangents of the operands `along`...) -> the tangent of the result, and the derivative of
        the terms, weighed by those tangents, with respect to each operand that is needed."""
        derived = self._derived
        builder = reopened(derived, moving=True)
        numbers = [derived.adjoints[f"x{position}"] for position in along]
        sizes = [self._graph[f"x{position}"].shape for position in along]
        weights = [builder.input(f"tangent{k}", size, constant=True) for k, size in enumerate(sizes)]
        second = gradient(builder.graph([contracted(builder, weights, numbers)]))
        names = [derived.seed, *(f"x{position}" for position in needed)]
        return _run(second.graph, [second.adjoints.get(name) for name in names], by)


def _run(graph: Graph, wanted: Sequence[Arg | None], by: Arithmetic) -> Callable[..., Sequence[Any]]:
    """A program for what is wanted: the number of a node, or None where nothing flows."""
    names = list(dict.fromkeys(arg for arg in wanted if isinstance(arg, str)))
    program = emit(graph, _namespace(by), names, operators=by == "floats", nested=by == "floats")
    if names == wanted:
        return program
    assert all(isinstance(arg, str) or arg is None or arg.exact == 0 for arg in wanted), "all is linear in the seed"
    places = [names.index(arg) if isinstance(arg, str) else None for arg in wanted]

    def run(*operands: Any) -> Sequence[Any]:
        made = program(*operands)
        return [None if place is None else made[place] for place in places]

    return run


@cache
def _namespace(by: Arithmetic) -> Namespace:
    if by == "balls":
        return {**balls(ties="decide"), "multiply": _ball_product, "divide": _ball_quotient}
    floats = arrays.namespace("float64")
    return floats if by == "floats" else {**floats, "multiply": _product, "divide": _quotient}


def _product(a: Any, b: Any) -> Any:
    return np.where((np.asarray(a) == 0) | (np.asarray(b) == 0), 0.0, np.multiply(a, b))


def _quotient(a: Any, b: Any) -> Any:
    return np.where(np.asarray(a) == 0, 0.0, np.true_divide(a, b))


_ball_product = np.frompyfunc(lambda a, b: ZERO if a.is_zero() or b.is_zero() else a * b, 2, 1)
_ball_quotient = np.frompyfunc(lambda a, b: ZERO if a.is_zero() else a / b, 2, 1)


def _moving(graph: Graph) -> frozenset[str]:
    """Floats that rounding moves: inputs without a gradient, and what is made of constants alone, too."""
    moving = set[str]()
    for node in graph.nodes:
        reads = [arg for arg in node.args if isinstance(arg, str)]
        if node.kind == "float" and (not reads or (not node.constant and not moving.isdisjoint(reads))):
            moving.add(node.name)
    return frozenset(moving)


@lru_cache(maxsize=4096)
def _part(step: Step) -> _Part:
    return _Part(step.graph)


@lru_cache(maxsize=16)
def sweeps(graph: Graph) -> Sweeps:
    return Sweeps(graph)
