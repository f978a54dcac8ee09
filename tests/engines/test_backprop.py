"""The hand-written engine against published closed forms and mpmath; never against itself."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
import pytest

from gradaccord.engines import backprop
from gradaccord.engines.backprop import engine, prepare, value_and_gradient
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Kind, Use
from gradaccord.harness.records.evaluation import Evaluation

NESTED = {"d": "a + b", "f": "d * c"}


def graph_of(
    inputs: Mapping[str, Any], statements: Mapping[str, str], kinds: Mapping[str, Kind] | None = None
) -> Graph:
    builder = Builder()
    for name, value in inputs.items():
        builder.input(name, np.shape(value), (kinds or {}).get(name, "float"))
    parser = Parser(builder)
    for name, text in statements.items():
        parser.define(name, text)
    return builder.graph([[*statements][-1]])


def run(
    inputs: Mapping[str, Any], statements: Mapping[str, str], *, dtype: str = "float64", cotangent: Any = 1.0
) -> Evaluation:
    arrays = {name: np.asarray(x, np.int64 if np.asarray(x).dtype == np.int64 else dtype) for name, x in inputs.items()}
    kinds: dict[str, Kind] = {name: "int" for name, x in arrays.items() if x.dtype == np.int64}
    graph = graph_of(inputs, statements, kinds)
    return prepare(graph, dtype)(arrays, np.asarray(cotangent, dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_essays_nested_nodes(dtype: str) -> None:
    """Into-Backpropagation: a = 5, b = -3, c = -2 give f = -4 and the gradient (-2, -2, 2)."""
    found = run({"a": 5.0, "b": -3.0, "c": -2.0}, NESTED, dtype=dtype)
    assert found.status == "ok"
    assert found.values == {"a": 5, "b": -3, "c": -2, "d": 2, "f": -4}
    assert found.gradients == {"a": -2, "b": -2, "c": 2}
    assert found.terms == {Use("d", 0): -2, Use("d", 1): -2, Use("f", 0): -2, Use("f", 1): 2}
    assert found.adjoints == {"a": -2, "b": -2, "c": 2, "d": -2, "f": 1}
    for shown in (found.values, found.gradients, found.terms, found.adjoints):
        assert shown is not None
        assert all(isinstance(x, np.ndarray) and x.dtype == dtype and x.shape == () for x in shown.values())


def test_the_fast_door_takes_and_returns_floats() -> None:
    found = value_and_gradient(graph_of({"a": 5.0, "b": -3.0, "c": -2.0}, NESTED))(5.0, -3.0, -2.0)
    assert found == (-4.0, -2.0, -2.0, 2.0)
    assert {type(x) for x in found} == {float}


def test_the_fast_door_on_arrays_takes_a_cotangent() -> None:
    compiled = value_and_gradient(graph_of({"x": np.ones(2), "w": np.ones((2, 2))}, {"y": "w @ x"}), "float32")
    x, w = np.array([1, 2], np.float32), np.array([[3, 4], [5, 6]], np.float32)
    y, grad_x, grad_w = compiled(x, w, np.array([1, 10], np.float32))
    np.testing.assert_array_equal(y, [11, 17])
    np.testing.assert_array_equal(grad_x, [53, 64])
    np.testing.assert_array_equal(grad_w, [[1, 2], [10, 20]])
    assert {y.dtype, grad_x.dtype, grad_w.dtype} == {np.dtype(np.float32)}


# Statements, inputs, and for each input the derivative by a textbook's formula.
CLOSED_FORMS: list[tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = [
    ({"y": "x * x"}, {"x": 3.0}, {"x": 6.0}),
    ({"y": "x * x * x + x"}, {"x": 2.0}, {"x": 13.0}),
    # fan-out: every path adds (Griewank & Walther 2008, section 3.2)
    ({"p": "x * x", "q": "x + p", "y": "p * q + x"}, {"x": 2.0}, {"x": 3 * 4 + 4 * 8 + 1.0}),
    # Rosenbrock's gradient at (-1.2, 1), his starting point: (-215.6, -88)
    ({"y": "(1 - a) ** 2 + 100 * (b - a ** 2) ** 2"}, {"a": -1.2, "b": 1.0}, {"a": -215.6, "b": -88.0}),
    ({"y": "sum(x * x)"}, {"x": [1.0, -2.0, 3.0]}, {"x": [2.0, -4.0, 6.0]}),
    # broadcasting: a row and a column are summed over what they were repeated along
    (
        {"y": "sum(a * b)"},
        {"a": [[1.0], [2.0]], "b": [3.0, 4.0, 5.0]},
        {"a": [[12.0], [12.0]], "b": [3.0, 3.0, 3.0]},
    ),
    ({"y": "sum(a + b)"}, {"a": 1.0, "b": np.zeros((2, 3))}, {"a": 6.0, "b": np.ones((2, 3))}),
    ({"y": "mean(x)"}, {"x": [[1.0, 2.0], [3.0, 4.0]]}, {"x": np.full((2, 2), 0.25)}),
    # d/dA sum(AB) = 1 B^T, d/dB = A^T 1 (Giles 2008)
    (
        {"y": "sum(a @ b)"},
        {"a": [[1.0, 2.0]], "b": [[3.0, 4.0], [5.0, 6.0]]},
        {"a": [[7.0, 11.0]], "b": [[1.0, 1.0], [2.0, 2.0]]},
    ),
    ({"y": "prod(x)"}, {"x": [2.0, 0.0, 5.0]}, {"x": [0.0, 10.0, 0.0]}),
    ({"y": "max(x)"}, {"x": [1.0, 7.0, 3.0]}, {"x": [0.0, 1.0, 0.0]}),
    ({"y": "where(x > 2, x * x, 5 * x)"}, {"x": 1.0}, {"x": 5.0}),
    ({"y": "sum(take(x, i, axis=0))"}, {"x": [1.0, 2.0, 3.0], "i": np.array([2, 2, 0])}, {"x": [1.0, 0.0, 2.0]}),
    ({"y": "x[1] * x[2]"}, {"x": [1.0, 2.0, 3.0]}, {"x": [0.0, 3.0, 2.0]}),
    # an input that reaches the output by no path with a slope has the gradient 0, in its shape
    ({"y": "sum(floor(x)) + 2 * z"}, {"x": [0.5, 1.5], "z": 1.0}, {"x": [0.0, 0.0], "z": 2.0}),
    ({"y": "a + b"}, {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("statements, inputs, expected", CLOSED_FORMS)
def test_closed_forms(statements: Any, inputs: Any, expected: Mapping[str, Any], dtype: str) -> None:
    found = run(inputs, statements, dtype=dtype)
    assert set(found.gradients) == set(expected)
    for name, gradient in found.gradients.items():
        assert gradient.shape == np.shape(expected[name])
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, expected[name], rtol=4 * float(np.finfo(dtype).eps), atol=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_softmax_of_a_cross_entropy_is_its_gradient(dtype: str) -> None:
    """d/dx of -log softmax(x)[t] is softmax(x) - onehot(t) (Bridle 1990)."""
    x = [2.0, -1.0, 0.5]
    found = run({"x": [x], "t": np.array([1])}, {"y": "cross_entropy(x, t)"}, dtype=dtype).gradients["x"]
    with mpmath.workdps(50):
        exponentials = [mpmath.exp(v) for v in x]
        exact = [float(e / sum(exponentials) - (k == 1)) for k, e in enumerate(exponentials)]
    np.testing.assert_allclose(found, [exact], rtol=20 * float(np.finfo(dtype).eps))


SCALARS = {
    "tanh(x)": (0.7, mpmath.tanh),
    "exp(sin(x) * x)": (1.3, lambda x: mpmath.exp(mpmath.sin(x) * x)),
    "x ** x": (2.5, lambda x: x**x),
    "log(1 + x ** 2) / x": (0.9, lambda x: mpmath.log(1 + x**2) / x),
    "gelu(x)": (-1.1, lambda x: x * mpmath.ncdf(x)),
    "silu(x)": (-1.1, lambda x: x / (1 + mpmath.exp(-x))),
    "lgamma(x) * digamma(x)": (3.3, lambda x: mpmath.loggamma(x) * mpmath.digamma(x)),
    "atan2(x, 2 - x)": (0.6, lambda x: mpmath.atan2(x, 2 - x)),
    "softplus(2 * x) - logaddexp(x, 1)": (
        0.4,
        lambda x: mpmath.log1p(mpmath.exp(2 * x)) - mpmath.log(mpmath.exp(x) + mpmath.e),
    ),
    "hypot(x, 3) * acosh(x + 1)": (0.8, lambda x: mpmath.hypot(x, 3) * mpmath.acosh(x + 1)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", SCALARS)
def test_scalar_functions_against_mpmath(text: str, dtype: str) -> None:
    x, reference = SCALARS[text]
    x = float(np.dtype(dtype).type(x))
    found = run({"x": x}, {"y": text}, dtype=dtype)
    with mpmath.workdps(50):
        exact, slope = reference(mpmath.mpf(x)), mpmath.diff(reference, mpmath.mpf(x))
    rounding = 32 * np.finfo(dtype).eps
    assert abs(float(found.values["y"]) - exact) <= rounding * max(abs(exact), 1)
    assert abs(float(found.gradients["x"]) - slope) <= rounding * max(abs(slope), 1)


# Python raises here or turns complex; IEEE arithmetic has an answer.
IEEE = [
    ("log(x)", -1.0, math.nan, -1.0),
    ("1 / x", 0.0, math.inf, -math.inf),
    ("exp(x)", 1000.0, math.inf, math.inf),
    ("x ** 0.5", -8.0, math.nan, math.nan),
    ("x ** (1 / 3)", -8.0, math.nan, math.nan),
    ("abs(x ** 0.5)", -8.0, math.nan, math.nan),
    ("sqrt(x)", 0.0, 0.0, math.inf),
    ("x ** 2", 1e200, math.inf, 2e200),
    ("sin(x)", math.inf, math.nan, math.nan),
    ("x * x", math.nan, math.nan, math.nan),
]


@pytest.mark.parametrize("text, x, value, gradient", IEEE)
def test_where_python_raises_ieee_arithmetic_goes_on(text: str, x: float, value: float, gradient: float) -> None:
    found = run({"x": x}, {"y": text})
    assert found.status == "ok"
    np.testing.assert_array_equal(found.values["y"], value)
    np.testing.assert_allclose(found.gradients["x"], gradient, rtol=1e-15)


def test_python_floats_are_for_float64_alone() -> None:
    """A square beyond float32 is infinite there; in Python floats it would be 1e60."""
    found = run({"x": 1e30}, {"y": "x * x"}, dtype="float32")
    assert found.values["y"] == np.inf


@pytest.mark.parametrize("shape", [(0,), (2, 0), (), (1,), (3, 1, 2)])
def test_shapes_stay_static(shape: tuple[int, ...]) -> None:
    found = run(
        {"x": np.full(shape, 0.5), "w": 2.0}, {"h": "tanh(x) * w", "p": "h + 1", "y": "p * x"}, cotangent=np.ones(shape)
    )
    assert found.adjoints is not None
    assert found.terms is not None
    assert {name: array.shape for name, array in found.values.items()} == {
        **dict.fromkeys(["x", "h", "h.1", "p", "y"], shape),
        "w": (),
    }
    assert found.adjoints["h"].shape == shape
    assert found.gradients["w"].shape == ()
    assert found.terms[Use("h", 1)].shape == ()
    np.testing.assert_allclose(found.gradients["w"], np.sum(np.full(shape, 0.5 * math.tanh(0.5))), rtol=1e-15)


def test_a_composite_shows_its_value_and_the_terms_of_its_operands() -> None:
    found = run({"x": [1.0, 2.0], "w": [[1.0, 0.0]], "b": [0.5]}, {"y": "linear(x, w, b)", "z": "y[0]"})
    assert found.terms is not None
    np.testing.assert_array_equal(found.values["y"], [1.5])
    np.testing.assert_array_equal(found.terms[Use("y", 0)], [1.0, 0.0])
    np.testing.assert_array_equal(found.terms[Use("y", 1)], [[1.0, 2.0]])
    np.testing.assert_array_equal(found.terms[Use("y", 2)], [1.0])


def test_an_operand_used_twice_has_two_terms() -> None:
    found = run({"x": 3.0}, {"y": "x * x"})
    assert found.terms == {Use("y", 0): 3, Use("y", 1): 3}


def test_a_condition_and_an_index_keep_their_kinds() -> None:
    found = run({"x": [1.0, 2.0], "i": np.array([1])}, {"c": "x > 1.5", "t": "take(x, i, axis=0)", "y": "sum(t)"})
    assert found.values["c"].dtype == np.bool_
    assert found.values["i"].dtype == np.int64


def chain(length: int) -> Graph:
    """x -> w x -> tanh -> + x -> ..., one operation a node."""
    builder = Builder()
    builder.input("x", ())
    builder.input("w", ())
    parser, last = Parser(builder), "x"
    steps = ("{} * w", "tanh({})", "{} + x")
    for k in range(length):
        parser.define(f"n{k}", steps[k % 3].format(last))
        last = f"n{k}"
    return builder.graph([last])


def by_recurrence(length: int, x: float, w: float) -> tuple[float, float, float]:
    """The chain's value and its two derivatives by forward differentiation, by hand."""
    y, dx, dw = x, 1.0, 0.0
    for k in range(length):
        if k % 3 == 0:
            y, dx, dw = y * w, dx * w, dw * w + y
        elif k % 3 == 1:
            y = math.tanh(y)
            dx, dw = dx * (1 - y * y), dw * (1 - y * y)
        else:
            y, dx = y + x, dx + 1.0
    return y, dx, dw


