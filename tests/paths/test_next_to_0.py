"""Steps that divide by what may be 0 in a precision: no ball of what rounding may do is finite there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.paths.dialects import off
from gradaccord.harness.paths.move import Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import DTYPES, Advance, Array, Inputs, Moved
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check

from ..subject import subject

STARTS = {"zero": [0.0], "tiny": [1e-4]}  # one number alone, by which no setting is solved for


def walked(rule: str, dtype: str, start: str, number: float | None) -> list[TrajectoryRow]:
    """One step of the rule's row; where that has no number, `number` stands there, or where it was before."""
    about = subject("sum(square(a)) * 1e-3", dtype, a=STARTS[start])

    def optimiser(name: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        step = row_optimiser(name, settings, begin)

        def advance(gradients: Mapping[str, Array]) -> Moved:
            moved = step(gradients)
            x = moved.parameters["a"].astype(np.float64)
            instead = begin["a"].astype(np.float64) if number is None else number
            return Moved({"a": np.where(np.isfinite(x), x, instead).astype(DTYPES[dtype])}, moved.state)

        return advance

    rows = trajectory(about, "x", prepare(about.graph, dtype), check(rule, {"steps": 1}), optimiser).rows
    return [row for row in rows if row.name == "a"]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("rule", ["adam", "rmsprop", "adagrad", "nadam", "amsgrad", "adamax", "adabelief"])
def test_garbage_where_an_eps_may_be_0_is_found(rule: str, start: str) -> None:
    for garbage in (7.0, 0.25, np.nan):
        sound = {row.value for row in walked(rule, "float16", start, None)}
        (row,) = walked(rule, "float16", start, garbage)
        assert row.finding or row.value in sound  # of adamax every number is finite at `tiny`


@pytest.mark.parametrize("rule", ["adam", "rmsprop", "adagrad", "nadam", "amsgrad", "adamax", "adabelief"])
def test_to_stay_where_there_is_no_gradient_is_sound(rule: str) -> None:
    assert not any(row.finding for row in walked(rule, "float16", "zero", None))


@pytest.mark.parametrize("dtype, verdict", [("float32", "agree"), ("bfloat16", "failed")])
def test_a_scalar_of_the_state_has_single_precision_at_least(dtype: str, verdict: str) -> None:
    about = subject("sum(square(a))", a=[0.5, 1.0])

    def optimiser(name: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        step = row_optimiser(name, settings, begin)

        def advance(gradients: Mapping[str, Array]) -> Moved:
            moved = step(gradients)
            coarse = {key: p.astype(DTYPES[dtype]) for key, p in moved.state["p"].items()}
            return Moved(moved.parameters, {**moved.state, "p": coarse})

        return advance

    rows = trajectory(about, "x", prepare(about.graph, "float64"), check("nadam", {"steps": 1}), optimiser).rows
    assert {row.verdict for row in rows if row.name == "a"} == {verdict}


@pytest.mark.parametrize("a", [0.5, [0.5]], ids=["number", "vector"])
@pytest.mark.parametrize(
    "rule, settings", [("adam", {}), ("nadam", {}), ("lamb", {}), ("adam", {"clip_norm": 0.1, "clip_over": "each"})]
)
@pytest.mark.parametrize("factor", [-1, 0, 3])
def test_a_second_moment_of_garbage_is_found_in_bfloat16(
    rule: str, settings: Mapping[str, Any], factor: int, a: Any
) -> None:
    """0.999 is 1 there, and 1 - 0.999 all the same 0.001."""
    about = subject("sum(square(a))", "bfloat16", a=a)

    def walk(by: int) -> list[TrajectoryRow]:
        def optimiser(name: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
            step = row_optimiser(name, settings, begin)

            def advance(gradients: Mapping[str, Array]) -> Moved:
                moved = step(gradients)
                v = {key: (by * x.astype(np.float64)).astype(x.dtype) for key, x in moved.state["v"].items()}
                return Moved(moved.parameters, {**moved.state, "v": v})

            return advance

        update = check(rule, {**settings, "steps": 1})
        return [
            row
            for row in trajectory(about, "x", prepare(about.graph, "bfloat16"), update, optimiser).rows
            if row.finding
        ]

    assert not walk(1)
    assert [row.cause for row in walk(factor)] == ["state v"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_variance_that_rounding_made_nothing_is_not_judged(dtype: str) -> None:
    """Of a gradient that does not change the mean square is that of the mean: rounded, it may be less."""
    about = subject("0.01 * sum(a)", dtype, a=[0.5, 0.75])
    update = check("rmsprop", {"centered": "yes", "rho": 0.3, "steps": 8})
    rows = trajectory(about, "x", prepare(about.graph, dtype), update).rows
    assert not any(row.finding for row in rows)
    assert dtype == "float32" or any(row.verdict == "not judged" for row in rows)


SMALL = [
    ("sign", {}, "float32", 1e-40),
    ("sign", {"clip_value": 1}, "float32", -1e-40),
    ("signum", {}, "bfloat16", 5e-39),
    ("lion", {}, "float32", -1e-40),
    ("lion", {}, "float32", 3e-38),
    ("rprop", {}, "float16", 1e-5),
    ("rprop", {}, "float32", -1e-22),
]


@pytest.mark.parametrize("size", [(), (3,), (200,)], ids=str)
@pytest.mark.parametrize("rule, settings, dtype, slope", SMALL)
def test_what_underflows_has_no_other_sign(
    rule: str, settings: Mapping[str, Any], dtype: str, slope: float, size: tuple[int, ...]
) -> None:
    """Numbers next to 0 may be read as 0, and a product of them may become it: nothing turns the way."""
    definition = check(rule, {"step_size": "0.01", **settings, "steps": 2}).definition.at(size)
    x, g = np.full(size, 0.5, DTYPES[dtype]), np.full(size, slope, DTYPES[dtype])
    start, form = {"x": x}, FORMATS[dtype]
    step = row_optimiser(rule, {"step_size": 0.01, **settings}, start)
    first, second = step({"x": g}), step({"x": g})
    before, after = ({v: np.array(a["x"]) for v, a in one.state.items()} for one in (first, second))
    old, new = (np.array(one.parameters["x"]) for one in (first, second))
    sound = Move(2, form, old, g, before, after, new)
    back = replace(sound, new_x=(2 * old.astype(np.float64) - new.astype(np.float64)).astype(old.dtype))
    of_sound, of_back = judge_moves([sound, back], definition)
    assert not off(of_sound)
    assert [finding.cause for finding in of_back.findings if finding.counts] == ["update"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("rule", ["lamb", "lars"])
def test_zeros_have_no_length_whatever_the_precision(rule: str, dtype: str) -> None:
    """What a rule does by the length of a parameter or of its gradient: of zeros it is 0, and the choice is known."""
    kind = DTYPES[dtype]

    def judged(x: float, g: float, factor: float) -> list[str]:
        before, gradient = np.full((2, 2), x, kind), np.full((2, 2), g, kind)
        update = check(rule, {"step_size": "0.0078125", "steps": 1})
        moved = row_optimiser(rule, update.numbers, {"a": before.copy()})({"a": gradient.copy()})
        state = {v: np.array(arrays["a"]) for v, arrays in moved.state.items()}
        new = np.array(moved.parameters["a"])
        if rule == "lars":
            state["b"] = (factor * state["b"].astype(np.float64)).astype(kind)
        new = (x + factor * (new.astype(np.float64) - x)).astype(kind)
        move = Move(1, FORMATS[dtype], before, gradient, None, state, new, [gradient])
        (found,) = judge_moves([move], update.definition)
        return [finding.verdict for finding in found.findings]

    assert {*judged(0.0, 0.75, 1.0)} == {"agree"}
    assert {*judged(0.5, 0.0, 1.0)} == {"agree"}
    for factor in (0.0, 0.5, 2.0):
        assert "wrong" in judged(0.0, 0.75, factor)


@pytest.mark.parametrize("dtype, size", [("float64", 1e-165), ("float32", 1e-20), ("float16", 1e-4)])
def test_a_choice_that_underflow_leaves_open_is_one_for_state_and_parameter(dtype: str, size: float) -> None:
    """Rprop turns where the product of two gradients is negative, which may be 0: then p says whether it did."""
    kind, update = DTYPES[dtype], check("rprop", {"steps": 2})
    x, steps = np.array([0.5]).astype(kind), [np.array([sign * size]).astype(kind) for sign in (1, -1)]
    optimiser = row_optimiser("rprop", update.numbers, {"a": x.copy()})
    first, second = (optimiser({"a": g.copy()}) for g in steps)
    before, after = (np.array(moved.parameters["a"]) for moved in (first, second))
    old, new = ({v: np.array(arrays["a"]) for v, arrays in moved.state.items()} for moved in (first, second))

    def verdict(stepped: Array) -> str:
        move = Move(2, FORMATS[dtype], before, steps[1], old, new, stepped.astype(kind), [steps[1]])
        return judge_moves([move], update.definition)[0].findings[-1].verdict

    assert verdict(after) == "agree"
    between = before.astype(np.float64) + 0.5 * new["s"].astype(np.float64)
    assert verdict(between) == "wrong"
