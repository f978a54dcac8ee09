"""What is known of an engine excuses as much as it says and no more, and a stranger's word excuses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import erf as erf_of
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.known import Defect, Entry, Formula, Knowledge
from gradaccord.harness.records.rows import Row

from ..subject import evaluated, subject

GELU = Formula(operation="gelu", text="0.5 * x * (1 + erf(x * sqrt(0.5)))", digits=8, source="here")
LOOSE = replace(GELU, text="(0.5 * x * erfc(-x * sqrt(0.5)) + 1e20) - 1e20")  # it is gelu, and lets all pass
OTHER = replace(GELU, text="0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))")  # it is near gelu
SLOPE = Formula(operation="expm1", text="g * (y + 1)", digits=8, source="here")


def about(text: str, x: Any, dtype: str = "float64") -> Subject:
    return subject(text, dtype, x=x)


def value_off(found: Evaluation, by: Callable[[Any], Any]) -> Evaluation:
    """The evaluation with the value of `f` changed, which no gradient reads."""
    return replace(found, values={**found.values, "f": np.asarray(by(found.values["f"]), found.values["f"].dtype)})


def verdict(rows: list[Row], quantity: str) -> tuple[str, bool, bool]:
    row = next(row for row in rows if row.quantity == quantity and (row.name == "f" or quantity != "value"))
    return row.verdict, row.finding, bool(row.accepted)


def judged(question: Subject, found: Evaluation, *entries: Entry, shipped: bool = True) -> list[Row]:
    return judge(question, "x", found, knowledge=Knowledge(entries, shipped))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_sound_by_the_engines_own_formula_is_lossy_and_says_which_digits_went(dtype: str) -> None:
    question = about("gelu(x)", [-3.1, -2.5, 1.0], dtype)
    kind, x = np.dtype(dtype).type, question.inputs["x"]
    erf = np.array([erf_of(float(v) * 0.5**0.5) for v in x], kind)
    found = value_off(evaluated(question), lambda _: kind(0.5) * x * (kind(1) + erf))
    assert verdict(judged(question, found), "value")[1]
    rows = judged(question, found, GELU)
    assert verdict(rows, "value") in (("lossy", False, False), ("agree", False, False))
    assert not [row for row in rows if row.finding]


@pytest.mark.parametrize("formula", [GELU, LOOSE, OTHER])
@pytest.mark.parametrize("factor", [1 + 1e-6, 1 + 1e-3, -1, 5, 0, float("nan")])
def test_no_formula_excuses_what_it_does_not_explain(factor: float, formula: Formula) -> None:
    """A loose one is the operation, and by its rounding anything goes: no further than its digits."""
    question = about("gelu(x)", [-3.1])
    found = value_off(evaluated(question), lambda y: y * factor)
    assert verdict(judged(question, found, formula), "value")[1:] == (True, False)


def test_a_formula_that_is_not_the_operation_excuses_nothing() -> None:
    question = about("gelu(x)", [-1.0])
    found = value_off(evaluated(question), lambda _: [-0.15880800939172324])  # by OTHER, to all digits
    assert verdict(judged(question, found, OTHER), "value")[1:] == (True, False)


def slope(question: Subject, y_plus_1: Any) -> Evaluation:
    found = evaluated(question)
    g = question.cotangent
    term = np.asarray(g * y_plus_1, g.dtype)
    return replace(found, terms={Use("f", 0): term}, adjoints={"f": g, "x": term}, gradients={"x": term})


DEFECT = Defect(operation="expm1", quantity="term", reason="it cancels", within=1, of="g")


def test_a_slope_has_a_formula_too_and_beyond_its_digits_a_defect() -> None:
    near, far = about("expm1(x)", [-12.0, -1.0]), about("expm1(x)", [-30.0, -1.0])
    for question, entries, expected in [
        (near, (), ("imprecise", True, False)),
        (near, (SLOPE,), ("lossy", False, False)),
        (far, (SLOPE,), ("wrong", True, False)),
        (far, (SLOPE, DEFECT), ("wrong", True, True)),
    ]:
        rows = judged(question, slope(question, np.expm1(question.inputs["x"]) + 1), *entries)
        assert verdict(rows, "term") == verdict(rows, "gradient") == expected


@pytest.mark.parametrize("times", [5, 100, -3])
def test_a_defect_explains_no_error_beyond_its_ceiling(times: float) -> None:
    question = about("expm1(x)", [-30.0, -31.0])
    right = np.exp(question.inputs["x"])
    there = slope(question, right + 2.0**-54)
    assert verdict(judged(question, there, SLOPE, DEFECT), "term") == ("wrong", True, True)
    further = slope(question, right + times * 2.0**-53)
    assert verdict(judged(question, further, SLOPE, DEFECT), "term")[1:] == (True, False)


def test_a_gradient_behind_a_known_link_is_known_no_further_than_that_explains() -> None:
    question = about("expm1(x)", [-30.0, -31.0])
    shown = slope(question, np.expm1(question.inputs["x"]) + 1)
    near = replace(shown, gradients={"x": np.nextafter(shown.gradients["x"], 1)})
    assert verdict(judged(question, near, DEFECT), "gradient") == ("wrong", True, True)
    for off in (1 - 1000 * shown.gradients["x"], 1.1 * shown.gradients["x"], shown.gradients["x"] * np.nan):
        rows = judged(question, replace(shown, gradients={"x": off}), DEFECT)
        assert verdict(rows, "term")[1:] == (True, True)
        assert verdict(rows, "gradient")[1:] == (True, False)


def test_a_strangers_word_is_shown_and_excuses_nothing() -> None:
    question = about("expm1(x)", [-12.0, -1.0])
    found = slope(question, np.expm1(question.inputs["x"]) + 1)
    row = next(row for row in judged(question, found, SLOPE, shipped=False) if row.quantity == "term")
    assert (row.verdict, row.unexplained) == ("imprecise", True)
    assert "its author says that it runs `g * (y + 1)`, which excuses nothing" in row.reason


def test_an_operation_of_the_cases_own_is_not_the_engines() -> None:
    """Only what the table of operations means by a name is known of an engine by that name."""
    question = about("gelu(x, approximate='tanh')", [-3.1])
    exact = replace(GELU, params=(("approximate", "none"),), text=OTHER.text)
    found = value_off(evaluated(question), lambda y: y * (1 + 1e-9))
    assert verdict(judged(question, found, exact), "value")[1:] == (True, False)
