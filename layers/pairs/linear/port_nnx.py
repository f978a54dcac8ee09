from flax import nnx

port = nnx.Linear(6, 6, rngs=nnx.Rngs(0))


def convert(state):
    return {"kernel": state["weight"].numpy().T, "bias": state["bias"].numpy()}
