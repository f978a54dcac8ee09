"""A step that reads its operand several times inside hands autograd as many parts, which it adds up one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradaccord  # noqa: E402
from gradaccord.harness.hearing.heard import Ask  # noqa: E402
from gradaccord.harness.judging.heard import judged_run  # noqa: E402
from gradaccord.harness.records.known import NOTHING, Knowledge  # noqa: E402
from gradaccord.harness.running.listeners import listener  # noqa: E402
from gradaccord.harness.running.loading import knowledge  # noqa: E402

SEEDS = range(8)


def residual(seed: int) -> tuple[Any, Any]:
    """A stream that is read by a norm and goes on beside it, as in every transformer of today."""
    torch.manual_seed(seed)
    norm, layer = nn.RMSNorm(8), nn.Linear(8, 8)

    def loss(x: Any) -> Any:
        h = x * 1.5
        h = h + layer(norm(h))
        h = h + torch.tanh(norm(h))
        return (h * h).mean()

    return loss, torch.randn(4, 16, 8)


def heard(seed: int) -> Any:
    loss, x = residual(seed)
    return listener("torch").hear(loss, (x,), {}, Ask(dtype="float64"))


def findings(run: Any, known: Knowledge) -> list[str]:
    return [row.reason for row in judged_run(run, "loss", "torch", knowledge=known).rows if row.finding]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_norm_beside_its_stream_is_sound(dtype: str) -> None:
    for seed in SEEDS:
        loss, x = residual(seed)
        gradaccord.check(loss, x, dtype=dtype).assert_sound()


def test_the_parts_are_what_makes_it_so_and_a_strangers_count_for_nothing() -> None:
    known, runs = knowledge("torch"), [heard(seed) for seed in SEEDS]
    assert all(run.evaluation.parts for run in runs) and not any(findings(run, known) for run in runs)
    bare = [replace(run, evaluation=replace(run.evaluation, parts={})) for run in runs]
    assert any(findings(run, known) for run in bare)
    assert any(findings(run, NOTHING) for run in runs)


def test_a_sum_that_is_off_is_found() -> None:
    run = heard(0)
    (name,) = [node.name for node in run.graph.nodes if node.op == "multiply" and node.args[0] == "x"]
    adjoints = {**run.evaluation.adjoints, name: run.evaluation.adjoints[name] * (1 + 1e-12)}
    found = findings(replace(run, evaluation=replace(run.evaluation, adjoints=adjoints)), knowledge("torch"))
    assert any(f"adjoint of `{name}`" in reason for reason in found)
