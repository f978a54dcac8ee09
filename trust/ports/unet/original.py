"""The bottom of a diffusion U-Net: time embedding, residual block with group norm, down, up, skip."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def timestep_embedding(t, dim):
    half = dim // 2
    freqs = torch.exp(-math.log(10000) * torch.arange(half).to(t) / half)
    args = t[:, None] * freqs[None]
    return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)


class UNet(nn.Module):
    def __init__(self, channels, inner, time):
        super().__init__()
        self.time = time
        self.norm = nn.GroupNorm(2, channels)
        self.conv_in = nn.Conv2d(channels, inner, 3, padding=1)
        self.emb = nn.Linear(time, inner)
        self.down = nn.Conv2d(inner, inner, 3, stride=2, padding=1)
        self.mid_norm = nn.GroupNorm(2, inner, eps=1e-6)
        self.up = nn.Conv2d(inner, inner, 3, padding=1)
        self.out = nn.Conv2d(2 * inner, channels, 1)
        self.final = nn.ConvTranspose2d(channels, 2, 2, stride=2)

    def forward(self, x, t):
        h = self.conv_in(F.silu(self.norm(x)))
        emb = self.emb(timestep_embedding(t, self.time))
        h = h + emb[:, :, None, None]
        skip = h
        h = self.down(h)
        h = F.silu(self.mid_norm(h))
        h = F.interpolate(h, scale_factor=2, mode="nearest")
        h = self.up(h)
        h = torch.cat([h, skip], dim=1)
        h = self.out(h)
        return self.final(x + h)
