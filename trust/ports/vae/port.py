"""The autoencoder's loss in JAX."""

import jax
import jax.numpy as jnp


def convert(state):
    def dense(name):
        return {"w": state[name + ".weight"].numpy().T, "b": state[name + ".bias"].numpy()}

    return {
        "encoder": dense("fc1"),
        "mean": dense("fc21"),
        "logvar": dense("fc22"),
        "decoder": dense("fc3"),
        "out": dense("fc4"),
    }


def dense(p, x):
    return x @ p["w"] + p["b"]


def sigmoid_cross_entropy(logits, labels):
    return jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def loss(params, x, noise):
    h = jax.nn.relu(dense(params["encoder"], x))
    mean = dense(params["mean"], h)
    logvar = dense(params["logvar"], h)
    z = mean + noise * jnp.exp(0.5 * logvar)
    h = jax.nn.relu(dense(params["decoder"], z))
    logits = dense(params["out"], h)
    bce = jnp.sum(sigmoid_cross_entropy(logits, x), axis=-1)
    kl = 0.5 * jnp.sum(jnp.exp(logvar) + mean**2 - 1.0 - logvar, axis=-1)
    return jnp.mean(bce + kl)
