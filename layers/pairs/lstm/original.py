import torch
from torch import nn

layer = nn.LSTM(4, 5, batch_first=True)  # (y, (h, c))


def inputs():
    return torch.randn(2, 3, 4)
