"""Attention over a memory, every step by hand."""

import math

import torch
from torch import nn


class CrossAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, dim)
        self.to_kv = nn.Linear(dim, 2 * dim)
        self.to_out = nn.Linear(dim, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x, memory, mask):
        b, n, d = x.shape
        q = self.to_q(self.norm(x))
        k, v = self.to_kv(memory).chunk(2, dim=-1)
        q, k, v = (y.reshape(b, -1, self.heads, d // self.heads).transpose(1, 2) for y in (q, k, v))
        scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(d // self.heads))
        scores = scores.masked_fill(mask[:, None, None] == 0, -1e9)
        out = scores.softmax(dim=-1) @ v
        out = out.transpose(1, 2).reshape(b, n, d)
        return x + self.gamma * self.to_out(out)
