"""torch's binary cross entropy of logits, whose formula cancels where an example is sure and right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as loss

import gradaccord

RANDOM = np.random.default_rng(0)
X, SURE = RANDOM.normal(size=8) * np.array([1, 2, 8, 8, 20, 20, 60, 60]), (RANDOM.random(8) < 0.5) * 1.0
SETTINGS: dict[str, Callable[[Tensor], dict[str, Any]]] = {
    "plain": lambda x: {},
    "sum": lambda x: {"reduction": "sum"},
    "weight": lambda x: {"weight": torch.linspace(0.5, 2, 8).to(x.dtype)},
    "pos_weight": lambda x: {"pos_weight": torch.linspace(0.5, 2, 8).to(x.dtype)},
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("turn", [1, -1])
def test_a_sound_one(settings: str, dtype: str, turn: int) -> None:
    x = np.abs(X) * np.where(SURE, 1, -1) if turn == 1 else X
    target = torch.tensor(SURE)
    checked = gradaccord.check(
        lambda x: loss(x, target.to(x.dtype), **SETTINGS[settings](x)), torch.tensor(x), dtype=dtype
    )
    checked.assert_sound()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.5])
def test_one_with_another_slope(dtype: str, factor: float) -> None:
    class Bent(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return loss(x, torch.zeros_like(x))

        @staticmethod
        def backward(ctx: Any, *gs: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            slope = torch.sigmoid(x) / len(x)
            return gs[0] * torch.where(x < -4, factor, 1.0) * slope

    bent: Callable[[Tensor], Tensor] = Bent.apply  # type: ignore[assignment]
    assert not gradaccord.check(bent, torch.tensor([-9.0, -5.0, 1.0]), dtype=dtype).sound
