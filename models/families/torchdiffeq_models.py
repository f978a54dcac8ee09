"""Neural ODEs of torchdiffeq: each solver on a small network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torchdiffeq
from torch import nn

from . import Model, Run
from ._torch import normal, seeded

FRAMEWORK = "torch"
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4", "explicit_adams", "implicit_adams")
ADAPTIVE = ("dopri5", "bosh3", "adaptive_heun", "fehlberg2", "dopri8")


class Field(nn.Module):
    """dy/dt of a small network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))

    def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.net(torch.cat([y, t.expand(*y.shape[:-1], 1)], -1))


class Solved(nn.Module):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.field, self.settings = Field(), settings

    def forward(self, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torchdiffeq.odeint(self.field, y, t, **self.settings)


def _solves(**settings: Any) -> Model:
    return seeded(
        lambda: Run(Solved(**settings).double(), (normal(2, 2), torch.linspace(0, 0.5, 4, dtype=torch.float64)))
    )


MODELS: Mapping[str, Model] = {
    **{method: _solves(method=method) for method in FIXED},
    **{method: _solves(method=method, rtol=1e-2, atol=1e-2) for method in ADAPTIVE},
}
