import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        later = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)  # True: not seen
        return self.attn(x, x, x, attn_mask=later, need_weights=False)[0]


layer = Layer()


def inputs():
    return torch.randn(2, 5, 8)
