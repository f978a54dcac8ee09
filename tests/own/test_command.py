"""`gradaccord check` and `trace`: exit status, reports, JSON, and what is wrong with a command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gradaccord.harness.cli import main

MODEL = """
import torch

def good(x):
    return torch.tanh(x).sum()

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 3

def bad(x):
    return Twice.apply(x).sum()

def broken(x):
    return x @ torch.ones(9)

class Needs(torch.nn.Module):
    def __init__(self, width):
        super().__init__()

inputs = (torch.tensor([0.5, -1.0]),)

def by_name():
    return {"x": torch.tensor([2.0])}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_sound_function_has_status_0_and_reports(folder: Path) -> None:
    result = run("check", "own_model.py:good")
    assert result.exit_code == 0, result.output
    assert "nothing is off in 1 gradient" in result.output
    assert {"report.md", "results.csv", "run.json"} <= {path.name for path in (folder / "gradaccord-report").iterdir()}
    assert run("check", "own_model.py:good", "--inputs", "own_model.py:by_name", "-q").exit_code == 0


def test_one_that_is_off_has_status_1_and_says_how_to_repeat_it(folder: Path) -> None:
    result = run("check", "own_model.py:bad", "--json")
    assert result.exit_code == 1
    finding, summary = map(json.loads, result.output.splitlines())
    assert (finding["verdict"], finding["name"], summary["status"]) == ("wrong", "x", 1)
    assert "own_model.py" in finding["repeat"] or "check" in finding["repeat"]
    assert run("check", "own_model.py:bad", "--intended", "Twice=3*x").exit_code == 0


WRONG: Sequence[tuple[Sequence[str], str]] = [
    (["check", "nowhere.py:f"], "no file nowhere.py"),
    (["check", "own_model.py:god"], "Did you mean `good`?"),
    (["check", "own_model.py"], "names no function"),
    (["check", "own_model.py:good", "--inputs", "own_model.py:nothing"], "has no `nothing`"),
    (["check", "own_model.py:good", "--dtype", "float3"], "unknown dtype `float3`"),
    (["check", "own_model.py:good", "--wanted", "q"], "q"),
    (["check", "own_model.py:good", "--intended", "Twice"], "expected a rule and the formula"),
    (["check", "own_model.py:Needs"], "takes arguments"),
    (["check", "own_model.py:by_name"], "`by_name()` does not take these inputs: too many positional arguments"),
    (["check", "own_model.py:broken"], "return x @ torch.ones(9)"),
]


@pytest.mark.parametrize("words, said", WRONG, ids=[" ".join(words) for words, _ in WRONG])
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_has_status_2_and_is_told(words: Sequence[str], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output
    assert "gradaccord/harness" not in result.output and "site-packages/click" not in result.output


def test_trace_writes_a_case(folder: Path) -> None:
    result = run("trace", "own_model.py:good", "-o", "case.yaml")
    assert (result.exit_code, result.output) == (0, "case.yaml\n")
    assert run("run", "case.yaml", "-e", "torch", "-q").exit_code == 0
