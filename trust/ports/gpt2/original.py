"""A GPT-2 with one block, as Hugging Face has it: Conv1D weights, gelu_new, tied embeddings, shifted labels."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(nx, nf) * 0.3)
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        size = (*x.shape[:-1], self.weight.shape[1])
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(size)


def gelu_new(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class GPT2(nn.Module):
    def __init__(self, vocabulary, positions, dim, heads):
        super().__init__()
        self.heads = heads
        self.wte = nn.Embedding(vocabulary, dim)
        self.wpe = nn.Embedding(positions, dim)
        self.ln_1 = nn.LayerNorm(dim)
        self.c_attn = Conv1D(3 * dim, dim)
        self.c_proj = Conv1D(dim, dim)
        self.ln_2 = nn.LayerNorm(dim)
        self.c_fc = Conv1D(4 * dim, dim)
        self.mlp_proj = Conv1D(dim, 4 * dim)
        self.ln_f = nn.LayerNorm(dim)

    def attn(self, x):
        b, t, d = x.shape
        q, k, v = self.c_attn(x).split(d, dim=2)
        q, k, v = (y.view(b, t, self.heads, d // self.heads).permute(0, 2, 1, 3) for y in (q, k, v))
        w = torch.matmul(q, k.transpose(-1, -2))
        w = w / math.sqrt(v.size(-1))
        causal = torch.tril(torch.ones(t, t, dtype=torch.bool))
        w = torch.where(causal, w, torch.finfo(w.dtype).min)
        w = F.softmax(w, dim=-1)
        a = torch.matmul(w, v)
        a = a.permute(0, 2, 1, 3).reshape(b, t, d)
        return self.c_proj(a)

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1])
        h = self.wte(tokens) + self.wpe(positions)
        h = h + self.attn(self.ln_1(h))
        h = h + self.mlp_proj(gelu_new(self.c_fc(self.ln_2(h))))
        h = self.ln_f(h)
        logits = h @ self.wte.weight.T
        return F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)), tokens[:, 1:].reshape(-1))
