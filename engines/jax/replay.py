"""A program that JAX runs operation by operation, recorded once and replayed.

Differentiating costs eager JAX several times what the operations themselves do, anew at every step of a path, though
the operations are always the same. So a jaxpr of them is recorded and evaluated, operation by operation as before.

JAX compiles each of its functions as a whole, and a recording has its parts: `mean` is a sum and a division, which XLA
may fuse. So only a graph is recorded of which each operation rounds in one primitive. And a recording counts only while
it gives the bits that JAX itself gives: they are compared when it is made, and again each time the number of
evaluations has doubled. What is not replayed is slower and no less JAX; `native` says why.
"""

# jax is annotated in part: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from ...harness.graph.emit import emit
from ...harness.graph.graph import Graph
from ...harness.graph.node import Node
from ...harness.records.evaluation import DTYPES

# Primitives that change no number.
MOVES = ("broadcast_in_dim", "concatenate", "pad", "reshape", "rev", "slice", "squeeze", "transpose")
FUSED = "not replayed: an operation is several of JAX's primitives, which it may fuse"
OTHER_BITS = "not replayed: a recording gave other bits"
NATIVE = 3  # evaluations that no path goes beyond: two at its start, one at its first step


class Replay:
    """`run(*arguments)`, as a tree of NumPy arrays. `recordable` is asked when a recording would first pay. `native`
    says why every evaluation is JAX's own from then on, it said no or a recording gave other bits; empty until then."""

    def __init__(self, run: Callable[..., Any], recordable: Callable[[], bool] = lambda: True) -> None:
        self.run, self._recordable = run, recordable
        self.native = ""
        self._recorded: Callable[..., Any] | None = None
        self._evaluations = 0
        self._compared_next = NATIVE + 1

    def __call__(self, *arguments: Any) -> Any:
        self._evaluations += 1
        if self._evaluations == NATIVE + 1 and not self._recordable():
            self.native = FUSED
        if self._evaluations <= NATIVE or self.native:
            return jax.device_get(self.run(*arguments))
        if self._recorded is None:
            self._recorded = recorded(self.run, *arguments)
        replayed = jax.device_get(self._recorded(*arguments))
        if self._evaluations < self._compared_next:
            return replayed
        self._compared_next *= 2
        native = jax.device_get(self.run(*arguments))
        if not same_bits(native, replayed):
            self.native = OTHER_BITS
        return native


def recorded(run: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The operations of a run, in the order in which JAX does them, as a function of such arguments."""
    jaxpr, shape = jax.make_jaxpr(run, return_shape=True)(*arguments)
    evaluate, tree = jaxpr_as_fun(jaxpr), jax.tree.structure(shape)
    return lambda *arguments: jax.tree.unflatten(tree, evaluate(*jax.tree.leaves(arguments)))


def rounds_once(graph: Graph, functions: Mapping[str, Any], dtype: str) -> bool:
    """Whether each operation of a graph is one primitive of JAX, beside those that only move numbers."""
    kinds = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}

    def rounding(node: Node) -> int:
        read = dict.fromkeys(arg for arg in node.args if isinstance(arg, str))
        inputs = tuple(Node(name, "input", (), (), graph[name].shape, graph[name].kind) for name in read)
        alone = emit(replace(graph, nodes=(*inputs, node), outputs=(node.name,)), functions, [node.name])
        jaxpr = jax.make_jaxpr(alone)(*(jax.ShapeDtypeStruct(x.shape, kinds[x.kind]) for x in inputs))
        return sum(step.primitive.name not in MOVES for step in jaxpr.eqns)

    return all(rounding(node) <= 1 for node in graph.operations)


def same_bits(a: Any, b: Any) -> bool:
    """Whether two trees have the same arrays, NaN and the sign of zero included."""
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and x.tobytes() == y.tobytes()
        for x, y in zip(map(np.asarray, jax.tree.leaves(a)), map(np.asarray, jax.tree.leaves(b)), strict=True)
    )
