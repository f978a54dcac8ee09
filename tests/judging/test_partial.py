"""Backward passes written by hand show adjoints of some nodes and not of others: what is given is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.running.answers import sensible

from ..subject import evaluated, subject

ABOUT = subject({"h": "tanh(w * x)", "y": "h * h + sin(h)"}, w=0.3, x=1.2)
SOUND = evaluated(ABOUT)


def rows(**shown: object) -> dict[tuple[str, str], Row]:
    """The rows of an engine that shows the gradients, the output and these."""
    output = {"y": SOUND.values["y"]}
    bare = Evaluation("ok", values=output, gradients=SOUND.gradients)
    shown = {"values": output, **shown}
    evaluation = sensible(replace(bare, **shown), ABOUT.graph, "float64")  # pyright: ignore[reportArgumentType]
    assert evaluation.status == "ok", evaluation.reason
    return {(row.quantity, row.name): row for row in judge(ABOUT, "x", evaluation)}


@pytest.mark.parametrize("names", [("h",), ("y",), ("y", "h"), ("h.1",), ("h.1", "y")])
def test_some_adjoints_are_judged_and_a_wrong_one_is_found(names: tuple[str, ...]) -> None:
    assert SOUND.adjoints is not None
    given = {name: SOUND.adjoints[name] for name in names}
    for values in (SOUND.values, {"y": SOUND.values["y"]}):
        found = rows(adjoints=given, values=values)
        assert not [row for row in found.values() if row.finding]
        assert {found["adjoint", name].verdict for name in names} == {"agree"}
        assert {found["gradient", name].verdict for name in ("w", "x")} == {"agree"}
        for name in names:
            bent = rows(adjoints={**given, name: given[name] * 1.001}, values=values)
            assert bent["adjoint", name].finding, name


def test_an_adjoint_of_an_input_is_its_gradient() -> None:
    wrong = {**SOUND.gradients, "w": np.array(9.0)}
    found = rows(adjoints={}, gradients=wrong)
    assert found["gradient", "w"].finding
    assert not found["gradient", "x"].finding


def test_some_terms_are_judged() -> None:
    assert SOUND.terms is not None and SOUND.adjoints is not None
    some = {use: term for use, term in SOUND.terms.items() if use.consumer != "y.2"}
    found = rows(terms=some, adjoints=SOUND.adjoints, values=SOUND.values)
    assert not [row for row in found.values() if row.finding]
    use = Use("h", 0)
    bent = rows(terms={**some, use: some[use] * 1.001}, adjoints=SOUND.adjoints, values=SOUND.values)
    assert bent["term", "h.1"].finding


def test_the_value_of_the_output_is_judged_without_its_operands() -> None:
    assert rows()["value", "y"].verdict == "agree"
    found = rows(values={"y": np.array(999.0)})
    assert found["value", "y"].finding
