"""The vector quantiser in JAX."""

import jax.numpy as jnp
from jax.lax import stop_gradient


def convert(state):
    return {
        "encoder": (state["encoder.weight"].numpy().T, state["encoder.bias"].numpy()),
        "codebook": state["codebook.weight"].numpy(),
        "decoder": (state["decoder.weight"].numpy().T, state["decoder.bias"].numpy()),
    }


def loss(params, x, beta=0.25):
    w, b = params["encoder"]
    z = x @ w + b
    codes = params["codebook"]
    distances = jnp.sum((z[:, None] - codes[None]) ** 2, axis=-1)
    index = jnp.argmin(distances, axis=-1)
    q = codes[index]
    codebook_loss = jnp.mean((q - stop_gradient(z)) ** 2)
    commitment = jnp.mean((stop_gradient(q) - z) ** 2)
    q = z + stop_gradient(q - z)
    w, b = params["decoder"]
    rebuilt = q @ w + b
    return jnp.mean((rebuilt - x) ** 2) + codebook_loss + beta * commitment
