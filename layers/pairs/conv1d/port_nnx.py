from flax import nnx


class Conv(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3,), padding=0, rngs=rngs)

    def __call__(self, x):  # batch, channels, length, as in torch
        return self.conv(x.transpose(0, 2, 1)).transpose(0, 2, 1)


port = Conv(nnx.Rngs(0))


def convert(state):
    return {"conv": {"kernel": state["weight"].numpy().transpose(2, 1, 0), "bias": state["bias"].numpy()}}
