"""The residual block in JAX, channels last inside."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    def conv(name):
        return state[name + ".weight"].numpy().transpose(2, 3, 1, 0)

    def bn(name):
        return {
            "scale": state[name + ".weight"].numpy(),
            "bias": state[name + ".bias"].numpy(),
            "mean": state[name + ".running_mean"].numpy(),
            "var": state[name + ".running_var"].numpy(),
        }

    return {
        "conv1": conv("conv1"),
        "bn1": bn("bn1"),
        "conv2": conv("conv2"),
        "bn2": bn("bn2"),
        "proj": conv("downsample.0"),
        "bn_proj": bn("downsample.1"),
    }


def conv3x3(x, w, stride=1):
    return lax.conv_general_dilated(
        x, w, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def conv1x1(x, w, stride=1):
    return lax.conv_general_dilated(x, w, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def batch_norm(x, p):
    inv = lax.rsqrt(p["var"] + 1e-5)
    return (x - p["mean"]) * inv * p["scale"] + p["bias"]


def block(params, x):
    x = x.transpose(0, 2, 3, 1)
    shortcut = conv1x1(x, params["proj"], stride=2)
    shortcut = batch_norm(shortcut, params["bn_proj"])
    h = conv3x3(x, params["conv1"], stride=2)
    h = batch_norm(h, params["bn1"])
    h = jax.nn.relu(h)
    h = conv3x3(h, params["conv2"])
    h = batch_norm(h, params["bn2"])
    h = h + shortcut
    h = jax.nn.relu(h)
    return jnp.transpose(h, (0, 3, 1, 2))
