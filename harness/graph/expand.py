"""Composites written out: a builder in which every operation is primitive.

For each composite it keeps the inner nodes as a `Body`, so that the gradient can sweep them and still
tell the term of each operand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .build import Builder
from .graph import Graph
from .language.expression import Parser
from .node import Arg, Constant, Node
from .operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Body:
    """What a composite became: its operands as the inner nodes read them, and those nodes in order."""

    operands: tuple[Arg, ...]
    nodes: tuple[Node, ...]


class Expander(Builder):
    """Builds composites by their stable formula, or by the textbook's."""

    def __init__(self, definitions: tuple[Operation, ...] = (), *, stable: bool) -> None:
        super().__init__(definitions)
        self.stable = stable
        self.bodies: dict[str, Body] = {}

    def add_graph(self, graph: Graph) -> None:
        for node in graph.nodes:
            if node.op == "input" or graph.operation(node).primitive:
                self.add(node)
            else:
                self.apply(node.op, node.args, dict(node.params), node.name)

    def apply(self, op: str, args: Sequence[Arg], params: Mapping[str, object], name: str = "", base: str = "t") -> str:
        operation = self.vocabulary[op]
        if operation.primitive:
            return super().apply(op, args, params, name, base)
        name = name or self.fresh(base)
        start = len(self.order)
        operands = self._distinct(args, name)
        result = self._inline(operation, operands, params, name)
        if result != name:
            super().apply("copy", [result], {}, name)
        self.bodies[name] = Body(operands, tuple(self.order[start:]))
        return name

    def _inline(self, operation: Operation, operands: Sequence[Arg], params: Mapping[str, object], name: str) -> Arg:
        full = dict(self.checked(operation, operands, params))
        names = [operand.name for operand in operation.operands]
        scope = dict(zip(names, operands, strict=False))
        shapes = {name: self.shape(scope[name]) if name in scope else None for name in names}
        kinds = {name: self.nodes[arg].kind for name, arg in scope.items() if isinstance(arg, str)}
        text = operation.formula({**shapes, **full, "kinds": kinds}, stable=self.stable)
        return Parser(self, scope, full, separator=":").body(name, text, name)

    def _distinct(self, args: Sequence[Arg], name: str) -> tuple[Arg, ...]:
        """The operands, a repeated one copied, so that each position has a term of its own."""
        operands: list[Arg] = []
        for arg in args:
            repeated = arg in operands and not isinstance(arg, Constant)
            operands.append(self.apply("copy", [arg], {}, base=name) if repeated else arg)
        return tuple(operands)


def expanded(graph: Graph, *, stable: bool) -> Graph:
    """The graph with every composite written out, the names of its own nodes kept."""
    expander = Expander(graph.definitions, stable=stable)
    expander.add_graph(graph)
    return expander.graph(graph.outputs)