@pytest.mark.parametrize("length", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_chain_of_nodes_runs(length: int) -> None:
    graph = chain(length)
    assert value_and_gradient(graph)(0.3, 0.8) == pytest.approx(by_recurrence(length, 0.3, 0.8), rel=1e-9)


def test_a_long_sum_of_numbers_used_once_compiles() -> None:
    """Each is written into its consumer, but not without end: Python's parser has a limit."""
    compiled = value_and_gradient(
        graph_of({"x": 1.0}, {f"n{k}": f"{'x' if k == 0 else f'n{k - 1}'} + 2" for k in range(3000)})
    )
    assert compiled(5.0) == (6005.0, 1.0)


def test_preparation_is_linear_in_nodes() -> None:
    """Sixteen times the nodes in far less than the 256 times that a quadratic step would need."""

    def seconds(length: int) -> float:
        start = time.process_time()
        prepare(chain(length), "float64")
        return time.process_time() - start

    small = min(seconds(500) for _ in range(3))
    assert seconds(8000) < 80 * small


def test_the_second_run_has_the_same_bits() -> None:
    graph = graph_of({"x": np.ones(3)}, {"y": "sum(exp(x) * tanh(x))"})
    evaluate, x = prepare(graph, "float64"), np.array([0.1, 0.2, 0.3])
    first, second = (evaluate({"x": x}, np.array(1.0)) for _ in range(2))
    np.testing.assert_array_equal(first.gradients["x"], second.gradients["x"])


def test_inputs_are_left_as_they_were() -> None:
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    prepare(graph_of({"x": x}, {"y": "sum(square(x))"}), "float64")({"x": x}, np.array(1.0))
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_the_engine_names_its_versions() -> None:
    assert engine.prepare is backprop.prepare
    assert engine.version().endswith(np.__version__)


def test_its_optimiser_takes_a_step_uphill() -> None:
    assert engine.optimiser is not None
    step = engine.optimiser("ascent", {"step_size": 0.01}, {"a": np.array(5.0)})
    np.testing.assert_allclose(step({"a": np.array(-2.0)}).parameters["a"], 4.98, rtol=1e-15)
