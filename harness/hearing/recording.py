"""A run while it is heard: its nodes with their numbers and places, one call after another."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite, isnan

import numpy as np

from ..graph.build import Builder
from ..graph.define import define
from ..graph.graph import Graph
from ..graph.node import NAMED_CONSTANTS, Arg, Constant, GraphError, Kind, Node
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..records.evaluation import DTYPES, Array
from ..records.formats import FORMATS
from .heard import Place, Refused

KINDS: Mapping[str, Kind] = {"b": "bool", "i": "int", "u": "int"}


def number(x: float | int) -> Constant:
    """A Python number of the user's program as a constant. Raises Refused for NaN."""
    if isinstance(x, float) and isnan(x):
        raise Refused("a NaN among the numbers of a call")
    if not isfinite(x):
        return Constant("inf" if x > 0 else "-inf")
    return Constant(repr(int(x)) if x == int(x) and abs(x) < 1e15 and str(x) != "-0.0" else repr(float(x)))


@dataclass(frozen=True, slots=True)
class Call:
    """One call as one node: an operation of the vocabulary with its parameters, or, where `text` is given, a definition
    of the run's own of that name, whose operands are called x0, x1, ... in `text` and `stable`.

    `args` are names of nodes and constants.
    """

    op: str
    args: Sequence[Arg]
    params: Mapping[str, object]
    text: str = ""
    stable: str = ""


