import torch
from torch import nn

layer = nn.GELU()


def inputs():
    return torch.randn(3, 6)
