"""An optimiser that is sound by another known definition is told so; a fault is no dialect of anybody."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Advance, Engine, Inputs, Moved, Optimiser
from gradaccord.harness.records.paths import Summary
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check

from ..conftest import Command


def start(dtype: str = "float64") -> Subject:
    """Two inputs, a component of which has gradient 0, and one a tiny one."""
    builder = Builder()
    builder.input("w", (4,))
    builder.input("b", (2,))
    Parser(builder).define("f", "sum(square(w[:2])) + w[2] * 1e-6 + 0 * w[3] + 3 * sum(square(b))")
    inputs = {"w": np.array([1.0, -2.0, 3.0, 0.5], dtype), "b": np.array([0.3, -0.7], dtype)}
    return Subject("made", 0, dtype, builder.graph(["f"]), inputs, np.ones((), dtype))


def walk(
    rule: str,
    settings: Mapping[str, Any],
    optimiser: Optimiser,
    dtype: str = "float64",
) -> tuple[list[TrajectoryRow], Summary]:
    update, begin = check(rule, {"step_size": "0.01", **settings, "steps": 12}), start(dtype)
    rows = trajectory(begin, "made", row_engine.prepare(begin.graph, dtype), update, optimiser).rows
    return [row for row in rows if row.finding], summary(rows, update, "f")


def by(**others: Any) -> Optimiser:
    """The row's optimiser with other settings and answers than those that it is given."""

    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, **others}, begin)

    return optimiser


def of(engine: str) -> Optimiser:
    loaded: Engine = entry_points(group="gradaccord.engines")[engine].load()
    assert loaded.optimiser is not None
    return loaded.optimiser


