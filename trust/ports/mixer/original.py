"""An MLP-Mixer's block in JAX, with its head."""

import jax
import jax.numpy as jnp


def layer_norm(p, x):
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-6) * p["scale"] + p["bias"]


def mlp(p, x):
    h = jax.nn.gelu(x @ p["w1"] + p["b1"])
    return h @ p["w2"] + p["b2"]


def mixer(params, x):
    y = layer_norm(params["norm1"], x)
    y = jnp.swapaxes(y, 1, 2)
    y = mlp(params["tokens"], y)
    x = x + jnp.swapaxes(y, 1, 2)
    y = layer_norm(params["norm2"], x)
    x = x + mlp(params["channels"], y)
    return jax.nn.softplus(x.mean(axis=1) @ params["head"])
