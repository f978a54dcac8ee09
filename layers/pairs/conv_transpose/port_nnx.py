from flax import nnx

SIDE = (3 - 1 - 1, 3 - 1 - 1 + 1)  # kernel - 1 - padding, and output_padding more on the right


class Conv(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.ConvTranspose(
            4, 4, (3, 3), strides=(2, 2), padding=(SIDE, SIDE), transpose_kernel=True, rngs=rngs
        )

    def __call__(self, x):  # batch, channels, height, width, as in torch
        return self.conv(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


port = Conv(nnx.Rngs(0))


def convert(state):
    return {"conv": {"kernel": state["weight"].numpy().transpose(2, 3, 1, 0), "bias": state["bias"].numpy()}}
