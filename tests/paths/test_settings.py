"""An optimiser that reads a setting otherwise is told so, by the setting and the number that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.paths.summary import summary
from gradaccord.harness.records.evaluation import Advance, Inputs, Moved, Optimiser
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check

from .test_path_ends import begin, walk

TEXT = "sum(square(w)) * w[0] / 8"
ADAM = {"step_size": "0.05", "beta1": "0.9", "beta2": "0.99", "eps": "1e-8"}


def reading(**others: float) -> Optimiser:
    """The sound optimiser with other settings than those that it is given."""

    def optimiser(rule: str, settings: Mapping[str, float], start: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, **others}, start)

    return optimiser


def walked(rule: str, settings: dict[str, Any], optimiser: Optimiser, dtype: str = "float64") -> list[TrajectoryRow]:
    rows = walk(begin(TEXT, dtype), check(rule, {**settings, "steps": 4}), optimiser)
    return [row for row in rows if row.finding]


@pytest.mark.parametrize(
    "setting, number, dtype",
    [
        ("eps", 1e-3, "float64"),
        ("eps", 0.0, "float32"),
        ("beta1", 0.95, "float64"),
        ("beta2", 0.999, "float32"),
        ("step_size", 0.025, "float64"),
    ],
)
def test_the_setting_that_is_read_otherwise_is_named(setting: str, number: float, dtype: str) -> None:
    given = {**ADAM, "eps": "0.125"} if setting == "eps" else ADAM
    found = walked("adam", given, reading(**{setting: number}), dtype)
    assert found and {row.setting for row in found} == {f"{setting}: {number:.3g}"}
    update = check("adam", {**given, "steps": 4})
    assert f"; with `{found[0].setting}` alone it would be sound" in str(summary(found, update, "f"))


def test_a_sound_path_names_none() -> None:
    assert walked("adam", ADAM, row_optimiser) == []
    assert [row.setting for row in walk(begin(TEXT), check("adam", {**ADAM, "steps": 4}))] == [""] * 9


def test_what_no_setting_explains_names_none() -> None:
    def optimiser(rule: str, settings: Mapping[str, float], start: Inputs) -> Advance:
        sound = row_optimiser(rule, settings, start)

        def step(gradients: Inputs) -> Moved:
            moved = sound(gradients)
            return replace(moved, parameters={"w": moved.parameters["w"] + np.array([1e-3, -2e-3])})

        return step

    found = walked("momentum", {"step_size": "0.05", "momentum": "0.5"}, optimiser)
    assert found and {row.setting for row in found} == {""}
    two = walked("adam", ADAM, reading(step_size=0.1, eps=0.5))
    assert two and {row.setting for row in two} == {""}
