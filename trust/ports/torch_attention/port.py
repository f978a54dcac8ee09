"""The same attention over torch's fused functions."""

import torch
from torch import nn
from torch.nn import functional as F


def convert(state):
    wk, wv = state["to_kv.weight"].chunk(2)
    bk, bv = state["to_kv.bias"].chunk(2)
    return {
        "norm.weight": state["norm.weight"],
        "norm.bias": state["norm.bias"],
        "q.weight": state["to_q.weight"],
        "q.bias": state["to_q.bias"],
        "k.weight": wk,
        "k.bias": bk,
        "v.weight": wv,
        "v.bias": bv,
        "out.weight": state["to_out.weight"],
        "out.bias": state["to_out.bias"],
        "layer_scale": state["gamma"],
    }


class Attention(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(dim)
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.layer_scale = nn.Parameter(torch.ones(dim))

    def split(self, x):
        return x.unflatten(-1, (self.num_heads, -1)).permute(0, 2, 1, 3)

    def forward(self, x, memory, mask):
        h = self.norm(x)
        q = self.split(self.q(h))
        k = self.split(self.k(memory))
        v = self.split(self.v(memory))
        keep = mask.bool()[:, None, None, :]
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        h = h.permute(0, 2, 1, 3).flatten(2)
        h = self.out(h)
        return x + self.layer_scale * h
