import jax.numpy as jnp
from flax import linen as nn


def port(params, x):
    seen = jnp.tril(jnp.ones((5, 5), bool))  # True: seen
    return nn.MultiHeadDotProductAttention(num_heads=2).apply({"params": params}, x, mask=seen)


def convert(state):
    weight, bias = (state[f"attn.in_proj_{of}"].numpy().reshape(3, 2, 4, -1) for of in ("weight", "bias"))
    parts = zip(("query", "key", "value"), weight, bias, strict=True)
    inner = {name: {"kernel": w.transpose(2, 0, 1), "bias": b[..., 0]} for name, w, b in parts}
    w, b = (state[f"attn.out_proj.{of}"].numpy() for of in ("weight", "bias"))
    return inner | {"out": {"kernel": w.T.reshape(2, 4, 8), "bias": b}}
