"""Custom rules that compute in a lower precision than they read and give: a product of float32 in bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import gradaccord

from .doubling import doubling

NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(3, 5)).astype(np.float32)
W = NUMBERS.normal(size=(5, 4)).astype(np.float32)
LOWER = ["bfloat16", "float16"]


def in_torch(lower: str, factor: float) -> Callable[..., torch.Tensor]:
    """tanh of a product in a lower precision, whose backward has a factor of its own."""

    def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        kind = getattr(torch, lower)
        return (x.to(kind) @ w.to(kind)).to(x.dtype)

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x, w)
            return product(x, w)

        @staticmethod
        def backward(ctx: Any, *gs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, w = ctx.saved_tensors
            return product(gs[0], w.T) * factor, product(x.T, gs[0])

    return lambda x, w: torch.tanh(Product.apply(x, w))  # type: ignore[no-any-return]


def in_jax(lower: str, factor: float) -> Callable[..., Any]:
    def product(x: Any, w: Any) -> Any:
        return (x.astype(lower) @ w.astype(lower)).astype(x.dtype)

    rule = jax.custom_vjp(product)
    rule.defvjp(lambda x, w: (product(x, w), (x, w)), lambda xw, g: (product(g, xw[1].T) * factor, product(xw[0].T, g)))
    return lambda x, w: jnp.tanh(rule(x, w))


def one_operand(lower: str, factor: float) -> Callable[..., Any]:
    """A rule of one operand that gives the lower precision, too."""
    rule = jax.custom_vjp(lambda x: jnp.sin(x.astype(lower)))
    rule.defvjp(
        lambda x: (jnp.sin(x.astype(lower)), x),
        lambda x, g: ((g * jnp.cos(x.astype(lower))).astype(x.dtype) * factor,),
    )
    return lambda x, w: (rule(x) @ w.astype(lower)).astype(x.dtype)


ALL: dict[str, tuple[Callable[[str, float], Callable[..., Any]], Callable[[Any], Any]]] = {
    "torch": (in_torch, torch.tensor),
    "jax": (in_jax, jnp.asarray),
    "jax, one operand": (one_operand, jnp.asarray),
}


@pytest.mark.parametrize("lower", LOWER)
@pytest.mark.parametrize("name", ALL)
def test_a_rule_that_computes_in_a_lower_precision_is_sound(name: str, lower: str) -> None:
    make, array = ALL[name]
    gradaccord.check(make(lower, 1.0), array(X), array(W)).assert_sound()


@pytest.mark.parametrize("lower", LOWER)
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.25])
@pytest.mark.parametrize("name", ALL)
def test_a_wrong_backward_of_it_is_found(name: str, factor: float, lower: str) -> None:
    make, array = ALL[name]
    found = gradaccord.check(make(lower, factor), array(X), array(W)).rows
    assert any(row.finding and row.quantity == "gradient" for row in found)


def test_the_steps_behind_it_have_their_own_precision() -> None:
    off = doubling(2.0002)
    product = in_torch("bfloat16", 1.0)
    assert not gradaccord.check(lambda x, w: off.apply(product(x, w)), torch.tensor(X), torch.tensor(W)).sound
