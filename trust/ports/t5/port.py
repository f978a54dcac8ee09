"""The T5 layer in JAX; buckets by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np


def convert(state):
    p = {name.removesuffix(".weight"): value.numpy() for name, value in state.items()}
    for name in ("q", "k", "v", "o", "wi", "wo"):
        p[name] = p[name].T
    return p


def t5_norm(x, scale):
    variance = jnp.mean(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(variance + 1e-6) * scale


def buckets(t, num_buckets=8, max_distance=16):
    relative = np.arange(t)[None, :] - np.arange(t)[:, None]
    num_buckets //= 2
    side = (relative > 0) * num_buckets
    n = np.abs(relative)
    exact = num_buckets // 2
    large = exact + (np.log(np.maximum(n, 1) / exact) / np.log(max_distance / exact) * (num_buckets - exact)).astype(
        int
    )
    large = np.minimum(large, num_buckets - 1)
    return side + np.where(n < exact, n, large)


def layer(p, x, heads=2, head_dim=3):
    b, t, _ = x.shape
    h = t5_norm(x, p["norm1"])
    q = (h @ p["q"]).reshape(b, t, heads, head_dim)
    k = (h @ p["k"]).reshape(b, t, heads, head_dim)
    v = (h @ p["v"]).reshape(b, t, heads, head_dim)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k)
    bias = p["relative_attention_bias"][buckets(t)]
    scores = scores + bias.transpose(2, 0, 1)[None]
    weights = jax.nn.softmax(scores, axis=-1)
    out = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(b, t, heads * head_dim)
    x = x + out @ p["o"]
    h = jax.nn.relu(t5_norm(x, p["norm2"]) @ p["wi"])
    return x + h @ p["wo"]
