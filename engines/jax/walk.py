"""A jaxpr, walked equation by equation with the user's own primitives, and its derivatives.

Every equation is bound as it is, under `jax.vjp` where a wanted float reaches it; so a custom rule is the user's own
that runs. Its pull-back gives the terms. What no wanted float reaches is a constant of the run.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend.core import Literal

from ...harness.graph.graph import Graph
from ...harness.graph.node import Arg, Use
from ...harness.hearing.heard import Ask, Place, Refused
from ...harness.hearing.recording import Call, Recording, number
from ...harness.records.evaluation import Array
from . import control, inner
from .defined import Marked
from .digits import lost_digits
from .equation import Equation, Meaning, Parameters, Told, bound, read
from .places import names_of, place_of
from .pointwise import STEPS
from .primitives import DEFINE, REFUSED, ROWS


class Value:
    """A number of the run: the node that stands for it, empty for a constant of the run, and its array, which is
    computed when it is asked for where only its shape was needed before."""

    def __init__(self, aval: Any, make: Callable[[], Any], node: str = "") -> None:
        self.aval, self.node, self._make = aval, node, make
        self.refused: Refused | None = None  # why nobody may read it

    @cached_property
    def array(self) -> Any:
        return self._make()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.aval.shape)

    @property
    def is_float(self) -> bool:
        return is_float(self.aval)


def settled(array: Any, node: str = "") -> Value:
    """A number that is known already."""
    return Value(jax.typeof(array), lambda: array, node)


@dataclass(frozen=True, slots=True)
class Step:
    """What an equation gave: the node of each of its float results, empty where there is none; of each, which operand
    of `pull` its arguments are, by position; and the pull-back of them all."""

    nodes: tuple[str, ...]
    arguments: tuple[Mapping[int, int], ...]
    results: tuple[Any, ...]
    pull: Callable[[Any], Sequence[Any]]


# Equations that hand on their operands as they are.
HANDED_ON = {"copy", "copy_p", "device_put", "optimization_barrier", "name", "sharding_constraint", "reshard", "pvary"}
ENTERED = {"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"}
SAID = {"debug_callback", "debug_print"}


class Walk:
    """Records what it walks through. `derivatives` is False where only the meaning is asked for: nothing is then
    computed that no index or branch needs."""

    def __init__(
        self, recording: Recording, ask: Ask, marks: Mapping[str, Marked] | None = None, *, derivatives: bool = True
    ) -> None:
        self.recording, self.ask, self.derivatives = recording, ask, derivatives
        self.marks = marks or {}
        self.steps: list[Step] = []
        self.notes: dict[str, None] = {}
        self.scope: tuple[str, ...] = ()
        self.outer: Place | None = None  # of a compiled function of JAX's own, whose lines are not the user's

    def run(self, jaxpr: Any, consts: Sequence[Any], values: Sequence[Value]) -> list[Value]:
        """The results of a jaxpr; its constants are arrays."""
        env: dict[Any, Value] = dict(zip(jaxpr.constvars, map(settled, consts), strict=True))
        env.update(zip(jaxpr.invars, values, strict=True))

        def value(atom: Any) -> Value:
            return Value(atom.aval, lambda: atom.val) if isinstance(atom, Literal) else env[atom]

        for equation in jaxpr.eqns:
            env.update(zip(equation.outvars, self.equation(equation, [*map(value, equation.invars)]), strict=True))
        return [*map(value, jaxpr.outvars)]

    def equation(self, e: Any, values: list[Value]) -> Sequence[Value]:
        name, avals = e.primitive.name, [out.aval for out in e.outvars]
        if name not in ENTERED and (refused := next((value.refused for value in values if value.refused), None)):
            raise refused
        if self.derivatives and (lost := lost_digits(e, values)):
            self.note(*lost, self.place(e))
        if not any(value.node for value in values):
            return self.folded(e, values)
        if name in SAID:
            return []
        if name in control.FLOW:
            return control.FLOW[name](self, e, values)
        if name in HANDED_ON or (name == "convert_element_type" and values[0].aval.dtype == e.params["new_dtype"]):
            return [replaced(value, out.aval) for value, out in zip(values, e.outvars, strict=False)]
        if name in ENTERED or name in inner.RULES:
            return inner.called(self, e, values)
        if name == "custom_linear_solve":
            return inner.solved(self, e, values)
        if any(jax.numpy.issubdtype(aval.dtype, jax.numpy.complexfloating) for aval in avals):
            remedy = "Compute with real and imaginary parts, or give the function a meaning: gradaccord.define"
            raise Refused(f"`{name}` gives complex numbers", self.place(e), remedy)
        if not any(value.is_float and value.node for value in values):
            return self.folded(e, values)  # made of choices, which are nodes or are noted
        if name in STEPS:
            return self._noted(e, values)
        if name in REFUSED:
            raise Refused(f"`{name}` has no definition here", self.place(e), REFUSED[name])
        is_cast = name == "convert_element_type"
        if not any(map(is_float, avals)) and (is_cast or name not in ROWS):
            return self._noted(e, values)
        if not is_cast and name not in ROWS:
            if (made := inner.foreign(self, e, values)) is not None:
                return made
            raise Refused(f"`{name}` has no definition here", self.place(e), DEFINE)
        meanings = [Meaning("cast", [0])] if is_cast else self._meanings(e, values)
        several = e.primitive.multiple_results
        return self.record(_as_called(e), values, avals, meanings, self.place(e), several=several)

    def _meanings(self, e: Any, values: Sequence[Value]) -> Sequence[Told]:
        outs: list[Any] = []

        def result(k: int) -> Any:
            if not outs:
                given = bound(e, [value.array for value in values])
                outs.extend(given if e.primitive.multiple_results else [given])
            return outs[k]

        seen = Equation(
            e.primitive.name,
            Parameters(e.params),
            [value.shape for value in values],
            [np.dtype(value.aval.dtype).kind if hasattr(value.aval.dtype, "kind") else "" for value in values],
            [out.aval for out in e.outvars],
            lambda k: values[k].array,
            result,
            _as_called(e),
        )
        try:
            return read(ROWS[e.primitive.name], seen)
        except Refused as refused:
            raise Refused(refused.what, self.place(e), refused.remedy or DEFINE) from None

    def inside(self, e: Any) -> Walk:
        """A walk through what an equation of this one calls, for its meaning alone."""
        walk = Walk(self.recording.inside(), self.ask, self.marks, derivatives=False)
        walk.notes, walk.outer = self.notes, self.place(e)
        return walk

    def operand(self, name: str, value: Value) -> Value:
        """A number of an outer walk as an input of this one, where a wanted float reaches it."""
        if not (value.node and value.is_float):
            return Value(value.aval, lambda: value.array)
        return Value(value.aval, lambda: value.array, self.recording.input(name, self._shown(value)))

    # --- nodes ---------------------------------------------------------------------------------------------------

    def record(
        self,
        function: Callable[..., Any],
        values: Sequence[Value],
        avals: Sequence[Any],
        meanings: Sequence[Told],
        place: Place,
        *,
        several: bool = False,
    ) -> list[Value]:
        """The results of a function of these values, each a node with its meaning, or a constant where it has none."""
        live = [k for k, value in enumerate(values) if value.node and value.is_float]
        floats = [k for k, aval in enumerate(avals) if is_float(aval)]
        pull = None
        if self.derivatives:
            arrays = [value.array for value in values]
            results, pull = _differentiated(function, arrays, live, floats, several=several)
            made = [settled(array) for array in results]
        else:
            computed: list[Any] = []

            def result(k: int) -> Any:
                if not computed:
                    given = function(*(value.array for value in values))
                    computed.extend(given if several else [given])
                return computed[k]

            made = [Value(aval, lambda k=k: result(k)) for k, aval in enumerate(avals)]
        nodes, arguments = list[str](), list[Mapping[int, int]]()
        for value, meaning in zip(made, meanings, strict=True):
            if not isinstance(meaning, Meaning):
                nodes.append("")
                arguments.append({})
                if meaning is not None:
                    value.refused = Refused(
                        meaning.what, meaning.place if meaning.place.file else place, meaning.remedy
                    )
                continue
            value.node, used = self._node(meaning, values, value, place)
            nodes.append(value.node)
            arguments.append({position: live.index(k) for position, k in used.items() if k in live})
        if pull is not None and floats:
            nodes, arguments = [nodes[k] for k in floats], [arguments[k] for k in floats]
            self.steps.append(Step(tuple(nodes), tuple(arguments), tuple(avals[k] for k in floats), pull))
        return made

    def _node(
        self, meaning: Meaning, values: Sequence[Value], made: Value, place: Place
    ) -> tuple[str, Mapping[int, int]]:
        """The node of one result, and which operand each of its arguments is, by position."""
        args, used = list[Arg](), dict[int, int]()
        for position, operand in enumerate(meaning.operands):
            if isinstance(operand, int) and values[operand].node:
                used[position] = operand
                args.append(values[operand].node)
            elif isinstance(operand, int):
                args.append(self._constant(meaning, values, values[operand], made))
            elif isinstance(operand, np.ndarray):
                name = {"i": "index", "u": "index", "b": "mask"}.get(operand.dtype.kind, "constant")
                args.append(self.recording.input(name, operand, constant=True))
            else:
                args.append(operand)
        array = self._shown(made)
        if meaning.operation is not None:
            return self.recording.own(meaning.operation, args, meaning.params, array, place), used
        call = Call(meaning.op, args, meaning.params, meaning.text, meaning.stable)
        if meaning.op == "cast":
            return self._cast(args, array, place), used
        base = ".".join(filter(None, (place.module, meaning.op)))
        return self.recording.call(call, array, place, base), used

    def _cast(self, args: Sequence[Arg], array: Array, place: Place) -> str:
        assert isinstance(args[0], str)
        if self.derivatives or self.recording.narrows(args[0], array):
            return self.recording.cast(args[0], array, place)
        return self.recording.call(Call("copy", args, {}), array, place)

    def _shown(self, value: Value) -> Array:
        """The array of a node; where nothing is computed, one of its shape and dtype."""
        if self.derivatives:
            return np.asarray(value.array)
        return np.broadcast_to(np.zeros((), value.aval.dtype), value.shape)

    def _constant(self, meaning: Meaning, values: Sequence[Value], value: Value, made: Value) -> Arg:
        """A constant of the run: a number where it is one, or is one everywhere and another operand has its shape."""
        array = np.asarray(value.array)
        if value.is_float and array.size and not np.isnan(first := float(array.flat[0])):
            spread = not meaning.text and any(
                other is not value and other.node and other.shape == made.shape == value.shape for other in values
            )
            if not array.ndim or (spread and meaning.op in UNIFORM and (array == array.flat[0]).all()):
                return number(first)
        if value.is_float or array.dtype.kind in "biu":
            return self.recording.input("constant", array, constant=True)
        raise Refused(f"numbers of type {array.dtype} beside floats")

    # --- constants of the run ------------------------------------------------------------------------------------

    def folded(self, e: Any, values: Sequence[Value]) -> list[Value]:
        made: list[Any] = []

        def result(k: int) -> Any:
            if not made:
                given = bound(e, [value.array for value in values])
                made.extend(given if e.primitive.multiple_results else [given])
            return made[k]

        return [self.constant(out.aval, lambda k=k: result(k)) for k, out in enumerate(e.outvars)]

    def constant(self, aval: Any, make: Callable[[], Any]) -> Value:
        """A constant of the run."""
        value = Value(aval, make)
        if self.derivatives:
            _ = value.array
        return value

    def _noted(self, e: Any, values: Sequence[Value]) -> list[Value]:
        """A choice, or a step without a derivative, by what a wanted float reaches: taken from the run."""
        if e.primitive.name != "is_finite":
            self.note(f"`{e.primitive.name}`", "taken from the run", self.place(e))
        return self.folded(e, values)

    def note(self, what: str, said: str, place: Place) -> None:
        where = str(replace(place, call="", rule=""))
        self.notes[f"{what} {said}" + (f" at {where}" if where else "")] = None

    def place(self, e: Any) -> Place:
        if self.outer is None:
            return place_of(e, self.scope)
        module = ".".join(filter(None, (self.outer.module, *names_of(e))))
        return replace(self.outer, module=module)

    # --- backwards -----------------------------------------------------------------------------------------------

    def backward(self, graph: Graph, seed: Any) -> tuple[dict[Use, Array], dict[str, Array]]:
        """Terms and adjoints, as JAX forms them: from the last equation to the first, and within one likewise."""
        uses, active = set(graph.uses), graph.active
        adjoints: dict[str, Any] = {graph.output.name: jax.device_put(seed)}
        terms: dict[Use, Array] = {}
        for step in reversed(self.steps):
            for k in reversed(range(len(step.nodes))):
                node = step.nodes[k]
                if node not in adjoints or node not in active:
                    continue
                pulled = step.pull(tuple(adjoints[node] if j == k else _zeros(x) for j, x in enumerate(step.results)))
                for position, which in sorted(step.arguments[k].items(), reverse=True):
                    use = Use(node, position)
                    if use not in uses:
                        continue
                    term, read_node = pulled[which], graph.argument(use)
                    terms[use] = np.asarray(term)
                    known = adjoints.get(read_node)
                    adjoints[read_node] = term if known is None else lax.add(known, term)
        zero = {n.name: np.zeros(n.shape, self.recording.values[n.name].dtype) for n in graph.nodes}
        return terms, {name: np.asarray(adjoints.get(name, zero[name])) for name in active}


# Operations whose operands broadcast: one number is as good as an array of it.
UNIFORM = {
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "pow", "where", "clip", "less", "less_equal",
    "greater", "greater_equal", "equal", "not_equal", "atan2",
}  # fmt: skip


def _zeros(aval: Any) -> Any:
    """Of NumPy, put on the device: JAX would compile a program for each shape."""
    return jax.device_put(np.zeros(aval.shape, aval.dtype))


def is_float(aval: Any) -> bool:
    return jax.numpy.issubdtype(aval.dtype, jax.numpy.floating)


def replaced(value: Value, aval: Any) -> Value:
    """The number under another type of the same shape, such as one that is no longer weak."""
    return Value(aval, lambda: value.array, value.node)


def _as_called(e: Any) -> Callable[..., Any]:
    """An equation as a function of its operands. Division by a number goes through `jnp.true_divide`, as the user's `/`
    does: alone, XLA would multiply by the reciprocal."""
    if e.primitive.name == "div" and isinstance(e.invars[1], Literal) and e.outvars[0].aval.shape:
        return lambda x, y: jax.numpy.true_divide(x, float(y))
    return lambda *arrays: bound(e, arrays)


def _differentiated(
    function: Callable[..., Any], arrays: Sequence[Any], live: Sequence[int], floats: Sequence[int], *, several: bool
) -> tuple[list[Any], Callable[[Any], Sequence[Any]] | None]:
    """The results, and the pull-back of the float ones to the live operands; None where there is none of either."""
    if not live or not floats:
        made = function(*arrays)
        return (list(made) if several else [made]), None

    def parted(*given: Any) -> tuple[tuple[Any, ...], list[Any]]:
        full = list(arrays)
        for k, x in zip(live, given, strict=True):
            full[k] = x
        made = function(*full)
        made = list(made) if several else [made]
        return tuple(made[k] for k in floats), [None if k in floats else x for k, x in enumerate(made)]

    shown, pull, others = jax.vjp(parted, *(arrays[k] for k in live), has_aux=True)
    results = list(others)
    for k, x in zip(floats, shown, strict=True):
        results[k] = x
    return results, pull
