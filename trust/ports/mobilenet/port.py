"""The inverted residual in JAX, channels first as in the original."""

import jax
import jax.numpy as jnp
from jax import lax


def convert(state):
    return {name.replace(".", "_"): jnp.asarray(value.numpy()) for name, value in state.items()}


def pointwise(x, w):
    return jnp.einsum("nchw,oc->nohw", x, w[:, :, 0, 0])


def depthwise(x, w):
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", feature_group_count=x.shape[1])


def bn(p, name, x, eps=1e-3):
    mean, var = p[name + "_running_mean"], p[name + "_running_var"]
    scale = p[name + "_weight"] / jnp.sqrt(var + eps)
    shift = p[name + "_bias"] - mean * scale
    return x * scale[:, None, None] + shift[:, None, None]


def hard_sigmoid(x):
    return jnp.clip(x + 3, 0, 6) / 6


def hard_swish(x):
    return x * hard_sigmoid(x)


def squeeze_excite(p, x):
    s = x.mean(axis=(2, 3))
    s = jax.nn.relu(s @ p["fc1_weight"][:, :, 0, 0].T + p["fc1_bias"])
    s = hard_sigmoid(s @ p["fc2_weight"][:, :, 0, 0].T + p["fc2_bias"])
    return x * s[:, :, None, None]


def block(p, x):
    h = hard_swish(bn(p, "bn1", pointwise(x, p["expand_weight"])))
    h = hard_swish(bn(p, "bn2", depthwise(h, p["depthwise_weight"])))
    h = squeeze_excite(p, h)
    h = bn(p, "bn3", pointwise(h, p["project_weight"]))
    return x + h
