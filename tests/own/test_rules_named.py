"""Custom rules under names that a definition cannot have as they are."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gradaccord


@pytest.mark.parametrize("factor, sound", [(2.0, True), (2.000001, False)])
def test_a_rule_made_of_a_lambda_is_judged(factor: float, sound: bool) -> None:
    rule: Any = jax.custom_vjp(lambda x: x * x)
    rule.defvjp(lambda x: (x * x, x), lambda x, g: (factor * x * g,))
    assert gradaccord.check(lambda x: jnp.sum(rule(x)), jnp.array([0.3, -1.5])).sound is sound
