"""Named schedules against the schedulers of torch and optax, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optax
import pytest
import torch

from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.rules.schedules import SCHEDULES, Schedule, moved
from gradaccord.harness.rules.update import Update, check

OF = torch.optim.lr_scheduler


def of_torch(make: Any, count: int, **settings: Any) -> list[float]:
    made = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule, rates = make(made, **settings), list[float]()
    for k in range(count):
        rates.append(made.param_groups[0]["lr"])
        made.step()
        if k < count - 1:
            schedule.step()
    return rates


def of_optax(schedule: Any, count: int) -> list[float]:
    return [float(schedule(k)) for k in range(count)]


@pytest.mark.parametrize(
    "text, rates",
    [
        ("step(0.1, 4, factor=0.5)", of_torch(OF.StepLR, 20, step_size=4, gamma=0.5)),
        ("step(0.1, 4, 0.5)", of_optax(optax.exponential_decay(0.1, 4, 0.5, staircase=True), 20)),
        ("exponential(0.1, 0.9)", of_torch(OF.ExponentialLR, 20, gamma=0.9)),
        ("exponential(0.1, 0.9)", of_optax(optax.exponential_decay(0.1, 1, 0.9), 20)),
        ("polynomial(0.1, 20, power=2)", of_torch(OF.PolynomialLR, 20, total_iters=20, power=2)),
        ("polynomial(0.1, 10, last=0.01, power=2)", of_optax(optax.polynomial_schedule(0.1, 0.01, 2, 10), 20)),
        ("warmup(0.1, 5, first=0.02)", of_torch(OF.LinearLR, 20, start_factor=0.2, total_iters=5)),
        ("warmup(0.1, 5, first=0.02)", of_optax(optax.linear_schedule(0.02, 0.1, 5), 20)),
        ("cosine(0.1, 20, last=0.01)", of_torch(OF.CosineAnnealingLR, 20, T_max=20, eta_min=0.01)),
        ("cosine(0.1, 10, last=0.01)", of_optax(optax.cosine_decay_schedule(0.1, 10, 0.1), 20)),
        (
            "warmup_cosine(0.1, 5, 15, first=0.01, last=0.02)",
            of_optax(optax.warmup_cosine_decay_schedule(0.01, 0.1, 5, 15, 0.02), 20),
        ),
        ("one_cycle(0.1, 20)", of_torch(OF.OneCycleLR, 20, max_lr=0.1, total_steps=20)),
        ("constant(0.1)", [0.1] * 20),
        ("0.1 / t", [0.1 / t for t in range(1, 21)]),
    ],
)
def test_a_named_schedule_is_that_of_the_frameworks(text: str, rates: Sequence[float]) -> None:
    np.testing.assert_allclose([Schedule(text)(t) for t in range(1, 21)], rates, rtol=2e-6)  # optax reckons in float32


def test_every_schedule_has_a_source_and_names_what_it_needs() -> None:
    for name, row in SCHEDULES.items():
        assert row.source
        needed = [key for key, default in row.parameters.items() if not default]
        with pytest.raises(GraphError, match=f"`{name}` without `{needed[0]}`"):
            Schedule(f"{name}()")(1)


@pytest.mark.parametrize(
    "text, parts",
    [
        ("cosine(0.1)", "step_size: cosine(0.1)"),
        ("cosin(0.1, 3)", "step_size: cosin"),
        ("0.1 * x", "step_size: 0.1 * x"),
        ("0.1 - 0.05 * t ** 2", "it is -0.1 at step 2"),
    ],
)
def test_a_wrong_schedule_is_told(text: str, parts: str) -> None:
    with pytest.raises(GraphError) as raised:
        check("descent", {"step_size": text, "steps": 3})
    assert parts in str(raised.value)


def test_a_step_size_may_rise_from_0() -> None:
    text = "warmup(0.1, steps=3)"
    assert Schedule(text)(1) == 0
    assert check("descent", {"step_size": text, "steps": 3}) == Update("descent", {"step_size": text}, 3)


def test_a_formula_is_moved_by_steps() -> None:
    assert [Schedule(moved("0.1 / t", 1))(t) for t in (1, 2)] == [0.05, 0.1 / 3]
