"""The number systems of the hand-written engine: each function against mpmath at 50 digits, in both precisions."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from gradaccord.engines import backprop
from gradaccord.harness.arithmetic import arrays, floats, special
from gradaccord.harness.graph.operations import OPERATIONS

from .. import witnesses

PRIMITIVES = {name for name, row in OPERATIONS.items() if row.primitive}
DTYPES = ("float64", "float32")
Function = Callable[..., Any]


@pytest.fixture(autouse=True)
def _fifty_digits() -> Iterator[None]:
    with mpmath.workdps(50):
        yield


def test_arrays_have_every_primitive() -> None:
    assert PRIMITIVES - set(arrays.namespace("float32")) == set()


def test_no_number_system_has_a_name_outside_the_vocabulary() -> None:
    assert (set(floats.NAMESPACE) | set(arrays.namespace("float64"))) - PRIMITIVES == {"constant"}


def test_the_hand_written_engine_imports_no_framework() -> None:
    assert backprop.__file__ is not None and arrays.__file__ is not None
    rooms = [Path(backprop.__file__), *Path(arrays.__file__).parent.glob("*.py")]
    imported = {
        name.split(".")[0]
        for room in rooms
        for node in ast.walk(ast.parse(room.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }
    assert len(rooms) == 5
    assert imported - sys.stdlib_module_names == {"numpy"}


# --- scalar functions ------------------------------------------------------------------------------------


UNARY = {op: (witness.function, witness.near) for op, witness in witnesses.UNARY.items()}
BINARY = {op: (witness.function, witness.near) for op, witness in witnesses.BINARY.items()}


def sound(value: Any, name: str, reference: Function, xs: tuple[float, ...], unit: float) -> bool:
    """Within the row's cost, each operand being allowed one rounding: the judge's own rule for a value link."""
    exact = reference(*map(mpmath.mpf, xs))
    moved = 0
    if OPERATIONS[name].cost:
        for k in range(len(xs)):
            for sign in (-1, 1):
                near = [x * (1 + sign * unit * (i == k)) for i, x in enumerate(map(mpmath.mpf, xs))]
                if name in ("acosh", "asin", "acos", "atanh") and abs(near[k] - 1) < unit * 2:
                    continue
                moved = max(moved, abs(reference(*near) - exact))
    smallest = 2.0**-1022 if unit < 1e-10 else 2.0**-126
    return bool(abs(mpmath.mpf(float(value)) - exact) <= moved + OPERATIONS[name].cost * unit * abs(exact) + smallest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary_function_on_arrays_is_within_its_cost(name: str, dtype: str) -> None:
    reference, points = UNARY[name]
    xs = np.array(points, dtype)
    xs = xs[np.abs(xs) < (80 if dtype == "float32" and name in ("exp", "sinh", "cosh", "expm1") else np.inf)]
    with np.errstate(all="ignore"):
        values = arrays.namespace(dtype)[name](xs)
    assert values.dtype == dtype
    assert values.shape == xs.shape
    unit = float(np.finfo(dtype).eps) / 2
    wrong = [x for x, y in zip(xs.tolist(), values, strict=True) if not sound(y, name, reference, (x,), unit)]
    assert wrong == []


@pytest.mark.parametrize("name", UNARY)
def test_unary_function_on_floats_is_within_its_cost(name: str) -> None:
    reference, points = UNARY[name]
    values = {x: floats.NAMESPACE[name](x) for x in points}
    assert {type(y) for y in values.values()} == {float}
    assert [x for x, y in values.items() if not sound(y, name, reference, (x,), 2.0**-53)] == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_binary_function_on_arrays_is_within_its_cost(name: str, dtype: str) -> None:
    reference, points = BINARY[name]
    a, b = np.array(points, dtype).T
    values = arrays.namespace(dtype)[name](a, b)
    assert values.dtype == dtype
    unit = float(np.finfo(dtype).eps) / 2
    triples = zip(a.tolist(), b.tolist(), values, strict=True)
    assert [(x, z) for x, z, y in triples if not sound(y, name, reference, (x, z), unit)] == []


@pytest.mark.parametrize("name", BINARY)
def test_binary_function_on_floats_is_within_its_cost(name: str) -> None:
    reference, points = BINARY[name]
    values = {xs: floats.NAMESPACE[name](*xs) for xs in points}
    assert {type(y) for y in values.values()} == {float}
    assert [xs for xs, y in values.items() if not sound(y, name, reference, xs, 2.0**-53)] == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_polygamma_is_within_its_cost(n: int, dtype: str) -> None:
    xs = np.array([x for x in witnesses.GAMMA if abs(x) > 1e-3], dtype)
    values = arrays.namespace(dtype)["polygamma"](xs, n=n)
    assert values.dtype == dtype
    unit = float(np.finfo(dtype).eps) / 2
    pairs = list(zip(xs.tolist(), values, strict=True))
    assert [x for x, y in pairs if not sound(y, "polygamma", lambda t: mpmath.polygamma(n, t), (x,), unit)] == []


def test_the_check_itself_sees_sixteen_units_of_error() -> None:
    value = math.exp(1.0)
    assert sound(value, "exp", mpmath.exp, (1.0,), 2.0**-53)
    assert not sound(value * (1 + 2.0**-49), "exp", mpmath.exp, (1.0,), 2.0**-53)
    assert not sound(math.nan, "exp", mpmath.exp, (1.0,), 2.0**-53)


def test_every_scalar_function_is_compared_with_mpmath() -> None:
    comparisons = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}
    elementwise = {name for name in PRIMITIVES if OPERATIONS[name].shape is OPERATIONS["exp"].shape}
    assert elementwise - comparisons - {"where", "astype", "polygamma"} == {*UNARY, *BINARY}


@pytest.mark.parametrize(
    "name, x, expected",
    [
        ("lgamma", 0.0, math.inf),
        ("lgamma", -3.0, math.inf),
        ("lgamma", math.inf, math.inf),
        ("digamma", 0.0, -math.inf),
        ("digamma", -2.0, math.nan),
        ("erf", math.inf, 1.0),
        ("erfc", -math.inf, 2.0),
        ("sigmoid", -math.inf, 0.0),
        ("sigmoid", math.inf, 1.0),
        ("sigmoid", math.nan, math.nan),
        ("softplus", -math.inf, 0.0),
        ("softplus", math.nan, math.nan),
        ("sign", math.nan, math.nan),
    ],
)
def test_poles_and_infinities(name: str, x: float, expected: float) -> None:
    with np.errstate(invalid="ignore"):
        found = arrays.namespace("float64")[name](np.array([x]))
    np.testing.assert_array_equal(found, [expected])
    np.testing.assert_array_equal(floats.NAMESPACE[name](x), expected)


@pytest.mark.parametrize("choose", ["maximum", "minimum"])
@pytest.mark.parametrize("pair", [(math.nan, 1.0), (1.0, math.nan)])
def test_a_choice_on_floats_hands_nan_on(choose: str, pair: tuple[float, float]) -> None:
    assert math.isnan(floats.NAMESPACE[choose](*pair))


@pytest.mark.parametrize("name", ["floor", "ceil"])
def test_minus_zero_stays_minus_zero(name: str) -> None:
    assert math.copysign(1.0, floats.NAMESPACE[name](-0.0)) == -1.0


@pytest.mark.parametrize("text, value", [("0.1", 0.1), ("-pi", -math.pi), ("e", math.e), ("-inf", -math.inf)])
def test_constants_are_numbers_of_the_run(text: str, value: float) -> None:
    assert floats.constant(text) == value
    for dtype in DTYPES:
        number = arrays.namespace(dtype)["constant"](text)
        assert number.dtype == dtype
        assert number == np.dtype(dtype).type(value)


# --- arrays: written out by hand ---------------------------------------------------------------------------


def correlation(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The definition of correlate2d, index by index."""
    (batch, _, height, width), (out, channels, rows, columns) = x.shape, w.shape
    size = [
        (n + 2 * padding[i] - dilation[i] * (k - 1) - 1) // stride[i] + 1
        for i, (n, k) in enumerate(((height, rows), (width, columns)))
    ]
    y = np.zeros((batch, out, *size))
    for n, o, i, j in np.ndindex(y.shape):
        for c, k, m in np.ndindex(channels, rows, columns):
            p, q = i * stride[0] + k * dilation[0] - padding[0], j * stride[1] + m * dilation[1] - padding[1]
            if 0 <= p < height and 0 <= q < width:
                y[n, o, i, j] += x[n, o // (out // groups) * channels + c, p, q] * w[o, c, k, m]
    return y


CONVOLUTIONS = [
    ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((1, 4, 6, 5), (6, 2, 2, 3), (2, 1), (1, 2), (1, 1), 2),
    ((2, 2, 7, 7), (2, 1, 3, 3), (2, 3), (2, 1), (2, 2), 2),
    ((0, 1, 4, 4), (2, 1, 2, 2), (1, 1), (0, 0), (1, 1), 1),
    ((1, 1, 8, 8), (1, 1, 1, 1), (3, 3), (0, 0), (1, 1), 1),
]


@pytest.mark.parametrize("x_shape, w_shape, stride, padding, dilation, groups", CONVOLUTIONS)
def test_correlate2d_and_its_transposes(
    x_shape: Any, w_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-4, 5, x_shape).astype(float), rng.integers(-4, 5, w_shape).astype(float)
    settings: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = correlation(x, w, stride, padding, dilation, groups)
    np.testing.assert_array_equal(arrays.correlate2d(x, w, **settings), expected)
    # <g, x * w> is linear in each: the transpose is what pairs with every unit vector as that does.
    g = rng.integers(-4, 5, expected.shape).astype(float)
    by_input = arrays.correlate2d_input(g, w, shape=x.shape, **settings)
    by_weight = arrays.correlate2d_weight(g, x, shape=w.shape, **settings)
    assert by_input.shape == x.shape
    assert by_weight.shape == w.shape
    for place in list(np.ndindex(x.shape))[::7]:
        unit = np.zeros(x.shape)
        unit[place] = 1
        assert by_input[place] == np.sum(g * correlation(unit, w, stride, padding, dilation, groups))
    for place in np.ndindex(w.shape):
        unit = np.zeros(w.shape)
        unit[place] = 1
        assert by_weight[place] == np.sum(g * correlation(x, unit, stride, padding, dilation, groups))


X = np.arange(6.0).reshape(2, 3)
STRUCTURAL: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("sum", (X,), {"axis": None, "keepdims": False}, 15.0),
    ("sum", (X,), {"axis": (0, -1), "keepdims": True}, [[15.0]]),
    ("sum", (np.zeros((0, 3)),), {"axis": 0, "keepdims": False}, [0.0, 0.0, 0.0]),
    ("max", (X,), {"axis": -1, "keepdims": False}, [2.0, 5.0]),
    ("max_share", (np.array([1.0, 3.0, 3.0, 3.0, 3.0]),), {"axis": None}, [0, 0.25, 0.25, 0.25, 0.25]),
    ("max_share", (X,), {"axis": 0}, [[0, 0, 0], [1, 1, 1]]),
    ("cumsum", (X,), {"axis": 1}, [[0, 1, 3], [3, 7, 12]]),
    ("matmul", (X, np.ones(3)), {}, [3.0, 12.0]),
    ("einsum", (X, X), {"subscripts": "ij,kj->ik"}, [[5, 14], [14, 50]]),
    ("einsum", (X, X, X), {"subscripts": "ij,ij,ij->"}, 225.0),
    ("permute_dims", (X,), {"axes": (1, 0)}, [[0, 3], [1, 4], [2, 5]]),
    ("matrix_transpose", (X,), {}, [[0, 3], [1, 4], [2, 5]]),
    ("reshape", (X,), {"shape": (3, -1)}, [[0, 1], [2, 3], [4, 5]]),
    ("broadcast_to", (np.array([[7.0], [8.0]]),), {"shape": (2, 2)}, [[7, 7], [8, 8]]),
    ("broadcast_to", (np.float64(2),), {"shape": ()}, 2.0),
    ("expand_dims", (X[0],), {"axis": 0}, [[0, 1, 2]]),
    ("expand_dims", (X[0],), {"axis": -1}, [[0], [1], [2]]),
    ("expand_dims", (X,), {"axis": -2}, [[[0, 1, 2]], [[3, 4, 5]]]),
    ("squeeze", (X[None, :, None],), {"axis": (0, 2)}, X),
    ("concat", (X[:1], X[1:]), {"axis": 0}, X),
    ("stack", (X[0], X[1]), {"axis": 1}, [[0, 3], [1, 4], [2, 5]]),
    ("getitem", (X,), {"index": (slice(None), -1)}, [2, 5]),
    ("place", (np.array([7.0, 8.0]),), {"index": (slice(0, 3, 2),), "shape": (4,)}, [7, 0, 8, 0]),
    ("take", (X, np.array([2, 0, 2])), {"axis": 1}, [[2, 0, 2], [5, 3, 5]]),
    ("scatter_add", (X, np.array([2, 0, 2])), {"axis": 1, "size": 4}, [[1, 0, 2, 0], [4, 0, 8, 0]]),
    ("scatter_add", (X, np.array([1, 1])), {"axis": 0, "size": 2}, [[0, 0, 0], [3, 5, 7]]),
    ("scatter_add", (np.ones((2, 3, 4)), np.array([0, 1, 0])), {"axis": -2, "size": 2}, [[[2] * 4, [1] * 4]] * 2),
    ("take_along_axis", (X, np.array([[2, 2], [-1, 0]])), {"axis": 1}, [[2, 2], [5, 3]]),
    ("scatter_add_along_axis", (X, np.array([[1, 1, 0], [2, 0, 2]])), {"axis": -1, "size": 3}, [[2, 1, 0], [4, 0, 8]]),
    ("flip", (X,), {"axis": None}, [[5, 4, 3], [2, 1, 0]]),
    ("roll", (X,), {"shift": 1, "axis": 1}, [[2, 0, 1], [5, 3, 4]]),
    ("pad", (X[0],), {"widths": ((1, 2),), "value": 9}, [9, 0, 1, 2, 9, 9]),
    ("pad", (np.float64(3),), {"widths": (), "value": 9}, 3.0),
    ("one_hot", (np.array([2, 0]),), {"size": 3}, [[0, 0, 1], [1, 0, 0]]),
    ("astype", (np.array([True, False]),), {}, [1, 0]),
    ("where", (np.array([True, False]), np.ones(2), np.zeros(2)), {}, [1, 0]),
    ("less", (X[0], 1.0), {}, [True, False, False]),
    ("less_equal", (X[0], 1.0), {}, [True, True, False]),
    ("greater", (X[0], 1.0), {}, [False, False, True]),
    ("greater_equal", (X[0], 1.0), {}, [False, True, True]),
    ("equal", (X[0], 1.0), {}, [False, True, False]),
    ("not_equal", (X[0], 1.0), {}, [True, False, True]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, operands, parameters, expected", STRUCTURAL)
def test_structural_function(name: str, operands: Any, parameters: Any, expected: Any, dtype: str) -> None:
    cast = [x.astype(dtype) if getattr(x, "dtype", None) == np.float64 else x for x in operands]
    found = arrays.namespace(dtype)[name](*cast, **parameters)
    assert found.dtype == (dtype if OPERATIONS[name].kind == "float" else np.bool_)
    np.testing.assert_array_equal(found, expected, strict=False)
    assert found.shape == np.shape(expected)


def test_every_primitive_has_a_test_here() -> None:
    tested = {*UNARY, *BINARY, *(row[0] for row in STRUCTURAL), "polygamma"}
    assert PRIMITIVES - tested == {"correlate2d", "correlate2d_input", "correlate2d_weight"}


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma", "digamma"])
def test_special_functions_keep_shapes(name: str, shape: tuple[int, ...]) -> None:
    found = getattr(special, name)(np.full(shape, 1.5, np.float32))
    assert (found.shape, found.dtype) == (shape, np.float32)
