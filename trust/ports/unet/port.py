"""The U-Net's bottom in JAX, channels last."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    p = {name: value.numpy() for name, value in state.items()}

    def conv(name):
        return {"w": p[name + ".weight"].transpose(2, 3, 1, 0), "b": p[name + ".bias"]}

    def norm(name):
        return {"g": p[name + ".weight"], "b": p[name + ".bias"]}

    return {
        "norm": norm("norm"),
        "conv_in": conv("conv_in"),
        "emb": {"w": p["emb.weight"].T, "b": p["emb.bias"]},
        "down": conv("down"),
        "mid_norm": norm("mid_norm"),
        "up": conv("up"),
        "out": conv("out"),
        "final": {"w": p["final.weight"].transpose(2, 3, 0, 1), "b": p["final.bias"]},
    }


def conv(p, x, stride=1, padding=1):
    pads = [(padding, padding)] * 2
    y = lax.conv_general_dilated(x, p["w"], (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + p["b"]


def group_norm(p, x, groups=2, eps=1e-5):
    n, height, width, c = x.shape
    y = x.reshape(n, height, width, groups, c // groups)
    mean = jnp.mean(y, axis=(1, 2, 4), keepdims=True)
    var = jnp.mean((y - mean) ** 2, axis=(1, 2, 4), keepdims=True)
    y = (y - mean) * lax.rsqrt(var + eps)
    return y.reshape(x.shape) * p["g"] + p["b"]


def timestep_embedding(t, dim):
    half = dim // 2
    freqs = jnp.exp(-jnp.log(10000.0) * jnp.arange(half) / half)
    angles = t[:, None] * freqs
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def upsample(x):
    x = jnp.repeat(x, 2, axis=1)
    return jnp.repeat(x, 2, axis=2)


def conv_transpose(p, x):
    n, height, width, _ = x.shape
    y = jnp.einsum("nhwi,pqio->nhpwqo", x, p["w"])
    return y.reshape(n, 2 * height, 2 * width, -1) + p["b"]


def unet(params, x, t):
    x = x.transpose(0, 2, 3, 1)
    h = conv(params["conv_in"], jax.nn.silu(group_norm(params["norm"], x)))
    emb = timestep_embedding(t, 4) @ params["emb"]["w"] + params["emb"]["b"]
    h = h + emb[:, None, None, :]
    skip = h
    h = conv(params["down"], h, stride=2)
    h = jax.nn.silu(group_norm(params["mid_norm"], h, eps=1e-6))
    h = upsample(h)
    h = conv(params["up"], h)
    h = jnp.concatenate([h, skip], axis=-1)
    h = conv(params["out"], h, padding=0)
    y = conv_transpose(params["final"], x + h)
    return y.transpose(0, 3, 1, 2)
