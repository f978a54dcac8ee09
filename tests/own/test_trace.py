"""A run that was heard, as a case: it loads, is the same graph, and engines agree on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import gradaccord
from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.rows import Row, columns


class Rule(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.exp(x) + 1

    @staticmethod
    def backward(ctx: Any, *gs: torch.Tensor) -> torch.Tensor:
        return gs[0] * torch.exp(ctx.saved_tensors[0])


def loss(x: torch.Tensor, w: torch.Tensor, target: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(Rule.apply(x @ w) * e, target)


def inputs() -> tuple[torch.Tensor, ...]:
    x = torch.linspace(-1, 1, 100, dtype=torch.float64).reshape(4, 25)
    w = torch.linspace(0, 1, 75, dtype=torch.float64).reshape(25, 3)
    return x, w, torch.tensor([0, 2, 1, 1]), torch.tensor(0.5, dtype=torch.float64)


def test_a_case_is_the_run_that_was_heard(tmp_path: Path) -> None:
    files = gradaccord.trace(loss, *inputs()).to_case(tmp_path / "some_loss.yaml")
    assert [path.name for path in files] == ["some_loss.yaml", "some_loss-x.npy", "some_loss-w.npy"]
    text = files[0].read_text()
    assert "Rule(x0)" in text and f"# {Path(__file__).name}:" in text
    case, heard = load(files[0]), gradaccord.check(loss, *inputs()).heard
    assert [node.op for node in case.graph.operations] == [node.op for node in heard.graph.operations]
    given = case.inputs(0, "float64")
    for node, theirs in zip(case.graph.inputs, heard.graph.inputs, strict=True):
        np.testing.assert_array_equal(given[node.name], heard.inputs[theirs.name])


def test_engines_agree_on_it_and_the_text_of_a_case_runs_too(tmp_path: Path) -> None:
    (path, *_) = gradaccord.trace(loss, *inputs()).to_case(tmp_path / "loss.yaml")
    ran = gradaccord.run(path, engines=["torch", "backprop"])
    assert ran.assert_sound().sound and {row.engine for row in ran.rows} == {"torch", "backprop"}
    small = "name: x\ninputs: {a: 5, b: -3}\ngraph:\n  d: a * b\n"
    frame = gradaccord.run(small, engines=["backprop"], dtypes=["float64"]).frame()
    assert set(frame[frame.quantity == "gradient"].engine_value) == {5.0, -3.0}
    assert [*frame.columns] == [*columns(Row)]


def test_a_run_that_is_off_says_so() -> None:
    text = "name: off\ninputs: {a: 2}\ngraph:\n  d: a * a\nexpect: {d: 5}\n"
    ran = gradaccord.run(text, engines=["backprop"], dtypes=["float64"])
    with pytest.raises(AssertionError, match="expectation"):
        ran.assert_sound()
    assert len(ran.findings) == 1


def test_where_a_case_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CommandError, match="cannot write"):
        gradaccord.trace(loss, *inputs()).to_case(tmp_path / "taken" / "case.yaml")


def test_an_input_that_nothing_reads_is_no_input_of_the_case(tmp_path: Path) -> None:
    (path, *_) = gradaccord.trace(lambda x, y: (x * 2).sum(), *inputs()[:2]).to_case(tmp_path / "one.yaml")
    assert [node.name for node in load(path).graph.inputs] == ["x"]
