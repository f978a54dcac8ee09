"""A mixture of experts with one expert for each token, and the balancing loss of Switch."""

import torch
from torch import nn
from torch.nn import functional as F


class Switch(nn.Module):
    def __init__(self, dim, hidden, experts):
        super().__init__()
        self.experts = experts
        self.gate = nn.Linear(dim, experts, bias=False)
        self.w1 = nn.Parameter(torch.randn(experts, dim, hidden) * 0.5)
        self.b1 = nn.Parameter(torch.zeros(experts, hidden))
        self.w2 = nn.Parameter(torch.randn(experts, hidden, dim) * 0.5)

    def forward(self, x):
        probs = F.softmax(self.gate(x), dim=-1)
        chosen = F.one_hot(probs.argmax(dim=-1), self.experts).to(x.dtype)
        weight = (probs * chosen).sum(dim=-1, keepdim=True)
        out = torch.zeros_like(x)
        for e in range(self.experts):
            h = F.elu(x @ self.w1[e] + self.b1[e])
            out = out + chosen[:, e : e + 1] * (h @ self.w2[e])
        out = out * weight
        balance = self.experts * (probs.mean(dim=0) * chosen.mean(dim=0)).sum()
        return out, balance
