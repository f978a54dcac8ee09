"""Composites written out: a builder in which every operation is primitive, or one of the table.

For each composite it keeps the inner nodes as a `Body`, so that the gradient can sweep them and still
tell the term of each operand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .build import Builder
from .graph import Graph
from .language.expression import Parser
from .node import Arg, Constant, Node
from .operations import OPERATIONS
from .operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Body:
    """What a composite became: its operands as the inner nodes read them, and those nodes in order."""

    operands: tuple[Arg, ...]
    nodes: tuple[Node, ...]


class Expander(Builder):
    """Builds composites by their stable formula, or by the textbook's; those of the table only unless `own` are meant
    alone, the definitions of a graph's own. Those to `keep` stay."""

    def __init__(
        self,
        definitions: tuple[Operation, ...] = (),
        *,
        stable: bool,
        own: bool = False,
        keep: Collection[str] = (),
    ) -> None:
        super().__init__(definitions)
        self.stable, self.own, self.keep = stable, own, keep
        self.bodies: dict[str, Body] = {}

    def add_graph(self, graph: Graph) -> None:
        for node in graph.nodes:
            if node.op == "input" or self._stays(graph.operation(node)):
                self.add(node)
            else:
                self.apply(node.op, node.args, dict(node.params), node.name)

    def apply(
        self,
        op: str,
        args: Sequence[Arg],
        params: Mapping[str, object],
        name: str = "",
        base: str = "t",
        dtype: str = "",
    ) -> str:
        operation = self.vocabulary[op]
        if self._stays(operation):
            return super().apply(op, args, params, name, base, dtype)
        name = name or self.fresh(base)
        start = len(self.order)
        operands = self._distinct(args, name)
        result = self._inline(operation, operands, params, name)
        if result != name:
            super().apply("copy", [result], {}, name)
        self.bodies[name] = Body(operands, tuple(self.order[start:]))
        return name

    def _stays(self, operation: Operation) -> bool:
        return operation.primitive or operation.name in self.keep or (self.own and operation.name in OPERATIONS)

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


def expanded(graph: Graph, *, stable: bool, own: bool = False, keep: Collection[str] = ()) -> Graph:
    """The graph with every composite written out, or its `own` definitions alone, but those to `keep`; the names of its
    nodes are kept."""
    expander = Expander(graph.definitions, stable=stable, own=own, keep=keep)
    expander.add_graph(graph)
    return expander.graph(graph.outputs)
