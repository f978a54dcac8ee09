import numpy as np
from flax import linen as nn


def port(params, x):
    cell = nn.LSTMCell(5, param_dtype=x.dtype)  # the initial carry is of this type
    (c, h), y = nn.RNN(cell, return_carry=True).apply({"params": {"cell": params}}, x)
    return y, (h[None], c[None])


def convert(state):
    w, u = (np.split(state[f"weight_{of}_l0"].numpy(), 4) for of in ("ih", "hh"))
    b = np.split((state["bias_ih_l0"] + state["bias_hh_l0"]).numpy(), 4)
    gates = list(enumerate("ifgo"))
    inner = {f"i{gate}": {"kernel": w[k].T} for k, gate in gates}
    return inner | {f"h{gate}": {"kernel": u[k].T, "bias": b[k]} for k, gate in gates}
