from flax import nnx


class Conv(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), strides=2, padding=1, rngs=rngs)

    def __call__(self, x):  # batch, channels, height, width, as in torch
        return self.conv(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


port = Conv(nnx.Rngs(0))


def convert(state):
    return {"conv": {"kernel": state["weight"].numpy().transpose(2, 3, 1, 0), "bias": state["bias"].numpy()}}
