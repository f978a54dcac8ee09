import jax
from flax import linen as nn


def port(variables, x):  # batch, channels, height, width, as in torch
    norm = nn.BatchNorm(use_running_average=False, momentum=0.9)
    y, new = norm.apply(variables, x.transpose(0, 2, 3, 1), mutable=["batch_stats"])
    stats = jax.lax.stop_gradient(new["batch_stats"])
    return y.transpose(0, 3, 1, 2), stats["mean"], unbiased(stats["var"], variables["batch_stats"]["var"], x)


def unbiased(new, old, x, momentum=0.9):
    n = x.size // x.shape[1]
    return momentum * old + (new - momentum * old) * n / (n - 1)


def convert(state):
    s = {name.removeprefix("norm."): x.numpy() for name, x in state.items()}
    stats = {"mean": s["running_mean"], "var": s["running_var"]}
    return {"params": {"scale": s["weight"], "bias": s["bias"]}, "batch_stats": stats}
