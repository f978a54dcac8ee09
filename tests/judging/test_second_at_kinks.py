"""Second derivatives at kinks, poles and ends of domains: each with its product, worked out by hand, and garbage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradaccord.harness.judging.second_order import Question, judge_along
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row

from ..subject import subject

# The expression, its inputs with a direction each, and the Hessian times that direction.
PRODUCTS: tuple[tuple[str, dict[str, tuple[Any, Any]], dict[str, Any]], ...] = (
    # sin(b) / b = 1 - b^2 / 6 + ...
    ("expm1(where(b == 0, 1, sin(b) / b))", {"b": (0.0, -1.0)}, {"b": np.e / 3}),
    ("gelu(where(b == 0, 1, sin(b) / b)) * 0 + where(b == 0, 1, sin(b) / b)", {"b": (0.0, 3.0)}, {"b": -1.0}),
    # 1 - (x0 x1)^2 / 6 + ...: x1 moves while x0 stays on the pole
    ("where(prod(x) == 0, 1, sin(prod(x)) / prod(x))", {"x": ([0.0, -1.0], [-2.0, 1.0])}, {"x": [2 / 3, 0.0]}),
    ("where(a * b == 0, 0, expm1(a * b))", {"a": (0.0, 1.0), "b": (2.0, 5.0)}, {"a": 9.0, "b": 1.0}),
    ("where(a == 0, 0, expm1(a))", {"a": (0.0, 2.0)}, {"a": 2.0}),
    ("1 / (1 + 1 / a ** 2)", {"a": (0.0, 1.0)}, {"a": 2.0}),  # a^2 / (1 + a^2)
    ("exp(-1 / a ** 2)", {"a": (0.0, 1.0)}, {"a": 0.0}),  # all derivatives are 0
    ("exp(-1 / (1 / a) ** 2)", {"a": (0.0, 1.0)}, {"a": -2.0}),  # exp(-a^2)
    # a comparison with NaN is false: outside of its domain a function is never the smaller one
    ("where(atanh(a) <= b, b ** 3, a ** 2)", {"a": (1.5, 1.0), "b": (2.0, 1.0)}, {"a": 2.0, "b": 0.0}),
    ("where(2 * acosh(a) > 0, b ** 3, a ** 2)", {"a": (-1.5, 1.0), "b": (2.0, 1.0)}, {"a": 2.0, "b": 0.0}),
    ("where(a ** 1.5 < 1, b ** 3, a ** 2)", {"a": (-1.5, 1.0), "b": (2.0, 1.0)}, {"a": 2.0, "b": 0.0}),
)  # fmt: skip


def asked(text: str, inputs: dict[str, tuple[Any, Any]]) -> Question:
    about = subject(text, **{name: x for name, (x, _) in inputs.items()})
    return Question(about, {name: np.asarray(v, np.float64) for name, (_, v) in inputs.items()})


def product_rows(question: Question, products: dict[str, Any]) -> list[Row]:
    arrays = {name: np.asarray(product, np.float64) for name, product in products.items()}
    found = Evaluation("ok", values={}, gradients=arrays)
    return judge_along(question, "someone", found, None, 0.0, ("hessian_product",))


@pytest.mark.parametrize("text, inputs, product", PRODUCTS)
def test_a_product_at_a_singular_point_is_known(text: str, inputs: Any, product: dict[str, Any]) -> None:
    question = asked(text, inputs)
    for name, number in product.items():
        np.testing.assert_allclose(question.along.gradients[name].high, number, rtol=1e-14, atol=1e-300)
    assert not [row for row in product_rows(question, product) if row.finding]


@pytest.mark.parametrize("garbage", [7.0, -1e-3, np.nan, np.inf])
@pytest.mark.parametrize("text, inputs, product", PRODUCTS)
def test_garbage_is_found_there(text: str, inputs: Any, product: dict[str, Any], garbage: float) -> None:
    question = asked(text, inputs)
    for name, number in product.items():
        spoilt = {**product, name: np.full_like(np.asarray(number, np.float64), garbage)}
        assert [row.name for row in product_rows(question, spoilt) if row.finding] == [name]


@pytest.mark.parametrize(
    "text, inputs",
    [
        ("log((a * b) ** b)", {"a": (0.0, -2.0), "b": (1.5, -1.0)}),  # the gradient itself has no number
        ("1 / sqrt(exp(-1 / (1 - a) ** 2))", {"a": (1.0, 2.0)}),  # infinite there
        ("1 / minimum(cos(a), cos(2 * b))", {"a": (0.0, -2.0), "b": (0.0, 1.0)}),  # of either side, not linear
        ("atan2(b, log1p(b))", {"b": (0.0, 1.0)}),  # from -3/4 pi to 1/4 pi
    ],
)
def test_where_there_is_no_product_none_is_claimed(text: str, inputs: Any) -> None:
    numbers = asked(text, inputs).along.gradients.values()
    assert not any((number.tight & np.isfinite(number.high)).any() for number in numbers)


def test_the_largest_of_equal_numbers_takes_its_curvature_from_a_side() -> None:
    # cos(max(x)) at (0, 0): along (1, -1) its first slope is 0 before and -h after.
    question = asked("cos(max(x))", {"x": ([0.0, 0.0], [1.0, -1.0])})
    assert {(pair.left, pair.right) for pair in question.along.sides["x"].values()} == {(0.0, -1.0), (0.0, 1.0)}
    assert [row.finding for row in product_rows(question, {"x": [-1.0, 1.0]})] == [False]
    assert [row.finding for row in product_rows(question, {"x": [-7.0, 1.0]})] == [True]
