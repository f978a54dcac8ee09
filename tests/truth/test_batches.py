"""Links judged together are judged as each alone would be: the same rows, and a fault among many named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import find, load, shipped
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import LinkName
from gradaccord.harness.truth.batches import Batches

CASES = find([shipped() / folder for folder in ("kinks", "saturation", "functions", "layers")])
MEASURED = Batches.measured


def evaluated(subject: Subject) -> Evaluation:
    return prepare(subject.graph, subject.dtype)(subject.inputs, subject.cotangent)


def of_one(self: Batches, *, least: int = 1) -> Any:
    """No batches of links; what R is made of stays."""
    return () if least > 1 else MEASURED(self, least=1)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_batch_says_what_each_link_alone_would_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = load(path)
    for dtype in case.dtypes:
        subject = Subject(case.name, 0, dtype, case.graph, case.inputs(0, dtype), case.cotangent(dtype))
        evaluation = evaluated(subject)
        together = judge(subject, "backprop", evaluation)
        with monkeypatch.context() as patch:
            patch.setattr(Batches, "measured", of_one)
            assert judge(subject, "backprop", evaluation) == together


def chain(dtype: str) -> Subject:
    """Forty times the same three steps, on vectors and on single numbers."""
    builder = Builder()
    for name, shape in {"x0": (3,), "s0": ()}.items():
        builder.input(name, shape)
    parser = Parser(builder)
    for k in range(40):
        parser.define(f"x{k + 1}", f"tanh(x{k} * 1.25) * 0.75")
        parser.define(f"s{k + 1}", f"sin(s{k}) * 1.25")
    parser.define("f", "sum(x40) + s40")
    inputs = {"x0": np.array([0.1, -0.2, 0.3], dtype), "s0": np.array(0.4, dtype)}
    return Subject("chain", 0, dtype, builder.graph(["f"]), inputs, np.ones((), dtype))


@pytest.mark.parametrize("dtype, factor", [("float64", 1 + 1e-12), ("float32", 1 + 1e-5)])
@pytest.mark.parametrize("name", ["x17.2", "s23.1"])
def test_a_fault_in_one_of_many_equal_steps_is_named(dtype: str, factor: float, name: str) -> None:
    subject = chain(dtype)
    evaluation = evaluated(subject)
    assert evaluation.terms is not None
    use = Use(name, 0)
    faulty = {**evaluation.terms, use: (evaluation.terms[use] * factor).astype(dtype)}
    rows = judge(subject, "backprop", replace(evaluation, terms=faulty))
    argument = subject.graph.argument(use)
    assert {str(row.node) for row in rows if row.finding and row.quantity == "term"} == {f"term of {argument} in {use}"}

    wrong = {**evaluation.values, name: (evaluation.values[name] * factor).astype(dtype)}
    rows = judge(subject, "backprop", replace(evaluation, values=wrong))
    assert rows[[row.name for row in rows].index(name)].node == LinkName("value", name)


def test_nan_in_one_of_many_equal_steps_is_named() -> None:
    subject = chain("float64")
    evaluation = evaluated(subject)
    assert evaluation.adjoints is not None
    adjoint = evaluation.adjoints["s23"]
    faulty = {**evaluation.adjoints, "s23": np.full_like(adjoint, np.nan)}
    rows = judge(subject, "backprop", replace(evaluation, adjoints=faulty))
    off = LinkName("adjoint", "s23")
    assert [row for row in rows if row.quantity == "adjoint" and row.node == off and row.finding]
