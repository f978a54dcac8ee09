"""Garbage where a judge does not look closely, and right numbers where rounding goes far: found by attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.second_order import Question, judge_along
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import DTYPES, Array, Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.rules.update import Update

from ..subject import evaluated, subject

MANY = 24  # of which few are looked at one by one
LAST = np.arange(MANY) == MANY - 1


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a thousand components, of which 100 are looked at."""
    monkeypatch.setattr("gradaccord.harness.truth.sides.MOST", 4)
    monkeypatch.setattr("gradaccord.harness.truth.sides.NUMBERS", 0)


def told(about: Subject, **gradients: Any) -> list[Row]:
    """The rows of gradients of an engine that shows these alone; of others what backprop gives."""
    with np.errstate(all="ignore"):
        sound = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    given = {name: np.asarray(number).astype(about.inputs[name].dtype) for name, number in gradients.items()}
    output = about.graph.output.name
    shown = Evaluation("ok", values={output: sound.values[output]}, gradients={**sound.gradients, **given})
    return [row for row in judge(about, "x", shown) if row.quantity == "gradient" and row.name in gradients]


def found(about: Subject, **gradients: Any) -> bool:
    return any(row.finding for row in told(about, **gradients))


# Each with its derivative at 0.
HOLES = {
    "sum(where(x == 0, 1, sin(x) / x))": 0.0,
    "sum(x * exp(-1 / square(x)) + x)": 1.0,
    "sum(sin(x) / x)": 0.0,
    "sum(relu(x) - relu(-x))": 1.0,
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("text", HOLES)
def test_garbage_behind_the_components_that_are_looked_at_is_found(text: str, dtype: str) -> None:
    about, right = subject(text, dtype, x=np.zeros(MANY)), HOLES[text]
    assert not found(about, x=np.full(MANY, right))
    for garbage in (7.0, np.nan, -3.0):
        assert found(about, x=np.where(LAST, garbage, right) if dtype == "float64" else np.full(MANY, garbage))


@pytest.mark.usefixtures("hurried")
def test_groups_are_halved_where_poles_are_among_them() -> None:
    w = np.where(np.arange(MANY) < 12, 1.0, 0.0)  # sqrt has an infinite slope at each of these
    about = subject("sum(where(x == 0, 1, sin(x) / x)) + sum(w * sqrt(x))", x=np.zeros(MANY), w=w)
    groups = about.groups["x"]
    assert {index for group in groups for index in group.places} == {(k,) for k in range(12, MANY)}
    assert all(group.slope == 0 for group in groups)
    assert not found(about, x=np.where(w, np.inf, 0.0), w=np.zeros(MANY))
    assert found(about, x=np.where(w, np.inf, np.where(LAST, 7.0, 0.0)), w=np.zeros(MANY))


@pytest.mark.parametrize("text, right", [
    ("sin(x) / x + sin(y) / y", {"x": 0.0, "y": 0.0}),
    ("sin(x * y) / (x * y)", {"x": 0.0, "y": 0.0}),
    ("sin(x) / x + expm1(2 * y) / y", {"x": 0.0, "y": 2.0}),
])  # fmt: skip
def test_where_all_inputs_must_move_to_leave_a_hole(text: str, right: dict[str, float]) -> None:
    about = subject(text, x=0.0, y=0.0)
    assert not found(about, **right)
    for name in right:
        for garbage in (7.0, np.nan, -3.0):
            assert found(about, **{**right, name: garbage})


def test_the_axis_may_lie_in_the_hole() -> None:
    about = subject("exp(-1 / (x * y) ** 2)", x=0.0, y=2.0)
    assert not found(about, x=0.0, y=0.0)
    assert found(about, x=0.0, y=7.0)
    assert found(about, x=0.0, y=np.nan)


@pytest.mark.usefixtures("hurried")
def test_second_derivatives_of_many_components_are_looked_at() -> None:
    about = subject("sum(where(x == 0, 1, sin(x) / x))", x=np.zeros(MANY))
    question = Question(about, {"x": np.ones(MANY)})

    def product(last: float) -> Row:
        number = np.where(LAST, last, -1 / 3)
        shown = Evaluation("ok", values={question.along.graph.output.name: np.zeros(())}, gradients={"x": number})
        (row,) = judge_along(question, "x", shown, None, 0.0, ("hessian_product",))
        return row

    assert product(-1 / 3).verdict == "agree"
    assert product(7.0).finding
    assert product(np.nan).finding


@pytest.mark.parametrize("text, x, slope", [
    ("where(x < 0, asin(x), x)", 5.0, 1.0),
    ("where(x > 1, acosh(x), x * x)", 0.5, 1.0),
    ("where(x > 0, digamma(x), x)", -5.0, 1.0),
    ("cosh(sqrt(abs(x) ** 2))", 0.0, 0.0),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_branch_that_is_no_number_widens_no_tangent(text: str, x: float, slope: float, dtype: str) -> None:
    question = Question(subject(text, dtype, x=x), {"x": np.ones((), DTYPES[dtype])})

    def tangent(number: float) -> Row:
        value = {question.along.graph.output.name: np.asarray(number, DTYPES[dtype])}
        (row,) = judge_along(question, "x", Evaluation("ok", values=value), None, 0.0, ("tangent",))
        return row

    assert tangent(slope).verdict == "agree"
    for garbage in (7.0, -3.0, np.nan):
        assert tangent(garbage).finding


# --- at the edge of a domain, beyond float64, off by powers -------------------------------------------------------


def test_where_a_shaken_run_leaves_the_domain_the_others_tell() -> None:
    about = subject("logaddexp(acosh(1 - x), relu(x - y))", "float32", x=0.0, y=-1.6851268)
    for garbage in (1e30, 7.0, 0.0):
        assert found(about, y=garbage)
        value = Evaluation("ok", values={"f": np.asarray(garbage, np.float32)}, gradients=zeros(about))
        assert any(row.finding for row in judge(about, "x", value) if row.quantity == "value")


def zeros(about: Subject) -> dict[str, Array]:
    return {node.name: np.zeros(node.shape, about.inputs[node.name].dtype) for node in about.graph.wanted}


def test_a_right_value_beyond_float64_inside_is_right() -> None:
    about = subject("log(cosh(x))", "float32", x=-96000.0)
    for number, wrong in ((95999.306852819440, False), (95000.0, True)):
        shown = Evaluation("ok", values={"f": np.asarray(number, np.float32)}, gradients=zeros(about))
        assert any(row.finding for row in judge(about, "x", shown) if row.quantity == "value") == wrong


def test_a_number_that_is_off_by_orders_of_magnitude_is_lost() -> None:
    about = subject("expm1(logaddexp(3 * x, 1 - x))", "bfloat16", x=-40.0)  # e^41, of which bfloat16 has no digit
    assert not found(about, x=-5e17)
    assert found(about, x=7.0)
    assert found(about, x=5e-5)


# --- sound engines -------------------------------------------------------------------------------------------------


def test_the_other_side_of_a_kink_is_rounded_too() -> None:
    about = subject("erf(where(log(1 - x) == 0, 0, expm1(log(1 - x))))", "float32", x=0.0)
    right = np.float32(-2 / np.sqrt(np.pi))
    assert not found(about, x=right)
    assert not found(about, x=np.nextafter(right, np.float32(-2)))
    assert found(about, x=right * np.float32(1.01))


@pytest.mark.parametrize("apart", [1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("n", [1000, 20000])
def test_one_number_after_the_other_is_a_sound_sum(n: int, apart: float) -> None:
    """All of one sign and size: every addition rounds to the same side, n u / 8 of the sum in all."""
    x = np.full(n, 0.1, np.float32)
    c = np.float32(float(x.astype(np.float64).sum()) * (1 - apart))
    total = np.cumsum(x, dtype=np.float32)[-1]
    about = subject({"t": "sum(x)", "d": "t - c", "f": "d * d"}, "float32", x=x, c=c)
    d = total - c
    shown = Evaluation("ok", values={"f": np.asarray(d * d)}, gradients={"x": 2 * d * np.ones_like(x), "c": -2 * d})
    assert not [row.reason for row in judge(about, "x", shown) if row.finding]
    spoilt = Evaluation("ok", values={"f": np.asarray(d * d)}, gradients={"x": x * 0 + 7, "c": -2 * d})
    assert any(row.finding for row in judge(about, "x", spoilt)) or abs(d) > 1


def test_the_numbers_of_a_saturated_sigmoid_are_sound_alone_too() -> None:
    about = subject("sigmoid(x)", x=90.0)  # y (1 - y) is 0
    assert not found(about, x=0.0)
    assert found(about, x=7.0)


@pytest.mark.parametrize("dtype, x", [
    ("float64", 1e17), ("float64", 1e160), ("float32", 1e6), ("float32", 1e20), ("bfloat16", 50.0), ("float16", 3000.0),
])  # fmt: skip
@pytest.mark.parametrize("text", ["silu(x)", "mish(x)", "x * sigmoid(x)", "sum(silu(stack([x, -x])))", "x * tanh(x)"])
def test_slopes_far_out_where_a_rounding_of_x_is_no_small_number(text: str, dtype: str, x: float) -> None:
    about = subject(text, dtype, x=x)
    right = float(about.gradients["x"].high)
    assert not found(about, x=right)
    for garbage in (0.0, -right, 3 * right, 7.0):
        assert found(about, x=garbage)


@pytest.mark.parametrize("text, dtype, x", [
    ("tanh(x)", "bfloat16", 1.5), ("tanh(x)", "bfloat16", 2.25), ("tanh(x)", "float16", 2.75),
    ("tanh(x)", "float32", 7.25), ("tanh(x)", "float64", 16.75), ("mish(x)", "bfloat16", -0.6),
    ("sigmoid(x)", "bfloat16", 3.0), ("sigmoid(x)", "float16", 5.0), ("1 - tanh(x) ** 2", "bfloat16", 1.5),
])  # fmt: skip
def test_slopes_of_which_rounding_leaves_some_digits(text: str, dtype: str, x: float) -> None:
    about = subject(text, dtype, x=x)
    right = float(about.gradients["x"].high)
    assert not found(about)
    assert not found(about, x=right)
    for garbage in (0.0, -right, 2.5 * right):
        assert found(about, x=garbage)


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, x, believed", [
    ("sum(log(x))", [-1.0, 2.0], True),
    ("sum(square(x)) + sum(sign(x) / x)", [0.0, 2.0], True),
    ("sum(square(x)) + 0 ** x[0]", [0.0, 2.0], False),  # a jump in one component of two
])  # fmt: skip
def test_an_engine_may_say_that_it_is_undefined_only_where_nothing_exists(
    text: str, x: list[float], believed: bool
) -> None:
    rows = judge(subject(text, x=np.array(x)), "x", Evaluation("undefined", "a word"))
    assert [row.finding for row in rows] == [not believed]


# --- beside an operand that is not taken, however wide its rounding ---------------------------------------------------

TAKEN = {
    "maximum(x, y)": -1e20,
    "minimum(x, y)": 1e20,
    "maximum(x * 1, y)": -1e20,
    "clip(x, y, -y)": -1e20,
    "max(stack([x, y]), axis=0)": -1e20,
    "-logsumexp(stack([-x, -y]), axis=0)": 1e20,
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    "text, count", [*((text, 3) for text in TAKEN), ("maximum(x, y)", 1100), ("clip(x, y, -y)", 1100)]
)
def test_garbage_beside_an_operand_that_is_not_taken_is_found(text: str, count: int, dtype: str) -> None:
    # Of more than a thousand numbers intervals are tried first.
    about = subject(text, dtype, x=np.linspace(1, 2, count), y=np.full(count, TAKEN[text]))
    sound = evaluated(about)
    wrong = sound.values["f"].copy()
    wrong[1] *= about.cotangent.dtype.type(1.5)
    for shown in (sound, replace(sound, terms=None, adjoints=None)):
        for values, off in ((shown.values["f"], False), (wrong, True)):
            rows = judge(about, "x", replace(shown, values={**shown.values, "f": values}))
            assert any(row.finding for row in rows if row.name == "f" and row.quantity == "value") == off


# --- in a path, whose links tell all as long as no step leaves the range --------------------------------------------

FALLEN = {
    "vecdot": ({"s": "vecdot(x, x)", "t": "s * 1e300", "f": "t * t * 1e60"}, [1e-170, 1e-170]),
    "elementwise": ({"s": "x * x", "f": "sum(s) * 1e300"}, [1e-165, 1e-165]),
    "product": ({"s": "prod(x)", "f": "s * 1e300"}, [1e-110, 1e-110, 1e-110]),
    "variance": ({"s": "var(x)", "f": "s * 1e300"}, [1e-170, -1e-170]),
    "kinked": ({"s": "elu(x * x)", "f": "sum(s) * 1e300"}, [1e-170]),
    "softmax": ({"s": "softmax(x)", "t": "s[0] * 1e300", "f": "t * 1e47"}, [-800.0, 0.0]),
}


@pytest.mark.parametrize("name", FALLEN)
def test_what_has_fallen_to_0_is_found_on_a_path_as_anywhere(name: str) -> None:
    graph, x = FALLEN[name]
    about = subject(graph, x=np.array(x))
    update = Update("descent", {"step_size": "1e-300"}, 1)
    with np.errstate(all="ignore"):
        rows = trajectory(about, "x", prepare(about.graph, "float64"), update).rows
    assert rows[0].name == "f" and rows[0].finding


# Each with the numbers whose squares fall to 0 inside, and its true value.
SQUARED: Mapping[str, Callable[[float], tuple[Array, float]]] = {
    "norm(x)": lambda small: (np.array([3, 4]) * small, 5 * small),
    "std(x)": lambda small: (np.array([1, 3]) * small, small),
    "norm(x) + 0 * sum(x)": lambda small: (np.array([3, 4]) * small, 5 * small),
}


@pytest.mark.parametrize("dtype, small", [("float64", 1e-200), ("float32", 1e-30), ("bfloat16", 1e-30)])
@pytest.mark.parametrize("text", SQUARED)
@pytest.mark.parametrize("lie", [0.0, 3.0, -1.0])
def test_what_falls_to_0_within_a_step_explains_no_garbage(text: str, dtype: str, small: float, lie: float) -> None:
    x, true = SQUARED[text](small)
    about = subject(text, dtype, x=x)
    sound, output = evaluated(about), about.graph.output.name
    value = np.asarray(lie * true).astype(sound.values[output].dtype)
    for shown in ({output: value}, {**sound.values, output: value}):
        rows = judge(about, "x", replace(sound, values=shown))
        assert [row.finding for row in rows if row.quantity == "value" and row.name == output] == [True]


# --- choices that rounding turns ------------------------------------------------------------------------------------

# Each with a point at which its engines round onto a tie or over it, and what choices there may make its derivative.
TURNED: Mapping[str, tuple[str, float, tuple[float, float]]] = {
    "relu((x + 1e-17) - 1)": ("float64", 1.0, (0.0, 1.0)),
    "abs((x + 1e-17) - 1)": ("float64", 1.0, (-1.0, 1.0)),
    "relu((x + 1e-3) - 1)": ("bfloat16", 1.0, (0.0, 1.0)),
    "abs((x + 1e-4) - 1) * 3": ("float16", 1.0, (-3.0, 3.0)),
    "where((x + 1e-17) - 1 > 0, x * x, x)": ("float64", 1.0, (1.0, 2.0)),
    "relu((x + 1e-17) - 1) + 5 * x": ("float64", 1.0, (5.0, 6.0)),
}


@pytest.mark.parametrize("text", TURNED)
def test_a_choice_that_rounding_turns_explains_what_choices_give_and_no_more(text: str) -> None:
    dtype, x, (low, high) = TURNED[text]
    about = subject(text, dtype, x=x)
    for right in (low, (low + high) / 2, high):
        assert not found(about, x=right)
    for garbage in (high + 2, low - 2, high + 6, low - 6):
        assert found(about, x=garbage)


@pytest.mark.parametrize("dtype, unit", [("float64", -53), ("float32", -24), ("bfloat16", -8), ("float16", -11)])
@pytest.mark.parametrize(
    "text", ["max(w + c) * w", "sum(relu((w + c) - 1))", "sum(relu((w * (1 + c)) - 1))", "sum(floor(w + c) * w)"]
)
def test_many_numbers_that_rounding_makes_equal_raise_no_alarm(text: str, dtype: str, unit: int) -> None:
    random = np.random.default_rng(0)
    for count in (1, 3, 50):
        c = random.choice([-1, 1], count) * 2.0**unit * 10 ** random.uniform(-2, 0, count)
        about = subject(text, dtype, w=1.0, c=c)
        sound = evaluated(about)
        alone = Evaluation("ok", values={"f": sound.values["f"]}, gradients=sound.gradients)
        for shown in (sound, alone):
            rows = judge(about, "x", shown)
            assert not [row.reason for row in rows if row.finding and row.verdict != "convention"]


@pytest.mark.parametrize("garbage", [7.0, -3.0, np.nan])
def test_garbage_beside_a_choice_that_rounding_turns_is_found(garbage: float) -> None:
    about = subject("sum(relu((w + c) - 1) * b)", w=1.0, c=[1e-17, 2e-17, 0.5], b=[1.0, 1.0, 1.0])
    for name, index in (("c", 0), ("c", 2), ("b", 2)):
        lie = np.array(evaluated(about).gradients[name])
        lie[index] = garbage
        assert found(about, **{name: lie})


@pytest.mark.parametrize("said", [7.0, np.inf, np.nan])
def test_nobody_agrees_with_a_component_that_has_no_derivative(said: float) -> None:
    about = subject("sum(x ** b)", x=[-2.0, 1.5], b=[3.0, 2.0])  # no power but an integer's of a negative number
    right = np.array(evaluated(about).gradients["b"])
    right[0] = said
    assert [row.verdict for row in told(about, b=right) if row.name == "b"] == ["undefined"]
    right[1] = 7
    assert found(about, b=right)
    asked = Question(about, {name: np.ones(2) for name in "xb"})
    true = {name: np.array(number.high, np.float64) for name, number in asked.along.gradients.items()}
    true["x"][0] = said
    evaluation = Evaluation("ok", values={asked.along.graph.output.name: np.asarray(np.nan)}, gradients=true)
    rows = judge_along(asked, "x", evaluation, None, 0.0, ("hessian_product",))
    assert {row.verdict for row in rows} == {"undefined"}
