"""The tagger in JAX: two scans."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    p = {name.removeprefix("lstm."): value.numpy() for name, value in state.items()}

    def direction(suffix):
        w = jnp.concatenate([p["weight_ih_l0" + suffix], p["weight_hh_l0" + suffix]], axis=1)
        b = p["bias_ih_l0" + suffix] + p["bias_hh_l0" + suffix]
        return {"w": w.T, "b": b}

    return {
        "forward": direction(""),
        "backward": direction("_reverse"),
        "out": {"w": p["out.weight"].T, "b": p["out.bias"]},
    }


def run(p, xs, reverse=False):
    def step(carry, x):
        c, h = carry
        y = jnp.concatenate([x, h], axis=-1) @ p["w"] + p["b"]
        i, f, g, o = jnp.split(y, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (c, h), h

    zero = jnp.zeros((xs.shape[1], p["b"].shape[0] // 4))
    _, hs = lax.scan(step, (zero, zero), xs, reverse=reverse)
    return hs


def tag(params, x):
    xs = x.transpose(1, 0, 2)
    left = run(params["forward"], xs)
    right = run(params["backward"], xs, reverse=True)
    h = jnp.concatenate([left, right], axis=-1)
    y = h @ params["out"]["w"] + params["out"]["b"]
    return y.transpose(1, 0, 2)
