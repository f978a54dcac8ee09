from flax import linen as nn


def port(params, x):  # batch, channels, height, width, as in torch
    norm = nn.GroupNorm(num_groups=2, epsilon=1e-5)
    return norm.apply({"params": params}, x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def convert(state):
    return {"scale": state["weight"].numpy(), "bias": state["bias"].numpy()}
