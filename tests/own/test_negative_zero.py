"""A negative zero, which balls do not know, where its sign is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import gradaccord

COPIED: dict[str, Callable[[Tensor], Tensor]] = {
    "of another": lambda x: torch.copysign(x + 4, x).sum(),
    "of its own": lambda x: torch.copysign(x, -x)[:2].sum(),
    "of a number": lambda x: torch.copysign(x + 4, -0.0).sum(),
    "alone": lambda x: torch.copysign(torch.ones_like(x), x).sum() * x.sum(),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", COPIED)
def test_copysign(name: str, dtype: str) -> None:
    gradaccord.check(COPIED[name], torch.tensor([3.0, -2.0, -0.0, 0.0]), dtype=dtype).assert_sound()


def test_copysign_with_another_slope() -> None:
    class Bent(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return torch.copysign(x, torch.tensor(-0.0))

        @staticmethod
        def backward(ctx: object, *gs: Tensor) -> Tensor:
            return gs[0]

    bent: Callable[[Tensor], Tensor] = Bent.apply  # type: ignore[assignment]
    assert not gradaccord.check(lambda x: bent(x).sum(), torch.tensor([3.0, 2.0])).sound
