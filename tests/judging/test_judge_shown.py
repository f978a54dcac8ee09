"""What an engine shows decides how finely it is judged, and nothing that it hides or claims makes it pass."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.agreement import differs
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row

from ..subject import evaluated, first_off, subject


def test_an_engine_that_shows_adjoints_alone_is_judged_on_the_sum_of_its_term_links() -> None:
    about = subject({"d": "a * a", "out": "d * a"}, a=1.3)
    sound = replace(evaluated(about), terms=None)
    assert not [row for row in judge(about, "x", sound) if row.finding]
    assert sound.adjoints is not None
    for name, value in sound.adjoints.items():
        adjoints = {**sound.adjoints, name: value * (1 + 1e-12)}
        rows = judge(about, "x", replace(sound, adjoints=adjoints, gradients={"a": adjoints["a"]}))
        assert f"adjoint of {name}" in first_off(rows)


def test_a_gradient_alone_is_judged_by_what_rounding_may_do_or_by_the_engines_own_estimate() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    sound = evaluated(about)
    bare = replace(sound, terms=None, adjoints=None)
    assert [row.verdict for row in judge(about, "x", bare) if row.quantity == "gradient"] == ["agree"]
    for fault, verdict in {1e-14: "imprecise", 1e-1: "wrong"}.items():
        faulty = replace(bare, gradients={"x": sound.gradients["x"] * (1 + fault)})
        assert [row.verdict for row in judge(about, "x", faulty) if row.quantity == "gradient"] == [verdict]
    off = {"x": sound.gradients["x"] * (1 + 1e-6)}
    honest = replace(bare, gradients=off, errors={"x": np.array(1e-5)})
    assert [row.verdict for row in judge(about, "x", honest) if row.quantity == "gradient"] == ["agree"]
    boastful = replace(bare, gradients=off, errors={"x": np.array(1e-7)})
    assert [row.verdict for row in judge(about, "x", boastful) if row.quantity == "gradient"] == ["wrong"]
    silent = replace(bare, gradients={"x": np.array(np.nan)}, errors={"x": np.array(1e-7)})
    assert [row.verdict for row in judge(about, "x", silent) if row.quantity == "gradient"] == ["not finite"]


def test_a_plain_program_with_other_bits_than_the_tagged_one_is_judged_by_what_rounding_may_do() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    sound = evaluated(about)
    plain = {"x": np.nextafter(sound.gradients["x"], 3)}
    rows = judge(about, "x", replace(sound, gradients=plain))
    assert [row.verdict for row in rows if row.quantity == "gradient"] == ["agree"]


@pytest.mark.parametrize("fault", [float("nan"), float("inf"), 0.0, -2.718281828459045, 2.718281828459045 * (1 + 1e-6)])
def test_a_plain_program_that_is_grossly_off_is_a_finding_although_its_tagged_twin_is_sound(fault: float) -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    rows = judge(about, "x", replace(evaluated(about), gradients={"x": np.array(fault)}))
    row = next(row for row in rows if row.quantity == "gradient")
    assert row.finding and str(row.node) == "gradient of x"
    assert row.verdict == ("wrong" if np.isfinite(fault) else "not finite")


def test_an_answer_that_changes_is_unstable() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    first = evaluated(about)
    again = replace(first, gradients={"x": np.nextafter(first.gradients["x"], 3)})
    assert differs(first, first) == ""
    rows = judge(about, "x", first, again)
    assert [(row.verdict, row.finding) for row in rows] == [("unstable", True)]
    assert "gradient of `x`" in rows[0].reason


def test_an_engine_that_computes_on_another_input_is_wrong_at_that_input() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    other = replace(about, inputs={"x": np.array(1.0 + 2.0**-52)})
    rows = judge(about, "x", evaluated(other))
    assert first_off(rows) == {"value of x"}


# --- what an engine hides, and what it claims ---------------------------------------------------------------


def gradient_rows(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.quantity == "gradient"]


@pytest.mark.parametrize("terms", [True, False])
def test_hidden_values_leave_the_gradient_to_what_rounding_may_do(terms: bool) -> None:
    about = subject({"h": "sin(x)", "out": "h * 3"}, x=0.7)
    sound = evaluated(about)
    hidden = replace(sound, values={"out": sound.values["out"]}, terms=sound.terms if terms else None)
    assert [row.verdict for row in gradient_rows(judge(about, "x", hidden))] == ["agree"]
    assert sound.adjoints is not None
    off = {"x": sound.adjoints["x"] * 1.5}
    hidden = replace(hidden, adjoints={**sound.adjoints, **off}, gradients=off)
    assert [row.verdict for row in gradient_rows(judge(about, "x", hidden))] == ["wrong"]


@pytest.mark.parametrize("estimate", [-1.0, 0.0, 1e-9])
def test_no_error_estimate_that_is_too_small_passes(estimate: float) -> None:
    about = subject({"out": "sum(sin(x))"}, x=[0.1, 0.2])
    off = replace(evaluated(about), terms=None, adjoints=None, gradients={"x": np.array([9.0, 9.0])})
    rows = judge(about, "x", replace(off, errors={"x": np.full(2, estimate)}))
    assert [row.verdict for row in gradient_rows(rows)] == ["wrong"]
    hidden = judge(about, "x", replace(off, errors={"x": np.array([np.inf, estimate])}))
    assert [row.verdict for row in gradient_rows(hidden)] == ["wrong"]


def test_a_plain_gradient_that_is_not_finite_is_a_finding_at_a_kink_too() -> None:
    about = subject({"out": "sum(relu(x))"}, x=[0.0, 1.0])
    rows = judge(about, "x", replace(evaluated(about), gradients={"x": np.array([np.nan, 1.0])}))
    assert gradient_rows(rows)[0].verdict == "not finite"


def test_adjoints_alone_show_a_convention_and_every_kink_of_an_array_counts() -> None:
    about = subject({"out": "sum(relu(x))"}, x=[0.0, 0.0])
    sound = evaluated(about)
    rows: list[Row] = []
    for engine, slopes in (("one", [0.0, 0.0]), ("two", [0.0, 1.0])):
        slope = np.array(slopes)
        adjoints = {**(sound.adjoints or {}), "x": slope}
        rows += judge(about, engine, replace(sound, terms=None, adjoints=adjoints, gradients={"x": slope}))
    assert {row.verdict for row in gradient_rows(rows)} == {"convention"}
    assert {row.engine for row in conventions(rows) if row.finding} == {"one", "two"}


@pytest.mark.parametrize("shares", [(0.0, 0.0), (2.0, 2.0)])
def test_the_shares_of_broadcast_operands_sum_to_the_whole_too(shares: tuple[float, float]) -> None:
    about = subject({"out": "sum(maximum(a, b))"}, a=[2.0, 2.0], b=2.0)
    sound = evaluated(about)
    a, b = np.full(2, shares[0] / 2), np.array(shares[1])
    terms = {**(sound.terms or {}), Use("out.1", 0): a, Use("out.1", 1): b}
    adjoints = {**(sound.adjoints or {}), "a": a, "b": b}
    rows = judge(about, "x", replace(sound, terms=terms, adjoints=adjoints, gradients={"a": a, "b": b}))
    assert any(row.finding for row in rows)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("text", ["x + 1", "x * 2", "x / 2", "square(x)"])
def test_arithmetic_on_an_infinity_is_judged(text: str) -> None:
    about = subject({"y": text, "out": "exp(-y)"}, x=np.inf)
    sound = evaluated(about)
    assert not [row for row in judge(about, "x", sound) if row.finding]
    rows = judge(about, "x", replace(sound, values={**sound.values, "y": np.array(5.0)}))
    assert [row.verdict for row in rows if row.quantity == "value" and row.name == "y" and row.finding]


def test_a_product_that_is_added_to_a_bias_from_the_start_is_sound() -> None:
    random = np.random.default_rng(0)
    x, weight, bias = random.normal(size=(2, 3)) * 1e-3, random.normal(size=(2, 3)), random.normal(size=2)
    about = subject({"out": "linear(x, weight, bias)"}, x=x, weight=weight, bias=bias)
    from_bias = np.tile(bias, (2, 1))
    for k in range(3):
        from_bias = from_bias + np.outer(x[:, k], weight[:, k])
    sound = evaluated(about)
    rows = judge(about, "x", replace(sound, values={**sound.values, "out": from_bias}))
    assert not [row for row in rows if row.finding]
    rows = judge(about, "x", replace(sound, values={**sound.values, "out": from_bias * (1 + 1e-12)}))
    assert any(row.finding for row in rows)


def test_other_terms_in_a_second_run_are_unstable() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    first = evaluated(about)
    assert "term" in differs(first, replace(first, terms={Use("out", 0): np.array(3.0)}))


def test_an_input_of_another_sign_of_zero_is_another_input() -> None:
    about = subject({"out": "x + 1"}, x=0.0)
    sound = evaluated(about)
    rows = judge(about, "x", replace(sound, values={**sound.values, "x": np.array(-0.0)}))
    assert "value of x" in first_off(rows)


@pytest.mark.parametrize("text", ["exp(x)", "sum(exp(x))"])
@pytest.mark.parametrize("fault", [float("nan"), 0.0, -1.0, 1 + 1e-6])
def test_the_value_of_a_plain_program_is_judged_where_its_bits_are_others(fault: float, text: str) -> None:
    about = subject(text, x=[1.0, 2.0])
    sound = evaluated(about)
    value = sound.values["f"]
    near = [row for row in judge(about, "x", replace(sound, output=np.nextafter(value, 9))) if row.finding]
    assert not near
    off = np.array(value)
    off.reshape(-1)[-1] *= fault
    rows = [row for row in judge(about, "x", replace(sound, output=off)) if row.finding]
    assert [(row.quantity, row.name) for row in rows] == [("value", "f")]
    assert rows[0].verdict == ("wrong" if np.isfinite(fault) else "not finite")


@pytest.mark.parametrize("other", [7.0, 2.0 + 1e-9, -0.5])
@pytest.mark.parametrize("text", ["sum(x ** 2)", "sum(abs(x) * x)", "sum(relu(x) - relu(-x)) + sum(x ** 2)"])
def test_what_is_known_of_a_number_that_is_lost_explains_no_other(text: str, other: float) -> None:
    about = subject(text, x=[1.0, 0.0])
    sound = {"x": evaluated(about).gradients["x"] * 0 + [about.gradients["x"].high[0], np.nan]}
    spoilt = {"x": np.array([other, np.nan])}
    values = {"f": about.truth.values["f"].high}
    for gradients, explained in ((sound, True), (spoilt, False)):
        rows = judge(about, "x", Evaluation("ok", values=values, gradients=gradients))
        row = next(row for row in rows if row.quantity == "gradient")
        assert row.verdict == "not finite"
        assert isnan(row.off) is not explained  # by which no entry of a ledger explains it


@pytest.mark.parametrize(
    "text, near",
    [("exp(-1 / x ** 2)", 0.0), ("1 / (1 + 1 / x ** 2)", 0.0), ("sin(x) / x", 1.0), ("(exp(x) - 1) / x", 1.0)],
)
def test_a_value_that_does_not_exist_is_none_or_what_is_around_it(text: str, near: float) -> None:
    about = subject(text, x=0.0)

    def found(value: float) -> bool:
        answer = Evaluation("ok", values={"f": np.asarray(value)}, gradients={"x": about.gradients["x"].high})
        return any(row.finding for row in judge(about, "x", answer))

    assert [found(value) for value in (near, np.nan, 7.0, -0.25, np.inf)] == [False, False, True, True, True]


def test_where_the_sides_differ_or_nothing_is_around_it_no_value_is_blamed() -> None:
    for text in ("abs(x) / x", "1 / x", "log(x - 1)"):
        about = subject(text, x=0.0)
        answer = Evaluation("ok", values={"f": np.asarray(7.0)}, gradients={"x": np.asarray(np.nan)})
        assert not [row for row in judge(about, "x", answer) if row.finding]


def test_of_a_negative_zero_an_infinite_slope_has_either_sign() -> None:
    for x, signs in ((-0.0, {np.inf, -np.inf}), (0.0, {np.inf})):
        about = subject("sqrt(x)", x=x)
        assert not [row for row in judge(about, "x", evaluated(about)) if row.finding]
        for slope in (np.inf, -np.inf, np.nan, 7.0, 0.0):
            bare = Evaluation("ok", values={"f": np.asarray(x)}, gradients={"x": np.asarray(slope)})
            found = any(row.finding for row in judge(about, "x", bare))
            assert found is (slope not in signs)


def test_where_a_power_jumps_it_has_no_derivative() -> None:
    about = subject("sum(x ** y)", x=[0.0, 2.0], y=[0.0, 3.0])  # 0^y is 1 at 0, and 0 beside it
    for slope in (0.0, np.nan, -np.inf):
        sound = {"x": np.array([0.0, 12.0]), "y": np.array([slope, 8 * np.log(2)])}
        bare = Evaluation("ok", values={"f": np.asarray(9.0)}, gradients=sound)
        shown = replace(evaluated(about), gradients=sound)
        terms = {use: sound.get(about.graph.argument(use), term) for use, term in (shown.terms or {}).items()}
        linked = replace(shown, terms=terms, adjoints={**(shown.adjoints or {}), **sound})
        for answer in (bare, linked):
            assert not [row for row in judge(about, "x", answer) if row.finding and row.name == "y"]
        spoilt = replace(bare, gradients={**sound, "y": np.array([slope, 7.0])})
        assert [row.name for row in judge(about, "x", spoilt) if row.finding] == ["y"]
