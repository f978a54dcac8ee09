"""torch.nn.MultiheadAttention from memory."""

import jax
import jax.numpy as jnp


def convert(state):
    wq, wk, wv = state["attn.in_proj_weight"].numpy().reshape(3, 8, 8)
    bq, bk, bv = state["attn.in_proj_bias"].numpy().reshape(3, 8)
    return {
        "q": {"kernel": wq.T, "bias": bq},
        "k": {"kernel": wk.T, "bias": bk},
        "v": {"kernel": wv.T, "bias": bv},
        "out": {"kernel": state["attn.out_proj.weight"].numpy().T, "bias": state["attn.out_proj.bias"].numpy()},
    }


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def attention(params, x, padding, heads=2):
    b, t, d = x.shape

    def split(y):
        return y.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)

    q = split(dense(params["q"], x))
    k = split(dense(params["k"], x))
    v = split(dense(params["v"], x))
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / jnp.sqrt(d // heads)
    scores = jnp.where(padding[:, None, None, :], -jnp.inf, scores)
    weights = jax.nn.softmax(scores, axis=-1)
    out = jnp.einsum("bhqk,bhkd->bhqd", weights, v)
    out = out.transpose(0, 2, 1, 3).reshape(b, t, d)
    return x + dense(params["out"], out)
