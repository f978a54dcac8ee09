"""Faults as people make them, planted in a training loop: the first step, the variable and the cause are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Advance, Evaluate, Evaluation, Inputs, Optimiser
from gradaccord.harness.records.paths import Summary
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check


def network() -> Subject:
    """Two weights and a bias, as a layer of one neuron with its loss."""
    builder = Builder()
    for name in ("w1", "w2", "b"):
        builder.input(name, (2,))
    parser = Parser(builder)
    for name, text in {"h": "w1 + b", "y": "w2 * h", "loss": "mean(square(y - 1))"}.items():
        parser.define(name, text)
    inputs = {"w1": np.array([0.5, -0.25]), "w2": np.array([1.5, 0.75]), "b": np.array([0.1, 2.0])}
    return Subject("network", 0, "float64", builder.graph(["loss"]), inputs, np.ones(()))


def told(
    rule: str, settings: Mapping[str, Any], *, steps: int = 12, optimiser: Optimiser = row_optimiser,
    evaluate: Callable[[Graph, Evaluate], Evaluate] | None = None,
) -> Summary:  # fmt: skip
    begin, update = network(), check(rule, {"step_size": "0.01", **settings, "steps": steps})
    engine = row_engine.prepare(begin.graph, "float64")
    engine = evaluate(begin.graph, engine) if evaluate else engine
    return summary(trajectory(begin, "made", engine, update, optimiser).rows, update, "loss")


def by(**others: Any) -> Optimiser:
    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, **others}, begin)

    return optimiser


def test_a_wrong_eps_is_called_eps() -> None:
    path = told("adam", {"eps": "1e-8"}, optimiser=by(eps=1e-7))
    assert path.first is not None and (path.first.step, path.first.setting) == (1, "eps: 1e-07")
    assert "with `eps: 1e-07` alone it would be sound" in str(path)


def test_coupled_for_decoupled_decay_is_another_definition() -> None:
    path = told("adamw", {}, optimiser=by(decay="coupled"))
    assert path.first is not None and path.first.verdict == "convention"
    assert path.first.setting == "decay: coupled"
    assert "added to the gradient" in path.dialect


def test_clipping_each_for_all_is_another_definition() -> None:
    path = told("adam", {"clip_norm": "0.5"}, optimiser=by(clip_over="each"))
    assert path.first is not None and (path.first.verdict, path.first.setting) == ("convention", "clip_over: each")
    assert told("adam", {"clip_norm": "0.5"}).sound


def test_a_schedule_off_by_one_step_is_told() -> None:
    schedule = "cosine(0.1, steps=12, last=0.01)"
    late = "0.01 + (0.1 - 0.01) * (1 + cos(pi * minimum(t, 12) / 12)) / 2"
    path = told("descent", {"step_size": schedule}, optimiser=by(step_size=late))
    assert path.first is not None and path.first.setting == f"step_size: {schedule} at t + 1"


@pytest.mark.parametrize("factor", [1 + 1e-9, -1.0])
def test_a_wrong_gradient_at_step_50_is_told_with_its_operation(factor: float) -> None:
    def tampered(graph: Graph, sound: Evaluate) -> Evaluate:
        use, calls = Use("y", graph["y"].args.index("w2")), 0

        def evaluate(inputs: Inputs, cotangent: Any) -> Evaluation:
            nonlocal calls
            calls += 1
            evaluation = sound(inputs, cotangent)
            if calls != 50:
                return evaluation
            assert evaluation.terms is not None and evaluation.adjoints is not None
            wrong = evaluation.terms[use] * factor
            return replace(
                evaluation,
                terms={**evaluation.terms, use: wrong},
                adjoints={**evaluation.adjoints, "w2": wrong},
                gradients={**evaluation.gradients, "w2": wrong},
            )

        return evaluate

    path = told("momentum", {}, steps=60, evaluate=tampered)
    assert path.first is not None
    assert (path.first.step, path.first.name, path.first.cause) == (50, "w2", "gradient")
    assert str(path.first.node) == "term of w2 in y[0]"
