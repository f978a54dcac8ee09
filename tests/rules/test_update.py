"""Update rules against numbers worked out by hand; the judge of their steps against planted faults."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import GraphError, Use
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.move import Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import (
    DTYPES,
    Advance,
    Engine,
    Evaluate,
    Evaluation,
    Inputs,
    Moved,
    Optimiser,
    Unsupported,
)
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.rules.optimiser import Once, row_optimiser
from gradaccord.harness.rules.rule import RULES
from gradaccord.harness.rules.update import Update, check

Array = NDArray[Any]
SETTINGS: Mapping[str, Mapping[str, float]] = {
    **{rule: {"step_size": 0.01} for rule in RULES},
    "momentum": {"step_size": 0.01, "momentum": 0.9},
    "adam": {"step_size": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}


# --- the nested nodes of the essay, differentiated by hand: f = (a + b) * c -------------------------------


def nested_nodes() -> Graph:
    builder = Builder()
    for name in "abc":
        builder.input(name, ())
    parser = Parser(builder)
    parser.define("d", "a + b")
    parser.define("f", "d * c")
    return builder.graph(["f"])


def by_hand(inputs: Inputs, cotangent: Array) -> Evaluation:
    """The product and the sum rule, with everything that an engine can show."""
    a, b, c = inputs["a"], inputs["b"], inputs["c"]
    with np.errstate(all="ignore"):
        d = np.asarray(a + b)
        values = {"a": a, "b": b, "c": c, "d": d, "f": np.asarray(d * c)}
    one = np.ones_like(a)
    terms = {Use("d", 0): c, Use("d", 1): c, Use("f", 0): c, Use("f", 1): d}
    adjoints = {"a": c, "b": c, "c": d, "d": c, "f": one}
    gradients = {"a": c, "b": c, "c": d}
    return Evaluation("ok", values=values, gradients=gradients, terms=terms, adjoints=adjoints)


# Where squares of small and of large gradients have room.
WIDE = [dtype for dtype in DTYPES if dtype != "float16"]


def start(dtype: str = "float64", a: float = 5.0, b: float = -3.0, c: float = -2.0) -> Subject:
    kind = DTYPES[dtype]
    inputs = {name: np.array(value, kind) for name, value in {"a": a, "b": b, "c": c}.items()}
    return Subject("nested-nodes", 0, dtype, nested_nodes(), inputs, np.ones((), kind))


def walk(
    rule: str,
    *,
    steps: int = 12,
    dtype: str = "float64",
    evaluate: Evaluate = by_hand,
    optimiser: Optimiser | None = None,
    **settings: float,
) -> list[TrajectoryRow]:
    update = check(rule, {**SETTINGS[rule], **settings, "steps": steps})
    return list(trajectory(start(dtype), "by hand", evaluate, update, optimiser).rows)


def first_off(rows: Sequence[TrajectoryRow]) -> TrajectoryRow:
    return next(row for row in rows if row.finding)


def path(rows: Sequence[TrajectoryRow], name: str) -> list[float]:
    return [row.value for row in rows if row.name == name]


# --- the rows of the table -----------------------------------------------------------------------------------


def steps_of(rule: str, gradients: Sequence[float], x: float, **settings: float) -> tuple[list[float], list[Moved]]:
    """The parameter after each step of the row, given the gradients."""
    step = row_optimiser(rule, {**SETTINGS[rule], **settings}, {"x": np.array(x)})
    moved = [step({"x": np.array(g)}) for g in gradients]
    return [float(m.parameters["x"]) for m in moved], moved


def test_ascent_adds_the_gradient() -> None:
    assert steps_of("ascent", [2.0, -4.0], 1.0, step_size=0.25)[0] == [1.5, 0.5]


def test_descent_subtracts_the_gradient() -> None:
    assert steps_of("descent", [2.0, -4.0], 1.0, step_size=0.25)[0] == [0.5, 1.5]


def test_momentum_keeps_half_of_the_last_velocity() -> None:
    # v = 4, then 4/2 + 4 = 6, then 6/2 - 8 = -5; x = 1 - 4/4, 0 - 6/4, -1.5 + 5/4
    x, moved = steps_of("momentum", [4.0, 4.0, -8.0], 1.0, step_size=0.25, momentum=0.5)
    assert x == [0.0, -1.5, -0.25]
    assert [float(m.state["v"]["x"]) for m in moved] == [4.0, 6.0, -5.0]


def test_momentum_under_a_steady_gradient_is_a_geometric_series() -> None:
    _, moved = steps_of("momentum", [1.0] * 60, 0.0, momentum=0.9)
    closed = [(1 - 0.9**t) / (1 - 0.9) for t in range(1, 61)]
    np.testing.assert_allclose([float(m.state["v"]["x"]) for m in moved], closed, rtol=1e-14)


@pytest.mark.parametrize("g", [3.0, -0.02, 1e5])
def test_the_first_step_of_adam_is_the_step_size_whatever_the_gradient(g: float) -> None:
    # Kingma & Ba 2015, section 2.1: bias correction makes m_hat = g and v_hat = g^2
    x, _ = steps_of("adam", [g], 1.0, step_size=0.5, eps=0.0)
    np.testing.assert_allclose(x, [1.0 - np.copysign(0.5, g)], rtol=1e-12)


def test_adam_under_a_steady_gradient_has_unbiased_moments() -> None:
    # Kingma & Ba 2015, section 3: m_t = (1 - beta1^t) g and v_t = (1 - beta2^t) g^2, so every step is the same
    x, moved = steps_of("adam", [2.0] * 40, 0.0, step_size=0.1, eps=0.0)
    t = np.arange(1, 41)
    np.testing.assert_allclose([float(m.state["m"]["x"]) for m in moved], 2 * (1 - 0.9**t), rtol=1e-13)
    np.testing.assert_allclose([float(m.state["v"]["x"]) for m in moved], 4 * (1 - 0.999**t), rtol=1e-11)
    np.testing.assert_allclose(x, -0.1 * t, rtol=1e-11)


def test_adam_adds_eps_outside_the_root() -> None:
    # 1 / (1 + 3) of a step; inside the root it would be 1 / sqrt(1 + 3)
    x, _ = steps_of("adam", [1.0], 0.0, step_size=1.0, eps=3.0)
    np.testing.assert_allclose(x, [-0.25], rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_keeps_dtype_and_shape(rule: str, dtype: str) -> None:
    begin = {"x": np.ones((2, 3), dtype), "y": np.zeros((), dtype)}
    moved = row_optimiser(rule, SETTINGS[rule], begin)({name: np.ones_like(x) for name, x in begin.items()})
    found = check(rule, {**SETTINGS[rule], "steps": 1}).definition
    for name, x in begin.items():
        own = found.at(x.shape)
        assert {v for v, arrays in moved.state.items() if name in arrays} == set(own.state)
        sizes = {v: one.size(x.shape) for v, one in own.state.items() if v not in own.scalars}
        for array, size in [(moved.parameters[name], x.shape), *((moved.state[v][name], sizes[v]) for v in sizes)]:
            assert (array.dtype, array.shape) == (x.dtype, size)


def test_a_row_leaves_the_arrays_of_its_caller_alone() -> None:
    begin, g = {"x": np.ones(3)}, {"x": np.ones(3)}
    step = row_optimiser("adam", SETTINGS["adam"], begin)
    first = step(g)
    kept = first.parameters["x"].copy(), first.state["m"]["x"].copy()
    step(g)
    assert (begin["x"] == 1).all() and (g["x"] == 1).all()
    assert (first.parameters["x"] == kept[0]).all() and (first.state["m"]["x"] == kept[1]).all()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_cites_its_source(rule: str) -> None:
    assert any(year in RULES[rule].source for year in map(str, range(1800, 2030)))


# --- the check of a case's update -----------------------------------------------------------------------------


def test_defaults_are_filled_in_as_decimals() -> None:
    assert check("yogi", {"steps": 3}) == Update(
        "yogi", {"step_size": "0.01", "beta1": "0.9", "beta2": "0.999", "eps": "0.001", "initial": "1e-6"}, 3
    )


def test_a_numeral_keeps_its_digits() -> None:
    assert check("descent", {"step_size": "0.0100", "steps": "7"}) == Update("descent", {"step_size": "0.0100"}, 7)


@pytest.mark.parametrize(
    "rule, settings, parts",
    [
        ("adm", {}, ["`adm`", "ascent, descent, momentum, nesterov", "`adam`?"]),
        ("descent", {"step_size": 1, "weight_decay": -1, "steps": 1}, ["weight_decay: -1", "at least 0"]),
        (
            "adam",
            {"decay": "decopled", "weight_decay": 1, "steps": 1},
            ["decay: decopled", "coupled, decoupled", "`decoupled`?"],
        ),
        (
            "ascent",
            {"step_size": 1, "weight_decay": 1, "decay": "decoupled", "steps": 1},
            ["decoupled weight decay", "coupled"],
        ),
        ("descent", {"step_size": "1 / q", "steps": 1}, ["step_size: 1 / q", "above 0"]),
        ("descent", {"stepsize": 1, "steps": 1}, ["`stepsize`", "step_size, steps", "`step_size`?"]),
        ("descent", {"step_size": 1, "momentum": 0.9, "steps": 1}, ["`momentum`", "step_size, steps"]),
        ("descent", {"steps": 1}, ["without `step_size`", "above 0"]),
        ("descent", {"step_size": 1}, ["without `steps`"]),
        ("descent", {"step_size": 0, "steps": 1}, ["step_size: 0", "above 0"]),
        ("descent", {"step_size": "fast", "steps": 1}, ["step_size: fast", "above 0"]),
        ("descent", {"step_size": float("nan"), "steps": 1}, ["step_size: nan"]),
        ("descent", {"step_size": float("inf"), "steps": 1}, ["step_size: inf"]),
        ("descent", {"step_size": True, "steps": 1}, ["step_size: True"]),
        ("momentum", {"step_size": 1, "momentum": 1, "steps": 1}, ["momentum: 1", "below 1"]),
        ("adam", {"beta2": -0.1, "steps": 1}, ["beta2: -0.1", "at least 0 and below 1"]),
        ("adam", {"steps": 0}, ["steps: 0", "whole number"]),
        ("adam", {"steps": 1.5}, ["steps: 1.5", "whole number"]),
        ("adam", {"steps": True}, ["steps: True", "whole number"]),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(rule: str, settings: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(GraphError) as raised:
        check(rule, settings)
    for part in parts:
        assert part in str(raised.value)


# --- sound paths ----------------------------------------------------------------------------------------------


def test_the_essays_first_step() -> None:
    # gradients -2, -2, 2, and a step of 0.01: 5 - 0.02, -3 - 0.02, -2 + 0.02; f = (4.98 - 3.02) * -1.98
    rows = walk("ascent", steps=1)
    found = {(row.step, row.name): row.value for row in rows}
    expected = {(0, "f"): -4.0, (1, "a"): 4.98, (1, "b"): -3.02, (1, "c"): -1.98, (1, "f"): 1.96 * -1.98}
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[key] for key in expected], list(expected.values()), rtol=1e-14)


def test_ascent_follows_the_closed_form_of_its_recurrence() -> None:
    # d + c and d - c, with d = a + b, change by the factors 1 + 2h... : (d, c) <- (d + 2 h c, c + h d)
    step = np.array([[1.0, 0.02], [0.01, 1.0]])
    d, c = np.linalg.matrix_power(step, 100) @ np.array([2.0, -2.0])
    rows = walk("ascent", steps=100)
    np.testing.assert_allclose(path(rows, "a")[-1] + path(rows, "b")[-1], d, rtol=1e-12)
    np.testing.assert_allclose(path(rows, "c")[-1], c, rtol=1e-12)
    np.testing.assert_allclose(path(rows, "f")[-1], d * c, rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", WIDE)
def test_the_row_itself_is_sound_at_every_step(rule: str, dtype: str) -> None:
    rows = walk(rule, steps=30, dtype=dtype)
    assert {row.verdict for row in rows} <= {"agree", "lossy"}
    assert {row.step for row in rows} == set(range(31))
    assert max(row.score or 0.0 for row in rows) > 0.0  # something was measured


def test_one_row_for_each_step_and_input_and_the_output() -> None:
    rows = walk("descent", steps=5)
    assert [(row.step, row.name) for row in rows] == [
        (0, "f"), *((step, name) for step in range(1, 6) for name in ("a", "b", "c", "f")),
    ]  # fmt: skip


@pytest.mark.parametrize("g", [0.0, *(pytest.param(g, marks=pytest.mark.slow) for g in (1e-30, -1.0)), 5e-324, 1e30])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", WIDE)
def test_gradients_that_vanish_or_are_large_raise_no_false_alarm(rule: str, dtype: str, g: float) -> None:
    if rule in ("lamb", "lars", "yogi", "adafactor") and abs(g) > 1e18 and dtype != "float64":
        g = 1e15  # a square that is taken from another is beyond the format: that is told
    update = check(rule, {**SETTINGS[rule], "steps": 4})
    begin = replace(start(dtype), inputs={**start(dtype).inputs, "c": np.array(g, dtype)})
    rows = trajectory(begin, "by hand", by_hand, update).rows
    assert not [row for row in rows if row.verdict in FINDINGS and row.verdict != "overflow"]


NATIVE = [
    ("ascent", {"step_size": 0.1}),
    ("descent", {"step_size": 0.3}),
    ("momentum", {"step_size": 0.1, "momentum": 0.5}),
    ("momentum", {"step_size": 0.01, "momentum": 0.999}),
    ("adam", {}),
    ("adam", {"step_size": 0.1, "eps": 0.001}),
    ("adam", {"step_size": 1, "beta1": 0.1, "beta2": 0.3}),  # below a half torch's lerp starts from the far end
    ("adam", {"step_size": 1, "beta1": 0, "beta2": 0, "eps": 1}),
]


@pytest.mark.parametrize("rule, settings", NATIVE, ids=lambda value: "" if isinstance(value, dict) else value)
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("name", ["backprop", "torch", "jax"])
def test_every_engines_own_optimiser_is_sound(name: str, dtype: str, rule: str, settings: Mapping[str, float]) -> None:
    engine: Engine = entry_points(group="gradaccord.engines")[name].load()
    assert engine.optimiser is not None
    builder = Builder()
    builder.input("w", (12,), constant=True)
    builder.input("x", (12,))
    sign = "-" if RULES[rule].promise == "up" else ""
    Parser(builder).define("f", f"{sign}sum(w * exp(8 * x))")  # falls off steeply: state outweighs the gradient
    rng = np.random.default_rng(0)
    weights = 10 ** rng.uniform(-12, 2, 12)  # from gradients that eps swallows to those that dwarf the parameters
    inputs = {"w": weights.astype(dtype), "x": rng.standard_normal(12).astype(dtype)}
    begin = Subject("slopes", 0, dtype, builder.graph(["f"]), inputs, np.ones((), dtype))
    evaluate = row_engine.prepare(begin.graph, dtype)
    rows = trajectory(begin, name, evaluate, check(rule, {**settings, "steps": 12}), engine.optimiser).rows
    assert max(row.step for row in rows) == 12
    assert [row for row in rows if row.finding] == []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["backprop", "torch", "jax"])
def test_in_float16_an_optimiser_is_sound_where_squares_stay_in_its_range(name: str, rule: str) -> None:
    engine: Engine = entry_points(group="gradaccord.engines")[name].load()
    settings = {**SETTINGS[rule], "steps": 20} | ({"eps": 0.01} if "eps" in RULES[rule].settings else {})
    rows = trajectory(start("float16"), name, by_hand, check(rule, settings), engine.optimiser).rows
    verdicts = {row.verdict for row in rows}
    if verdicts != {"unsupported"}:  # another known definition is told, at every step
        assert verdicts <= {"agree", "lossy", "convention"}
        assert max(row.step for row in rows) == 20


def test_what_is_computed_once_warns_of_nothing() -> None:
    once = Once(check("radam", {"steps": 1}).definition)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert once(1)["r"] == 1.0  # the root of its formula is that of a negative number


def test_a_mean_that_cancels_is_no_kink() -> None:
    # 0.9 * 1 + 0.1 * -9 is 0, of which balls of decimals have no digit
    one, nine = np.ones(1), np.full(1, -9.0)
    state = {"m": one, "v": one}
    move = Move(2, FORMATS["float64"], one, nine, state, {"m": np.zeros(1), "v": one}, one)
    (judged,) = judge_moves([move], check("adam", {"steps": 2}).definition)
    assert judged.findings[0].cause == "state m"
    assert judged.findings[0].verdict in ("agree", "lossy")


# --- planted faults ------------------------------------------------------------------------------------------

Tamper = Callable[[int, Mapping[str, Array], Moved, Moved], Moved]


def tampered(change: Tamper) -> Optimiser:
    """The sound optimiser, whose answer `change(t, gradients, answer, answer before)` may alter."""

    def optimiser(rule: str, settings: Mapping[str, float], begin: Mapping[str, Array]) -> Advance:
        sound = row_optimiser(rule, settings, begin)
        t = 0
        nought = {v: {name: np.zeros_like(x) for name, x in begin.items()} for v in RULES[rule].start}
        before = Moved(dict(begin), nought)

        def step(gradients: Mapping[str, Array]) -> Moved:
            nonlocal t, before
            t += 1
            answer = sound(gradients)
            given, before = before, answer
            return change(t, gradients, answer, given)

        return step

    return optimiser


def with_a(moved: Moved, change: Callable[[Array], Array]) -> Moved:
    return replace(moved, parameters={**moved.parameters, "a": np.asarray(change(moved.parameters["a"]))})


def with_state_of_a(moved: Moved, variable: str, new: Array) -> Moved:
    return replace(moved, state={**moved.state, variable: {**moved.state[variable], "a": np.asarray(new)}})


def without_bias_correction(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    x = before.parameters["a"] - 0.01 * now.state["m"]["a"] / (np.sqrt(now.state["v"]["a"]) + 1e-8)
    return with_a(now, lambda _: x)


def bias_corrected_a_step_late(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    m, v = now.state["m"]["a"] / (1 - 0.9 ** (t + 1)), now.state["v"]["a"] / (1 - 0.999 ** (t + 1))
    return with_a(now, lambda _: before.parameters["a"] - 0.01 * m / (np.sqrt(v) + 1e-8))


def eps_under_the_root(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    m, v = now.state["m"]["a"] / (1 - 0.9**t), now.state["v"]["a"] / (1 - 0.999**t)
    return with_a(now, lambda _: before.parameters["a"] - 0.01 * m / np.sqrt(v + 1e-8))


def turned_sign(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: 2 * before.parameters["a"] - x)


def off_by_1e12_at_7(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: x + 1e-12 * (t == 7))


def stale_state_at_5(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    if t != 5:
        return now
    v = before.state["v"]["a"]
    return with_a(with_state_of_a(now, "v", v), lambda _: before.parameters["a"] - 0.01 * v)


def update_from_stale_state_at_5(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: before.parameters["a"] - 0.01 * before.state["v"]["a"]) if t == 5 else now


def does_not_move_at_4(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return replace(now, parameters=before.parameters) if t == 4 else now


def state_off_by_1e12_at_6(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_state_of_a(now, "v", now.state["v"]["a"] * (1 + 1e-12)) if t == 6 else now


def second_moment_of_the_first(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_state_of_a(now, "v", now.state["m"]["a"])


def nan_parameter_at_3(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: x * np.nan) if t == 3 else now


def infinite_parameter_at_3(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: x * np.inf) if t == 3 else now


def nan_state_at_2(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_state_of_a(now, "m", np.array(np.nan)) if t == 2 else now


def in_float32_at_2(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    return with_a(now, lambda x: x.astype(np.float32).astype(np.float64)) if t == 2 else now


@pytest.mark.parametrize(
    "rule, fault, step, cause, verdict",
    [
        ("adam", without_bias_correction, 1, "update", "wrong"),
        ("adam", bias_corrected_a_step_late, 1, "update", "wrong"),
        ("adam", eps_under_the_root, 1, "update", "imprecise"),
        ("adam", second_moment_of_the_first, 1, "state v", "wrong"),
        ("adam", nan_state_at_2, 2, "state m", "not finite"),
        ("ascent", turned_sign, 1, "update", "wrong"),
        ("descent", turned_sign, 1, "update", "wrong"),
        ("momentum", turned_sign, 1, "update", "wrong"),
        ("ascent", off_by_1e12_at_7, 7, "update", "imprecise"),
        ("adam", off_by_1e12_at_7, 7, "update", "imprecise"),
        ("momentum", stale_state_at_5, 5, "state v", "wrong"),
        ("momentum", update_from_stale_state_at_5, 5, "update", "wrong"),
        ("momentum", state_off_by_1e12_at_6, 6, "state v", "imprecise"),
        ("descent", does_not_move_at_4, 4, "update", "wrong"),
        ("descent", nan_parameter_at_3, 3, "update", "not finite"),
        ("ascent", infinite_parameter_at_3, 3, "update", "not finite"),
        ("descent", in_float32_at_2, 2, "update", "imprecise"),
    ],
)
def test_a_faulty_optimiser_is_caught_at_its_step_with_its_cause(
    rule: str, fault: Tamper, step: int, cause: str, verdict: str
) -> None:
    row = first_off(walk(rule, optimiser=tampered(fault)))
    assert (row.name, row.step, row.cause, row.verdict) == ("a", step, cause, verdict)
    assert not (row.score is not None and row.score <= 1)


def test_only_the_faulty_step_is_blamed() -> None:
    # judged on the engine's own numbers, what follows from a wrong step is right again
    def optimiser(rule: str, settings: Mapping[str, float], begin: Mapping[str, Array]) -> Advance:
        x, t = dict(begin), 0

        def step(gradients: Mapping[str, Array]) -> Moved:
            nonlocal x, t
            t += 1
            x = {name: np.asarray(x[name] - (0.01 + 0.001 * (t == 4)) * gradients[name]) for name in x}
            return Moved(x, {})

        return step

    assert {row.step for row in walk("descent", optimiser=optimiser) if row.finding} == {4}


def test_the_worst_component_is_named() -> None:
    builder = Builder()
    builder.input("x", (2, 3))
    Parser(builder).define("f", "sum(x)")
    graph = builder.graph(["f"])

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        x, ones = inputs["x"], np.ones((2, 3))
        values = {"x": x, "f": np.asarray(np.sum(x))}
        return Evaluation("ok", "", values, {"x": ones}, {Use("f", 0): ones}, {"x": ones, "f": np.ones(())})

    def fault(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
        x = now.parameters["x"].copy()
        x[1, 2] += 1e-12
        return replace(now, parameters={"x": x})

    begin = Subject("sum", 0, "float64", graph, {"x": np.ones((2, 3))}, np.ones(()))
    update = check("descent", {"step_size": 0.5, "steps": 1})
    row = first_off(trajectory(begin, "by hand", evaluate, update, tampered(fault)).rows)
    assert (row.name, row.index, row.value, row.reference) == ("x", (1, 2), 0.5 + 1e-12, 0.5)
    assert row.error == pytest.approx(1e-12, rel=1e-3)


def test_a_gradient_that_is_off_is_the_cause_though_the_step_follows_it() -> None:
    calls = 0

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        nonlocal calls
        calls += 1
        sound = by_hand(inputs, cotangent)
        if calls != 3:
            return sound
        off = np.asarray(sound.gradients["a"] * (1 + 1e-12))
        assert sound.adjoints is not None
        return replace(sound, gradients={**sound.gradients, "a": off}, adjoints={**sound.adjoints, "a": off})

    row = first_off(walk("descent", evaluate=evaluate))
    assert (row.name, row.step, row.cause) == ("a", 3, "gradient")


def plain_off(factor: float, at: int, dtype: str) -> Evaluate:
    """An engine whose plain gradient of `a` has other bits than the one that shows its links: in one step."""
    calls = 0

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        nonlocal calls
        calls += 1
        sound = by_hand(inputs, cotangent)
        if calls != at:
            return sound
        off = (sound.gradients["a"].astype(np.float64) * factor).astype(dtype)
        return replace(sound, gradients={**sound.gradients, "a": off})

    return evaluate


@pytest.mark.parametrize("dtype, factor", [("float64", 1 + 1e-9), ("float64", 1 + 1e-14), ("float32", 1 + 1e-5)])
def test_a_plain_gradient_that_is_off_in_one_step_is_found_though_its_links_are_sound(
    dtype: str, factor: float
) -> None:
    off = [row for row in walk("descent", dtype=dtype, evaluate=plain_off(factor, 5, dtype)) if row.finding]
    assert [(row.name, row.step, row.cause, str(row.node)) for row in off] == [("a", 5, "gradient", "gradient of a")]
    assert off[0].verdict in ("wrong", "imprecise")


@pytest.mark.parametrize("dtype, ulp", [("float64", 2.0**-52), ("float32", 2.0**-23)])
def test_a_plain_gradient_with_other_bits_is_judged_by_what_rounding_may_do(dtype: str, ulp: float) -> None:
    rows = walk("descent", dtype=dtype, evaluate=plain_off(1 + ulp, 5, dtype))
    assert {row.verdict for row in rows} == {"agree"}
    assert 0 < next(row.score or 0.0 for row in rows if (row.step, row.name) == (5, "a")) <= 1


def test_an_engine_that_shows_gradients_alone_is_judged_at_every_step() -> None:
    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        return replace(plain(inputs, cotangent), terms=None, adjoints=None)

    plain = plain_off(1 + 1e-9, 5, "float64")
    rows = walk("descent", evaluate=evaluate)
    assert [(row.name, row.step, row.cause) for row in rows if row.finding] == [("a", 5, "gradient")]
    assert "not judged" not in {row.verdict for row in rows}


def test_steps_judged_together_are_judged_as_each_alone_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> list[TrajectoryRow]:
        return walk("adam", evaluate=plain_off(1 + 1e-9, 5, "float64"), optimiser=tampered(off_by_1e12_at_7))

    together = rows()
    assert {row.step for row in together if row.finding} >= {5, 7}
    monkeypatch.setattr("gradaccord.harness.paths.trajectory.HELD", 0)
    assert rows() == together


def test_rules_that_read_a_whole_parameter_are_known_so_that_no_others_are_stacked() -> None:
    whole = {rule for rule in RULES if check(rule, {**SETTINGS[rule], "steps": 1}).definition.whole}
    assert whole == {"adafactor", "lamb", "lars"}


def test_an_engine_may_use_its_arrays_again() -> None:
    kept: dict[str, Array] = {}

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        sound = by_hand(inputs, cotangent)
        for name, array in sound.values.items():
            kept.setdefault(name, np.empty_like(array))[...] = array
        return replace(sound, values=kept)

    assert walk("descent", evaluate=evaluate) == walk("descent")


def test_an_engine_that_fails_ends_its_path_with_the_reason() -> None:
    calls = 0

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise ZeroDivisionError("no inverse of 0")
        return by_hand(inputs, cotangent)

    rows = walk("descent", evaluate=evaluate)
    assert {(row.name, row.step, row.verdict) for row in rows if row.finding} == {(n, 4, "failed") for n in "abc"}
    assert "no inverse of 0" in first_off(rows).cause
    assert max(row.step for row in rows) == 4


def raises(t: int, g: Mapping[str, Array], now: Moved, before: Moved) -> Moved:
    raise ArithmeticError("no step today")


LACKING: Mapping[str, tuple[Tamper, str]] = {
    "parameter": (lambda t, g, now, before: replace(now, parameters={"a": now.parameters["a"]}), "`b` is missing"),
    "shape": (lambda t, g, now, before: with_a(now, lambda x: np.ones(2)), "shape (2,)"),
    "dtype": (lambda t, g, now, before: with_a(now, lambda x: x.astype(np.float32)), "float32"),
    "state": (lambda t, g, now, before: replace(now, state={}), "state v of `a` is missing"),
    "answer": (raises, "ArithmeticError: no step today"),
}


@pytest.mark.parametrize("fault, part", LACKING.values(), ids=LACKING)
def test_an_answer_that_lacks_something_is_a_failure(fault: Tamper, part: str) -> None:
    row = first_off(walk("momentum", optimiser=tampered(fault)))
    assert (row.step, row.verdict) == (1, "failed")
    assert part in row.cause


def test_a_rule_that_an_engines_optimisers_lack_is_unsupported_and_no_finding() -> None:
    def optimiser(rule: str, settings: Mapping[str, float], begin: Mapping[str, Array]) -> Advance:
        raise Unsupported("no momentum here")

    rows = walk("momentum", optimiser=optimiser)
    assert [(row.name, row.verdict, row.finding) for row in rows] == [(name, "unsupported", False) for name in "abc"]
    assert "no momentum here" in rows[0].cause


def test_a_path_that_leaves_the_format_ends_there() -> None:
    rows = walk("ascent", steps=500, step_size=1e30, dtype="float32")
    assert 1 <= max(row.step for row in rows) < 10
    assert "overflow" in {row.verdict for row in rows}


# --- summaries ------------------------------------------------------------------------------------------------


def test_a_summary_of_a_sound_path_says_where_the_output_went() -> None:
    update = check("ascent", {"step_size": 0.01, "steps": 10})
    found = summary(walk("ascent", steps=10), update, "f")
    assert (found.steps, found.start, found.against, found.kept, found.first) == (10, -4.0, 0, True, None)
    assert "up as promised" in str(found) and "every step is sound" in str(found)


def test_a_summary_names_the_first_step_that_is_off_and_its_cause() -> None:
    update = check("momentum", {"step_size": 0.01, "steps": 12})
    found = summary(walk("momentum", optimiser=tampered(stale_state_at_5)), update, "f")
    assert "first off at step 5 in a: state v, wrong" in str(found)


def test_a_summary_counts_the_steps_against_the_promise() -> None:
    update = check("descent", {"step_size": 0.01, "steps": 10})
    rows = walk("descent", steps=10)
    turned = [replace(row, value=-row.value) for row in rows]
    assert summary(rows, update, "f").kept is True
    found = summary(turned, update, "f")
    assert (found.kept, found.against) == (False, 10)
    assert "not down as promised (10 of 10 steps the other way)" in str(found)


# --- kinks on a path -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, x, verdict", [
    ("relu(x - 1) - relu(1 - x)", 0.5, "kink artefact"),  # x - 1, whose slope is 1: stuck at the corner
    ("where(x > 0, sqrt(x), 0)", 0.25, "not finite"),  # x becomes negative, where the slope is 0 and engines say NaN
])  # fmt: skip
def test_a_path_is_told_what_a_kink_did_to_it(text: str, x: float, verdict: str) -> None:
    builder = Builder()
    builder.input("x", ())
    Parser(builder).define("f", text)
    begin = Subject("made", 0, "float64", builder.graph(["f"]), {"x": np.asarray(x)}, np.ones(()))
    rule = "ascent" if verdict == "kink artefact" else "descent"
    update = check(rule, {"step_size": 0.5, "steps": 4})
    rows = trajectory(begin, "backprop", row_engine.prepare(begin.graph, "float64"), update).rows
    off = first_off(rows)
    assert (off.step, off.cause, off.verdict) == (2, "gradient", verdict)


def test_an_optimiser_that_changes_the_gradients_it_is_given_blames_no_gradient() -> None:
    def scaling(name: str, numbers: Mapping[str, float], parameters: Inputs) -> Advance:
        step = row_optimiser(name, numbers, parameters)

        def move(gradients: Inputs) -> Moved:
            moved = step(dict(gradients))
            for array in gradients.values():
                array *= 0.5
            return moved

        return move

    begin = start()
    update = check("ascent", {"step_size": 0.01, "steps": 3})
    assert not [row for row in trajectory(begin, "x", by_hand, update, scaling).rows if row.finding]


@pytest.mark.parametrize("by", ["norm", "norm_and_1e-6"])
def test_a_gradient_that_is_not_clipped_is_taken_as_it_is(by: str) -> None:
    settings = {"step_size": "0.1", "steps": 1, "clip_norm": "8", "clip_by": by}
    found = check("descent", settings).definition
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=1000).astype(np.float32), (1e-4 * rng.normal(size=1000)).astype(np.float32)
    found_off: list[bool] = []
    for factor in (1.0, 1.1):
        new = x - np.float32(0.1) * (g * np.float32(factor))
        (judged,) = judge_moves([Move(1, FORMATS["float32"], x, g, {}, {}, new, [g])], found)
        found_off.append(judged.findings[0].verdict in FINDINGS)
    assert found_off == [False, True]


@pytest.mark.parametrize("rule", ["adafactor", "lamb", "lars"])
def test_a_rule_that_has_norms_of_its_own_may_clip_by_one_too(rule: str) -> None:
    update = check(rule, {"step_size": "0.1", "steps": 1, "clip_norm": "1"})
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 3, 4))
    moved = row_optimiser(rule, update.numbers, {"x": x.copy()})({"x": g})
    state = {name: arrays["x"] for name, arrays in moved.state.items()}
    move = Move(1, FORMATS["float64"], x, g, None, state, moved.parameters["x"], [g])
    (judged,) = judge_moves([move], update.definition)
    assert {finding.verdict for finding in judged.findings} == {"agree"}
