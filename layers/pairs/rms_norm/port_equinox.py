import equinox as eqx
import jax
import jax.numpy as jnp


def port(weight, x):
    layer = eqx.nn.RMSNorm(6, eps=float(jnp.finfo(x.dtype).eps), use_bias=False)
    return jax.vmap(eqx.tree_at(lambda m: m.weight, layer, weight))(x)


def convert(state):
    return state["weight"].numpy()
