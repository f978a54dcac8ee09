"""Attention pooling in JAX."""

import jax
import jax.numpy as jnp

TEMPERATURE = 0.5


def convert(state):
    return {name: jnp.asarray(value.numpy()) for name, value in state.items()}


def weight_norm(p, name, x):
    v = p[name + ".v"]
    length = jnp.sqrt(jnp.sum(v * v, axis=1))
    y = (x @ v.T) / length
    return y * p[name + ".g"][:, 0] + p[name + ".bias"]


def layer_norm(x, scale, bias):
    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + bias


def pool(p, x, present):
    h = jnp.tanh(weight_norm(p, "tanh", x)) * jax.nn.sigmoid(weight_norm(p, "gate", x))
    scores = h @ p["score.weight"][0] + p["score.bias"]
    scores = scores / TEMPERATURE
    scores = jnp.where(present, scores, -jnp.inf)
    weights = jax.nn.softmax(scores, axis=1)
    mean = jnp.einsum("bt,btd->bd", weights, x)
    variance = jnp.einsum("bt,btd->bd", weights, x**2) - mean**2
    std = jnp.sqrt(jnp.clip(variance, 1e-6))
    return jnp.concatenate([layer_norm(mean, p["norm.weight"], p["norm.bias"]), std], axis=-1)
