import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

BIASES = {"use_query_bias": True, "use_key_bias": True, "use_value_bias": True, "use_output_bias": True}
layer = eqx.nn.MultiheadAttention(2, 8, **BIASES, key=jax.random.key(0))


def port(attn, x):
    seen = jnp.tril(jnp.ones((5, 5), bool))  # True: seen
    return jax.vmap(lambda x: attn(x, x, x, mask=seen))(x)


def convert(state):
    weights, biases = (np.split(state[f"attn.in_proj_{of}"].numpy(), 3) for of in ("weight", "bias"))
    out = [state[f"attn.out_proj.{of}"].numpy() for of in ("weight", "bias")]

    def projections(m):
        return [x for p in (m.query_proj, m.key_proj, m.value_proj, m.output_proj) for x in (p.weight, p.bias)]

    inner = [x for pair in zip(weights, biases, strict=True) for x in pair]
    return eqx.tree_at(projections, layer, [*inner, *out])
