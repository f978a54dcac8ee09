"""JAX, through its public vjp: eager, and compiled as a whole (`jit`). Knows jax and optax and no other engine.

The graph runs on JAX's own functions (`operations.py`) and steps with optax. Terms show themselves through an
identity with a vjp of its own, which hands its cotangent to a probe: an argument that adds nothing to the value, and
whose gradient is therefore the term. Added zeros would show them too, but would stop XLA from fusing a multiplication
into the addition behind it.
"""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import lax

from ...harness.graph.emit import emit
from ...harness.graph.graph import Graph
from ...harness.graph.node import Node
from ...harness.records.evaluation import DTYPES, Advance, Array, Engine, Evaluate, Evaluation, Inputs
from .known import KNOWN
from .operations import checked_functions
from .precision import mode, release, to_jax
from .replay import Replay, rounds_once

Tree: TypeAlias = Any

# What JAX says about a point it cannot do: shapes and values, indices, memory.
ERRORS = (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, MemoryError, NotImplementedError)

# --- one graph ------------------------------------------------------------------------------------------


@jax.custom_vjp
def tag(x: Any, probe: Any) -> Any:
    """x. Its cotangent is also that of the probe, zeros of its shape."""
    return x


tag.defvjp(lambda x, probe: (x, None), lambda _, g: (g, g))

# XLA computes a cheap operation anew in every kernel that reads it, with other roundings each time: what is shown would
# not be what was used. So each number of the compiled tagged program is held by a barrier, which XLA would take away
# before it fuses. Kernels stay small with it, however large the graph is.
HELD: dict[str, str | bool] = {"xla_disable_hlo_passes": "cse_barrier_expander"}

# `(inputs in order, cotangent)` -> a tree of arrays.
Run: TypeAlias = Callable[[Sequence[Any], Any], Tree]


def prepare(graph: Graph, dtype: str) -> Evaluate:
    """Compile the graph's plain and tagged programs, to run operation by operation. Raises Unsupported."""
    plain, tagged = _plain(graph, dtype), _tagged(graph, dtype)

    def recordable() -> bool:
        return rounds_once(graph, checked_functions(graph, dtype), dtype)

    replay = Replay(_both(plain, tagged), recordable)
    return _evaluator(graph, dtype, replay, lambda: replay.native)


def prepare_jit(graph: Graph, dtype: str) -> Evaluate:
    """Compile the plain and the tagged program by XLA, each as a whole, values and gradients together."""
    plain, tagged = _plain(graph, dtype), _tagged(graph, dtype, lax.optimization_barrier)
    arrays = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}
    try:
        with mode():
            inputs = [jax.ShapeDtypeStruct(node.shape, arrays[node.kind]) for node in graph.inputs]
            cotangent = jax.ShapeDtypeStruct(graph.output.shape, DTYPES[dtype])
            plain = jax.jit(plain).lower(inputs, cotangent).compile()
            tagged = jax.jit(tagged).lower(inputs, cotangent).compile(HELD)
    except ERRORS as error:
        failed = _failed(error)
        return lambda inputs, cotangent: failed
    both = _both(plain, tagged)
    return _evaluator(graph, dtype, lambda arrays, seed: jax.device_get(both(arrays, seed)))


def _both(plain: Run, tagged: Run) -> Run:
    return lambda arrays, seed: (plain(arrays, seed), tagged(arrays, seed))


def _wanted(node: Node) -> bool:
    return node.kind == "float" and not node.constant


