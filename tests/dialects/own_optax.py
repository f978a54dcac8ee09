"""Optimisers of one's own for optax, right and wrong."""

# jax and optax are annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false, reportMissingParameterType=false, reportUnknownParameterType=false

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class State(NamedTuple):
    average: Any


def rmsprop(eps: float = 1e-8, *, inside: bool = False, keeps: bool = True) -> optax.GradientTransformation:
    def init(params: Any) -> State:
        return State(jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, State]:
        del params
        average = jax.tree.map(lambda v, g: 0.9 * v + 0.1 * g * g, state.average, updates)
        root = (lambda v: jnp.sqrt(v + eps)) if inside else (lambda v: jnp.sqrt(v) + eps)
        steps = jax.tree.map(lambda g, v: -0.01 * g / root(v), updates, average)
        return steps, State(average if keeps else state.average)

    return optax.GradientTransformation(init, update)
