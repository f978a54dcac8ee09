"""Layers and small models of flax.linen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from . import Model, Run
from ._jax import index, normal

FRAMEWORK = "jax"


def layer(build: Callable[[], nn.Module], *shapes: tuple[int, ...], **kwargs: Any) -> Model:
    return applied(build, lambda: tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)), **kwargs)


def applied(build: Callable[[], nn.Module], inputs: Callable[[], tuple[Any, ...]], **kwargs: Any) -> Model:
    """`apply` as a function of variables and inputs, in float64 throughout."""

    def make() -> Run:
        module, args = build(), inputs()
        variables = module.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, *args, **kwargs)
        wide = jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, variables)
        rest = {name: part for name, part in wide.items() if name != "params"}
        return Run(
            lambda params, *xs: module.apply({"params": params, **rest}, *xs, **kwargs), (wide.get("params", {}), *args)
        )

    return make


class MLP(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.LayerNorm(dtype=None)(nn.gelu(nn.Dense(8)(x)))
        return nn.Dense(2)(x)


class CNN(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.avg_pool(nn.relu(nn.Conv(8, (3, 3))(x)), (2, 2), (2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(8, (3, 3))(x)), (2, 2), (2, 2))
        return nn.Dense(4)(x.reshape(x.shape[0], -1))


class ResNetBlock(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(6, (3, 3), use_bias=False)(x)))
        y = nn.BatchNorm(use_running_average=True, scale_init=nn.initializers.ones)(
            nn.Conv(6, (3, 3), use_bias=False)(y)
        )
        return nn.relu(y + nn.Conv(6, (1, 1))(x))


class Block(nn.Module):
    causal: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mask = nn.make_causal_mask(x[..., 0]) if self.causal else None
        x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x), mask=mask)
        return x + nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x))))


class GPT(nn.Module):
    @nn.compact
    def __call__(self, words: jax.Array) -> jax.Array:
        x = nn.Embed(11, 8)(words) + self.param("positions", nn.initializers.normal(0.02), (words.shape[-1], 8))
        for _ in range(2):
            x = Block(causal=True)(x)
        return nn.Dense(11)(nn.LayerNorm()(x))


class ViT(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(8, (4, 4), strides=(4, 4))(x)
        x = Block()(x.reshape(x.shape[0], -1, 8))
        return nn.Dense(3)(x.mean(1))


class Mixer(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = jnp.swapaxes(nn.LayerNorm()(x), 1, 2)
        x = x + jnp.swapaxes(nn.Dense(x.shape[1])(nn.gelu(nn.Dense(6)(y))), 1, 2)
        return x + nn.Dense(x.shape[2])(nn.gelu(nn.Dense(6)(nn.LayerNorm()(x))))


class Autoencoder(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        code = nn.relu(nn.Conv(4, (3, 3), strides=(2, 2))(x))
        return jnp.mean((nn.sigmoid(nn.ConvTranspose(1, (3, 3), strides=(2, 2))(code)) - x) ** 2)


class UNet(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        a = nn.silu(nn.GroupNorm(2)(nn.Conv(4, (3, 3))(x)))
        b = nn.silu(nn.GroupNorm(2)(nn.Conv(8, (3, 3), strides=(2, 2))(a)))
        up = jax.image.resize(b, (*a.shape[:-1], 8), "nearest")
        return nn.Conv(1, (3, 3))(jnp.concatenate([a, up], -1))


MODELS: Mapping[str, Model] = {
    "Dense": layer(lambda: nn.Dense(3), (2, 4)),
    "DenseGeneral": layer(lambda: nn.DenseGeneral((2, 3), axis=(-2, -1)), (2, 4, 3)),
    "Einsum": layer(lambda: nn.Einsum((4, 3), "ij,jk->ik"), (2, 4)),
    "Conv": layer(lambda: nn.Conv(4, (3, 3)), (1, 6, 6, 3)),
    "Conv strided": layer(lambda: nn.Conv(4, (3, 3), strides=2, padding="VALID"), (1, 7, 7, 3)),
    "Conv depthwise": layer(lambda: nn.Conv(4, (3, 3), feature_group_count=4), (1, 5, 5, 4)),
    "Conv dilated": layer(lambda: nn.Conv(4, (3, 3), kernel_dilation=2), (1, 6, 6, 3)),
    "Conv circular": layer(lambda: nn.Conv(4, (3, 3), padding="CIRCULAR"), (1, 5, 5, 3)),
    "Conv of one axis": layer(lambda: nn.Conv(4, (3,)), (2, 6, 3)),
    "Conv causal": layer(lambda: nn.Conv(4, (3,), padding="CAUSAL"), (2, 6, 3)),
    "ConvTranspose": layer(lambda: nn.ConvTranspose(4, (3, 3), strides=(2, 2)), (1, 4, 4, 3)),
    "ConvLocal": layer(lambda: nn.ConvLocal(2, (3, 3)), (1, 5, 5, 2)),
    "Embed": applied(lambda: nn.Embed(7, 4), lambda: (index(7, 2, 3),)),
    "BatchNorm": layer(lambda: nn.BatchNorm(use_running_average=True), (4, 3)),
    "LayerNorm": layer(nn.LayerNorm, (3, 4)),
    "LayerNorm not fast": layer(lambda: nn.LayerNorm(use_fast_variance=False), (3, 4)),
    "RMSNorm": layer(nn.RMSNorm, (3, 4)),
    "GroupNorm": layer(lambda: nn.GroupNorm(2), (2, 3, 3, 4)),
    "InstanceNorm": layer(nn.InstanceNorm, (2, 3, 3, 4)),
    "WeightNorm": layer(lambda: nn.WeightNorm(nn.Dense(3)), (2, 4)),
    "SelfAttention": layer(lambda: nn.SelfAttention(2), (2, 5, 8)),
    "MultiHeadDotProductAttention": layer(lambda: nn.MultiHeadDotProductAttention(2), (2, 4, 8), (2, 5, 8)),
    "PReLU": layer(nn.PReLU, (3, 4)),
    "LSTM": layer(lambda: nn.RNN(nn.LSTMCell(4, param_dtype=jnp.float64)), (2, 3, 5)),
    "OptimizedLSTM": layer(lambda: nn.RNN(nn.OptimizedLSTMCell(4, param_dtype=jnp.float64)), (2, 3, 5)),
    "GRU": layer(lambda: nn.RNN(nn.GRUCell(4, param_dtype=jnp.float64)), (2, 3, 5)),
    "MGU": layer(lambda: nn.RNN(nn.MGUCell(4, param_dtype=jnp.float64)), (2, 3, 5)),
    "SimpleCell": layer(lambda: nn.RNN(nn.SimpleCell(4, param_dtype=jnp.float64)), (2, 3, 5)),
    "Bidirectional": layer(
        lambda: nn.Bidirectional(
            nn.RNN(nn.GRUCell(3, param_dtype=jnp.float64)), nn.RNN(nn.GRUCell(3, param_dtype=jnp.float64))
        ),
        (2, 3, 4),
    ),
    "Dropout": layer(lambda: nn.Sequential([nn.Dense(4), nn.Dropout(0.5, deterministic=True)]), (2, 3)),
    "MLP": layer(MLP, (3, 4)),
    "CNN": layer(CNN, (1, 8, 8, 1)),
    "ResNet block": layer(ResNetBlock, (1, 6, 6, 3)),
    "transformer block": layer(Block, (2, 5, 8)),
    "transformer block causal": layer(lambda: Block(causal=True), (2, 5, 8)),
    "GPT": applied(GPT, lambda: (index(11, 2, 5),)),
    "ViT": layer(ViT, (1, 8, 8, 3)),
    "mixer": layer(Mixer, (2, 4, 6)),
    "autoencoder": layer(Autoencoder, (1, 6, 6, 1)),
    "U-Net": layer(UNet, (1, 6, 6, 1)),
}
