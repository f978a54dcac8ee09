"""A recurrent step and attention's projections, in torch."""

import torch
from torch import nn


class Step(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.cell = nn.GRUCell(dim, hidden)
        self.norm = nn.LayerNorm(hidden, eps=1e-5)
        self.mlp = nn.Sequential(nn.Linear(hidden, 6), nn.ReLU(), nn.Linear(6, dim))

    def forward(self, x, h):
        h = self.cell(x, h)
        y = self.mlp(self.norm(h))
        return torch.cat([x + y, h], dim=-1)
