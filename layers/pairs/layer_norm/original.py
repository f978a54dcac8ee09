import torch
from torch import nn

layer = nn.LayerNorm(6)


def inputs():
    return torch.randn(3, 6)
