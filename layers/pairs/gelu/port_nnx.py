from flax import nnx


def port(x):
    return nnx.gelu(x, approximate=False)
