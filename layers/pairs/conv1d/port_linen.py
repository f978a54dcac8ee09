from flax import linen as nn


def port(params, x):  # batch, channels, length, as in torch
    conv = nn.Conv(4, (3,), padding=0)
    return conv.apply({"params": params}, x.transpose(0, 2, 1)).transpose(0, 2, 1)


def convert(state):
    return {"kernel": state["weight"].numpy().transpose(2, 1, 0), "bias": state["bias"].numpy()}
