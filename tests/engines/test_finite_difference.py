"""Finite differences: right within the error that they claim, and honest at kinks, steps and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest

from gradaccord.engines.finite_difference.engine import LIMIT, prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.records.evaluation import Evaluation, Unsupported


def graph_of(inputs: Mapping[str, Any], *statements: str) -> Graph:
    builder = Builder()
    for name, value in inputs.items():
        builder.input(name, np.shape(value))
    parser = Parser(builder)
    for k, text in enumerate(statements):
        parser.define(f"y{k}", text)
    return builder.graph([f"y{len(statements) - 1}"])


def run(inputs: Mapping[str, Any], *statements: str, dtype: str = "float64", cotangent: Any = 1.0) -> Evaluation:
    arrays = {name: np.asarray(value, dtype) for name, value in inputs.items()}
    return prepare(graph_of(inputs, *statements), dtype)(arrays, np.asarray(cotangent, dtype))


def error_of(found: Evaluation, name: str = "x") -> float:
    assert found.errors is not None
    return float(np.max(found.errors[name]))


SMOOTH: list[tuple[str, float, Callable[[Any], Any]]] = [
    ("exp(x) * sin(3 * x)", 0.7, lambda x: mpmath.exp(x) * mpmath.sin(3 * x)),
    ("tanh(x)", 0.01, mpmath.tanh),
    ("erf(x) * abs(x)", 1.2, lambda x: mpmath.erf(x) * abs(x)),
    ("lgamma(x)", 3.5, mpmath.loggamma),
    ("sqrt(x) / (1 + x ** 3)", 2.0, lambda x: mpmath.sqrt(x) / (1 + x**3)),
    ("x ** 0.3", 5.0, lambda x: x ** (mpmath.mpf(3) / 10)),
    ("softplus(x) + log1p(x)", 1e-10, lambda x: mpmath.log1p(mpmath.exp(x)) + mpmath.log1p(x)),
    ("abs(sin(50 * x))", 1.0, lambda x: abs(mpmath.sin(50 * x))),
    # multiples of the period as steps would see a constant
    ("abs(sin(16 * pi * x) + 3)", 0.3, lambda x: mpmath.sin(16 * mpmath.pi * x) + 3),
    ("erf(x)", 1e-9, mpmath.erf),
    ("log(abs(x))", 1e-8, mpmath.log),
    ("(x + 1000000) - 1000000", 0.3, lambda x: x),
    ("x * ((x + 1000000) - 1000000)", 0.3, lambda x: x * x),
    ("logaddexp(x, 3)", -3.0, lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(3))),
    ("logaddexp(x, 800)", 799.0, lambda x: 799 + mpmath.log(mpmath.exp(x - 799) + mpmath.e)),
    ("log1p(x) ** 2", 1e-10, lambda x: mpmath.log1p(x) ** 2),
    ("abs((x + 1000000) ** 2 - 1000000000000)", 0.3, lambda x: (x + 10**6) ** 2 - 10**12),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text, x, reference", SMOOTH)
def test_the_error_is_within_the_claim(text: str, x: float, reference: Callable[[Any], Any], dtype: str) -> None:
    x = float(np.dtype(dtype).type(x))
    found = run({"x": x}, text, dtype=dtype)
    with mpmath.workdps(60):
        exact = mpmath.diff(reference, mpmath.mpf(x), h=mpmath.mpf(10) ** -25)
        error = abs(mpmath.mpf(float(found.gradients["x"])) - exact)
    assert error <= error_of(found)


@pytest.mark.parametrize(
    "text, x, claim",
    [("exp(x) * sin(3 * x)", 0.7, 1e-13), ("erf(x)", 0.3, 1e-10), ("abs(sin(16 * pi * x) + 3)", 0.3, 1e-6)],
)
def test_the_claim_is_worth_something(text: str, x: float, claim: float) -> None:
    """By the complex step all digits but two; by differences two thirds of them."""
    assert error_of(run({"x": x}, text)) < claim


@pytest.mark.parametrize(
    "text, x, one_sided",
    [
        ("abs(x)", 0.0, (-1.0, 1.0)),
        ("relu(x)", 0.0, (0.0, 1.0)),
        ("relu(x - 1e-9)", 0.0, (0.0, 0.0)),
        ("maximum(x, 2 * x) + exp(x)", 0.0, (2.0, 3.0)),
        ("abs(x - 2) * 1e-3 + erf(x)", 2.0, (-1e-3 + 0.02066698535409206, 1e-3 + 0.02066698535409206)),
    ],
)
def test_at_a_kink_the_claim_covers_both_sides(text: str, x: float, one_sided: tuple[float, float]) -> None:
    found = run({"x": x}, text)
    for slope in one_sided:
        assert abs(float(found.gradients["x"]) - slope) <= error_of(found)


@pytest.mark.parametrize("text, x", [("floor(x) + x", 1.0), ("sqrt(abs(x))", 0.0), ("sqrt(x)", 0.0), ("log(x)", -1.0)])
def test_where_there_is_no_slope_the_claim_is_worthless(text: str, x: float) -> None:
    assert error_of(run({"x": x}, text)) > 1


def test_noise_is_measured() -> None:
    """The difference of two numbers near 10^6 has lost six digits: its slope is claimed to no more than the rest."""
    clean, noisy = run({"x": 0.3}, "erf(x)"), run({"x": 0.3}, "(erf(x) + 1000000) - 1000000")
    assert error_of(noisy) > 1e4 * error_of(clean)


def test_stop_gradient_is_held_constant() -> None:
    found = run({"x": 3.0}, "x * stop_gradient(x)")
    np.testing.assert_allclose(found.gradients["x"], 3.0, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_and_a_cotangent(dtype: str) -> None:
    """d/dW of c^T (W x) is c x^T."""
    found = run({"w": [[1.0, 2.0], [3.0, 4.0]], "x": [5.0, 7.0]}, "w @ x", dtype=dtype, cotangent=[1.0, -2.0])
    assert found.status == "ok"
    np.testing.assert_array_equal(found.values["y0"], [19, 43])
    np.testing.assert_allclose(found.gradients["w"], [[5, 7], [-10, -14]], rtol=1e3 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(found.gradients["x"], [-5, -6], rtol=1e3 * float(np.finfo(dtype).eps))
    assert {x.dtype for x in (*found.values.values(), *found.gradients.values())} == {np.dtype(dtype)}


def test_many_numbers_in_one_graph_run_at_once() -> None:
    """A sum of 300 squares, one input each: 300 components of one batch."""
    inputs = {f"x{k}": k / 7 for k in range(300)}
    sums = ["x0 * x0", *(f"y{k - 1} + x{k} * x{k}" for k in range(1, 300))]
    found = run(inputs, *sums)
    np.testing.assert_allclose([found.gradients[name] for name in inputs], [2 * x for x in inputs.values()], rtol=1e-12)


def test_it_shows_no_inside() -> None:
    found = run({"x": 1.0}, "x * x")
    assert found.terms is None
    assert found.adjoints is None


def test_empty_and_zero_dimensional_inputs() -> None:
    found = run({"x": np.zeros((0, 3)), "w": 2.0}, "sum(x) + w * w")
    assert found.gradients["x"].shape == (0, 3)
    assert found.gradients["w"].shape == ()
    np.testing.assert_allclose(found.gradients["w"], 4.0, rtol=1e-13)


def test_too_many_components_are_refused_with_the_number() -> None:
    with pytest.raises(Unsupported, match=f"{LIMIT + 1} components .* more than {LIMIT}"):
        prepare(graph_of({"x": np.zeros(LIMIT + 1)}, "sum(x)"), "float64")


def test_the_second_run_has_the_same_bits() -> None:
    evaluate = prepare(graph_of({"x": 1.0}, "abs(sin(x))"), "float64")
    first, second = (evaluate({"x": np.array(0.4)}, np.array(1.0)) for _ in range(2))
    assert first.gradients == second.gradients
    assert first.errors == second.errors


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kink_beside_the_point_is_in_the_claim_at_every_distance(dtype: str) -> None:
    for distance in np.logspace(-7, 0, 60):
        corner = np.asarray(0.17 + distance, dtype)
        found = run({"x": 0.17}, f"0.03 * relu(x - {float(corner)!r}) - 0.1 * sin(3 * x)", dtype=dtype)
        assert abs(float(found.gradients["x"]) + 0.3 * np.cos(3 * 0.17)) <= error_of(found), distance
