"""A temporal convolution: causal, dilated, weight-normalised, with a residual."""

import torch
from torch import nn
from torch.nn import functional as F


class Temporal(nn.Module):
    def __init__(self, channels, width, kernel, dilation):
        super().__init__()
        self.dilation = dilation
        self.pad = (kernel - 1) * dilation
        self.v = nn.Parameter(torch.randn(width, channels, kernel))
        self.g = nn.Parameter(torch.rand(width, 1, 1) + 0.5)
        self.bias = nn.Parameter(torch.randn(width))
        self.shortcut = nn.Conv1d(channels, width, 1)
        self.slope = nn.Parameter(torch.tensor([0.25]))

    def forward(self, x):
        w = self.v / torch.sqrt((self.v**2).sum(dim=(1, 2), keepdim=True)) * self.g
        y = F.conv1d(F.pad(x, (self.pad, 0)), w, self.bias, dilation=self.dilation)
        y = F.prelu(y, self.slope)
        y = F.avg_pool1d(y + self.shortcut(x), 2)
        return y.log_softmax(dim=1)
