"""Masks of infinities that are written out: what a step makes of them is exact, and links prove the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gradaccord.harness.hearing.heard import Ask  # noqa: E402
from gradaccord.harness.judging import certificate  # noqa: E402
from gradaccord.harness.judging.heard import judged_run  # noqa: E402
from gradaccord.harness.running.listeners import listener  # noqa: E402


def softmax(scores: Any) -> Any:
    seen = torch.ones(4, 4, dtype=torch.bool).tril()
    masked = torch.where(seen, scores, -torch.inf)
    powers = torch.exp(masked - scores.detach().amax(-1, keepdim=True))
    return (powers / powers.sum(-1, keepdim=True)).square().sum()


def heard() -> Any:
    scores = torch.linspace(-1, 2, 16, dtype=torch.float64).reshape(4, 4).sin()
    return listener("torch").hear(softmax, (scores,), {}, Ask())


def test_a_softmax_with_a_mask_is_proved_by_its_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(*_: Any) -> Any:
        raise AssertionError("the truth of the whole was asked for")

    monkeypatch.setattr(certificate, "judged_whole", whole)
    judged = judged_run(heard(), "softmax", "torch")
    assert {row.verdict for row in judged.rows} <= {"agree", "lossy"}
    assert "undefined" not in judged.links


@pytest.mark.parametrize("number", [np.inf, np.nan, -1e300])
def test_what_is_no_such_infinity_is_found(number: float) -> None:
    run = heard()
    (name,) = [node.name for node in run.graph.nodes if node.op == "subtract"]
    numbers = run.evaluation.values[name]
    values = {**run.evaluation.values, name: np.where(np.isinf(numbers), number, numbers)}
    spoilt = replace(run, evaluation=replace(run.evaluation, values=values))
    found = [row for row in judged_run(spoilt, "softmax", "torch").rows if row.finding]
    assert any(f"`{name}`" in row.reason for row in found)
