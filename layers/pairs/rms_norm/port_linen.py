import jax.numpy as jnp
from flax import linen as nn


def port(params, x):
    return nn.RMSNorm(epsilon=float(jnp.finfo(x.dtype).eps)).apply({"params": params}, x)


def convert(state):
    return {"scale": state["weight"].numpy()}
