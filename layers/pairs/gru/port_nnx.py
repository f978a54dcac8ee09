import jax.numpy as jnp
from flax import nnx


class GRU(nnx.Module):
    def __init__(self, rngs):
        cell = nnx.GRUCell(4, 5, rngs=rngs)
        cell.dense_h = nnx.Linear(5, 15, rngs=rngs)  # with a bias, which the cell's own has not
        self.rnn = nnx.RNN(cell, return_carry=True, rngs=rngs)

    def __call__(self, x):
        h, y = self.rnn(x, initial_carry=jnp.zeros((x.shape[0], 5), x.dtype))
        return y, h[None]


port = GRU(nnx.Rngs(0))


def convert(state):
    w, u = (state[f"weight_{of}_l0"].numpy().T for of in ("ih", "hh"))
    b, c = (state[f"bias_{of}_l0"].numpy() for of in ("ih", "hh"))
    return {"rnn": {"cell": {"dense_i": {"kernel": w, "bias": b}, "dense_h": {"kernel": u, "bias": c}}}}
