import jax


def port(x):
    return jax.nn.gelu(x, approximate=False)
