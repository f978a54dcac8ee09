"""The GPT-2 in JAX."""

import jax
import jax.numpy as jnp
import optax


def convert(state):
    params = {}
    for name, value in state.items():
        node = params
        *path, leaf = name.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = jnp.asarray(value.numpy())
    return params


def layer_norm(p, x):
    mu = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.mean((x - mu) ** 2, axis=-1, keepdims=True)
    return (x - mu) / jnp.sqrt(var + 1e-5) * p["weight"] + p["bias"]


def linear(p, x):
    return x @ p["weight"] + p["bias"]


def attn(params, x, n_head):
    b, t, d = x.shape
    qkv = linear(params["c_attn"], x)
    q, k, v = jnp.split(qkv, 3, axis=-1)
    q = q.reshape(b, t, n_head, d // n_head)
    k = k.reshape(b, t, n_head, d // n_head)
    v = v.reshape(b, t, n_head, d // n_head)
    w = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(d // n_head)
    mask = jnp.arange(t)[:, None] >= jnp.arange(t)[None, :]
    w = jnp.where(mask, w, -1e10)
    w = jax.nn.softmax(w, axis=-1)
    a = jnp.einsum("bhqk,bkhd->bqhd", w, v).reshape(b, t, d)
    return linear(params["c_proj"], a)


def mlp(params, x):
    h = jax.nn.gelu(linear(params["c_fc"], x))
    return linear(params["mlp_proj"], h)


def loss(params, tokens):
    t = tokens.shape[1]
    h = params["wte"]["weight"][tokens] + params["wpe"]["weight"][:t]
    h = h + attn(params, layer_norm(params["ln_1"], h), 2)
    h = h + mlp(params, layer_norm(params["ln_2"], h))
    h = layer_norm(params["ln_f"], h)
    logits = h @ params["wte"]["weight"].T
    losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
    return losses.mean()
