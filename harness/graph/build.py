"""Builder: makes nodes one by one, checking operands, parameters and shapes as it goes.

The parser, the expansion of composites and the gradient all build through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ..words import counted
from .graph import Graph, own, vocabulary
from .node import Arg, Constant, GraphError, Kind, Node, Params, Shape
from .operations.operation import Operation
from .operations.parameters import checked

# How to come by an operand of a kind.
REMEDIES: Mapping[Kind, str] = {
    "float": "`astype` makes a float of an integer or condition",
    "int": "indices are inputs of dtype int64; one fixed place is written `x[1]`",
    "bool": "a condition is a comparison, such as `x > 0`, or an input of dtype bool",
}
MAX_AXES = 32  # as far as every framework goes


class Builder:
    """Collects nodes in evaluation order.

    `definitions` are operations of the graph's own. While `share` is true, an equal node that already exists is given
    back instead of a new unnamed one.
    """

    def __init__(self, definitions: tuple[Operation, ...] = ()) -> None:
        self.definitions = definitions
        self.vocabulary = dict(vocabulary(definitions))
        self.nodes: dict[str, Node] = {}
        self.order: list[Node] = []
        self.share = False
        self._known: dict[tuple[str, tuple[Arg, ...], Params], str] = {}
        self._counts: dict[str, int] = {}

    def add(self, node: Node) -> str:
        """A node as it is."""
        if node.name in self.nodes:
            raise GraphError(f"`{node.name}` is assigned twice", "each name once")
        self.nodes[node.name] = node
        self.order.append(node)
        if node.op != "input":
            self._known.setdefault((node.op, node.args, node.params), node.name)
        return node.name

    def define(self, operation: Operation) -> None:
        """An operation of the graph's own, from here on."""
        self.definitions = (*self.definitions, operation)
        self.vocabulary.update(own(operation))

    def input(self, name: str, shape: Shape, kind: Kind = "float", *, constant: bool = False, dtype: str = "") -> str:
        return self.add(Node(name, "input", (), (), shape, kind, constant, dtype))

    def apply(
        self,
        op: str,
        args: Sequence[Arg],
        params: Mapping[str, object],
        name: str = "",
        base: str = "t",
        dtype: str = "",
    ) -> str:
        """The node `op(*args, **params)`, called `name`, or `base:1`, `base:2`, ... where none is given.

        Raises GraphError for a wrong number or kind of operands, wrong parameters, wrong shapes.
        """
        operation = self.vocabulary[op]
        full = self.checked(operation, args, params)
        if self.share and not name:
            known = self._known.get((op, tuple(args), full))
            if known is not None:
                return known
        shape = operation.shape([self.shape(arg) for arg in args], dict(full))
        if len(shape) > MAX_AXES:
            raise GraphError(f"{len(shape)} axes", f"at most {MAX_AXES}")
        name = name or self.fresh(base)
        kind = self._whole(operation, args) or operation.kind
        return self.add(Node(name, op, tuple(args), full, shape, kind, not operation.differentiable, dtype))

    def fresh(self, base: str) -> str:
        """The next free name `base:1`, `base:2`, ..."""
        count = self._counts.get(base, 0) + 1
        while f"{base}:{count}" in self.nodes:  # a graph that is a gradient already has such names
            count += 1
        self._counts[base] = count
        return f"{base}:{count}"

    def shape(self, arg: Arg) -> Shape:
        return () if isinstance(arg, Constant) else self.nodes[arg].shape

    def graph(self, outputs: Sequence[str]) -> Graph:
        return Graph(tuple(self.order), tuple(outputs), self.definitions)

    def checked(self, operation: Operation, args: Sequence[Arg], params: Mapping[str, object]) -> Params:
        """Every parameter, defaults filled in. Raises GraphError where operands or parameters do not fit."""
        self._check_operands(operation, args)
        return checked(operation, params)

    def _whole(self, operation: Operation, args: Sequence[Arg]) -> Kind | None:
        """The kind of integers or conditions that an operation puts at other places, which stay what they are."""
        if not operation.keeps or not args:
            return None
        kinds: set[Kind] = {"float" if isinstance(arg, Constant) else self.nodes[arg].kind for arg in args}
        (kind, *others) = kinds
        return kind if not others and kind != "float" else None

    def _check_operands(self, operation: Operation, args: Sequence[Arg]) -> None:
        operands = operation.operands
        if operands[0].variadic:
            operands = operands[:1] * len(args)
        if len(args) != len(operands) or not args:
            least = sum(not operand.optional for operand in operands) or 1
            if not least <= len(args) <= len(operands):
                count = str(least) if least == len(operands) else f"{least} to {len(operands)}"
                raise GraphError(
                    f"{counted(len(args), 'operand')} of `{operation.name}`",
                    f"{count}: {operation.written}",
                    _surplus(operation) if len(args) > len(operands) else "",
                )
        if self._whole(operation, args):
            return
        for arg, operand in zip(args, operands, strict=False):
            kind = "float" if isinstance(arg, Constant) else self.nodes[arg].kind
            if kind != operand.kind and operand.kind != cast(Kind, "any"):
                text = arg if isinstance(arg, str) else arg.text
                raise GraphError(
                    f"`{text}` is {kind}, as `{operand.name}` of `{operation.name}`",
                    f"{operand.kind}",
                    REMEDIES[operand.kind],
                )


def _surplus(operation: Operation) -> str:
    """What somebody who gives an operation too many operands may have in mind."""
    if any(operand.kind == "int" for operand in operation.operands):
        return REMEDIES["int"]
    axis = f"an axis goes by name: `{operation.name}(x, axis=0)`" if "axis" in operation.parameters else ""
    return "; ".join(filter(None, [operation.of_two, axis]))
