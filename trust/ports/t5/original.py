"""A T5 encoder layer: relative positions by bias, no scale in the scores, RMS norm, a relu feed-forward."""

import math

import torch
from torch import nn


class T5LayerNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        variance = x.pow(2).mean(-1, keepdim=True)
        return self.weight * (x / torch.sqrt(variance + self.eps))


class Layer(nn.Module):
    def __init__(self, dim, heads, head_dim, hidden):
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.q = nn.Linear(dim, heads * head_dim, bias=False)
        self.k = nn.Linear(dim, heads * head_dim, bias=False)
        self.v = nn.Linear(dim, heads * head_dim, bias=False)
        self.o = nn.Linear(heads * head_dim, dim, bias=False)
        self.relative_attention_bias = nn.Embedding(8, heads)
        self.norm1 = T5LayerNorm(dim)
        self.wi = nn.Linear(dim, hidden, bias=False)
        self.wo = nn.Linear(hidden, dim, bias=False)
        self.norm2 = T5LayerNorm(dim)

    def bucket(self, relative_position, num_buckets=8, max_distance=16):
        num_buckets //= 2
        buckets = (relative_position > 0).long() * num_buckets
        n = relative_position.abs()
        max_exact = num_buckets // 2
        large = max_exact + (
            torch.log(n.clamp(min=1).float() / max_exact)
            / math.log(max_distance / max_exact)
            * (num_buckets - max_exact)
        ).long().clamp(max=num_buckets - 1 - max_exact)
        return buckets + torch.where(n < max_exact, n, large)

    def bias(self, t):
        context = torch.arange(t)[:, None]
        memory = torch.arange(t)[None, :]
        values = self.relative_attention_bias(self.bucket(memory - context))
        return values.permute(2, 0, 1).unsqueeze(0)

    def split(self, x):
        return x.view(x.shape[0], -1, self.heads, self.head_dim).transpose(1, 2)

    def forward(self, x):
        h = self.norm1(x)
        q, k, v = self.split(self.q(h)), self.split(self.k(h)), self.split(self.v(h))
        scores = torch.matmul(q, k.transpose(3, 2))
        scores = scores + self.bias(x.shape[1])
        weights = torch.softmax(scores, dim=-1)
        out = torch.matmul(weights, v).transpose(1, 2).flatten(2)
        x = x + self.o(out)
        h = torch.relu(self.wi(self.norm2(x)))
        return x + self.wo(h)
