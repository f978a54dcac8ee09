"""The judge is judged: a fault planted in an engine is caught and pinned to its operation, and sound engines pass.

The hand-written engine is the victim in most tests: something of what it shows is spoiled. Its rules are broken in
`test_judge_rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.agreement import pairs, ulps_between
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS

from ..subject import SMALLEST_FAULT, attention, evaluated, first_off, subject


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_sound_engine_passes_on_every_link(dtype: str) -> None:
    rows = judge(attention(dtype), "backprop", evaluated(attention(dtype)))
    assert {row.quantity for row in rows} == {"value", "gradient", "adjoint", "term"}
    assert not [row for row in rows if row.finding]
    assert 0 < max(row.score or 0 for row in rows) <= 1


# --- one element of one array of an otherwise sound evaluation -----------------------------------------

FAULTS: Mapping[str, Callable[[float, str], float]] = {
    "not a number": lambda x, dtype: float("nan"),
    "infinity": lambda x, dtype: float("inf"),
    "another sign": lambda x, dtype: -x,
    "twice": lambda x, dtype: 2 * x,
    "zero": lambda x, dtype: 0.0,
    "a small factor": lambda x, dtype: x * (1 + SMALLEST_FAULT[dtype]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_element_of_any_term_is_named(fault: str, dtype: str) -> None:
    about = attention(dtype)
    sound = evaluated(about)
    assert sound.terms is not None
    for use, term in sound.terms.items():
        wrong = term.copy()
        index = np.unravel_index(np.argmax(np.abs(wrong)), wrong.shape)
        wrong[index] = FAULTS[fault](float(wrong[index]), dtype)
        rows = judge(about, "backprop", replace(sound, terms={**sound.terms, use: wrong}))
        off = [row for row in rows if row.quantity == "term" and row.use == use]
        assert off[0].verdict in FINDINGS, f"{fault} in the term {use} got past the judge"
        assert str(off[0].node) == f"term of {about.graph.argument(use)} in {use}"
        assert off[0].index == tuple(int(i) for i in index)
        assert off[0].finding


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_element_of_any_value_or_adjoint_is_named(fault: str) -> None:
    about = attention()
    sound = evaluated(about)
    assert sound.adjoints is not None
    for quantity, arrays in (("value", sound.values), ("adjoint", sound.adjoints)):
        for name in arrays:
            wrong = arrays[name].copy()
            index = np.unravel_index(np.argmax(np.abs(wrong)), wrong.shape)
            wrong[index] = FAULTS[fault](float(wrong[index]), "float64")
            changed = {**arrays, name: wrong}
            broken = replace(sound, values=changed) if quantity == "value" else replace(sound, adjoints=changed)
            rows = judge(about, "backprop", broken)
            off = next(row for row in rows if row.quantity == quantity and row.name == name)
            assert off.verdict in FINDINGS, f"{fault} in the {quantity} of {name} got past the judge"
            assert str(off.node) == f"{quantity} of {name}"


def test_everything_downstream_of_a_fault_names_its_link_and_nothing_beside_it_does() -> None:
    about = subject({"d": "a + b", "e": "exp(b)", "f": "d * c", "out": "f + e"}, a=5.0, b=-3.0, c=-2.0)
    sound = evaluated(about)
    assert sound.terms is not None
    use = Use("f", 0)
    rows = judge(about, "x", replace(sound, terms={**sound.terms, use: sound.terms[use] * (1 + 1e-12)}))
    verdicts = {row.name: row for row in rows if row.quantity == "gradient"}
    assert str(verdicts["a"].node) == str(verdicts["b"].node) == "term of d in f[0]"
    assert verdicts["c"].verdict == "agree"


# --- ties ----------------------------------------------------------------------------------------------


def test_at_a_tie_every_share_is_a_convention_but_the_shares_must_sum_to_the_whole() -> None:
    about = subject({"m": "maximum(a, b)", "out": "3 * m"}, a=2.0, b=2.0)
    sound = evaluated(about)
    assert sound.terms is not None and sound.adjoints is not None

    def shared(first: float, second: float) -> list[Row]:
        terms = {**sound.terms, Use("m", 0): np.array(first), Use("m", 1): np.array(second)}  # pyright: ignore[reportGeneralTypeIssues]
        adjoints = {**sound.adjoints, "a": np.array(first), "b": np.array(second)}  # pyright: ignore[reportGeneralTypeIssues]
        gradients = {"a": adjoints["a"], "b": adjoints["b"]}
        rows = judge(about, "x", replace(sound, terms=terms, adjoints=adjoints, gradients=gradients))
        return [row for row in rows if row.quantity == "gradient"]

    for first, second in ((3.0, 0.0), (1.5, 1.5), (0.0, 3.0), (1.0, 2.0)):
        assert [row.verdict for row in shared(first, second)] == ["convention", "convention"]
    for first, second in ((3.0, 3.0), (0.0, 0.0), (4.0, -1.0), (float("nan"), 0.0)):
        assert all(row.finding for row in shared(first, second))


def test_engines_that_choose_differently_at_a_kink_are_findings_and_those_that_agree_are_not() -> None:
    about = subject({"out": "relu(x)"}, x=0.0)
    sound = evaluated(about)
    rows = judge(about, "one", sound)
    assert {row.verdict for row in rows if row.quantity == "gradient"} == {"convention"}
    assert not [row for row in conventions([*rows, *judge(about, "two", sound)]) if row.finding]
    one = np.array(1.0)
    other = replace(
        sound, terms={Use("out", 0): one}, adjoints={**(sound.adjoints or {}), "x": one}, gradients={"x": one}
    )
    settled = conventions([*rows, *judge(about, "two", other)])
    assert {row.engine for row in settled if row.finding} == {"one", "two"}
    assert "the lower end" in next(row.reason for row in settled if row.finding and row.engine == "one")


# --- what is not finite --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_is_found_where_it_is_born() -> None:
    about = subject({"y": "exp(x)", "out": "y * 2"}, "float32", x=100.0)
    rows = judge(about, "backprop", evaluated(about))
    off = next(row for row in rows if row.quantity == "value" and row.name == "out")
    assert (off.verdict, str(off.node)) == ("overflow", "value of y")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_logarithm_of_a_negative_number_is_undefined_and_no_finding() -> None:
    about = subject({"y": "log(x)", "out": "y * 2"}, x=-1.0)
    rows = judge(about, "backprop", evaluated(about))
    assert {row.verdict for row in rows if row.quantity == "value" and row.name != "x"} == {"undefined"}
    assert not [row for row in rows if row.finding]


# --- digits --------------------------------------------------------------------------------------------


def test_a_formula_that_cancels_is_lossy_and_passes() -> None:
    about = subject({"out": "tanh(x)"}, x=18.0)
    gradient = next(row for row in judge(about, "backprop", evaluated(about)) if row.quantity == "gradient")
    assert (gradient.verdict, gradient.finding) == ("lossy", False)
    assert gradient.digits is not None and gradient.digits < 8


def test_float32_inside_float64_is_imprecise_and_says_how_many_bits_are_right() -> None:
    about = subject({"out": "tanh(x)"}, x=0.7)
    sound = evaluated(about)
    assert sound.terms is not None and sound.adjoints is not None
    coarse = np.float64(np.float32(sound.gradients["x"]))
    shown = np.array(coarse)
    rows = judge(
        about,
        "x",
        replace(sound, terms={Use("out", 0): shown}, adjoints={**sound.adjoints, "x": shown}, gradients={"x": shown}),
    )
    row = next(row for row in rows if row.quantity == "gradient")
    assert row.verdict == "imprecise" and row.finding
    assert "right to 26 of 53 bits, looks like float32 inside float64" in row.reason


def test_digits_count_agreement_with_the_truth_and_the_reference_is_the_truth() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    row = next(
        row for row in judge(about, "backprop", evaluated(about)) if row.quantity == "value" and row.name == "out"
    )
    assert row.reference == 2.718281828459045
    assert row.digits is not None and 15 <= row.digits <= 18


# --- side by side --------------------------------------------------------------------------------------


def test_ulps_count_the_steps_between_two_numbers_and_nan_is_infinitely_far_from_a_number() -> None:
    a = np.array([1.0, 1.0, np.nan, np.nan, -0.0], dtype=np.float32)
    b = np.array([1.0, np.nextafter(np.float32(1), np.float32(2)), np.nan, 1.0, 0.0], dtype=np.float32)
    assert ulps_between(a, b).tolist() == [0.0, 1.0, 0.0, np.inf, 0.0]


def test_every_pair_of_engines_is_tabulated_on_the_value_and_every_gradient() -> None:
    about = subject({"out": "a * b"}, a=1.5, b=0.3)
    sound = evaluated(about)
    off = replace(sound, gradients={**sound.gradients, "a": np.nextafter(sound.gradients["a"], 3)})
    rows = pairs(about, {"x": sound, "y": off, "z": sound})
    assert len(rows) == 3 * 3
    assert {(row.engine_a, row.engine_b) for row in rows if row.ulps} == {("x", "y"), ("y", "z")}
    assert {row.ulps for row in rows} == {0.0, 1.0}


# --- two faults -----------------------------------------------------------------------------------------


def test_a_second_fault_downstream_of_the_first_has_a_row_that_names_it() -> None:
    about = subject({"d": "exp(a)", "f": "tanh(d)", "out": "f * f"}, a=0.3)
    sound = evaluated(about)
    assert sound.terms is not None
    first, second = Use("f", 0), Use("d", 0)
    terms = {**sound.terms, **{use: sound.terms[use] * (1 + 1e-9) for use in (first, second)}}
    named = first_off(judge(about, "x", replace(sound, terms=terms)))
    assert {"term of d in f[0]", "term of a in d[0]"} <= named


# --- what the searches for false alarms found ------------------------------------------------------------------


def test_next_to_its_root_logaddexp_may_lose_what_its_parts_were_rounded_by() -> None:
    about = subject({"y": "logaddexp(a, b)"}, a=-0.9143483591340287, b=-0.5036147495878182)
    found = evaluated(about)
    assert not first_off(judge(about, "x", found))
    off = {"y": found.values["y"] + 1e-13}
    assert "value of y" in first_off(judge(about, "x", replace(found, values={**found.values, **off})))


@pytest.mark.parametrize("x", [1.4616, -0.5041, -2.6107])
def test_next_to_its_roots_digamma_may_lose_what_its_parts_were_rounded_by(x: float) -> None:
    about = subject({"y": "digamma(a)"}, a=x)
    found = evaluated(about)
    for shift, sound in ((4e-15, True), (4e-14, False)):
        off = {"y": found.values["y"] + shift}
        named = first_off(judge(about, "x", replace(found, values={**found.values, **off})))
        assert ("value of y" in named) is not sound


@pytest.mark.parametrize("graph", [{"l": "log(b)", "y": "maximum(a, l)"}, {"y": "a + acosh(b)"}])
def test_where_a_value_does_not_exist_its_derivative_does_not_either(graph: dict[str, str]) -> None:
    about = subject(graph, a=2.0, b=-1e30)
    rows = judge(about, "x", evaluated(about))
    assert not first_off(rows)
    assert "undefined" in {row.verdict for row in rows}


def test_only_at_a_tie_must_the_terms_of_a_maximum_sum_to_its_adjoint() -> None:
    about = subject({"y": "maximum(a, b)"}, a=2.0, b=1.0)
    found = evaluated(about)
    assert found.terms is not None
    doubled = {**found.terms, Use("y", 0): found.terms[Use("y", 0)] * 2}
    named = first_off(judge(about, "x", replace(found, terms=doubled)))
    assert "term of a in y[0]" in named and "term of b in y[1]" not in named


def test_engines_that_choose_alike_agree_though_the_ends_of_their_hulls_differ_in_a_digit() -> None:
    about = subject({"y": "relu(x) * s"}, x=0.0, s=0.3452945)
    near = subject({"y": "relu(x) * s"}, x=0.0, s=0.3452946)
    rows = [
        replace(row, engine=engine)
        for engine, one in {"a": about, "b": near}.items()
        for row in judge(one, engine, evaluated(one))
    ]
    assert any(row.verdict == "convention" for row in rows)
    assert not any(row.finding for row in conventions(rows))


def test_a_tie_of_bounds_of_other_shapes_is_judged() -> None:
    about = subject({"y": "sum(clip(x, low, high))"}, x=[0.5, 2.0], low=0.0, high=[1.0, 2.0])
    assert not [row for row in judge(about, "x", evaluated(about)) if row.verdict in ("failed", "wrong")]
