"""A custom rule of many steps: its ball is wide, and what it is made of tells more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import gradaccord

RANDOM = np.random.default_rng(0)
Q, K = RANDOM.normal(size=(4, 6)), RANDOM.normal(size=(4, 6))


def attention(q: Any, k: Any) -> Any:
    return jax.nn.softmax(jnp.where(np.tril(np.ones((4, 4), bool)), q @ k.T, -jnp.inf)) @ k


def ruled(bend: Callable[[Any], Any]) -> Callable[..., Any]:
    @jax.custom_vjp
    def rule(q: Any, k: Any) -> Any:
        return attention(q, k)

    def back(kept: Any, g: Any) -> Any:
        of_q, of_k = jax.vjp(attention, *kept)[1](g)
        return bend(of_q), of_k

    rule.defvjp(lambda q, k: (attention(q, k), (q, k)), back)
    return lambda q, k: jnp.sum(jnp.tanh(rule(q * 1.5, k * 1.5) * 0.7))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_sound_one(dtype: str) -> None:
    gradaccord.check(ruled(lambda x: x), jnp.asarray(Q), jnp.asarray(K), dtype=dtype).assert_sound()


@pytest.mark.parametrize("lie", [7.0, 0.0, -30.0])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_one_component_that_is_garbage(dtype: str, lie: float) -> None:
    assert not gradaccord.check(ruled(lambda x: x.at[2, 2].set(lie)), jnp.asarray(Q), jnp.asarray(K), dtype=dtype).sound


def attended(x: Any, w: Any) -> Any:
    q, k, v, o = w
    return jax.nn.silu((x + jax.nn.softmax((x @ q) @ (x @ k).T) @ (x @ v)) @ o)


@pytest.mark.parametrize("factor", [1.0, 1.001, 1.01])
@pytest.mark.parametrize("scale", [1, 3])
def test_what_is_known_of_an_operation_in_another_precision_hides_nothing(scale: int, factor: float) -> None:
    """Of a sigmoid something is known in float16, of a tanh that plain programs add it up in parts."""

    @jax.custom_vjp
    def rule(x: Any, w: Any) -> Any:
        return attended(x, w)

    def back(kept: Any, g: Any) -> Any:
        x, w = jax.vjp(attended, *kept)[1](g)
        return x * factor, w

    rule.defvjp(lambda x, w: (attended(x, w), (x, w)), back)
    random = np.random.default_rng(2)
    x, w = jnp.asarray(random.normal(size=(5, 4)) * scale), jnp.asarray(random.normal(size=(4, 4, 4)))
    checked = gradaccord.check(lambda x, w: jnp.sum(rule(x, w)), x, w, dtype="float32")
    assert checked.sound == (factor == 1)


class Fused(torch.autograd.Function):
    """torch's fused attention, the gradient by the query times a factor."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.factor = factor
        return scaled_dot_product_attention(q, k, v)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        read = [x.detach().requires_grad_() for x in ctx.saved_tensors]
        with torch.enable_grad():
            q, k, v = torch.autograd.grad(scaled_dot_product_attention(*read), read, gs[0])
        return ctx.factor * q, k, v, None


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("seed", [2, 8])
def test_fused_attention_of_large_numbers(seed: int, dtype: str) -> None:
    """Its slope of the softmax is made of its output."""
    random = torch.manual_seed(seed)
    read = [3 * torch.randn(2, 5, 4, generator=random, dtype=torch.float64) for _ in range(3)]
    for factor in (1.0, -1.0):
        checked = gradaccord.check(lambda *x, f=factor: Fused.apply(*x, f).sum(), *read, dtype=dtype)
        assert checked.sound == (factor > 0)
