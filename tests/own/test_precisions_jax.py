"""Mixed precision in JAX: right models pass in every precision; what float64 loses on the way is told."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import gradaccord

X = np.random.default_rng(3).normal(size=(4, 6))
W = np.random.default_rng(4).normal(size=(6, 6))
SHORT = np.linspace(0, 1, 6, dtype=np.float32)
Model: TypeAlias = Callable[..., Any]


def wide(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def layer_norm(x, w):
    z = wide(x)
    z = (z - z.mean(-1, keepdims=True)) * lax.rsqrt(z.var(-1, keepdims=True) + 1e-5)
    return z.astype(x.dtype) @ w.astype(x.dtype)


def batch_norm(x, w):
    z = wide(x)
    mean, square = jnp.mean(z, 0), jnp.mean(z * z, 0)
    return ((z - mean) / jnp.sqrt(square - mean**2 + 1e-5)).astype(x.dtype) * w[0]


def attention(x, w):
    q = x @ w
    scores = jnp.einsum("id,jd->ij", q, q, preferred_element_type=wide(x).dtype) / 2
    return jax.nn.softmax(scores).astype(x.dtype) @ q


def loss(x, w):
    return -jnp.mean(jax.nn.log_softmax(wide(jax.nn.gelu(x @ w)))[jnp.arange(4), jnp.array([0, 1, 2, 3])]) * 1024.0


def summed(x, w):
    return lax.scan(lambda total, row: (total + wide(row), None), jnp.zeros(6, wide(x).dtype), x @ w)[0]


SLOW = [pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("float64", "float16")]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", *SLOW])
@pytest.mark.parametrize("model", [layer_norm, batch_norm, attention, loss, summed], ids=lambda model: model.__name__)
def test_a_right_model_passes_in_every_precision(model: Model, dtype: str) -> None:
    checked = gradaccord.check(model, jnp.asarray(X), jnp.asarray(W), dtype=dtype)
    checked.assert_sound()
    assert not [note for note in checked.heard.notes if "float64" in note]


def test_weights_of_float32_in_a_bfloat16_model_have_a_gradient_of_float32() -> None:
    x, w = jnp.asarray(X, jnp.bfloat16), jnp.asarray(W, jnp.float32)
    checked = gradaccord.check(lambda w, x: jnp.square(x @ w.astype(x.dtype)).mean(), w, x)
    checked.assert_sound()
    gradients = checked.heard.evaluation.gradients or {}
    assert {array.dtype.name for array in gradients.values()} == {"float32", "bfloat16"}


def in_the_middle(x):
    return jnp.sin(jnp.cos(x).astype(jnp.float32)).astype(x.dtype)


LOST: Mapping[str, tuple[Model, str]] = {
    "a cast": (in_the_middle, "float64 narrowed to float32"),
    "a result": (lambda x: jnp.float32(x) ** 2, "float64 narrowed to float32"),
    "half": (lambda x: jnp.exp(x.astype(jnp.bfloat16)).astype(jnp.float64), "float64 narrowed to bfloat16"),
    "a sum": (lambda x: jnp.sum(x, dtype=jnp.float32), "float64 narrowed to float32"),
    "a table": (lambda x: x * SHORT, "a constant of float32 widened"),
    "a table of JAX": (lambda x: x * jnp.sin(jnp.arange(6, dtype=jnp.float32)), "a constant of float32 widened"),
    "a number": (lambda x: x * jnp.float32(0.1), "a constant of float32 widened"),
    "a draw": (lambda x: x + jax.random.normal(jax.random.key(0), (6,), jnp.float32), "a constant of float32 widened"),
}


@pytest.mark.parametrize("name", LOST)
def test_digits_that_float64_loses_are_told_with_their_line(name: str) -> None:
    function, said = LOST[name]
    (note,) = _notes(function)
    assert said in note and "test_precisions_jax.py:" in note


def _notes(function: Model) -> list[str]:
    with jax.enable_x64(True):
        return [note for note in gradaccord.check(function, jnp.asarray(X)).heard.notes if "float64" in note]


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.1, 1 / 3, 1000.25])
def test_constants_of_float64_are_told_by_nobody(factor: float) -> None:
    assert _notes(lambda x: x * factor + jnp.tri(4, 6, dtype=jnp.float32)) == []


def test_a_rule_that_goes_through_float32_is_wrong_in_float64() -> None:
    rule = jax.custom_vjp(jnp.tanh)
    rule.defvjp(lambda x: (jnp.tanh(x), x), lambda x, g: ((g / jnp.cosh(x.astype(jnp.float32)) ** 2).astype(x.dtype),))
    with jax.enable_x64(True):
        checked = gradaccord.check(lambda x: rule(x).sum(), jnp.asarray(X))
    assert not checked.sound and "tanh" in str(checked)
