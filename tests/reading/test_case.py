"""The case language: what a file says is what a Case holds, to the last decimal."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.expand import expanded
from gradaccord.harness.graph.language.printing import text_of
from gradaccord.harness.reading.case import (
    Case,
    CaseErrors,
    find,
    half_unit,
    load,
    load_all,
    shipped,
)
from gradaccord.harness.records.cotangent import default_cotangent
from gradaccord.harness.records.known import covers

Load = Callable[[str], Case]

NESTED = """
name: nested-nodes
about: An addition that feeds a product.
source: Into-Backpropagation
tags: [essay, scalar]
inputs: {a: 5, b: -3, c: -2}
graph:
  d: a + b
  f: d * c
expect:
  f: -4
  gradient: {a: -2, b: -2, c: 2}
update: {rule: ascent, step_size: 0.01, steps: 100}
"""


def values(case: Case, name: str = "x", dtype: str = "float64", point: int = 0) -> np.ndarray[Any, Any]:
    return case.inputs(point, dtype)[name]


# --- a whole case -----------------------------------------------------------------------------------------


def test_the_nested_nodes_of_the_essay_load(load_text: Load) -> None:
    case = load_text(NESTED)
    assert (case.name, case.about, case.source) == (
        "nested-nodes",
        "An addition that feeds a product.",
        "Into-Backpropagation",
    )
    assert case.tags == ("essay", "scalar")
    assert text_of(case.graph) == {"d": "a + b", "f": "d * c"}
    assert case.graph.outputs == ("f",)
    assert case.dtypes == ("float64", "float32")
    assert case.inputs(0, "float32") == {"a": 5.0, "b": -3.0, "c": -2.0}
    assert {a.dtype for a in case.inputs(0, "float32").values()} == {np.dtype(np.float32)}
    assert case.exact_inputs(0)["b"][()] == Fraction(-3)
    assert [(e.quantity, e.name, e.values[()], e.places[0][0]) for e in case.expect[0]] == [
        ("value", "f", "-4", 11),
        ("gradient", "a", "-2", 12),
        ("gradient", "b", "-2", 12),
        ("gradient", "c", "2", 12),
    ]
    assert case.update is not None
    assert (case.update.rule, case.update.settings["step_size"], case.update.steps) == ("ascent", "0.01", 100)
    assert case.cotangent("float64") == 1.0
    assert case.accept == ()


def test_yaml_is_that_of_version_1_2(load_text: Load) -> None:
    """`1e-3` is a number; `no`, `y` and `on` are names."""
    case = load_text("name: on\ninputs: {no: 1e-3, y: +.5, off: 012}\ngraph:\n  yes: no * y * off\n")
    assert case.name == "on"
    assert {n: v.item() for n, v in case.inputs(0, "float64").items()} == {"no": 0.001, "y": 0.5, "off": 12.0}


def test_a_nested_expression_becomes_a_node_for_each_operation(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {a: 1, b: 2}\ngraph:\n  f: tanh(a * b) + a / b\n")
    assert [node.name for node in case.graph.operations] == ["f.1", "f.2", "f.3", "f"]


def test_a_case_of_greek_names_in_every_style_of_quoting_loads(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {α: 1, β: 2}\ngraph:\n  p: α *\n    β\n  'q': 'p + α'\n  \"r\": \"q \\x2b α\"\n"
        "  s: |\n    r *\n    (β + α)\n  t: >-\n    s -\n\n    p # no comment\n".replace(" # no comment", "")
    )
    assert text_of(case.graph) == {"p": "α * β", "q": "p + α", "r": "q + α", "s": "r * (β + α)", "t": "s - p"}


def test_what_only_a_size_needs_is_no_node(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {a: [1, 2]}\ngraph:\n  f: sum(a) / size(2 * a)\n")
    assert text_of(case.graph) == {"f": "sum(a) / 2"}


def test_anchors_and_aliases_stand_for_what_they_repeat(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {a: &v [1, 2], b: *v}\ngraph:\n  f: a * b\n")
    assert values(case, "b").tolist() == [1.0, 2.0]


def test_names_may_shadow_the_constants(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {a: 1, e: 3}\ngraph:\n  pi: a * e\n  f: pi * e\n")
    assert text_of(case.graph) == {"pi": "a * e", "f": "pi * e"}


def test_a_call_of_a_files_own_definition_is_one_node(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {a: 1, b: 2}\ndefine:\n  swish(x): x * sigmoid(x)\n  both(x, y): s = swish(x); s + swish(y)\n"
        "graph:\n  f: both(a, b)\n"
    )
    assert text_of(case.graph) == {"f": "both(a, b)"}
    assert text_of(expanded(case.graph, stable=True, own=True))["f"] == "a * sigmoid(a) + b * sigmoid(b)"


# --- output, cotangent, points ----------------------------------------------------------------------------


def test_the_default_cotangent_is_fixed_has_both_signs_no_zero_and_is_exact_in_every_dtype(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {x: {shape: [60], formula: i}}\ngraph: {f: 2 * x}\n")
    weights = case.cotangent("float64")
    np.testing.assert_array_equal(weights[:4], [8 / 16, -13 / 16, 18 / 16, -10 / 16])
    assert np.all(np.abs(weights) * 16 % 1 == 0)
    assert 0.5 <= np.abs(weights).min() < np.abs(weights).max() <= 1.25
    assert len(set(np.abs(weights).tolist())) == 13
    np.testing.assert_array_equal(default_cotangent((2, 3)).ravel(), default_cotangent((6,)))


def test_a_given_cotangent_keeps_its_decimals(load_text: Load) -> None:
    case = load_text("name: x\ninputs: {a: [1, 2]}\ngraph:\n  f: 2 * a\ncotangent: [0.1, 3]\n")
    assert case.exact_cotangent().tolist() == [Fraction(1, 10), 3]
    assert case.cotangent("float32").dtype == np.float32


def test_the_output_may_stand_anywhere_and_others_may_be_expected(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {a: 1, b: 2}\ngraph:\n  f: a * b\n  g: f + 1\n  h: f - 1\noutput: f\n"
        "expect: {h: 1, g: 3, f: 2, a: 1}\n"
    )
    assert case.graph.outputs == ("f", "h", "g")


def test_points_override_inputs_and_have_expectations_of_their_own(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {a: [1, 2], b: 3}\ngraph:\n  f: a * b\n"
        "points:\n  - {b: 4, expect: {f: [4, 8.0]}}\n  - {a: {normal: {seed: 0}}}\n"
    )
    assert [values(case, "b", point=k).item() for k in range(3)] == [3.0, 4.0, 3.0]
    assert values(case, "a", point=2).tolist() == [0.125730221, -0.132104863]
    assert [e.values.tolist() for e in case.points[1].expect] == [["4", "8.0"]]
    assert case.expect == ((), case.points[1].expect, ())


def test_a_gradient_may_be_expected_of_any_active_node(load_text: Load) -> None:
    case = load_text(
        "name: x\ninputs: {a: 1, b: 2}\ngraph:\n  g: a + b\n  f: g * g\nexpect: {gradient: {g: 6, a: 6}}\n"
    )
    assert [(e.quantity, e.name) for e in case.expect[0]] == [("gradient", "g"), ("gradient", "a")]


@pytest.mark.parametrize(
    "text, half",
    [("-4", "0"), ("12", "0"), ("0.5", "0.05"), ("0.50", "0.005"), ("1e-3", "0.0005"), ("-2.5e3", "50"), ("7.", "0.5")],
)
def test_a_decimal_promises_half_a_unit_of_its_last_digit_and_an_integer_everything(text: str, half: str) -> None:
    assert half_unit(text) == Fraction(half)


# --- the ledger -------------------------------------------------------------------------------------------


LEDGER = """
name: x
inputs: {a: 1}
graph:
  f: abs(a)
