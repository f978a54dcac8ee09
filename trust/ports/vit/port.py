"""The front in JAX: patches by reshaping, one product."""

import jax
import jax.numpy as jnp


def convert(state):
    p = {name: value.numpy() for name, value in state.items()}
    dim = p["patch_embed.weight"].shape[0]
    return {
        "patch": {
            "kernel": p["patch_embed.weight"].transpose(2, 3, 1, 0).reshape(-1, dim),
            "bias": p["patch_embed.bias"],
        },
        "cls": p["cls_token"],
        "pos": p["pos_embed"],
        "norm": {"scale": p["norm.weight"], "bias": p["norm.bias"]},
        "fc1": {"kernel": p["fc1.weight"].T, "bias": p["fc1.bias"]},
        "fc2": {"kernel": p["fc2.weight"].T, "bias": p["fc2.bias"]},
        "head": {"kernel": p["head.weight"].T, "bias": p["head.bias"]},
    }


def dense(p, x):
    return jnp.dot(x, p["kernel"]) + p["bias"]


def layer_norm(p, x, eps=1e-6):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + eps) * p["scale"] + p["bias"]


def front(params, images, patch=2):
    n, c, height, width = images.shape
    x = images.transpose(0, 2, 3, 1)
    x = x.reshape(n, height // patch, patch, width // patch, patch, c)
    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, -1, patch * patch * c)
    x = dense(params["patch"], x)
    cls = jnp.broadcast_to(params["cls"], (n, 1, x.shape[-1]))
    x = jnp.concatenate([cls, x], axis=1)
    x = x + params["pos"]
    h = layer_norm(params["norm"], x)
    h = jax.nn.gelu(dense(params["fc1"], h), approximate=False)
    x = x + dense(params["fc2"], h)
    pooled = x[:, 0] + jnp.mean(x[:, 1:], axis=1)
    return dense(params["head"], pooled)
