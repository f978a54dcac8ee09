"""The Mixer's block in torch."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def convert(params):
    state = {"head.weight": params["head"].T}
    for norm in ("norm1", "norm2"):
        state[norm + ".weight"] = params[norm]["scale"]
        state[norm + ".bias"] = params[norm]["bias"]
    for name in ("tokens", "channels"):
        for n in ("1", "2"):
            state[f"{name}.fc{n}.weight"] = params[name]["w" + n].T
            state[f"{name}.fc{n}.bias"] = params[name]["b" + n]
    return {name: torch.tensor(np.asarray(value)) for name, value in state.items()}


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        x = self.fc1(x)
        x = F.gelu(x, approximate="tanh")
        return self.fc2(x)


class Mixer(nn.Module):
    def __init__(self, tokens, channels, outputs):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.tokens = Mlp(tokens, 6)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.channels = Mlp(channels, 7)
        self.head = nn.Linear(channels, outputs, bias=False)

    def forward(self, x):
        y = self.norm1(x).transpose(1, 2)
        x = x + self.tokens(y).transpose(1, 2)
        x = x + self.channels(self.norm2(x))
        x = x.mean(dim=1)
        return F.softplus(self.head(x))
