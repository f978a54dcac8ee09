"""The classifier in JAX, with lax.scan."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    return {
        "wx": state["lstm.weight_ih_l0"].numpy().T,
        "wh": state["lstm.weight_hh_l0"].numpy().T,
        "b": (state["lstm.bias_ih_l0"] + state["lstm.bias_hh_l0"]).numpy(),
        "head": (state["head.weight"].numpy().T, state["head.bias"].numpy()),
    }


def classify(params, x):
    hidden = params["wh"].shape[0]

    def step(carry, xt):
        h, c = carry
        gates = xt @ params["wx"] + h @ params["wh"] + params["b"]
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[0], hidden))
    _, hs = lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))
    w, b = params["head"]
    return hs[-1] @ w + b
