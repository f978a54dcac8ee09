"""Infinite derivatives of single steps: at the edge of a domain and at poles."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row

from ..subject import subject

# Operation, point, and the limit of its derivative there (None: there is none).
POLES = {
    "sqrt(x)": (0.0, inf),
    "x ** 0.5": (0.0, inf),
    "-sqrt(x)": (0.0, inf),  # the step is sqrt, which receives -1
    "asin(x)": (1.0, inf),
    "acos(x)": (-1.0, -inf),
    "acosh(x)": (1.0, inf),
    "log(x)": (0.0, inf),
    "1 / x": (0.0, None),
}


def term(about: Subject, number: float) -> Row:
    """The row of the term of x where an engine gives it this number."""
    found = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    use = next(use for use in about.graph.uses if about.graph.argument(use) == "x")
    assert found.terms is not None and found.adjoints is not None
    shown = Evaluation(
        "ok",
        values=found.values,
        gradients={"x": np.array(number)},
        terms={**found.terms, use: np.array(number)},
        adjoints={**found.adjoints, "x": np.array(number)},
    )
    return next(row for row in judge(about, "x", shown) if row.quantity == "term" and row.use == use)


@pytest.mark.parametrize("text", [text for text, (_, limit) in POLES.items() if limit is not None])
def test_the_infinite_limit_agrees_and_nothing_else_does(text: str) -> None:
    point, limit = POLES[text]
    assert limit is not None
    about = subject(text, x=point)
    if text == "-sqrt(x)":
        limit = -limit
    exists = np.isfinite(prepare(about.graph, "float64")(about.inputs, about.cotangent).values["f"])
    assert term(about, limit).verdict == "agree"
    for wrong in (-limit, 1e308, 0.0):
        assert term(about, wrong).finding, wrong
    assert term(about, float("nan")).verdict == "not finite" or not exists


def test_a_pole_that_differs_from_side_to_side_has_no_limit() -> None:
    assert term(subject("1 / x * 1", x=0.0), inf).verdict != "agree"


def test_an_infinite_adjoint_is_handed_on() -> None:
    """1 + x rounds to 1, so the engine's square root is at 0: sound at every step, yet the truth is 5e9."""
    about = subject("sqrt(1 + x - 1)", x=1e-20)
    found = prepare(about.graph, "float64")(about.inputs, about.cotangent)
    row = next(row for row in judge(about, "x", found) if row.quantity == "gradient")
    assert (row.verdict, row.engine_value) == ("not finite", inf)
