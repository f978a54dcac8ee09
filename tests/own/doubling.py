"""A custom rule of torch that doubles, with a slope that may be off."""

from __future__ import annotations

from typing import Any

import torch


def doubling(slope: float) -> type[torch.autograd.Function]:
    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, *gs: torch.Tensor) -> torch.Tensor:
            return gs[0] * slope

    return Off
