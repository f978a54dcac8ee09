"""Custom rules at ties: a share for each is a convention, shares that no choice gives together are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import pytest
import torch
from torch import Tensor

import gradaccord

Row: TypeAlias = "tuple[Callable[..., Any], Callable[..., Any], Sequence[Tensor]]"
TIED = torch.tensor([1.0, 3.0, 3.0, 2.0])
PAIR = (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]))
ORIGIN = torch.zeros(4)


def pool(x: Tensor) -> Tensor:
    return torch.nn.functional.max_pool1d(x, 2, 1)


def to_all(g: Tensor, x: Tensor) -> Tensor:
    """Each window hands its adjoint to both of a tie."""
    shares, y = torch.zeros_like(x), pool(x)
    shares[..., :-1] += g * (x[..., :-1] == y)
    shares[..., 1:] += g * (x[..., 1:] == y)
    return shares


def to_first(g: Tensor, x: Tensor) -> Tensor:
    shares, y = torch.zeros_like(x), pool(x)
    shares[..., :-1] += g * (x[..., :-1] == y)
    shares[..., 1:] += g * (x[..., :-1] != y)
    return shares


def length(at_0: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda g, x: g * torch.where(x.norm() == 0, torch.full_like(x, at_0), x / x.norm())


WRONG: dict[str, Row] = {
    "max to all": (Tensor.max, lambda g, x: g * (x == x.max()), [TIED]),
    "max to none": (Tensor.max, lambda g, x: g * (x == x.max()) * 0.25, [TIED]),
    "min to all": (Tensor.min, lambda g, x: g * (x == x.min()), [-TIED]),
    "maximum to both": (torch.maximum, lambda g, a, b: (g * (a >= b), g * (b >= a)), PAIR),
    "maximum to neither": (torch.maximum, lambda g, a, b: (g * (a > b), g * (b > a)), PAIR),
    "where to both": (lambda a, b: torch.where(a > b, a, b), lambda g, a, b: (g * (a >= b), g * (b >= a)), PAIR),
    "ones for a norm at 0": (torch.linalg.vector_norm, length(1.0), [ORIGIN]),
    "0.7 for a norm at 0": (lambda x: (x * x).sum().sqrt(), length(0.7), [ORIGIN]),
    "pool to all": (pool, to_all, [torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])]),
    "both of a difference": (lambda a, b: (a - b).abs(), lambda g, a, b: (g, g), [PAIR[0], PAIR[0].clone()]),
}
RIGHT: dict[str, Row] = {
    "max to the first": (Tensor.max, lambda g, x: g * torch.nn.functional.one_hot(x.argmax(), 4), [TIED]),
    "max in equal shares": (Tensor.max, lambda g, x: g * (x == x.max()) / (x == x.max()).sum(), [TIED]),
    "maximum to the first": (torch.maximum, lambda g, a, b: (g * (a >= b), g * (b > a)), PAIR),
    "0 for a norm at 0": (torch.linalg.vector_norm, length(0.0), [ORIGIN]),
    "a half for a norm at 0": (torch.linalg.vector_norm, length(0.5), [ORIGIN]),
    "pool to the first": (pool, to_first, [torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])]),
}


def custom(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Any]:
    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Tensor) -> Any:
            ctx.save_for_backward(*xs)
            return forward(*xs)

        @staticmethod
        def backward(ctx: Any, *gs: Tensor) -> Any:
            return backward(*gs, *ctx.saved_tensors)

    return Rule.apply


def inputs(row: Row, dtype: torch.dtype) -> list[Tensor]:
    return [x.detach().to(dtype).requires_grad_() for x in row[2]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", WRONG)
def test_shares_that_no_choice_gives_together_are_wrong(name: str, dtype: torch.dtype) -> None:
    found = gradaccord.check(custom(*WRONG[name][:2]), *inputs(WRONG[name], dtype))
    assert {row.verdict for row in found.findings} == {"wrong"}, str(found)
    assert "whatever is chosen at this kink" in str(found)
    assert found.place(found.findings[0]).rule.startswith("Rule at ")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", RIGHT)
def test_shares_of_one_choice_are_a_convention(name: str, dtype: torch.dtype) -> None:
    found = gradaccord.check(custom(*RIGHT[name][:2]), *inputs(RIGHT[name], dtype))
    assert "convention" in {row.verdict for row in found.rows}
    found.assert_sound()


@pytest.mark.parametrize("shares, sound", [(1.0, False), (0.5, True), (0.25, False)])
def test_of_jax_as_well(shares: float, sound: bool) -> None:
    @jax.custom_vjp
    def largest(x: jax.Array) -> jax.Array:
        return jnp.max(x)

    def forwards(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.max(x), x

    largest.defvjp(forwards, lambda x, g: (shares * g * (x == jnp.max(x)),))
    assert gradaccord.check(largest, jnp.array([1.0, 3.0, 3.0])).sound == sound


def bent(x: Tensor) -> Tensor:
    """x^2 + 29, but for a line at 1 that crosses it."""
    return torch.where(x == 1, 30 * x, x * x + 29)


def entropy(x: Tensor) -> Tensor:
    return torch.where(x == 0, torch.zeros_like(x), x * torch.log(torch.where(x == 0, torch.ones_like(x), x)))


def entropy_rule(at_0: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda g, x: g * torch.where(x == 0, torch.full_like(x, at_0), torch.log(torch.where(x == 0, 1, x)) + 1)


@pytest.mark.parametrize(
    "forward, backward, at, sound",
    [
        (bent, lambda g, x: g * torch.where(x == 1, torch.full_like(x, 30.0), 2 * x), 1.0, True),
        (bent, lambda g, x: g * 2 * x, 1.0, True),
        (bent, lambda g, x: g * torch.where(x == 1, torch.full_like(x, 17.0), 2 * x), 1.0, False),
        (bent, lambda g, x: g * torch.where(x == 1, torch.full_like(x, 37.0), 2 * x), 1.0, False),
        (entropy, entropy_rule(0.0), 0.0, True),
        (entropy, entropy_rule(5.0), 0.0, False),
    ],
)
def test_the_branch_that_an_equality_chose_is_a_choice(
    forward: Callable[..., Any], backward: Callable[..., Any], at: float, *, sound: bool
) -> None:
    x = torch.tensor([at, 1.5], requires_grad=True)
    assert gradaccord.check(custom(forward, backward), x).sound == sound


def test_next_to_a_tie_nothing_is_open() -> None:
    """One row is constant, and has a kink; in the other rounding alone tells the mean from its numbers, and there the
    terms of a deviation, which sum to 0, do not."""
    x = torch.tensor([[0.64453125] * 3, [1.546875, 1.5390625, 1.546875]], dtype=torch.bfloat16, requires_grad=True)
    gradaccord.check(lambda x: x.std(-1), x).assert_sound()
