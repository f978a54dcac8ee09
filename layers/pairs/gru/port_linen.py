import numpy as np
from flax import linen as nn


def port(params, x):
    h, y = nn.RNN(nn.GRUCell(5, param_dtype=x.dtype), return_carry=True).apply({"params": {"cell": params}}, x)
    return y, h[None]


def convert(state):
    (wr, wz, wn), (ur, uz, un) = (np.split(state[f"weight_{of}_l0"].numpy(), 3) for of in ("ih", "hh"))
    (br, bz, bn), (cr, cz, cn) = (np.split(state[f"bias_{of}_l0"].numpy(), 3) for of in ("ih", "hh"))
    return {
        "ir": {"kernel": wr.T, "bias": br + cr},
        "iz": {"kernel": wz.T, "bias": bz + cz},
        "in": {"kernel": wn.T, "bias": bn},
        "hr": {"kernel": ur.T},
        "hz": {"kernel": uz.T},
        "hn": {"kernel": un.T, "bias": cn},
    }
