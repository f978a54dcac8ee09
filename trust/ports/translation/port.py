"""The decoder's ends in JAX."""

import jax
import jax.numpy as jnp
import numpy as np

PAD = 0


def convert(state):
    return {
        "embedding": state["embedding.weight"].numpy(),
        "w": state["project.weight"].numpy().T,
        "b": state["project.bias"].numpy(),
    }


def positions(length, dim):
    position = np.arange(length)[:, None]
    rate = 10000.0 ** (-np.arange(0, dim, 2) / dim)
    table = np.zeros((length, dim))
    table[:, 0::2] = np.sin(position * rate)
    table[:, 1::2] = np.cos(position * rate)
    return jnp.asarray(table)


def smoothed(logits, target, smoothing=0.1):
    logp = jax.nn.log_softmax(logits)
    nll = -jnp.take_along_axis(logp, target[..., None], axis=-1)[..., 0]
    uniform = -logp.mean(axis=-1)
    return (1 - smoothing) * nll + smoothing * uniform


def embed(table, source):
    table = table.at[PAD].set(jax.lax.stop_gradient(table[PAD]))
    return table[source]


def loss(params, source, target):
    dim = params["embedding"].shape[1]
    x = embed(params["embedding"], source) * jnp.sqrt(dim)
    x = x + positions(source.shape[1], dim)
    mask = (source != PAD)[..., None]
    pooled = jnp.sum(x * mask, axis=1, keepdims=True) / jnp.sum(mask, axis=1, keepdims=True)
    logits = jnp.tanh(x + pooled) @ params["w"] + params["b"]
    losses = smoothed(logits, target)
    weights = target != PAD
    return jnp.sum(losses * weights) / jnp.sum(weights)
