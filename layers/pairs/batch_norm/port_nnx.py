from flax import nnx


class Layer(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.BatchNorm(6, momentum=0.9, rngs=rngs)

    def __call__(self, x):  # batch, channels, height, width, as in torch
        old = self.norm.var[...]
        y = self.norm(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        return y, self.norm.mean[...], unbiased(self.norm.var[...], old, x)


def unbiased(new, old, x, momentum=0.9):
    n = x.size // x.shape[1]
    return momentum * old + (new - momentum * old) * n / (n - 1)


port = Layer(nnx.Rngs(0))


def convert(state):
    s = {name.removeprefix("norm."): x.numpy() for name, x in state.items()}
    return {"norm": {"scale": s["weight"], "bias": s["bias"], "mean": s["running_mean"], "var": s["running_var"]}}
