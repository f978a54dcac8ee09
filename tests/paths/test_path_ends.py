"""Paths that end early, are not walked or have steps without a number: what rows and summaries say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Advance, Evaluation, Inputs, Moved, Optimiser, Unsupported
from gradaccord.harness.records.paths import Summary, together
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import Update, check

Change = Callable[[Moved], Moved]


def begin(text: str = "square(w[0])", dtype: str = "float64", w: Sequence[float] = (1.0, -2.0)) -> Subject:
    builder = Builder()
    builder.input("w", (len(w),))
    Parser(builder).define("f", text)
    return Subject("made", 0, dtype, builder.graph(["f"]), {"w": np.array(w, dtype)}, np.ones((), dtype))


def walk(
    start: Subject, update: Update, optimiser: Optimiser | None = None, said: Mapping[int, Evaluation] | None = None
) -> tuple[TrajectoryRow, ...]:
    sound, calls = row_engine.prepare(start.graph, start.dtype), 0

    def evaluate(inputs: Inputs, cotangent: NDArray[Any]) -> Evaluation:
        nonlocal calls
        calls += 1
        return (said or {}).get(calls) or sound(inputs, cotangent)

    with np.errstate(all="ignore"):
        return trajectory(start, "made", evaluate, update, optimiser).rows


def changed(change: Change, at: int) -> Optimiser:
    """The sound optimiser, whose answer is another at one step."""

    def optimiser(rule: str, settings: Mapping[str, float], start: Inputs) -> Advance:
        sound, t = row_optimiser(rule, settings, start), 0

        def step(gradients: Inputs) -> Moved:
            nonlocal t
            t += 1
            return change(sound(gradients)) if t == at else sound(gradients)

        return step

    return optimiser


def of_parameters(rows: Sequence[TrajectoryRow]) -> list[TrajectoryRow]:
    return [row for row in rows if row.name == "w"]


def told(rows: Sequence[TrajectoryRow], update: Update) -> Summary:
    return summary(rows, update, "f")


def test_nan_is_a_finding_where_the_rule_has_a_number_though_rounding_may_divide_0_by_0() -> None:
    update = check("adam", {"steps": 3})
    rows = walk(begin(dtype="float16"), update)
    (row,) = of_parameters(rows)  # the path ends here
    assert (row.step, row.index, row.verdict, row.cause, row.finding) == (1, (1,), "not finite", "update", True)
    assert np.isnan(row.value) and row.reference == -2.0  # its gradient is 0: it does not move
    assert "1 of 3 steps" in str(told(rows, update))


def test_nan_is_none_where_the_rule_itself_divides_0_by_0() -> None:
    update = check("adam", {"eps": 0, "steps": 3})
    rows = walk(begin(), update)
    assert [row.verdict for row in of_parameters(rows)] == ["undefined"]
    said = str(told(rows, update))
    assert "1 of 3 steps" in said and "1 could not be judged" in said and "a parameter is not finite" in said


def put(variable: str, number: float) -> Change:
    def change(now: Moved) -> Moved:
        numbers = np.array(now.state[variable]["w"])
        numbers[1] = number
        return replace(now, state={**now.state, variable: {"w": numbers}})

    return change


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), 5.0])
def test_a_row_shows_the_numbers_of_the_state_variable_that_is_off(dtype: str, number: float) -> None:
    update = check("adam", {"steps": 3, "eps": "0.125"})
    rows = of_parameters(walk(begin("sum(square(w))", dtype), update, changed(put("m", number), 2)))
    row = next(row for row in rows if row.finding)
    assert (row.step, row.index, row.cause) == (2, (1,), "state m")
    assert row.value == pytest.approx(number, nan_ok=True)
    # m = 0.9 m + 0.1 g twice, g = 2 w = -4 at about -2: 0.19 * -4
    assert row.reference == pytest.approx(-0.76, rel=0.02)
    assert f"should be {row.reference!r}" in str(told(rows, update))


def test_a_row_shows_the_numbers_of_the_gradient_that_is_off() -> None:
    start = begin("sum(square(w))")
    sound = row_engine.prepare(start.graph, "float64")(start.inputs, start.cotangent)
    off = replace(sound, gradients={"w": np.array([2.0, 4.0])}, terms=None, adjoints=None)
    rows = walk(start, check("descent", {"step_size": 0.1, "steps": 2}), said={1: off})
    row = next(row for row in rows if row.finding)
    assert (row.cause, row.index, row.value, row.reference, row.error) == ("gradient", (1,), 4.0, -4.0, 8.0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_step_of_adam_that_is_off_is_seen_in_half_precision(dtype: str) -> None:
    def too_far(now: Moved) -> Moved:
        w = now.parameters["w"]
        return replace(now, parameters={"w": (w.astype(np.float64) - 0.25).astype(w.dtype)})

    update = check("adam", {"steps": 3, "eps": "0.125", "step_size": 0.5})
    start = begin("sum(square(w))", dtype)
    assert {row.verdict for row in of_parameters(walk(start, update))} == {"agree"}
    rows = of_parameters(walk(start, update, changed(too_far, 2)))
    assert next(row for row in rows if row.finding).step == 2


def without(rule: str, settings: Mapping[str, float], start: Inputs) -> Advance:
    raise Unsupported(f"no `{rule}`")


def test_a_path_that_was_not_walked_is_not_sound() -> None:
    update = check("descent", {"step_size": 0.01, "steps": 3})
    path = told(walk(begin(), update, without), update)
    assert (path.steps, path.first, path.sound) == (0, None, False)
    assert str(path) == "made: descent, 0 of 3 steps; unsupported: no `descent`"
    sound = told(walk(begin(), update), update)
    assert sound.sound and "every step is sound" in str(sound)
    assert together([sound, path]) == "2 paths: 1 not walked (unsupported: no `descent`); all other steps are sound"
    assert together([sound]) == "1 path: every step is sound"


@pytest.mark.parametrize("call, step", [(1, 1), (3, 3), (4, 3)])  # the fourth is that at the end
def test_an_engines_word_that_the_truth_is_undefined_ends_a_path_with_a_finding(call: int, step: int) -> None:
    update = check("descent", {"step_size": 0.01, "steps": 3})
    rows = walk(begin(), update, said={call: Evaluation("undefined", "no")})
    assert [(row.step, row.verdict) for row in rows if row.finding] == [(step, "failed")]
    assert "the truth exists" in str(told(rows, update))


def test_where_the_truth_is_undefined_an_engine_may_say_so() -> None:
    update = check("descent", {"step_size": 0.01, "steps": 3})
    rows = walk(begin("log(w[1])"), update, said={1: Evaluation("undefined", "log of -2")})
    assert [row.verdict for row in rows] == ["undefined"]
    assert not rows[0].finding


@pytest.mark.parametrize("number, finding", [(1.0, False), (999.0, True), (1 + 1e-9, True), (float("nan"), True)])
@pytest.mark.parametrize("hidden", ["links", "operands", "plain"])
def test_the_output_of_a_path_is_looked_at_however_it_is_shown(hidden: str, number: float, finding: bool) -> None:
    start, update = begin(), check("descent", {"step_size": "0.25", "steps": 2})
    sound = row_engine.prepare(start.graph, start.dtype)(start.inputs, start.cotangent)
    output = np.asarray(number)  # that of square(w[0]) at 1
    said = {
        "links": replace(sound, terms=None, adjoints=None, values={**sound.values, "f": output}),
        "operands": Evaluation("ok", values={"f": output}, gradients=sound.gradients),
        "plain": replace(sound, output=output),
    }[hidden]
    rows = [row for row in walk(start, update, said={1: said}) if row.name == "f"]
    assert [row.step for row in rows] == [0, 1, 2]
    assert [(row.finding, row.cause) for row in rows] == [(finding, "value" if finding else "")] + [(False, "")] * 2
