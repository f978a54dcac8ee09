"""Inputs with settings of their own: each engine's optimiser steps by them, and each is judged by its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.engines.jax.optimisers import optimiser as of_optax
from gradaccord.engines.pytorch.optimisers import optimiser as of_torch
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import shaken_path
from gradaccord.harness.paths.trajectory import judged_path, trajectory
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.records.evaluation import Advance, Engine, Inputs, Optimiser
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.running import answers

TEXT = """
name: grouped
inputs: {w: [1, -2], b: 0.5, c: [0.25], x: {values: [3, 1], constant: true}}
graph:
  f: square(sum(w * x) + b) + sum(square(c))
update:
  rule: RULE
  step_size: 0.01
  weight_decay: 0.1
  steps: 6
  groups:
    - {inputs: [b], weight_decay: 0, step_size: 0.1 / t}
    - {inputs: [c], MORE}
"""
RULES = {"adamw": "beta1: 0.5", "momentum": "momentum: 0.25", "adamax": "beta2: 0.9", "descent": "step_size: 0.2"}
ENGINES: dict[str, Optimiser] = {"row": row_optimiser, "torch": of_torch, "optax": of_optax}


def case(tmp_path: Path, rule: str = "adamw", old: str = "", new: str = "") -> Case:
    text = TEXT.replace("RULE", rule).replace("MORE", RULES[rule]).replace(old or "steps: 6", new or "steps: 6")
    (tmp_path / "case.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path / "case.yaml")


def subject(case: Case) -> Subject:
    return Subject(case.name, 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))


def walk(case: Case, optimiser: Optimiser) -> tuple[TrajectoryRow, ...]:
    update = case.walk("float64")
    assert update is not None
    return trajectory(subject(case), "made", row_engine.prepare(case.graph, "float64"), update, optimiser).rows


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_steps_each_group_by_its_own_settings(tmp_path: Path, engine: str, rule: str) -> None:
    rows = walk(case(tmp_path, rule), ENGINES[engine])
    assert {row.name for row in rows} == {"w", "b", "c", "f"}
    assert {row.verdict for row in rows} == {"agree"}, [row for row in rows if row.verdict != "agree"][:2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("left_out", ["b", "c"])
def test_an_optimiser_that_leaves_a_group_out_is_off_there_and_nowhere_else(
    tmp_path: Path, engine: str, left_out: str
) -> None:
    def optimiser(rule: str, settings: Mapping[str, Any], start: Inputs) -> Advance:
        groups = {name: own for name, own in settings["groups"].items() if name != left_out}
        return ENGINES[engine](rule, {**settings, "groups": groups}, start)

    rows = walk(case(tmp_path), optimiser)
    assert {row.name for row in rows if row.finding} == {left_out}


def test_a_setting_of_a_group_that_is_read_otherwise_is_named(tmp_path: Path) -> None:
    def optimiser(rule: str, settings: Mapping[str, Any], start: Inputs) -> Advance:
        own = {**settings["groups"]["c"], "eps": 1e-3}
        return of_torch(rule, {**settings, "groups": {**settings["groups"], "c": own}}, start)

    rows = walk(case(tmp_path, "adamw", "c: [0.25]", "c: [0.25, 0.0625]"), optimiser)
    assert {(row.name, row.setting) for row in rows if row.finding} == {("c", "eps: 0.001")}


def test_the_norm_that_is_clipped_is_that_of_all_groups(tmp_path: Path) -> None:
    made = case(tmp_path, "descent", "steps: 6", "clip_norm: 0.5\n  steps: 6")
    for optimiser in (row_optimiser, of_optax):
        assert {row.verdict for row in walk(made, optimiser)} == {"agree"}

    def each(rule: str, settings: Mapping[str, Any], start: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, "clip_over": "each", "groups": {
            name: {**own, "clip_over": "each"} for name, own in settings["groups"].items()}}, start)  # fmt: skip

    off = [row for row in walk(made, each) if row.finding]
    assert {row.setting for row in off} == {"clip_over: each"}


def test_a_shaken_path_steps_by_groups(tmp_path: Path) -> None:
    made = case(tmp_path, "momentum")
    update = made.walk("float64")
    assert update is not None
    asked: list[Inputs] = []
    sound = row_engine.prepare(made.graph, "float64")
    trajectory(subject(made), "made", lambda x, g: asked.append(dict(x)) or sound(x, g), update)
    for shaken, plain in zip(shaken_path(subject(made), update, 0), asked, strict=True):
        for name, x in shaken.items():
            assert np.allclose(x, plain[name], rtol=1e-12)


def test_an_engine_whose_optimiser_knows_no_groups_is_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(tmp_path)
    update = made.walk("float64")
    assert update is not None
    monkeypatch.setattr(answers, "load", lambda engine: Engine(row_engine.prepare, row_optimiser))
    start = subject(made)
    rows = judged_path(start, "backprop", answers.walk("backprop", start, update), update).rows
    assert {row.verdict for row in rows if row.name != "f"} == {"unsupported"}
    assert "one group of parameters" in rows[-1].cause


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("inputs: [b]", "inputs: [x]", "`x` in a group"),
        ("inputs: [b]", "inputs: [bb]", "Did you mean `b`?"),
        ("inputs: [b]", "inputs: [b, c]", "`c` in two groups"),
        ("weight_decay: 0, ", "clip_norm: 1, ", "`clip_norm` of a group"),
        ("weight_decay: 0, ", "steps: 3, ", "`steps` of a group"),
        ("weight_decay: 0, ", "weight_decay: -1, ", "weight_decay: -1"),
        ("weight_decay: 0, ", "weigth_decay: 1, ", "Did you mean `weight_decay`?"),
        ("inputs: [b], ", "", "no key `inputs`"),
    ],
)
def test_what_is_wrong_with_groups_is_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(CaseErrors) as caught:
        case(tmp_path, "adamw", old, new or " ")
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["mu", "nu", "count"])
def test_an_input_may_have_the_name_of_what_optax_keeps(tmp_path: Path, name: str) -> None:
    text = f"name: named\ninputs: {{{name}: [1, -2], b: 0.5}}\ngraph:\n  f: sum(square({name})) + b * b\n"
    (tmp_path / "case.yaml").write_text(f"{text}update: {{rule: adam, steps: 3}}\n", encoding="utf-8")
    made = load(tmp_path / "case.yaml")
    rows = walk(made, of_optax)
    assert len(rows) == 3 * 2 + 4 and {row.verdict for row in rows} == {"agree"}
