from flax import nnx


class Norm(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.GroupNorm(6, num_groups=2, epsilon=1e-5, rngs=rngs)

    def __call__(self, x):  # batch, channels, height, width, as in torch
        return self.norm(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


port = Norm(nnx.Rngs(0))


def convert(state):
    return {"norm": {"scale": state["weight"].numpy(), "bias": state["bias"].numpy()}}
