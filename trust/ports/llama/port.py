"""The Llama block in JAX."""

import jax
import jax.numpy as jnp

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 4


def convert(state):
    return {name.removesuffix(".weight"): jnp.asarray(value.numpy().T) for name, value in state.items()}


def rms_norm(x, scale, eps=1e-5):
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + eps) * scale


def rotary_table(t):
    freqs = 10000.0 ** (-jnp.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    angles = jnp.arange(t)[:, None] * freqs[None, :]
    return jnp.cos(angles), jnp.sin(angles)


def apply_rotary(x, table):
    cos, sin = table
    x1, x2 = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)


def attention(params, x):
    b, t, _ = x.shape
    q = (x @ params["q_proj"]).reshape(b, t, HEADS, HEAD_DIM).swapaxes(1, 2)
    k = (x @ params["k_proj"]).reshape(b, t, KV_HEADS, HEAD_DIM).swapaxes(1, 2)
    v = (x @ params["v_proj"]).reshape(b, t, KV_HEADS, HEAD_DIM).swapaxes(1, 2)
    table = rotary_table(t)
    q = apply_rotary(q, table)
    k = apply_rotary(k, table)
    k = jnp.repeat(k, HEADS // KV_HEADS, axis=1)
    v = jnp.repeat(v, HEADS // KV_HEADS, axis=1)
    scores = q @ k.swapaxes(-1, -2) / HEAD_DIM**0.5
    mask = jnp.tril(jnp.ones((t, t), dtype=bool))
    scores = jnp.where(mask, scores, -1e30)
    probs = jax.nn.softmax(scores, axis=-1)
    out = (probs @ v).swapaxes(1, 2).reshape(b, t, HEADS * HEAD_DIM)
    return out @ params["o_proj"]


def feed_forward(params, x):
    gate = jax.nn.silu(x @ params["gate_proj"])
    up = x @ params["up_proj"]
    return (gate * up) @ params["down_proj"]


def block(params, x):
    x = x + attention(params, rms_norm(x, params["input_norm"]))
    return x + feed_forward(params, rms_norm(x, params["post_norm"]))
