"""Inputs of a case: every form that a file may give them in, to the last decimal."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradaccord.harness.reading.case import Case
from gradaccord.harness.reading.inputs import build, decimals
from gradaccord.harness.reading.yaml_text import Scalar, Source

Load = Callable[[str], Case]


def one(load_text: Load, description: str, graph: str = "sum(x)") -> Case:
    """A case of one described input."""
    return load_text(f"name: one\ninputs:\n  x: {description}\ngraph:\n  f: {graph}\n")


def values(case: Case, name: str = "x", dtype: str = "float64", point: int = 0) -> np.ndarray[Any, Any]:
    return case.inputs(point, dtype)[name]


# --- numbers ----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=40))
def test_inputs_keep_every_decimal(number: Any) -> None:
    source = Source(Path("x"), "")
    text = f"{number:f}"
    made = build(source, (Scalar(text, "", 0, 0), Scalar(text, "", 0, 0)))
    assert made is not None
    assert made.exact()[()] == Fraction(text)
    assert made.array[()] == float(text)


def test_not_a_number_and_infinities_are_legal_inputs(load_text: Load) -> None:
    case = one(load_text, "[.nan, .inf, -.inf, 1e400]")
    assert values(case).tolist()[1:] == [np.inf, -np.inf, np.inf]
    assert np.isnan(values(case)[0])
    assert case.exact_inputs(0)["x"][1:].tolist() == [np.inf, -np.inf, Fraction(10) ** 400]


def test_scalars_and_empty_arrays_are_legal(load_text: Load) -> None:
    assert values(one(load_text, "2")).shape == ()
    assert values(one(load_text, "[]")).shape == (0,)
    assert values(one(load_text, "[[], []]")).shape == (2, 0)
    assert values(one(load_text, "{shape: [0, 3], values: []}")).shape == (0, 3)
    assert values(one(load_text, "{shape: [0, 3], normal: {seed: 1}}")).shape == (0, 3)
    assert values(one(load_text, "{shape: [], formula: 1 / 4}")).tolist() == 0.25


def test_float32_inputs_are_those_decimals_rounded(load_text: Load) -> None:
    case = one(load_text, "[0.1, 16777217]")
    assert values(case, dtype="float32").tolist() == [float(np.float32(0.1)), 16777216.0]


def test_integers_and_conditions_stay_what_they_are(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs:\n  a: [1, 2, 3]\n  n: {dtype: int64, values: [2, 0]}\n"
        "  c: {dtype: bool, values: [true, false]}\n"
        "graph:\n  f: where(c, take(a, n, axis=0), 0)\n"
    )
    inputs = case.inputs(0, "float32")
    assert (inputs["n"].dtype, inputs["c"].dtype) == (np.dtype(np.int64), np.dtype(np.bool_))
    assert case.exact_inputs(0)["n"].tolist() == [2, 0]
    assert [node.name for node in case.graph.wanted] == ["a"]


def test_a_constant_input_has_no_gradient(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {a: {values: 2, constant: true}, b: 1}\ngraph:\n  f: a * b\npoints:\n  - {a: 3}\n"
    )
    assert [node.name for node in case.graph.wanted] == ["b"]
    assert values(case, "a", point=1) == 3.0
    assert case.points[1].inputs["a"].constant


# --- descriptions -----------------------------------------------------------------------------------------


def test_normal_numbers_are_those_of_pcg64_to_nine_digits(load_text: Load) -> None:
    """The first three of numpy.random.default_rng(0).standard_normal, as NumPy's documentation prints them."""
    case = one(load_text, "{shape: [3], normal: {seed: 0}}")
    np.testing.assert_allclose(values(case), [0.12573022, -0.13210486, 0.64042265], rtol=0, atol=5e-9)
    assert case.exact_inputs(0)["x"][0] == Fraction("0.125730221")


def test_mean_and_deviation_shift_and_scale(load_text: Load) -> None:
    plain = values(one(load_text, "{shape: [50], normal: {seed: 3}}"))
    moved = values(one(load_text, "{shape: [50], normal: {seed: 3, mean: 10, std: 0.5}}"))
    np.testing.assert_allclose(moved, 10 + plain / 2, rtol=1e-8)


def test_uniform_numbers_lie_within_their_bounds(load_text: Load) -> None:
    drawn = values(one(load_text, "{shape: [1000], uniform: {seed: 1, low: -2, high: 6}}"))
    assert -2 <= drawn.min() < -1.9
    assert 5.9 < drawn.max() < 6
    assert abs(drawn.mean() - 2) < 0.3


def test_drawn_integers_reach_both_ends(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {n: {shape: [200], integers: {seed: 1, low: 2, high: 5}}, a: 1}\ngraph:\n"
        "  f: a * sum(astype(n))\n"
    )
    assert set(values(case, "n").tolist()) == {2, 3, 4}


@pytest.mark.parametrize(
    "description, expected",
    [
        ("{shape: [3], formula: i}", [0, 1, 2]),
        ("{shape: [3], formula: 2}", [2, 2, 2]),
        ("{shape: [2, 3], formula: 10 * i + j}", [[0, 1, 2], [10, 11, 12]]),
        ("{shape: [1, 1, 2, 2], formula: i + j + k - l}", [[[[0, -1], [1, 0]]]]),
        ("{shape: [2], formula: sin(i + 1)}", [0.841470985, 0.909297427]),
        ("{shape: [3], formula: 'where(i > 1, relu(-i), pi)'}", [3.14159265, 3.14159265, 0]),
        ("{shape: [2], formula: 1 / i}", [np.inf, 1]),
        ("{shape: [2], formula: 1e-20 / 3 ** i}", [1e-20, 3.33333333e-21]),
    ],
)
def test_a_formula_is_evaluated_at_every_index_to_nine_digits(load_text: Load, description: str, expected: Any) -> None:
    assert values(one(load_text, description)).tolist() == np.asarray(expected, dtype=float).tolist()


def test_a_formula_gives_integers_and_conditions_where_they_are_asked_for(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs:\n  a: {shape: [4], formula: i}\n  n: {shape: [4], dtype: int64, formula: 3 - i}\n"
        "  c: {shape: [4], dtype: bool, formula: i > 1}\ngraph:\n  f: where(c, take(a, n, axis=0), a)\n"
    )
    assert values(case, "n").tolist() == [3, 2, 1, 0]
    assert values(case, "c").tolist() == [False, False, True, True]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_what_a_description_gives_is_a_decimal_of_nine_digits(x: float) -> None:
    rounded = float(decimals(np.array(x)))
    assert Fraction(repr(rounded)) == Fraction(f"{x:.9g}") or rounded in (np.inf, -np.inf) or abs(x) < 1e-300


def test_a_file_beside_the_case_is_read_bit_for_bit(load_text: Load, tmp_path: Path) -> None:
    numbers = np.array([0.1, 1 / 3], dtype=np.float32)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "w.npy", numbers)
    case = one(load_text, "{file: data/w.npy}")
    assert values(case, dtype="float32").tolist() == numbers.tolist()
    assert case.exact_inputs(0)["x"][1] == Fraction(float(numbers[1]))
