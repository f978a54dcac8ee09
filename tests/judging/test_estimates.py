"""Engines that estimate their own error: the estimate is a claim that must hold, and no excuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.finite_difference.engine import prepare
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.records.evaluation import DTYPES
from gradaccord.harness.records.known import Knowledge
from gradaccord.harness.records.rows import Row

from ..subject import evaluated, subject


def said(text: str, x: Any, number: Any, estimate: Any, dtype: str = "float64") -> Row:
    """The row of the gradient of `x`, of an engine that gives these numbers and estimates."""
    about = subject({"out": text}, dtype, x=x)
    numbers = np.asarray(number).astype(DTYPES[dtype]).reshape(np.shape(x))
    estimates = np.broadcast_to(np.asarray(estimate, np.float64), np.shape(x))
    found = replace(
        evaluated(about), terms=None, adjoints=None, gradients={"x": numbers}, errors={"x": np.array(estimates)}
    )
    return next(row for row in judge(about, "x", found) if row.quantity == "gradient")


SIN = np.cos(1.0)  # of sin at 1


@pytest.mark.parametrize(
    "number, estimate, verdict",
    [
        (SIN + 1e-6, 1e-5, "agree"),
        (SIN + 1e-6, 1e-7, "wrong"),  # the claim does not hold
        (SIN + 0.1, 0.2, "agree"),  # a claim of one digit, which holds
        (3.1, 1e30, "wrong"),  # an estimate that allows everything excuses nothing
        (3.1, 4.0, "wrong"),
        (-SIN, 2.0, "wrong"),
        (0.0, 1e30, "wrong"),
        (SIN, 1e30, "agree"),  # right all the same
        (3.1, np.inf, "wrong"),  # nor does none at all: who has no number gives none
        (SIN, np.inf, "agree"),
        (np.nan, np.inf, "not judged"),
        (np.nan, 1.0, "not finite"),
        (np.inf, 1e30, "not finite"),
        (3.1, np.nan, "wrong"),
        (3.1, -1.0, "wrong"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_number_and_its_estimate(number: float, estimate: float, verdict: str, dtype: str) -> None:
    if dtype == "float32" and estimate == 1e-7:
        pytest.skip("float32 has no such digits")
    row = said("sin(x)", 1.0, number, estimate, dtype)
    assert (row.verdict, row.finding) == (verdict, verdict in ("wrong", "not finite"))


@pytest.mark.parametrize(
    "dtype, factor", [("float64", 1 + 1e-9), ("float32", 1 + 1e-4), ("bfloat16", 1.05), ("float16", 1.01)]
)
@pytest.mark.parametrize("estimate", [np.inf, 1e30])
def test_half_of_the_digits_are_not_enough_for_an_estimate_that_allows_everything(
    dtype: str, factor: float, estimate: float
) -> None:
    assert said("sin(x)", 1.0, SIN, estimate, dtype).verdict == "agree"
    assert said("sin(x)", 1.0, SIN * factor, estimate, dtype).finding


def test_a_component_without_a_digit_is_told_beside_others_that_agree() -> None:
    row = said("sum(sin(x))", [1.0, 2.0, 3.0], [np.cos(1), np.nan, np.cos(3)], [1e-12, np.inf, 1e-12])
    assert (row.verdict, row.index) == ("not judged", (1,))
    row = said("sum(sin(x))", [1.0, 2.0, 3.0], [np.cos(1), 5.0, np.cos(3)], [1e-12, 1e30, 1e-12])
    assert (row.verdict, row.index) == ("wrong", (1,))
    row = said("sum(sin(x))", [1.0, 2.0, 3.0], [np.inf, 5.0, np.cos(3)], [np.inf, 1e30, 1e-12])
    assert (row.verdict, row.index) == ("wrong", (1,))  # one without a number blinds no other


def test_where_the_truth_is_zero_an_estimate_excuses_no_garbage() -> None:
    assert said("x ** 2", 0.0, 1e6, 1e7).verdict == "wrong"
    assert said("x ** 2", 0.0, 0.0, 1e-15).verdict == "agree"


@pytest.mark.parametrize(
    "number, estimate, verdict",
    [
        (0.5, 1.0, "not judged"),
        (7.0, 1e30, "wrong"),
        (7.0, 1.0, "wrong"),
        (7.0, np.inf, "wrong"),
        (np.nan, np.inf, "not judged"),
    ],
)
def test_at_a_kink_an_estimate_excuses_nothing_beyond_both_sides(number: float, estimate: float, verdict: str) -> None:
    assert said("relu(x)", 0.0, number, estimate).verdict == verdict


def test_a_set_is_told_at_its_component() -> None:
    row = said("sum(relu(x) * 3)", [1.0, 0.0, -1.0], [3.0, 1.5, 0.0], [1e-9, 2.0, 1e-9])
    assert (row.verdict, row.index) == ("not judged", (1,)) and "a set here, from 0 to 3" in row.reason


def test_a_zero_among_other_numbers_is_known_as_far_as_those_reach() -> None:
    assert said("sum(x ** 2)", [0.0, 1.0], [1e-16, 2.0], [1e-15, 1e-15]).verdict == "agree"
    assert said("sum(x ** 2)", [0.0, 1.0], [1e-6, 2.0], [1e-5, 1e-15]).verdict == "wrong"
    assert said("sum(x ** 2)", [1e-16, 1.0], [-2e-16, 2.0], [1e-15, 1e-15]).verdict == "wrong"


# 1e8 x turns by 1e4 at the finest step; sqrt has no slope at 0; x is lost beside 1e20
@pytest.mark.parametrize(
    "text, x", [("sin(1e8 * abs(x))", 1.0), ("sqrt(abs(x))", 0.0), ("abs((x + 1e20) - 1e20)", 1.0)]
)
def test_differences_that_have_no_digit_say_so(text: str, x: float) -> None:
    about = subject({"out": text}, x=x)
    found = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    assert found.errors is not None and np.isinf(found.errors["x"])
    row = next(row for row in judge(about, "x", found, knowledge=Knowledge(shipped=True)) if row.quantity == "gradient")
    assert (row.verdict, row.finding) == ("not judged", False)