class Recording:
    """Collects nodes in the order of the run of a framework, by its name in `gradaccord.define`."""

    def __init__(self, framework: str = "torch") -> None:
        self.framework = framework
        self.builder = Builder()
        self.values: dict[str, Array] = {}
        self.places: dict[str, Place] = {}
        self.names: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._defined: dict[tuple[object, ...], str] = {}

    def input(self, name: str, array: Array, *, constant: bool = False, place: Place = Place()) -> str:  # noqa: B008
        """An input under the user's own name for it; `constant` leaves it out of the gradient. Returns its node."""
        kind, dtype = self._kind(array, place)
        node = self.fresh(name)
        self.names[node] = name
        array = array.astype(np.int64) if kind == "int" else array
        self.builder.input(node, array.shape, kind, constant=constant or kind != "float", dtype=dtype)
        return self._keep(node, array, place)

    def call(self, call: Call, array: Array, place: Place, base: str = "") -> str:
        """A call that gave `array`; its node's name begins with `base`, or the operation. Returns its node.

        Raises Refused where the operation takes no such operands, or has another shape.
        """
        kind, dtype = self._kind(array, place)
        node = self.fresh(base or call.op)
        try:
            op = self._definition(call) if call.text else call.op
            self.builder.apply(op, self._met(call.args, array), call.params, node, dtype=dtype)
        except GraphError as error:
            raise Refused(f"`{place.call or call.op}`: {error}", place, self._way_out(place)) from None
        made = self.builder.nodes[node]
        if made.shape != array.shape or made.kind != kind:
            found = f"`{place.call or call.op}` gave {array.dtype} of shape {array.shape}"
            raise Refused(f"{found}, where `{op}` gives {made.kind} of shape {made.shape}", place, self._way_out(place))
        return self._keep(node, array.astype(np.int64) if kind == "int" else array, place)

    def cast(self, arg: str, array: Array, place: Place) -> str:
        """A float in another precision, a node of its own."""
        _, dtype = self._kind(array, place)
        return self.call(Call(f"to_{dtype}", [arg], {}, text="x0"), array, place)

    def narrows(self, arg: str, array: Array) -> bool:
        """Whether a cast loses digits: what means its own forward computes in the coarsest precision of that."""
        before, after = (FORMATS.get(one.dtype.name) for one in (self.values[arg], array))
        return before is not None and after is not None and before.unit < after.unit

    def own(
        self, operation: Operation, args: Sequence[Arg], params: Mapping[str, object], array: Array, place: Place
    ) -> str:
        """A call of a definition that somebody else has made."""
        if operation.name not in self.builder.vocabulary:
            self.builder.define(operation)
        return self.call(Call(operation.name, args, params), array, place)

    def inside(self) -> Recording:
        """A recording of what one call does inside; `include` brings its definitions back."""
        inner = Recording(self.framework)
        inner.builder, inner._defined = Builder(self.builder.definitions), self._defined
        return inner

    def include(self, inner: Recording) -> None:
        """The definitions that an inner recording has made."""
        for operation in inner.builder.definitions:
            if operation.name not in self.builder.vocabulary:
                self.builder.define(operation)

    def fresh(self, name: str) -> str:
        """A name for a node that is free, made of what the user calls it."""
        base = re.sub(r"\W+", "_", name).strip("_") or "t"
        base = f"_{base}" if base[0].isdigit() else base
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            free = base if count == 1 else f"{base}_{count}"
            if free not in self.builder.nodes:
                return free

    def graph(self, output: str, wanted: Iterable[str] = ()) -> tuple[Graph, str]:
        """What the output needs, and its precision, which is that of the run: other nodes name theirs. Nodes that are
        `wanted` stay where nothing reads them: the gradient of an input is 0 then."""
        dtype = self.builder.nodes[output].dtype
        graph = self.builder.graph([output])
        needed, kept = {output, *wanted}, list[Node]()
        for node in reversed(graph.nodes):
            if node.name in needed:
                needed.update(arg for arg in node.args if isinstance(arg, str))
                kept.append(replace(node, dtype="") if node.dtype == dtype else node)
        used = {node.op for node in kept}
        own = tuple(operation for operation in graph.definitions if operation.name in used)
        return Graph(tuple(reversed(kept)), (output,), own), dtype

    def _keep(self, node: str, array: Array, place: Place) -> str:
        self.values[node], self.places[node] = array, place
        return node

    def _met(self, args: Sequence[Arg], result: Array) -> list[Arg]:
        """Operands; a constant that is a number of theirs or of the result is as the run has it, to the last digit:
        whether 0.8 in float32 is above a bound of 0.8 is no matter of rounding."""
        met = list(args)
        arrays = [*(self.values[arg] for arg in args if isinstance(arg, str)), result]
        arrays = [array for array in arrays if array.dtype.name in DTYPES]
        for k, arg in enumerate(args):
            if not isinstance(arg, Constant) or arg.text in NAMED_CONSTANTS or not isfinite(float(arg.text)):
                continue
            for array in arrays:
                exact = Decimal(float(array.dtype.type(float(arg.text))))
                if exact.is_finite() and exact != Decimal(arg.text) and bool((array == float(exact)).any()):
                    met[k] = Constant(str(exact).lower())
        return met

    def _kind(self, array: Array, place: Place) -> tuple[Kind, str]:
        kind = KINDS.get(array.dtype.kind, "float")
        if kind == "float" and array.dtype.name not in DTYPES:
            known = ", ".join(DTYPES)
            raise Refused(f"numbers of type {array.dtype.name}", place, f"What is judged: {known}, integers and bools.")
        return kind, array.dtype.name if kind == "float" else ""

    def _definition(self, call: Call) -> str:
        """The name of a definition of the run's own: one for each text."""
        kinds = [self.builder.nodes[arg].kind if isinstance(arg, str) else "float" for arg in call.args]
        key = (call.op, tuple(kinds), call.text, call.stable)
        if key not in self._defined:
            base, count = re.sub(r"\W+", "_", call.op).strip("_") or "own", 1
            base = f"{base}_" if keyword.iskeyword(base) else base  # a rule may be a lambda
            name = base
            while name in self.builder.vocabulary or name in OPERATIONS:
                count += 1
                name = f"{base}_{count}"
            operands = ", ".join(f"x{k}: {kind}" for k, kind in enumerate(kinds))
            self.builder.define(
                define(f"{name}({operands})", call.text, stable=call.stable, within=self.builder.definitions)
            )
            self._defined[key] = name
        return self._defined[key]

    def _way_out(self, place: Place) -> str:
        function = f"{self.framework}={place.call or 'name'}"
        return f'`gradaccord.define` gives a function a meaning: gradaccord.define("f(x)", "text", {function})'
