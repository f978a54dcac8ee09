import torch
from torch import nn

layer = nn.Conv1d(3, 4, 3)


def inputs():
    return torch.randn(2, 3, 8)
