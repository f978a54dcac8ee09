import jax.numpy as jnp
from flax import nnx


class LSTM(nnx.Module):
    def __init__(self, rngs):
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(4, 5, rngs=rngs), return_carry=True, rngs=rngs)

    def __call__(self, x):
        zero = jnp.zeros((x.shape[0], 5), x.dtype)
        (c, h), y = self.rnn(x, initial_carry=(zero, zero))
        return y, (h[None], c[None])


port = LSTM(nnx.Rngs(0))


def convert(state):
    w, u = (state[f"weight_{of}_l0"].numpy().T for of in ("ih", "hh"))
    bias = (state["bias_ih_l0"] + state["bias_hh_l0"]).numpy()
    return {"rnn": {"cell": {"dense_i": {"kernel": w}, "dense_h": {"kernel": u, "bias": bias}}}}
