"""An inverted residual with squeeze and excitation, as MobileNet v3 has it."""

from torch import nn
from torch.nn import functional as F


class InvertedResidual(nn.Module):
    def __init__(self, channels, expanded):
        super().__init__()
        self.expand = nn.Conv2d(channels, expanded, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(expanded, eps=1e-3)
        self.depthwise = nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded, bias=False)
        self.bn2 = nn.BatchNorm2d(expanded, eps=1e-3)
        self.fc1 = nn.Conv2d(expanded, 2, 1)
        self.fc2 = nn.Conv2d(2, expanded, 1)
        self.project = nn.Conv2d(expanded, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x):
        h = F.hardswish(self.bn1(self.expand(x)))
        h = F.hardswish(self.bn2(self.depthwise(h)))
        s = F.adaptive_avg_pool2d(h, 1)
        s = F.relu(self.fc1(s))
        s = F.hardsigmoid(self.fc2(s))
        h = h * s
        return x + self.bn3(self.project(h))
