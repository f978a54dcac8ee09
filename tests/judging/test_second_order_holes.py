"""The truth of second order at removable singularities, and beside a branch that is no number."""

from __future__ import annotations

import numpy as np
import pytest

from gradaccord.harness.judging.second_order import Question

from ..subject import subject

# Second derivatives at 0 by their power series.
HOLES = {
    "sin(x) / x": -1 / 3,
    "tan(x) / x": 2 / 3,
    "(1 - cos(x)) / x ** 2": -1 / 12,
    "(1 - cos(x)) / (x * x)": -1 / 12,
    "(exp(x) - 1 - x) / x ** 2": 1 / 12,
}


@pytest.mark.parametrize("text", HOLES)
def test_a_hole_has_a_second_derivative(text: str) -> None:
    along = Question(subject(text, x=0.0), {"x": np.array(0.5)}).along
    both = along.sides["x"][()]
    assert both.left == both.right == pytest.approx(HOLES[text] / 2, rel=1e-14)


DEAD = {"where(x < 0, asin(x), x * x)": 5.0, "where(x > 0, sqrt(x), x * x)": -3.0, "where(x > 1, acosh(x), x * x)": 0.5}


@pytest.mark.parametrize("text", DEAD)
def test_a_dead_branch_that_is_no_number_contradicts_no_proof(text: str) -> None:
    """Germs have a number for 0 of a slope that is none, and the reference another."""
    asked = Question(subject(text, x=DEAD[text]), {"x": np.array(0.5)})
    assert not asked.proof.apart
    assert asked.along.sides["x"][()].left == 1.0
