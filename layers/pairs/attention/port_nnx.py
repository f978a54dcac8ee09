import jax.numpy as jnp
from flax import nnx


class Layer(nnx.Module):
    def __init__(self, rngs):
        self.attn = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    def __call__(self, x):
        seen = jnp.tril(jnp.ones((5, 5), bool))  # True: seen
        return self.attn(x, mask=seen)


port = Layer(nnx.Rngs(0))


def convert(state):
    weight, bias = (state[f"attn.in_proj_{of}"].numpy().reshape(3, 2, 4, -1) for of in ("weight", "bias"))
    parts = zip(("query", "key", "value"), weight, bias, strict=True)
    inner = {name: {"kernel": w.transpose(2, 0, 1), "bias": b[..., 0]} for name, w, b in parts}
    w, b = (state[f"attn.out_proj.{of}"].numpy() for of in ("weight", "bias"))
    return {"attn": inner | {"out": {"kernel": w.T.reshape(2, 4, 8), "bias": b}}}
