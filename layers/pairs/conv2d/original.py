import torch
from torch import nn

layer = nn.Conv2d(3, 4, 3, stride=2, padding=1)


def inputs():
    return torch.randn(2, 3, 6, 6)
