"""Custom rules of JAX, heard: a right one passes, a wrong one is named at its own term, with the line of the rule."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad

from gradaccord.harness.hearing.heard import Ask, Heard

from .jax_rules import RIGHT, WRONG, Rule
from .jax_rules_placed import RIGHT as PLACED_RIGHT
from .jax_rules_placed import WRONG as PLACED_WRONG
from .test_jax_listener import X, findings, hear


def run(rule: Rule) -> Heard:
    return hear(rule[0], *rule[1])


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name: str) -> None:
    assert findings(run(RIGHT[name])) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found_at_its_own_term(name: str) -> None:
    heard = run(WRONG[name])
    off = findings(heard)
    assert off
    for (quantity, use), _ in off:
        assert quantity == "term"
        assert heard.places[use.consumer].rule.startswith(WRONG[name][0].__name__ + " at jax_rules.py:")


@pytest.mark.parametrize("name", PLACED_RIGHT)
def test_a_right_rule_passes_wherever_it_stands(name: str) -> None:
    function, inputs, _ = PLACED_RIGHT[name]
    assert findings(hear(function, *inputs)) == []


@pytest.mark.parametrize("name", PLACED_WRONG)
def test_a_wrong_rule_is_named_wherever_it_stands(name: str) -> None:
    function, inputs, rule = PLACED_WRONG[name]
    heard = hear(function, *inputs)
    off = findings(heard)
    assert off and {quantity for (quantity, _), _ in off} == {"term"}
    assert {heard.places[use.consumer].rule.partition(" at ")[0] for (_, use), _ in off} == {rule}


@pytest.mark.parametrize("factor", [1.0, 1.0001])
def test_a_primitive_of_somebody_else_is_a_rule(factor: float) -> None:
    def waved(x):
        return jnp.sin(x) * x

    primitive = Primitive("waved")
    primitive.def_impl(waved)
    primitive.def_abstract_eval(lambda x: x)
    ad.defjvp(primitive, lambda t, x: factor * t * (jnp.sin(x) + x * jnp.cos(x)))
    heard = hear(lambda x: primitive.bind(2 * x), X)
    (node,) = (node for node in heard.graph.operations if node.op == "waved")
    assert heard.places[node.name].rule == f"waved at test_jax_rules.py:{waved.__code__.co_firstlineno}"
    assert [verdict for _, verdict in findings(heard)] == (["wrong"] if factor != 1 else [])


def test_a_rule_that_is_meant_to_be_no_derivative_is_judged_by_its_surrogate() -> None:
    @jax.custom_vjp
    def through(z, bound):
        return jnp.round(z) + 0 * bound

    through.defvjp(lambda z, b: (jnp.round(z) + 0 * b, b), lambda b, g: (g, jnp.zeros_like(b)))
    used = lambda x: through(x * 3, x[0, 0])  # noqa: E731
    assert [verdict for _, verdict in findings(hear(used, X))] == ["wrong"]
    for asked in ({through: "z"}, {"through": "x0"}):
        assert findings(hear(used, X, ask=Ask(intended=asked))) == []
    assert findings(hear(used, X, ask=Ask(intended={"through": "2 * z"})))
