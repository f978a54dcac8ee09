"""A decoder's ends: scaled embeddings with padding, sinusoidal positions, smoothed loss that ignores padding."""

import math

import torch
from torch import nn

PAD = 0


class Ends(nn.Module):
    def __init__(self, vocabulary, dim, length=10):
        super().__init__()
        self.dim = dim
        self.embedding = nn.Embedding(vocabulary, dim, padding_idx=PAD)
        self.project = nn.Linear(dim, vocabulary)
        self.loss = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
        position = torch.arange(length).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, dim, 2).double() * (-math.log(10000.0) / dim))
        pe = torch.zeros(length, dim, dtype=torch.float64)
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe, persistent=False)

    def forward(self, source, target):
        x = self.embedding(source) * math.sqrt(self.dim)
        x = x + self.pe[: x.size(1)]
        mask = (source != PAD).unsqueeze(-1).to(x.dtype)
        pooled = (x * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True)
        logits = self.project(torch.tanh(x + pooled))
        return self.loss(logits.reshape(-1, logits.size(-1)), target.reshape(-1))
