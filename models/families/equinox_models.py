"""Layers and small models of Equinox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from . import Model, Run
from ._jax import index, normal

FRAMEWORK = "jax"


def layer(build: Callable[[jax.Array], Any], *shapes: tuple[int, ...], batch: bool = False) -> Model:
    """A module as a function of its arrays and inputs; with a batch each input has one axis more."""

    def make() -> Run:
        module = build(jax.random.key(0))
        arrays, rest = eqx.partition(module, eqx.is_inexact_array)
        wide = jax.tree.map(lambda x: x.astype(jnp.float64), arrays)

        def run(params: Any, *xs: jax.Array) -> Any:
            called = eqx.combine(params, rest)
            return jax.vmap(called)(*xs) if batch else called(*xs)

        return Run(run, (wide, *(normal(*shape, seed=i) for i, shape in enumerate(shapes))))

    return make


def _embeds() -> Run:
    return Run(lambda weight, i: jax.vmap(eqx.nn.Embedding(weight=weight))(i), (normal(7, 4), index(7, 5)))


class Recurrent(eqx.Module):
    cell: Any
    size: int

    def __call__(self, xs: jax.Array) -> jax.Array:
        start = jnp.zeros(self.size, xs.dtype)
        start = (start, start) if isinstance(self.cell, eqx.nn.LSTMCell) else start

        def step(state: Any, x: jax.Array) -> tuple[Any, None]:
            return self.cell(x, state), None

        state, _ = jax.lax.scan(step, start, xs)
        return state[0] if isinstance(state, tuple) else state


class Attends(eqx.Module):
    attention: eqx.nn.MultiheadAttention

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.attention(x, x, x, mask=jnp.tril(jnp.ones((len(x), len(x)), bool)))


class CNN(eqx.Module):
    layers: list[Any]

    def __init__(self, key: jax.Array) -> None:
        one, two = jax.random.split(key)
        self.layers = [eqx.nn.Conv2d(1, 3, 4, key=one), eqx.nn.MaxPool2d(2, 2), jax.nn.relu, jnp.ravel, eqx.nn.Linear(12, 4, key=two), jax.nn.log_softmax]  # fmt: skip

    def __call__(self, x: jax.Array) -> jax.Array:
        for inner in self.layers:
            x = inner(x)
        return x


MODELS: Mapping[str, Model] = {
    "Linear": layer(lambda k: eqx.nn.Linear(4, 3, key=k), (4,)),
    "Linear mapped": layer(lambda k: eqx.nn.Linear(4, 3, key=k), (2, 4), batch=True),
    "MLP": layer(lambda k: eqx.nn.MLP(4, 2, 8, 2, key=k), (4,)),
    "MLP tanh mapped": layer(lambda k: eqx.nn.MLP(4, 2, 8, 2, activation=jnp.tanh, key=k), (3, 4), batch=True),
    "Conv1d": layer(lambda k: eqx.nn.Conv1d(3, 4, 3, key=k), (3, 6)),
    "Conv2d": layer(lambda k: eqx.nn.Conv2d(3, 4, 3, padding=1, stride=2, key=k), (3, 6, 6)),
    "Conv3d": layer(lambda k: eqx.nn.Conv3d(2, 2, 2, key=k), (2, 3, 3, 3)),
    "ConvTranspose2d": layer(lambda k: eqx.nn.ConvTranspose2d(3, 4, 3, stride=2, key=k), (3, 4, 4)),
    "LayerNorm": layer(lambda _: eqx.nn.LayerNorm(4), (4,)),
    "RMSNorm": layer(lambda _: eqx.nn.RMSNorm(4), (4,)),
    "GroupNorm": layer(lambda _: eqx.nn.GroupNorm(2, 4), (4, 3, 3)),
    "MaxPool2d": layer(lambda _: eqx.nn.MaxPool2d(2, 2), (3, 4, 4)),
    "AvgPool2d": layer(lambda _: eqx.nn.AvgPool2d(2, 2), (3, 4, 4)),
    "AdaptiveAvgPool2d": layer(lambda _: eqx.nn.AdaptiveAvgPool2d(2), (3, 5, 5)),
    "PReLU": layer(lambda _: eqx.nn.PReLU(), (4,)),
    "Embedding": _embeds,
    "RotaryPositionalEmbedding": layer(lambda _: eqx.nn.RotaryPositionalEmbedding(4), (5, 4)),
    "MultiheadAttention causal": layer(lambda k: Attends(eqx.nn.MultiheadAttention(2, 8, key=k)), (5, 8)),
    "GRUCell": layer(lambda k: Recurrent(eqx.nn.GRUCell(3, 4, key=k), 4), (3, 3)),
    "LSTMCell": layer(lambda k: Recurrent(eqx.nn.LSTMCell(3, 4, key=k), 4), (3, 3)),
    "CNN": layer(CNN, (1, 8, 8)),
}  # fmt: skip