def split(graph: Graph) -> tuple[list[int], Callable[[Sequence[Any], Sequence[Any]], list[Any]]]:
    """The places of the inputs with a gradient, and a function that puts those back among the others."""
    places = [k for k, node in enumerate(graph.inputs) if _wanted(node)]

    def joined(inputs: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
        arrays = list(inputs)
        for k, x in zip(places, wanted, strict=True):
            arrays[k] = x
        return arrays

    return places, joined


def _plain(graph: Graph, dtype: str) -> Run:
    """The output and the gradients, by the program that a user of JAX runs."""
    program = emit(graph, checked_functions(graph, dtype), [graph.output.name])
    places, joined = split(graph)

    def run(inputs: Sequence[Any], cotangent: Any) -> Tree:
        output, pull = jax.vjp(lambda wanted: program(*joined(inputs, wanted))[0], [inputs[k] for k in places])
        (gradients,) = pull(cotangent)
        return output, dict(zip((node.name for node in graph.wanted), gradients, strict=True))

    return run


def _tagged(graph: Graph, dtype: str, hold: Callable[[Any], Any] | None = None) -> Run:
    """Values, terms and adjoints, by the program with an identity on every use.

    A node that is used once needs no second probe: its adjoint is its term. The output's is the cotangent. Every
    number is held by `hold`, where it is given, on its way out and on its way back.
    """
    functions, names = checked_functions(graph, dtype), [node.name for node in graph.nodes]
    program = emit(graph, {**functions, "hold": hold}, names, tagged=True, held=hold is not None)

    def tagged(x: Any, probe: Any) -> Any:
        return tag(x, probe) if hold is None else hold(tag(x, probe))

    places, joined = split(graph)
    read = [graph.argument(use) for use in graph.uses]
    together: dict[tuple[str, str], list[int]] = {}
    for k, use in enumerate(graph.uses):
        together.setdefault((use.consumer, read[k]), []).append(k)
    shared = {name for name, uses in graph.uses_of.items() if len(uses) > 1}
    output = graph.output.name
    last = next(k for k, node in enumerate(graph.nodes) if node.name == output)
    kind = DTYPES[dtype]

    def run(inputs: Sequence[Any], cotangent: Any) -> Tree:
        def forward(wanted: Sequence[Any], terms: Sequence[Any], sums: Mapping[str, Any]) -> tuple[Any, Sequence[Any]]:
            common: dict[str, Any] = {}
            tags: dict[int, Any] = {}

            def use(k: int, x: Any) -> Any:
                if k in tags:
                    return tags[k]
                name = read[k]
                if name in shared:
                    if name not in common:
                        common[name] = tagged(x, sums[name])
                    x = common[name]
                # Pulled back from the last to the first: where one consumer reads a node many times, its first
                # tag must come last for the terms to be added in the untagged program's order.
                for other in reversed(together[graph.uses[k].consumer, name]):
                    tags[other] = tagged(x, terms[other])
                return tags[k]

            values = program(use, *joined(inputs, wanted))
            return values[last], values

        # Of NumPy: JAX would compile a program for zeros of each shape.
        zeros = {shape: np.zeros(shape, kind) for shape in {graph[name].shape for name in read}}
        probes = [zeros[graph[name].shape] for name in read]
        _, pull, values = jax.vjp(
            forward,
            [inputs[k] for k in places],
            probes,
            {name: zeros[graph[name].shape] for name in shared},
            has_aux=True,
        )
        _, terms, sums = pull(cotangent)
        return values, terms, {**sums, output: cotangent}

    return run


def _evaluator(graph: Graph, dtype: str, programs: Run, note: Callable[[], str] = lambda: "") -> Evaluate:
    """`evaluate` of the plain and the tagged program, which give NumPy arrays; the note says how they were run."""
    names = [node.name for node in graph.nodes]
    active = [node for node in graph.nodes if node.name in graph.active]
    term = {graph.argument(use): k for k, use in enumerate(graph.uses)}
    kind = DTYPES[dtype]

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        try:
            with mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays = [to_jax(inputs[node.name], kind if node.kind == "float" else None) for node in graph.inputs]
                (output, gradients), (values, terms, sums) = programs(arrays, to_jax(cotangent, kind))
        except ERRORS as error:
            return _failed(error)

        def adjoint(node: Node) -> Array:
            if node.name in sums:
                return sums[node.name]
            return terms[term[node.name]] if node.name in term else np.zeros(node.shape, kind)

        return Evaluation(
            "ok",
            note(),
            values=dict(zip(names, values, strict=True)),
            gradients=gradients,
            terms=dict(zip(graph.uses, terms, strict=True)),
            adjoints={node.name: adjoint(node) for node in active},
            output=output,
        )

    return evaluate


def _failed(error: Exception) -> Evaluation:
    lines = str(error).strip().splitlines()
    return Evaluation("failed", f"{type(error).__name__}: {lines[0] if lines else 'no message'}")


def optimiser(rule: str, settings: Mapping[str, float], start: Mapping[str, Array]) -> Advance:
    """optax's own optimiser, imported when a path first needs one."""
    from .optimisers import optimiser as native

    return native(rule, settings, start)


def version() -> str:
    return f"jax {jax.__version__}"


engine = Engine(prepare, optimiser, version, release=release, known=KNOWN, groups=True)
jit = Engine(prepare_jit, optimiser, version, release=release, known=KNOWN, groups=True)
