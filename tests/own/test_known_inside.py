"""What is known of a framework's operation, where it stands among sound numbers, inside others and in own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

import gradaccord


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return gelu(x)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        return ctx.factor * torch.ops.aten.gelu_backward(gs[0], *ctx.saved_tensors), None


# Of gelu some numbers are off as is known, some as its formula explains, some next to 0, and some right.
TAILS = [np.linspace(-6, -4.5, 4), np.linspace(-8, -6.5, 8), np.linspace(-13.9, -11, 30), np.linspace(-12, 3, 24)]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("function", [gelu, lambda x: Own.apply(x, 1.0)], ids=["gelu", "own"])
@pytest.mark.parametrize("x", TAILS, ids=["-6", "-8", "-14", "all"])
def test_numbers_known_to_be_off_beside_sound_ones(x: Any, function: Callable[..., Tensor], dtype: str) -> None:
    gradaccord.check(lambda x: (function(x) * (x - 0.3)).sum(), torch.tensor(x), dtype=dtype).assert_sound()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("factor", [0.0, -1.0, 3.0])
def test_an_own_rule_of_gelu_that_is_wrong_is_no_more_known_for_it(factor: float, dtype: str) -> None:
    checked = gradaccord.check(lambda x: Own.apply(x, factor).sum(), torch.tensor(TAILS[-1]), dtype=dtype)  # type: ignore[no-untyped-call]
    assert not checked.sound


class Layers(torch.autograd.Function):
    """Two layers, the gradient of their input times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, v: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x, w, v)
        ctx.factor = factor
        return torch.tanh(gelu(x @ w) @ v)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        read = [x.detach().requires_grad_() for x in ctx.saved_tensors]
        with torch.enable_grad():
            x, w, v = torch.autograd.grad(torch.tanh(gelu(read[0] @ read[1]) @ read[2]), read, gs[0])
        return ctx.factor * x, w, v, None


@pytest.mark.parametrize("seed", [6, 9, 18, 35])
def test_layers_with_a_gelu_in_half_precision_may_not_be_off_by_three_times_their_rounding(seed: int) -> None:
    """An erf that is further off in float32 is so in float32, and in no step beside it."""
    random = torch.manual_seed(seed)
    sizes = ((4, 5), (5, 6), (6, 3))
    x, w, v = (torch.randn(*size, generator=random) for size in sizes)
    for factor in (1.0, -1.0):
        checked = gradaccord.check(
            lambda *read, factor=factor: Layers.apply(*read, factor).sum(), 1.5 * x, w, v, dtype="bfloat16"
        )
        assert checked.sound == (factor > 0)


class Total(torch.autograd.Function):
    """Of a shape that an elementwise function would have."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return gelu(x).sum() * x

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        (x,), g = ctx.saved_tensors, gs[0]
        slope = gelu(x).sum() * g + torch.ops.aten.gelu_backward((g * x).sum().expand_as(x), x)
        return torch.where(torch.arange(len(x)) == 1, ctx.factor, 1.0).to(x.dtype) * slope, None


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("x", [[-0.23, 2.3, 0.28, 0.76, 0.21, 0.78], [-5.7, -2.1, -3.0, -4.0], [-9.0, 8.0, 0.1]])
def test_an_own_rule_that_mixes_numbers(x: list[float], dtype: str) -> None:
    for factor in (1.0, 7.0, 0.0):
        checked = gradaccord.check(lambda x, f=factor: Total.apply(x, f).sum(), torch.tensor(x), dtype=dtype)  # type: ignore[no-untyped-call]
        assert checked.sound == (factor == 1.0)


NEAR_1: dict[str, Callable[..., Any]] = {
    "log_sigmoid": lambda x: jax.nn.log_sigmoid(x).sum(),
    "x log_sigmoid": lambda x: (x * jax.nn.log_sigmoid(-x)).sum(),
    "softplus": lambda x: jax.nn.softplus(x).sum(),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", NEAR_1)
def test_the_slope_of_a_logarithm_that_jax_rounds(name: str, dtype: str) -> None:
    gradaccord.check(NEAR_1[name], jnp.asarray(np.linspace(-40, 40, 81) + 0.123), dtype=dtype).assert_sound()


@jax.custom_jvp
def bent(x: Any) -> Any:
    return jax.nn.log_sigmoid(x)


@bent.defjvp
def _bent_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (v,) = primals, tangents
    return bent(x), v * jax.nn.sigmoid(-x) * 1.000001


def test_a_rule_of_log_sigmoid_that_is_off_by_a_millionth() -> None:
    assert not gradaccord.check(lambda x: bent(x).sum(), jnp.asarray([-28.0, -3.0, 0.3])).sound


@pytest.mark.parametrize("x", [[-459.3], [-459.3, 57.4, 1e-4]])
def test_the_slope_of_tanh_that_jax_adds_up_in_parts_where_links_prove_the_rest(x: list[float]) -> None:
    checked = gradaccord.check(lambda x: ((x * jnp.tanh(x)) ** 2).sum(), jnp.asarray(x), dtype="float32")
    checked.assert_sound()
    assert [row.name for row in checked.rows if row.accepted] == ["x"]


def own_lgamma(factor: float) -> Callable[..., Any]:
    """XLA's lgamma is off next to its roots, by no formula."""

    @jax.custom_jvp
    def lgamma(x: Any) -> Any:
        return jax.scipy.special.gammaln(x)

    @lgamma.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return lgamma(*primals), factor * tangents[0] * jax.scipy.special.digamma(primals[0])

    return lambda x: lgamma(x).sum()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_defect_of_the_one_operation_that_an_own_function_is(dtype: str) -> None:
    x = jnp.asarray([1.3, 0.999, 2.001, 5.0])
    checked = gradaccord.check(own_lgamma(1.0), x, dtype=dtype)
    checked.assert_sound()
    assert any(row.accepted for row in checked.rows)
    assert not gradaccord.check(own_lgamma(1.001), x, dtype=dtype).sound


