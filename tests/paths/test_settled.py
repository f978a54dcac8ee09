"""Which elements of a move intervals settle, and that rows say what they say by balls alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths import settled
from gradaccord.harness.paths.inner import Unknown
from gradaccord.harness.paths.move import Finding, Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.settled import Settled
from gradaccord.harness.paths.stacked import Norms
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Advance, Array, Inputs, Moved
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.definition import Definition
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.rule import RULES
from gradaccord.harness.rules.update import check
from gradaccord.harness.truth.precision import working

from ..rules.moves import walked

SIZE = 300
WHOLE = {"adafactor", "lamb", "lars"}


def moves(rule: str, dtype: str, *, scale: float = 0.1, steps: int = 3) -> tuple[Definition, list[Move]]:
    rng = np.random.default_rng(3)
    update = check(
        rule, {"step_size": "0.01", "steps": steps, **({"eps": "0.001"} if "eps" in RULES[rule].settings else {})}
    )
    x = rng.normal(size=SIZE).astype(dtype)
    slopes = [(rng.normal(size=SIZE) * scale).astype(dtype) for _ in range(steps)]
    return update.definition, walked(row_optimiser(rule, update.numbers, {"x": x.copy()}), x, slopes)


def left(move: Move, definition: Definition) -> int:
    """How many elements balls are asked for."""
    with working():
        return Settled(move, definition, Norms()).left


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("rule", sorted({*RULES} - WHOLE))
def test_most_elements_of_a_sound_step_are_settled_whatever_the_rule(rule: str, dtype: str) -> None:
    definition, made = moves(rule, dtype, scale=3.0)
    assert left(made[-1], definition) <= SIZE // (
        2 if rule == "asgd" else 4
    )  # of a mean that is open at every step, less is known


@pytest.mark.parametrize("rule", ["adam", "descent", "momentum", "rprop"])
def test_of_a_parameter_that_has_no_gradient_one_element_is_left_to_balls(rule: str) -> None:
    definition, made = moves(rule, "float32", scale=0.0)
    assert left(made[-1], definition) == 1
    (judged,) = judge_moves(made[-1:], definition)
    assert {finding.score for finding in judged.findings} == {0.0}


def test_more_state_than_a_definition_has_is_not_read() -> None:
    definition, made = moves("adam", "float16")
    more = [replace(move, new_state={**move.new_state, "p": np.array(1.0, np.float16)}) for move in made]
    off = made[-1].new_x.copy()
    off[217] += 1
    assert left(replace(more[-1], new_x=off), definition)
    for given, found in ((more[-1], False), (replace(more[-1], new_x=off), True)):
        (judged,) = judge_moves([given], definition)
        assert any(finding.counts for finding in judged.findings) == found


@pytest.mark.parametrize("units", [0.7, 40.0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_an_element_that_is_off_is_left_and_found(dtype: str, units: float) -> None:
    definition, made = moves("adam", dtype)
    off = made[-1].new_x.copy()
    off[217] *= off.dtype.type(1 + 2 * units * FORMATS[dtype].unit)
    (judged,) = judge_moves([replace(made[-1], new_x=off)], definition)
    update = judged.findings[-1]
    assert (update.verdict in ("agree", "lossy")) == (units < 1)
    assert units < 1 or (update.cause, update.index, judged.measured("update", (217,)).value) == (
        "update",
        (217,),
        float(off[217]),
    )


def test_an_element_that_is_sound_by_another_form_asks_all_others_for_it() -> None:
    definition = check("adam", {"step_size": "0.01", "beta1": "0.3", "steps": 1}).definition
    m, g, u = np.full(SIZE, 1.0), np.full(SIZE, 1.0), FORMATS["float64"].unit
    m[5], g[5] = 1000.0, 0.001
    state = {"m": m, "v": np.full(SIZE, 1.0)}
    new = {"m": 0.3 * m + 0.7 * g, "v": 0.999 * state["v"] + (1 - 0.999) * g**2}
    x = np.zeros(SIZE)
    after = x - 0.01 * (new["m"] / (1 - 0.3)) / (np.sqrt(new["v"] / (1 - 0.999)) + 1e-8)
    new["m"][5] *= 1 + 6 * u
    move = Move(1, FORMATS["float64"], x, g, state, new, after)
    assert of_m(move, definition).form == 1
    new["m"][200] *= 1 + 4 * u  # this one is sound by the first form alone
    assert of_m(move, definition).verdict == "imprecise"


def of_m(move: Move, definition: Definition) -> Finding:
    (judged,) = judge_moves([move], definition)
    return next(one for one in judged.findings if one.cause == "state m")


def test_without_long_double_steps_of_float64_are_left_to_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, made = moves("adam", "float64")
    sound = judge_moves(made, definition)
    settled._line.cache_clear()
    monkeypatch.setattr(np, "longdouble", np.float64)
    with pytest.raises(Unknown):
        left(made[-1], definition)
    assert [one.findings for one in judge_moves(made, definition)] == [one.findings for one in sound]
    settled._line.cache_clear()


def rows(dtype: str, at: int | None) -> tuple[TrajectoryRow, ...]:
    """A path of a vector and a matrix by Adam; from the second step on, `at` is off."""
    builder = Builder()
    for name, shape in {"a": (70,), "b": (35, 2)}.items():
        builder.input(name, shape)
    Parser(builder).define("y", "sum(tanh(reshape(a, (2, 35)) @ b / 6))")
    rng = np.random.default_rng(1)
    inputs = {name: rng.normal(size=shape).astype(dtype) for name, shape in {"a": (70,), "b": (35, 2)}.items()}
    subject = Subject("path", 0, dtype, builder.graph(["y"]), inputs, np.ones((), dtype))

    def optimiser(rule: str, settings: Mapping[str, float], start: Inputs) -> Advance:
        step, t = row_optimiser(rule, settings, start), 0

        def advance(gradients: Mapping[str, Array]) -> Moved:
            nonlocal t
            t += 1
            moved = step(gradients)
            if t > 1 and at is not None:
                moved.state["v"]["b"][at, 1] *= 1 + 2**14 * FORMATS[dtype].unit
            return moved

        return advance

    update = check("adam", {"step_size": "0.01", "steps": 3})
    return trajectory(subject, "by hand", prepare(subject.graph, dtype), update, optimiser).rows


@pytest.mark.parametrize("at", [None, 27])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_are_those_of_balls_alone(dtype: str, at: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with_intervals = rows(dtype, at)
    assert [(row.cause, row.index) for row in with_intervals if row.finding] == (
        [] if at is None else [("state v", (at, 1))] * 2
    )
    monkeypatch.setattr(settled, "LEAST", 1 << 30)
    assert rows(dtype, at) == with_intervals
