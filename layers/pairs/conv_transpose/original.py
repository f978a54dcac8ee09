import torch
from torch import nn

layer = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)


def inputs():
    return torch.randn(2, 4, 5, 5)
