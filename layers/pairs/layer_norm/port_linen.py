from flax import linen as nn


def port(params, x):
    return nn.LayerNorm(epsilon=1e-5).apply({"params": params}, x)


def convert(state):
    return {"scale": state["weight"].numpy(), "bias": state["bias"].numpy()}