@pytest.mark.parametrize(
    "rule, settings, answers, words",
    [
        ("rmsprop", {}, {"eps_place": "inside"}, "eps stands inside the root"),
        ("rmsprop", {"eps": "0.001"}, {"unbiased": "yes"}, "the mean square is bias-corrected"),
        ("rmsprop", {"momentum": "0.5"}, {"nesterov": "yes"}, "ahead of the momentum buffer"),
        ("adagrad", {}, {"eps_place": "inside"}, "eps stands inside the root"),
        ("adam", {"weight_decay": "0.1"}, {"decay": "decoupled"}, "beside the step"),
        ("adamw", {}, {"decay": "coupled"}, "added to the gradient"),
        ("adam", {}, {"eps_place": "before"}, "before bias correction"),
        ("radam", {}, {"eps_place": "after"}, "after bias correction"),
        ("amsgrad", {}, {"largest": "corrected"}, "bias-corrected second moments"),
        ("nadam", {}, {"momentum_schedule": "none"}, "beta1 is the same at every step"),
        ("nadam", {"momentum_schedule": "none"}, {"momentum_schedule": "dozat"}, "beta1 grows"),
        ("rprop", {}, {"applied": "late"}, "the first one not at all"),
        ("momentum", {"dampening": "0.5"}, {"first": "damped"}, "as every other"),
        ("momentum", {"step_size": "0.1 / t"}, {"buffer": "after"}, "adds up steps"),
        ("descent", {"clip_norm": "0.5"}, {"clip_over": "each"}, "by itself"),
        ("adam", {"clip_norm": "0.5"}, {"clip_by": "norm_and_1e-6"}, "1e-6 is added to a norm"),
        ("adam", {"weight_decay": "0.1"}, {"decay": "decoupled", "eps_place": "before"}, "beside the step"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_another_known_definition_is_told_with_the_answers_that_make_it(
    rule: str, settings: Mapping[str, Any], answers: Mapping[str, str], words: str, dtype: str
) -> None:
    if dtype == "float32":  # where eps shows there too
        settings = {**({"eps": "0.01"} if rule in ("adam", "adamw", "radam", "rmsprop", "adagrad") else {}), **settings}
        if "clip_by" in answers:
            return
    found, path = walk(rule, settings, by(**answers), dtype=dtype)
    assert {row.verdict for row in found} == {"convention"}
    assert {part for row in found for part in row.setting.split(", ")} == {f"{k}: {v}" for k, v in answers.items()}
    assert words in path.dialect
    assert f"another definition: {path.dialect}; with `{found[0].setting}`" in str(path)
    assert not walk(rule, {**settings, **answers}, by(), dtype=dtype)[0]


def test_the_native_of_jax_for_a_rule_that_it_knows_otherwise_only() -> None:
    found, path = walk("adagrad", {}, of("jax"))
    assert {(row.verdict, row.setting) for row in found} == {("convention", "eps_place: inside")}
    assert path.steps == 12
    assert not walk("rmsprop", {"eps_place": "outside", "momentum": "0.5"}, of("jax"))[0]  # it can be told


def test_an_optimiser_that_shows_the_state_of_another_definition_is_judged_by_that() -> None:
    found, path = walk("nadam", {}, of("jax"))
    assert {(row.verdict, row.cause, row.setting) for row in found} == {
        ("convention", "update", "momentum_schedule: none")
    }
    assert path.steps == 12


def faulty(change: Any, rule_settings: Mapping[str, Any] | None = None) -> Optimiser:
    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        sound, t = row_optimiser(rule, {**settings, **(rule_settings or {})}, begin), 0

        def step(gradients: Inputs) -> Moved:
            nonlocal t
            t += 1
            return change(t, sound(gradients))

        return step

    return optimiser


def nudged(t: int, now: Moved) -> Moved:
    w = now.parameters["w"] * (1 + 1e-9 * (t == 5))
    return replace(now, parameters={**now.parameters, "w": w})


def test_a_fault_is_no_dialect() -> None:
    found, path = walk("rmsprop", {"momentum": "0.5"}, faulty(nudged))
    assert (found[0].step, found[0].cause, found[0].verdict) == (5, "update", "imprecise")
    assert path.dialect == ""
    found, _ = walk("rmsprop", {"momentum": "0.5"}, faulty(nudged, {"eps_place": "inside"}))
    assert "convention" not in {row.verdict for row in found}


@pytest.mark.parametrize("by_steps", ["t + 1", "t - 1"])
def test_a_schedule_that_is_off_by_one_step_is_told(by_steps: str) -> None:
    text = "0.1 / (t + 3)"
    found, path = walk("adam", {"step_size": text}, by(step_size=text.replace("t", f"({by_steps})")))
    assert {row.setting for row in found} == {f"step_size: {text} at {by_steps}"}
    assert "alone it would be sound" in str(path)


CASE = """
name: made
inputs: {{w: [1, -2, 0, 1e-9]}}
graph:
  f: sum(square(w))
update: {{rule: adagrad, step_size: "{step_size}", eps_place: outside, eps: 0.01, steps: 5}}
{accept}
"""
ACCEPT = """
accept:
  - {engine: jax, quantity: update, verdict: convention, reason: optax has eps inside the root}
"""


@pytest.mark.parametrize("accept, status", [("", 1), (ACCEPT, 0), (ACCEPT.replace("jax", "backprop"), 1)])
def test_a_dialect_is_a_finding_unless_it_is_accepted(
    gradaccord: Command, tmp_path: Path, accept: str, status: int
) -> None:
    path = tmp_path / "made.yaml"
    path.write_text(CASE.format(step_size="cosine(0.1, steps=5)", accept=accept))
    done = gradaccord("run", str(path), "--engine", "backprop", "--engine", "jax", "--dtype", "float64")
    assert done.returncode == status, done.stdout + done.stderr
    assert ("eps stands inside the root" in " ".join(done.stdout.split())) == (status == 1)


def test_a_path_whose_worst_number_is_a_scalar_names_a_component_of_its_input() -> None:
    update, begin = check("asgd", {"steps": 30, "begin": 5}), start("float32")
    rows = trajectory(begin, "made", row_engine.prepare(begin.graph, "float32"), update, of("torch")).rows
    assert {row.verdict for row in rows} == {"agree"}
    assert {len(row.index) for row in rows if row.name in ("w", "b")} == {1}


def test_a_definition_travels_to_another_process() -> None:
    found = check("rmsprop", {"momentum": "0.5", "steps": 1}).definition
    assert found.state and pickle.loads(pickle.dumps(found)) == found


def test_a_fault_in_an_optimiser_that_shows_the_state_of_another_definition_is_its_own() -> None:
    """Without a schedule of its momentum nadam keeps no product; where it is off too, it is judged by what it shows."""

    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        step = row_optimiser(rule, {**settings, "momentum_schedule": "none"}, begin)

        def advance(gradients: Inputs) -> Moved:
            moved = step(gradients)
            return Moved({name: x + 7 for name, x in moved.parameters.items()}, moved.state)

        return advance

    rows, path = walk("nadam", {}, optimiser)
    assert {(row.verdict, row.cause, row.setting) for row in rows} == {("wrong", "update", "")}
    assert path.first is not None and "judge" not in path.first.cause
