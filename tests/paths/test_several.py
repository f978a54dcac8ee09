"""What reads several steps: gradients that are added up, and an average of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.engines.jax.engine import engine as of_jax
from gradaccord.engines.pytorch.engine import engine as of_torch
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import shaken_path
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.records.evaluation import Advance, Engine, Inputs, Moved, Optimiser
from gradaccord.harness.records.paths import Summary
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import Update, check

ENGINES: Mapping[str, Engine] = {"backprop": row_engine, "torch": of_torch, "jax": of_jax}


def start(dtype: str = "float64") -> Subject:
    """A valley in three parameters, of which one is a single number; gradients are beyond 1 and next to 0."""
    builder = Builder()
    for name, shape in {"w": (3,), "b": (), "scale": (2,)}.items():
        builder.input(name, shape)
    parser = Parser(builder)
    parser.define("bend", "sum(square(w)) * 40 + sum(square(w - 0.75)) * b")
    parser.define("f", "bend + square(b - 0.5) + 0.000001 * sum(scale ** 4)")
    inputs = {"w": np.array([0.5, -0.25, 1.5]), "b": np.array(0.125), "scale": np.array([3.0, -0.5])}
    kind = {name: x.astype(dtype) for name, x in inputs.items()}
    return Subject("valley", 0, dtype, builder.graph(["f"]), kind, np.ones((), dtype))


def walk(
    rule: str, settings: Mapping[str, Any], *, engine: str = "backprop", dtype: str = "float64", steps: int = 9,
    optimiser: Optimiser | None = None,
) -> Summary:  # fmt: skip
    begin, update = start(dtype), asked(rule, settings, steps)
    made = ENGINES[engine]
    evaluate = made.prepare(begin.graph, dtype)
    path = trajectory(begin, engine, evaluate, update, optimiser or made.optimiser)
    return summary(path.rows, update, "f")


def asked(rule: str, settings: Mapping[str, Any], steps: int = 9) -> Update:
    return check(rule, {"step_size": "0.01", **settings, "steps": steps})


def by(**others: Any) -> Optimiser:
    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, **others}, begin)

    return optimiser


def moved(rule: str, gradients: list[float], **settings: Any) -> list[Moved]:
    step = row_optimiser(rule, {"step_size": 0.25, **settings}, {"x": np.array(1.0)})
    return [step({"x": np.array(g)}) for g in gradients]


# --- by hand --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulated, after", [("mean", [1.0, 0.25, 0.25, 0.75]), ("sum", [1.0, -0.5, -0.5, 0.5])])
def test_two_gradients_make_a_step(accumulated: str, after: list[float]) -> None:
    # of 4 and 2 the mean is 3 and the sum 6; of -6 and 2 they are -2 and -4; a quarter of that is subtracted
    made = moved("descent", [4.0, 2.0, -6.0, 2.0], accumulate=2, accumulated=accumulated)
    assert [float(one.parameters["x"]) for one in made] == after
    part = 2.0 if accumulated == "mean" else 1.0
    assert [float(one.state["total"]["x"]) for one in made] == [4 / part, 0.0, -6 / part, 0.0]


def test_state_stays_as_it_was_until_the_last_gradient() -> None:
    made = moved("momentum", [4.0, 2.0, 1.0, 1.0], accumulate=2, momentum=0.5)
    assert [float(one.state["v"]["x"]) for one in made] == [0.0, 3.0, 3.0, 2.5]


def test_the_number_of_a_step_is_that_of_the_rules_own_steps() -> None:
    made = moved("descent", [1.0] * 6, accumulate=3, step_size="1 / t")
    assert [float(one.parameters["x"]) for one in made] == [1.0, 1.0, 0.0, 0.0, 0.0, -0.5]


@pytest.mark.parametrize(
    "begins, averages",
    [
        # x is 0, -1, -2 after the steps, and was 1 before
        ("first", [0.0, -0.5, -1.25]),
        ("start", [0.5, -0.25, -1.125]),
        ("zero", [0.0, -0.5 / 0.75, -1.25 / 0.875]),
    ],
)
def test_an_average_begins_as_it_is_said(begins: str, averages: list[float]) -> None:
    made = moved("descent", [4.0, 4.0, 4.0], average=0.5, average_begins=begins)
    assert [float(one.state["averaged"]["x"]) for one in made] == averages


def test_an_average_is_of_the_parameters_after_steps_that_were_taken() -> None:
    made = moved("descent", [4.0, 4.0, 4.0, 4.0], average=0.5, accumulate=2)
    assert [float(one.state["averaged"]["x"]) for one in made] == [1.0, 0.0, 0.0, -0.5]


# --- natives --------------------------------------------------------------------------------------------------

SEVERAL = {
    "mean": {"accumulate": 3},
    "sum": {"accumulate": 2, "accumulated": "sum"},
    "schedule": {"accumulate": 2, "step_size": "cosine(0.01, steps=4, last=0.001)"},
    "clipped": {"accumulate": 3, "clip_norm": 0.5, "clip_by": "norm"},
    "average": {"average": 0.9},
    "averaging": {"average": 0.3, "average_begins": "start", "accumulate": 2, "weight_decay": 0.1},
    "falling": {"average": "1 / (1 + t)"},
}


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
@pytest.mark.parametrize("rule", [pytest.param("momentum", marks=pytest.mark.slow), "adam"])
@pytest.mark.parametrize("settings", SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_engines_own_is_sound(engine: str, settings: Mapping[str, Any], rule: str, dtype: str) -> None:
    if engine == "torch" and "clip_norm" in settings:
        settings = {**settings, "clip_by": "norm_and_1e-6"}
    path = walk(rule, settings, engine=engine, dtype=dtype)
    assert path.sound, str(path)


@pytest.mark.parametrize("rule, dtype", [("nadam", "float64"), ("asgd", "float64"), ("asgd", "float16")])
def test_torchs_single_numbers_wait_for_the_first_step(rule: str, dtype: str) -> None:
    path = walk(rule, {"accumulate": 3}, engine="torch", dtype=dtype)
    assert path.sound, str(path)


def test_an_average_from_zero_is_optaxs_alone() -> None:
    settings = {"average": 0.9, "average_begins": "zero"}
    assert walk("descent", settings, engine="jax").sound
    path = walk("descent", settings, engine="torch")
    assert path.first is not None and path.first.setting == "average_begins: first"
    assert "the average begins as the parameter after the first step" in path.dialect


# --- faults ---------------------------------------------------------------------------------------------------


def faulty(change: Callable[[int, Moved, Moved], Moved]) -> Optimiser:
    """The row, with what it gives changed: (step, the step before, this one)."""

    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        step, t, before = row_optimiser(rule, settings, begin), 0, Moved(begin, {})

        def advance(gradients: Inputs) -> Moved:
            nonlocal t, before
            t += 1
            now = step(gradients)
            given, before = change(t, before, now), now
            return given

        return advance

    return optimiser


def not_cleared(t: int, before: Moved, now: Moved) -> Moved:
    if t != 3:
        return now
    total = {name: before.state["total"][name] + x for name, x in now.state["total"].items()}
    return Moved(now.parameters, {**now.state, "total": total})


def steps_between(t: int, before: Moved, now: Moved) -> Moved:
    return Moved({**now.parameters, "b": now.parameters["b"] * (1 + 1e-12)}, now.state) if t == 4 else now


def average_of_the_step_before(t: int, before: Moved, now: Moved) -> Moved:
    return Moved(now.parameters, {**now.state, "averaged": before.parameters}) if t == 4 else now


@pytest.mark.parametrize(
    "change, settings, step, cause",
    [
        (not_cleared, {"accumulate": 3}, 3, "state total"),
        (steps_between, {"accumulate": 3}, 4, "update"),
        (average_of_the_step_before, {"average": 0.9}, 4, "state averaged"),
    ],
)
def test_a_fault_is_told_at_its_step(change: Any, settings: Mapping[str, Any], step: int, cause: str) -> None:
    path = walk("adam", settings, optimiser=faulty(change))
    assert path.first is not None and (path.first.step, path.first.cause) == (step, cause)


def test_a_sum_for_a_mean_is_another_definition() -> None:
    path = walk("momentum", {"accumulate": 4}, optimiser=by(accumulated="sum"))
    assert path.first is not None
    assert (path.first.verdict, path.first.setting) == ("convention", "accumulated: sum")
    assert "the rule steps by their sum" in path.dialect


@pytest.mark.parametrize("other", [2, 4])
def test_a_step_at_another_count_is_named(other: int) -> None:
    path = walk("descent", {"accumulate": 3}, optimiser=by(accumulate=other))
    assert path.first is not None and path.first.setting == f"accumulate: {other}"


def test_an_average_that_forgets_otherwise_is_named() -> None:
    path = walk("descent", {"average": 0.99}, optimiser=by(average=0.9))
    assert path.first is not None and (path.first.cause, path.first.setting) == ("state averaged", "average: 0.9")


def test_the_norm_that_is_clipped_is_that_of_what_was_added_up() -> None:
    """As the mistake goes, each gradient is clipped and then added."""
    path = walk("descent", {"accumulate": 2, "clip_norm": 0.5}, optimiser=each_clipped)
    assert path.first is not None and path.first.step == 1 and path.first.cause == "state total"
    assert walk("descent", {"accumulate": 2, "clip_norm": 0.5}).sound


def each_clipped(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
    step = row_optimiser(rule, {name: one for name, one in settings.items() if not name.startswith("clip")}, begin)

    def advance(gradients: Inputs) -> Moved:
        norm = np.sqrt(sum(np.sum(g * g) for g in gradients.values()))
        return step({name: g * min(1.0, 0.5 / norm) for name, g in gradients.items()})

    return advance


def test_shaken_paths_stand_still_between_steps() -> None:
    path = [*shaken_path(start(), asked("adam", {"accumulate": 3, "clip_norm": 0.5}, 6), 0)]
    still = [all((a[name] == b[name]).all() for name in a) for a, b in pairwise(path)]
    assert still == [True, True, False, True, True, False]
    exact = [row.value for row in sound_path("adam", {"accumulate": 3, "clip_norm": 0.5}, 6) if row.name == "b"]
    np.testing.assert_allclose([float(x["b"]) for x in path[1:]], exact, rtol=1e-12)


def sound_path(rule: str, settings: Mapping[str, Any], steps: int) -> Any:
    begin = start()
    return trajectory(begin, "row", row_engine.prepare(begin.graph, "float64"), asked(rule, settings, steps)).rows


# --- what may be wrong with a case ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, parts",
    [
        ({"accumulate": 0}, ["accumulate: 0", "a whole number of at least 1"]),
        ({"accumulate": 1.5}, ["accumulate: 1.5", "a whole number of at least 1"]),
        ({"accumulate": "2 * t"}, ["accumulate: 2 * t", "a whole number of at least 1"]),
        ({"accumulate": True}, ["accumulate: True", "a whole number"]),
        ({"accumulate": 10}, ["accumulate: 10 in an update of 9 steps", "at least 10 steps"]),
        ({"accumulate": 2, "accumulated": "men"}, ["accumulated: men", "mean, sum", "`mean`?"]),
        ({"average": 1}, ["average: 1", "below 1"]),
        ({"average": 0.5, "average_begins": "last"}, ["average_begins: last", "first, start, zero"]),
    ],
)
def test_a_mistake_is_told(settings: Mapping[str, Any], parts: list[str]) -> None:
    with pytest.raises(GraphError) as raised:
        asked("adam", settings)
    assert all(part in str(raised.value) for part in parts)


def test_what_makes_no_difference_is_no_setting() -> None:
    plain = asked("adam", {}).definition
    assert asked("adam", {"accumulate": 1, "average": 0, "accumulated": "sum"}).definition == plain
    assert set(asked("adam", {"accumulate": "2.0"}).definition.state) == {"total", "m", "v"}


CASE = """\
name: grouped
inputs: {w: [1, -2], b: 0.5}
graph:
  f: sum(square(w)) + b * b
update:
  rule: descent
  step_size: 0.01
  steps: 4
  groups:
    - {inputs: [b], step_size: 0.1}
"""


def case(tmp_path: Path, old: str, new: str) -> Case:
    (tmp_path / "case.yaml").write_text(CASE.replace(old, new), encoding="utf-8")
    return load(tmp_path / "case.yaml")


@pytest.mark.parametrize("own", ["accumulate: 2", "accumulated: sum", "average: 0.5", "average_begins: zero"])
def test_they_are_of_all_inputs_together(tmp_path: Path, own: str) -> None:
    with pytest.raises(CaseErrors, match=f"`{own.partition(':')[0]}` of a group"):
        case(tmp_path, "step_size: 0.1}", f"{own}}}")


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_are_added_up_together(tmp_path: Path, engine: str) -> None:
    update = case(tmp_path, "steps: 4", "steps: 4\n  accumulate: 2\n  average: 0.5").walk("float64")
    assert update is not None and update.of("b").every == 2
    begin, made = start(), ENGINES[engine]
    update = replace(update, steps=8)
    rows = trajectory(begin, engine, made.prepare(begin.graph, "float64"), update, made.optimiser).rows
    path = summary(rows, update, "f")
    assert path.sound, str(path)
