"""Bounds that the numbers of a run stand on: 0.8 in float32 is not above itself, though it is above 0.8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import gradaccord

TORCH: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "clamp": lambda x: x.clamp(-0.7, 0.8).clamp(-0.7, 0.8),
    "greater": lambda x: torch.where((y := x.clamp(max=0.8)) > 0.8, y * 2, y),
    "less or equal": lambda x: (y := x.clamp(max=0.8)) * (y <= 0.8),
    "masked fill": lambda x: (y := x.clamp(max=0.8)).masked_fill(y >= 0.8, 0.0),
    "minimum": lambda x: x.clamp_max(0.8).clamp_max(0.8),
    "threshold": lambda x: torch.threshold(x.clamp(max=0.8), 0.8, 0.0),
}
JAX: Mapping[str, Callable[[Any], Any]] = {
    "clip": lambda x: jnp.clip(jnp.clip(x, -0.7, 0.8), -0.7, 0.8),
    "greater": lambda x: jnp.where((y := jnp.minimum(x, 0.8)) > 0.8, y * 2, y),
    "minimum": lambda x: jnp.minimum(jnp.minimum(x, 0.8), 0.8),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", TORCH)
def test_torch(name: str, dtype: str) -> None:
    gradaccord.check(TORCH[name], torch.tensor([2.0, -3.0]), dtype=dtype).assert_sound()


@pytest.mark.parametrize("name", JAX)
def test_jax(name: str) -> None:
    gradaccord.check(JAX[name], jnp.asarray(np.array([2.0, -3.0], np.float32))).assert_sound()


def test_a_wrong_slope_at_a_bound_is_found() -> None:
    class Clip(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clamp(max=0.8)

        @staticmethod
        def backward(ctx: Any, *gs: torch.Tensor) -> torch.Tensor:
            return gs[0] * 1.5

    assert not gradaccord.check(lambda x: Clip.apply(x.clamp(max=0.8)), torch.tensor([2.0])).sound  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_the_default_epsilon_of_an_rms_norm_is_that_of_float32_below_it(dtype: str) -> None:
    x = torch.tensor([[0.1, 0.05, -0.02, 0.01]])
    gradaccord.check(lambda x: torch.nn.functional.rms_norm(x, (4,)), x, dtype=dtype).assert_sound()