accept:
  - engine: jax
    quantity: gradient
    name: a
    point: 0
    dtype: float32
    verdict: convention
    reason: the right derivative
    link: https://example.org/1
    versions: ">=0.4.2, <0.11"
  - {engine: "torch", quantity: value, verdict: wrong, reason: everywhere}
"""


def test_ledger_entries_say_exactly_what_is_known(load_text: Load) -> None:
    first, second = load_text(LEDGER).accept
    assert (first.engine, first.quantity, first.name, first.point, first.dtype) == (
        "jax",
        "gradient",
        "a",
        0,
        "float32",
    )
    assert (first.verdict, first.reason, first.link, first.line) == (
        "convention",
        "the right derivative",
        "https://example.org/1",
        7,
    )
    assert (second.name, second.point, second.dtype, second.versions) == (None, None, None, "")


@pytest.mark.parametrize(
    "version, covered",
    [
        ("jax 0.10.2", True),
        ("jax 0.4.2", True),
        ("0.4.1", False),
        ("0.11.0", False),
        ("0.11", False),
        ("0.5", True),
        ("", True),
    ],
)
def test_version_bounds_compare_numbers_not_text(load_text: Load, version: str, covered: bool) -> None:
    assert load_text(LEDGER).accept[0].covers(version) is covered


@pytest.mark.parametrize(
    "bounds, version, covered",
    [
        (">=2.6,<3", "torch 2.13.0+cpu", True),
        (">=2.6,<3", "torch 3.0.0.dev20261101", False),  # what comes before 3 is of 3, as PEP 440 has it
        ("~=2.13", "2.14.1", True),
        ("~=2.13.0", "2.14", False),
        ("==2.13.*", "torch 2.13.4", True),
        ("!=2.13.1", "2.13.1", False),
        (">2.13", "2.13.0rc1", False),
        (">=2.13rc1", "2.13rc2", True),
        (">=1", "a build without a number", True),
    ],
)
def test_versions_are_compared_as_packages_are(bounds: str, version: str, covered: bool) -> None:
    assert covers(bounds, version) is covered


# --- files ------------------------------------------------------------------------------------------------


def test_cases_are_found_below_folders_sorted_and_once(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".github").mkdir()
    for name in (".github/ci.yaml", "b/x.yaml", "a.yml", "b/note.txt", "c.yaml"):
        (tmp_path / name).write_text("")
    assert [p.name for p in find([tmp_path, tmp_path / "c.yaml"])] == ["a.yml", "x.yaml", "c.yaml"]


def test_every_shipped_case_loads_and_names_are_unique() -> None:
    assert len(load_all(find([shipped()]))) >= 45


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + NESTED.lstrip().replace("\n", "\r\n").encode())
    assert load(path).name == "nested-nodes"
    path.write_bytes(path.read_bytes().replace(b"d * c", b"d * c + k"))
    with pytest.raises(CaseErrors) as caught:
        load(path)
    assert (caught.value.errors[0].line, caught.value.errors[0].column) == (8, 14)
