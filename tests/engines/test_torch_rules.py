"""Custom rules of torch, heard: right ones pass, wrong ones are named with their line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gradaccord.harness.hearing.heard import Ask, Refused

from .test_torch_listener import draw, findings, heard, same_bits
from .torch_rules import RIGHT, WRONG, Row, rule_of

Tensor = torch.Tensor


def run_of(name: str, row: Row, ask: Ask | None = None) -> Any:
    """A rule in the middle of a function of two 4 x 4 matrices."""
    rule = rule_of(name, *row)
    two = row[0].__code__.co_argcount == 2 if hasattr(row[0], "__code__") else False

    def function(x: Tensor, w: Tensor) -> Tensor:
        z = torch.sin(x @ w) + 0.3
        return torch.tanh(rule.apply(z, w) if two else rule.apply(z)).sum()

    return heard(function, draw(4, 4), draw(4, 4).flip(0), ask=ask)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name: str) -> None:
    assert not findings(run_of(name, RIGHT[name]))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_the_one_finding(name: str) -> None:
    run = run_of(name, WRONG[name])
    consumers = {use.consumer for kind, use in findings(run) if kind == "term"}
    assert {run.graph[consumer].op for consumer in consumers} == {name}
    assert all(run.places[consumer].rule.startswith(name) for consumer in consumers)


class Through(torch.autograd.Function):
    """Rounded, with the derivative of what is not."""

    @staticmethod
    def forward(ctx: Any, inner: Tensor) -> Tensor:
        return torch.sign(inner)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
        return 2 * grad_outputs[0]


def through(x: Tensor) -> Tensor:
    return (Through.apply(x * 2) * x).sum()


def test_a_rule_that_is_meant_is_held_against_its_surrogate() -> None:
    assert findings(heard(through, draw(4)))
    assert not findings(heard(through, draw(4), ask=Ask(intended={Through: "2 * inner"})))
    assert not findings(heard(through, draw(4), ask=Ask(intended={"Through": "y = x0 + 1; y * 2"})))
    assert findings(heard(through, draw(4), ask=Ask(intended={Through: "3 * inner"})))


def test_a_rule_says_where_it_is_written() -> None:
    run = heard(through, draw(4))
    place = next(place for place in run.places.values() if place.rule)
    line = Through.forward.__code__.co_firstlineno - 3
    assert place.rule == f"Through at test_torch_rules.py:{line}" and place.function == "through"


class Halves(torch.autograd.Function):
    """Two results, one of which nobody uses."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> tuple[Tensor, Tensor, Tensor]:
        ctx.factor = factor
        return x[:2] * factor, x[2:] + 1, torch.argsort(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None]:
        g, h, _ = grad_outputs
        return torch.cat([g * ctx.factor, h]), None


kept = Halves.apply


def test_several_results_and_a_name_that_was_bound_before() -> None:
    def function(x: Tensor) -> Tensor:
        a, b, order = kept(x, 3.0)
        return (a * b).sum() + x[order[0]]

    assert not findings(heard(function, draw(4)))


def straight(forward: Callable[[Tensor], Tensor], factor: float) -> Any:
    """A rule whose backward hands on a multiple of what it gets."""

    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return forward(x)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
            return grad_outputs[0] * factor

    return Straight


def _signs(x: Tensor) -> Tensor:
    signs = torch.empty_like(x)
    signs[x > 0], signs[x <= 0] = 1.0, -1.0
    return signs


FLAT: dict[str, Callable[[Tensor], Tensor]] = {
    "round": torch.round,
    "in place": lambda x: x.clone().round_(),
    "further calls": lambda x: torch.clamp(torch.round(x * 4), -8, 7) / 4,
    "comparison": lambda x: (x > 0).to(x.dtype) * 2 - 1,
    "assignment": _signs,
    "largest": lambda x: F.one_hot(x.argmax(), 4).to(x.dtype),
    "zeros": torch.zeros_like,
}


@pytest.mark.parametrize("name", FLAT)
def test_a_forward_that_is_piecewise_constant_has_derivative_zero(name: str) -> None:
    through, none = straight(FLAT[name], 1), straight(FLAT[name], 0)
    assert findings(heard(lambda x: (through.apply(x) * x).sum(), draw(4)))
    assert not findings(heard(lambda x: (none.apply(x) * x).sum(), draw(4)))
    assert not findings(heard(lambda x: (through.apply(x) * x).sum(), draw(4), ask=Ask(intended={through: "x"})))


def test_an_element_that_is_assigned_keeps_its_derivative() -> None:
    def forward(x: Tensor) -> Tensor:
        y = torch.round(x)
        y[0] = x[1]
        return y

    assert findings(heard(lambda x: (straight(forward, 0).apply(x) * x).sum(), draw(4)))


def test_a_result_from_behind_torchs_back_is_refused() -> None:
    rule = straight(lambda x: torch.from_numpy(np.ones(4)), 1)
    with pytest.raises(Refused, match="whose result no call of torch has made"):
        heard(lambda x: (rule.apply(x) * x).sum(), draw(4))


class Slot(torch.autograd.Function):
    """Writes into its operand past the version counter, as torchdiffeq's solvers do."""

    @staticmethod
    def forward(ctx: Any, scratch: Tensor, value: Tensor, index: int) -> Tensor:
        ctx.index = index
        scratch.data[index] = value
        return scratch

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, Tensor, None]:
        (g,) = grad_outputs
        rest = g.clone()
        rest[ctx.index] = 0
        return rest, g[ctx.index], None


def test_a_rule_that_writes_past_the_version_counter_is_heard_on_copies() -> None:
    def function(x: Tensor) -> Tensor:
        slots = Slot.apply(torch.zeros(2, 4, dtype=torch.float64), torch.sin(x), 0)
        slots = Slot.apply(slots, slots[0] * x, 1)
        return (slots[0] * slots[1]).sum()

    run = heard(function, draw(4))
    assert same_bits(run) and not findings(run)


class Elsewhere(torch.autograd.Function):
    """A forward that NumPy computes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.from_numpy(x.detach().numpy() * 2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
        return grad_outputs[0] * 2


def test_a_forward_that_leaves_torch_is_refused() -> None:
    with pytest.raises(Refused, match="leaves torch, in the forward of Elsewhere") as caught:
        heard(lambda x: Elsewhere.apply(x).sum(), draw(4))
    assert caught.value.place.file == __file__
