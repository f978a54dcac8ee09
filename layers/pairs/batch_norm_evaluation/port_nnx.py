from flax import nnx


class Layer(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.BatchNorm(6, rngs=rngs)

    def __call__(self, x):  # batch, channels, height, width, as in torch
        return self.norm(x.transpose(0, 2, 3, 1), use_running_average=True).transpose(0, 3, 1, 2)


port = Layer(nnx.Rngs(0))


def convert(state):
    s = {name: x.numpy() for name, x in state.items()}
    return {"norm": {"scale": s["weight"], "bias": s["bias"], "mean": s["running_mean"], "var": s["running_var"]}}
