from flax import linen as nn


def port(params, x):
    return nn.Dense(6).apply({"params": params}, x)


def convert(state):
    return {"kernel": state["weight"].numpy().T, "bias": state["bias"].numpy()}