def beta(value: float, slope: float) -> Callable[..., Any]:
    """Its logarithm by three of lgamma, which cancel too."""
    lgamma, digamma = jax.scipy.special.gammaln, jax.scipy.special.digamma

    @jax.custom_vjp
    def rule(a: Any, b: Any) -> Any:
        return value * (lgamma(a) + lgamma(b) - lgamma(a + b))

    def back(kept: Any, g: Any) -> Any:
        a, b = kept
        return slope * g * (digamma(a) - digamma(a + b)), g * (digamma(b) - digamma(a + b))

    rule.defvjp(lambda a, b: (rule(a, b), (a, b)), back)
    return lambda a, b: rule(a, b).sum()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_defect_of_what_an_own_function_is_made_of(dtype: str) -> None:
    a, b = jnp.asarray([1.002, 0.9, 1.99]), jnp.asarray([1.001, 1.0001, 1.5])
    checked = gradaccord.check(beta(1.0, 1.0), a, b, dtype=dtype)
    checked.assert_sound()
    assert any(row.accepted for row in checked.rows)
    assert not gradaccord.check(beta(1.0, 1.001), a, b, dtype=dtype).sound


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_slope_in_parts_inside_an_own_rule(dtype: str) -> None:
    """What is beside JAX's slope of tanh is lost left of 0."""

    def function(x: Any) -> Any:
        return jnp.log1p(jnp.tanh(x) * 0.5) * x

    def ruled(factor: float) -> Callable[..., Any]:
        rule = jax.custom_vjp(function)
        rule.defvjp(lambda x: (function(x), x), lambda x, g: (factor * jax.vjp(function, x)[1](g)[0],))
        return lambda x: rule(x).sum()

    x = jnp.asarray([-25.4, -4.6, 11.8, -10.7])
    checked = gradaccord.check(ruled(1.0), x, dtype=dtype)
    checked.assert_sound()
    assert any(row.accepted for row in checked.rows)
    assert not gradaccord.check(ruled(1.01), x, dtype=dtype).sound


class Wide(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.factor = factor
        return gelu(x @ w)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        x, w = ctx.saved_tensors
        slope = torch.ops.aten.gelu_backward(gs[0], x @ w)
        return slope @ w.T, ctx.factor * x.T @ slope, None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_numbers_beside_what_is_known_of_one(dtype: str) -> None:
    """In the first column all is far in the tail, where gelu is 0 and so are a hundred slopes by its weights."""
    random = torch.manual_seed(0)
    x = 1 + 0.1 * torch.randn(2, 100, generator=random)
    w = torch.stack([torch.full((100,), -0.14), torch.linspace(-0.02, 0.03, 100)], dim=1)
    for factor in (1.0, -1.0):
        checked = gradaccord.check(lambda *read, f=factor: Wide.apply(*read, f).sum(), x, w, dtype=dtype)
        assert checked.sound == (factor > 0)
