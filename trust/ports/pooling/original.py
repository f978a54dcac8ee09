"""Attention pooling over a padded set, with weight-normalised projections."""

import torch
from torch import nn
from torch.nn import functional as F


class WeightNorm(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.v = nn.Parameter(torch.randn(outputs, inputs))
        self.g = nn.Parameter(torch.rand(outputs, 1) + 0.5)
        self.bias = nn.Parameter(torch.randn(outputs))

    def forward(self, x):
        w = self.g * self.v / self.v.norm(dim=1, keepdim=True)
        return F.linear(x, w, self.bias)


class Pool(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.tanh = WeightNorm(dim, hidden)
        self.gate = WeightNorm(dim, hidden)
        self.score = nn.Linear(hidden, 1)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, present):
        h = torch.tanh(self.tanh(x)) * torch.sigmoid(self.gate(x))
        scores = self.score(h).squeeze(-1) / 0.5
        scores = scores.masked_fill(~present, float("-inf"))
        weights = torch.softmax(scores, dim=1)
        mean = torch.bmm(weights.unsqueeze(1), x).squeeze(1)
        second = torch.bmm(weights.unsqueeze(1), x * x).squeeze(1)
        std = torch.sqrt((second - mean * mean).clamp(min=1e-6))
        return torch.cat([self.norm(mean), std], dim=-1)
