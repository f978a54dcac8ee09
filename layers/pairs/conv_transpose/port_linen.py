from flax import linen as nn


def port(params, x):  # batch, channels, height, width, as in torch
    side = (3 - 1 - 1, 3 - 1 - 1 + 1)  # kernel - 1 - padding, and output_padding more on the right
    conv = nn.ConvTranspose(4, (3, 3), strides=(2, 2), padding=(side, side), transpose_kernel=True)
    return conv.apply({"params": params}, x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def convert(state):
    return {"kernel": state["weight"].numpy().transpose(2, 3, 1, 0), "bias": state["bias"].numpy()}
