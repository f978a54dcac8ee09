import torch
from torch import nn

layer = nn.GRU(4, 5, batch_first=True)  # (y, h)


def inputs():
    return torch.randn(2, 3, 4)
