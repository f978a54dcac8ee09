"""What `assert_sound` must not pass in silence: an input that is NaN, a point without a truth, an `intended` unread."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
import torch
from torch import Tensor

import gradaccord
from gradaccord.harness.errors import CommandError

NAN = float("nan")


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        return gs[0]


def rounded(x: Tensor) -> Tensor:
    return Rounded.apply(x).sum()  # type: ignore[no-any-return]


def squares(x: Tensor) -> Tensor:
    return (x * x).sum()


def at(*numbers: float) -> Tensor:
    return torch.tensor(numbers, requires_grad=True)


def test_a_nan_input_is_named() -> None:
    found = gradaccord.check(squares, at(1.0, NAN))
    assert [row.name for row in found.not_judged] == ["sum", "x"] and not found.sound
    with pytest.raises(AssertionError, match=r"undefined  gradient of `x`: the input `x` is nan at \[1\]"):
        found.assert_sound()
    with pytest.raises(AssertionError, match=r"the input `x` is nan at \[0\]"):
        gradaccord.check(lambda x: jnp.sum(jnp.tanh(x)), jnp.array([NAN, 1.0])).assert_sound()


def test_a_parameter_that_is_nan_is_named() -> None:
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.bias.fill_(NAN)
    with pytest.raises(AssertionError, match="the input `bias` is nan"):
        gradaccord.check(layer, torch.ones(1, 2)).assert_sound()


def test_a_point_without_a_derivative_is_told() -> None:
    with pytest.raises(AssertionError, match="undefined  gradient of `x`"):
        gradaccord.check(lambda x: torch.log(x).sum(), at(-1.0, 2.0)).assert_sound()


def test_a_mask_of_infinities_is_sound() -> None:
    mask = torch.tensor([0.0, -torch.inf, 0.0])
    gradaccord.check(lambda x, mask: torch.softmax(x + mask, 0)[0], at(0.1, 0.2, 0.3), mask).assert_sound()


@pytest.mark.parametrize(
    "intended, said",
    [
        ({"Rounde": "x"}, "`intended` names `Rounde`.*Did you mean `Rounded`.*Its rules are Rounded"),
        ({Rounded: "x", "Other": "x"}, "`intended` names `Other`"),
        ({3: "x"}, "intended has the key 3"),
        ({Rounded: 3}, "intended has 3 for `Rounded`"),
        ({Rounded: " "}, "intended has ' ' for `Rounded`"),
        ("x", "intended='x'"),
    ],
)
def test_an_intended_that_nothing_reads_is_refused(intended: Any, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        gradaccord.check(rounded, at(0.2, 1.7), intended=intended)


def test_one_that_is_read_is_taken() -> None:
    gradaccord.check(rounded, at(0.2, 1.7), intended={Rounded: "x"}).assert_sound()
    gradaccord.check(rounded, at(0.2, 1.7), intended={"Rounded": "x"}).assert_sound()


def test_of_jax_as_well() -> None:
    @jax.custom_vjp
    def snapped(x: jax.Array) -> jax.Array:
        return jnp.round(x)

    snapped.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (g,))

    def total(x: jax.Array) -> jax.Array:
        return jnp.sum(snapped(x))

    gradaccord.check(total, jnp.array([0.2, 1.7]), intended={snapped: "x"}).assert_sound()
    with pytest.raises(CommandError, match="Its rules are snapped"):
        gradaccord.check(total, jnp.array([0.2, 1.7]), intended={"snaped": "x"})
