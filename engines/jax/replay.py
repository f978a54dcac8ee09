"""A program that JAX runs operation by operation, recorded once and replayed.

Differentiating costs eager JAX several times what the operations themselves do, anew at every step of a path, though
the operations are always the same. So a jaxpr of them is recorded and evaluated, operation by operation as before.
It counts only while it gives the bits that JAX itself gives: they are compared when it is recorded, and again each
time the number of evaluations has doubled.
"""

# jax is annotated in part: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

NATIVE = 3  # evaluations that no path goes beyond: two at its start, one at its first step


class Replay:
    """`run(*arguments)`, as a tree of NumPy arrays; `faithful` turns False where a recording gave other bits."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run
        self.faithful = True
        self._recorded: Callable[..., Any] | None = None
        self._evaluations = 0
        self._compared_next = NATIVE + 1

    def __call__(self, *arguments: Any) -> Any:
        self._evaluations += 1
        if self._evaluations <= NATIVE or not self.faithful:
            return jax.device_get(self.run(*arguments))
        if self._recorded is None:
            self._recorded = recorded(self.run, *arguments)
        replayed = jax.device_get(self._recorded(*arguments))
        if self._evaluations < self._compared_next:
            return replayed
        self._compared_next *= 2
        native = jax.device_get(self.run(*arguments))
        self.faithful = same_bits(native, replayed)
        return native


def recorded(run: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The operations of a run, in the order in which JAX does them, as a function of such arguments."""
    jaxpr, shape = jax.make_jaxpr(run, return_shape=True)(*arguments)
    evaluate, tree = jaxpr_as_fun(jaxpr), jax.tree.structure(shape)
    return lambda *arguments: jax.tree.unflatten(tree, evaluate(*jax.tree.leaves(arguments)))


def same_bits(a: Any, b: Any) -> bool:
    """Whether two trees have the same arrays, NaN and the sign of zero included."""
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and x.tobytes() == y.tobytes()
        for x, y in zip(map(np.asarray, jax.tree.leaves(a)), map(np.asarray, jax.tree.leaves(b)), strict=True)
    )
