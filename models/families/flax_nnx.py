"""Layers and small models of flax.nnx."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from . import Model, Run
from ._jax import index, normal

FRAMEWORK = "jax"


def layer(build: Callable[[nnx.Rngs], Any], *shapes: tuple[int, ...]) -> Model:
    return called(build, lambda: tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)))


def called(build: Callable[[nnx.Rngs], Any], inputs: Callable[[], tuple[Any, ...]]) -> Model:
    """A module as a function of its state and inputs, in float64 throughout."""

    def make() -> Run:
        graph, state, rest = nnx.split(build(nnx.Rngs(0)), nnx.Param, ...)

        def wide(x: Any) -> Any:
            return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x

        kept = jax.tree.map(wide, rest)
        return Run(lambda params, *xs: nnx.merge(graph, params, kept)(*xs), (jax.tree.map(wide, state), *inputs()))

    return make


class MLP(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.norm = nnx.Linear(4, 8, rngs=rngs), nnx.LayerNorm(8, rngs=rngs)
        self.second = nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.second(self.norm(nnx.gelu(self.first(x))))


class CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv, self.out = nnx.Conv(1, 4, (3, 3), rngs=rngs), nnx.Linear(64, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.conv(x)), (2, 2), (2, 2))
        return self.out(x.reshape(x.shape[0], -1))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.one, self.two = nnx.LayerNorm(8, rngs=rngs), nnx.RMSNorm(8, rngs=rngs)
        self.up, self.down = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.one(x))
        return x + self.down(nnx.silu(self.up(self.two(x))))


MODELS: Mapping[str, Model] = {
    "Linear": layer(lambda r: nnx.Linear(4, 3, rngs=r), (2, 4)),
    "LinearGeneral": layer(lambda r: nnx.LinearGeneral((4, 3), (2, 3), axis=(-2, -1), rngs=r), (2, 4, 3)),
    "Einsum": layer(lambda r: nnx.Einsum("ij,jk->ik", (4, 3), (3,), rngs=r), (2, 4)),
    "Conv": layer(lambda r: nnx.Conv(3, 4, (3, 3), rngs=r), (1, 5, 5, 3)),
    "Conv grouped": layer(lambda r: nnx.Conv(4, 4, (3, 3), feature_group_count=2, rngs=r), (1, 5, 5, 4)),
    "ConvTranspose": layer(lambda r: nnx.ConvTranspose(3, 4, (3, 3), strides=2, rngs=r), (1, 4, 4, 3)),
    "Embed": called(lambda r: nnx.Embed(7, 4, rngs=r), lambda: (index(7, 2, 3),)),
    "LayerNorm": layer(lambda r: nnx.LayerNorm(4, rngs=r), (3, 4)),
    "RMSNorm": layer(lambda r: nnx.RMSNorm(4, rngs=r), (3, 4)),
    "GroupNorm": layer(lambda r: nnx.GroupNorm(4, 2, rngs=r), (2, 3, 3, 4)),
    "BatchNorm": layer(lambda r: nnx.BatchNorm(4, use_running_average=True, rngs=r), (3, 4)),
    "MultiHeadAttention": layer(lambda r: nnx.MultiHeadAttention(2, 8, decode=False, rngs=r), (2, 5, 8)),
    "LSTM": layer(lambda r: nnx.RNN(nnx.LSTMCell(5, 4, dtype=jnp.float64, param_dtype=jnp.float64, rngs=r)), (2, 3, 5)),
    "GRU": layer(lambda r: nnx.RNN(nnx.GRUCell(5, 4, dtype=jnp.float64, param_dtype=jnp.float64, rngs=r)), (2, 3, 5)),
    "LoRA": layer(lambda r: nnx.LoRA(4, 2, 3, rngs=r), (2, 4)),
    "MLP": layer(MLP, (3, 4)),
    "CNN": layer(CNN, (1, 8, 8, 1)),
    "transformer block": layer(Block, (2, 5, 8)),
}
