from flax import nnx

port = nnx.LayerNorm(6, epsilon=1e-5, rngs=nnx.Rngs(0))


def convert(state):
    return {"scale": state["weight"].numpy(), "bias": state["bias"].numpy()}
