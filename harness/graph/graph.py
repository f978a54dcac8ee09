"""A computation: nodes in evaluation order, and the vocabulary that they are written in.

A graph holds neither arrays nor programs. It enters from `language/` or a `Builder`, and leaves through `emit.py`,
`gradient.py` or the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

from .node import Constant as Constant
from .node import Node, Use
from .operations import OPERATIONS
from .operations.operation import Operation


def vocabulary(definitions: Iterable[Operation]) -> Mapping[str, Operation]:
    """Every operation by its name, those of a computation's own, and what they call, before those of the table."""
    return {**OPERATIONS, **own(*definitions)}


def own(*definitions: Operation) -> dict[str, Operation]:
    """Definitions by their names, and those that their texts call."""
    by_name: dict[str, Operation] = {}
    waiting = list(definitions)
    for operation in waiting:
        if operation.name not in by_name:
            by_name[operation.name] = operation
            waiting += operation.within
    return by_name


@dataclass(frozen=True)
class Graph:
    """Nodes in evaluation order (inputs are nodes too) and the names of those asked for.

    `definitions` are operations of the graph's own, beside those of the table.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    definitions: tuple[Operation, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """What travels to another process: what is worked out from it stays here."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def vocabulary(self) -> Mapping[str, Operation]:
        return vocabulary(self.definitions)

    def operation(self, node: Node) -> Operation:
        """What a node that is no input applies. Raises KeyError for an operation that the graph does not have."""
        return self.vocabulary[node.op]

    def defines(self, node: Node) -> bool:
        """Whether what a node applies is a definition of this graph's own."""
        return node.op != "input" and node.op not in OPERATIONS

    def definitions_of(self, node: Node) -> tuple[Operation, ...]:
        """The definitions that a node may need: its own, and those that stand in place of rows of the table."""
        own = (self.vocabulary[node.op],) if self.defines(node) else ()
        return own + self._instead if self._instead else own

    @cached_property
    def _instead(self) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.definitions if operation.name in OPERATIONS)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    @property
    def output(self) -> Node:
        """The node that the gradient is taken of."""
        return self.by_name[self.outputs[0]]

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.op == "input")

    @cached_property
    def operations(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.op != "input")

    @cached_property
    def wanted(self) -> tuple[Node, ...]:
        """The inputs that have a gradient: floats that are not marked constant."""
        return tuple(node for node in self.inputs if node.kind == "float" and not node.constant)

    @cached_property
    def needed(self) -> frozenset[str]:
        """Names of the output and of all that it is made of."""
        return self._needed_for([self.output.name])

    @cached_property
    def active(self) -> frozenset[str]:
        """Names of the float nodes that depend on an input with a gradient."""
        active = {node.name for node in self.wanted}
        for node in self.operations:
            if node.kind == "float" and not node.constant and any(arg in active for arg in node.args):
                active.add(node.name)
        return frozenset(active)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every use of an active node by an active node, in evaluation order: each has a term."""
        return tuple(
            Use(node.name, position)
            for node in self.operations
            if node.name in self.active
            for position, arg in enumerate(node.args)
            if arg in self.active
        )

    def argument(self, use: Use) -> str:
        """The name of the node that a use reads."""
        arg = self.by_name[use.consumer].args[use.position]
        assert isinstance(arg, str), "a constant has no use"
        return arg

    @cached_property
    def uses_in(self) -> Mapping[str, tuple[Use, ...]]:
        """For each operation, its uses of active nodes, by position."""
        by_consumer: dict[str, list[Use]] = {node.name: [] for node in self.operations}
        for use in self.uses:
            by_consumer[use.consumer].append(use)
        return {name: tuple(uses) for name, uses in by_consumer.items()}

    @cached_property
    def uses_of(self) -> Mapping[str, tuple[Use, ...]]:
        """For each active node, its uses in evaluation order."""
        by_node: dict[str, list[Use]] = {name: [] for name in self.active}
        for use in self.uses:
            by_node[self.argument(use)].append(use)
        return {name: tuple(uses) for name, uses in by_node.items()}

    def pruned(self, outputs: Iterable[str]) -> Graph:
        """This graph with only what `outputs` need; every input stays."""
        outputs = tuple(outputs)
        needed = self._needed_for(outputs)
        kept = tuple(node for node in self.nodes if node.op == "input" or node.name in needed)
        return replace(self, nodes=kept, outputs=outputs)

    def _needed_for(self, outputs: Iterable[str]) -> frozenset[str]:
        needed = set(outputs)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(arg for arg in node.args if isinstance(arg, str))
        return frozenset(needed)
