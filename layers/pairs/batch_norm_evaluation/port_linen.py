from flax import linen as nn


def port(variables, x):  # batch, channels, height, width, as in torch
    norm = nn.BatchNorm(use_running_average=True)
    return norm.apply(variables, x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def convert(state):
    s = {name: x.numpy() for name, x in state.items()}
    stats = {"mean": s["running_mean"], "var": s["running_var"]}
    return {"params": {"scale": s["weight"], "bias": s["bias"]}, "batch_stats": stats}
