import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x):
        y = self.norm(x)  # in training
        return y, self.norm.running_mean, self.norm.running_var


layer = Layer()


def inputs():
    return torch.randn(4, 6, 3, 3)
