"""The two losses of a RetinaNet: focal and smooth l1."""

import torch
from torch.nn import functional as F


def focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    targets = targets.to(logits.dtype)
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = ce * (1 - p_t) ** gamma
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (alpha_t * loss).sum()


def retina_loss(logits, targets, boxes, wanted, positive):
    positives = positive.sum().clamp(min=1.0)
    classification = focal_loss(logits, targets) / positives
    distance = F.smooth_l1_loss(boxes, wanted, beta=0.5, reduction="none")
    regression = (distance.mean(dim=-1) * positive).sum() / positives
    return classification, regression
