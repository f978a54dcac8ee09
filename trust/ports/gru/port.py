"""The two layers in JAX."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    def layer(n):
        return {
            "wi": state[f"gru.weight_ih_l{n}"].numpy().T,
            "wh": state[f"gru.weight_hh_l{n}"].numpy().T,
            "bi": state[f"gru.bias_ih_l{n}"].numpy(),
            "bh": state[f"gru.bias_hh_l{n}"].numpy(),
        }

    return [layer(0), layer(1)]


def cell(p, h, x):
    xr, xz, xn = jnp.split(x @ p["wi"] + p["bi"], 3, axis=-1)
    hr, hz, hn = jnp.split(h @ p["wh"] + p["bh"], 3, axis=-1)
    r = jax.nn.sigmoid(xr + hr)
    z = jax.nn.sigmoid(xz + hz)
    n = jnp.tanh(xn + r * hn)
    return (1 - z) * n + z * h


def layer(p, xs):
    def step(h, x):
        h = cell(p, h, x)
        return h, h

    h0 = jnp.zeros((xs.shape[1], p["wh"].shape[0]))
    return lax.scan(step, h0, xs)[1]


def encode(params, x):
    xs = jnp.swapaxes(x, 0, 1)
    hs = layer(params[0], xs)
    hs = layer(params[1], hs)
    return jnp.swapaxes(hs, 0, 1)
