"""CLIP's loss of two towers."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class CLIP(nn.Module):
    def __init__(self, image, text, dim):
        super().__init__()
        self.visual = nn.Linear(image, dim, bias=False)
        self.textual = nn.Linear(text, dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, images, texts):
        a = F.normalize(self.visual(images), dim=-1)
        b = F.normalize(self.textual(texts), dim=-1)
        scale = self.logit_scale.exp()
        logits = scale * a @ b.t()
        labels = torch.arange(len(a))
        loss_i = F.cross_entropy(logits, labels)
        loss_t = F.cross_entropy(logits.t(), labels)
        agreement = F.cosine_similarity(a, b, dim=-1)
        return (loss_i + loss_t) / 2, agreement
