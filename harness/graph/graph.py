"""Node and Graph: a computation as frozen plain data.

A graph holds neither arrays nor functions. It enters from `expression.py` or a `Builder`, and
leaves through `emit.py`, `gradient.py` or the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["float", "int", "bool"]
Shape: TypeAlias = tuple[int, ...]
Param: TypeAlias = None | bool | int | float | str | tuple[int, ...] | tuple[tuple[int, ...], ...]
Params: TypeAlias = tuple[tuple[str, Param], ...]

NAMED_CONSTANTS = ("pi", "e", "inf")


class Use(NamedTuple):
    """One use of a node: the node that consumes it, and at which operand."""

    consumer: str
    position: int

    def __str__(self) -> str:
        return f"{self.consumer}[{self.position}]"


@lru_cache(maxsize=4096)
def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number inside an expression, kept as the decimal that was written.

    `text` is a decimal (`0.10`, `-3`, `1e-5`), or one of `pi`, `e`, `inf`, `-inf`, `-pi`, `-e`.
    """

    text: str

    @property
    def exact(self) -> Fraction | None:
        """The decimal as a fraction; None for pi, e and the infinities."""
        return _fraction(self.text)


Arg: TypeAlias = str | Constant


@dataclass(frozen=True, slots=True)
class Node:
    """One assignment: `name = op(*args, **params)`.

    `op` is a row of `ops.py`, or `input`. `args` are names of earlier nodes, or constants.
    `params` holds every parameter that was given, in the order of the operation's signature.
    `shape` and `kind` are static. `constant` marks what no derivative passes: an input that has no
    gradient, the result of a step such as `sign`.
    """

    name: str
    op: str
    args: tuple[Arg, ...]
    params: Params
    shape: Shape
    kind: Kind
    constant: bool = False


class GraphError(ValueError):
    """A computation that makes no sense: what was found, what was expected, what to do.

    `parameter` names the one that is to blame, if one is.
    """

    def __init__(self, found: str, expected: str, remedy: str = "", *, parameter: str = "") -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.parameter = parameter
        super().__init__("; ".join(part for part in (found, expected, remedy) if part))


@dataclass(frozen=True)
class Graph:
    """Nodes in evaluation order (inputs are nodes too) and the names of those asked for."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

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
        found: dict[str, list[Use]] = {node.name: [] for node in self.operations}
        for use in self.uses:
            found[use.consumer].append(use)
        return {name: tuple(uses) for name, uses in found.items()}

    @cached_property
    def uses_of(self) -> Mapping[str, tuple[Use, ...]]:
        """For each active node, its uses in evaluation order."""
        found: dict[str, list[Use]] = {name: [] for name in self.active}
        for use in self.uses:
            found[self.argument(use)].append(use)
        return {name: tuple(uses) for name, uses in found.items()}

    def pruned(self, outputs: Iterable[str]) -> Graph:
        """The same graph with only what `outputs` need; every input stays."""
        outputs = tuple(outputs)
        needed = set(outputs)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(arg for arg in node.args if isinstance(arg, str))
        kept = tuple(node for node in self.nodes if node.op == "input" or node.name in needed)
        return Graph(kept, outputs)
