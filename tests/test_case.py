"""The case language: what a file says is what a Case holds, to the last decimal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gradaccord.harness import yaml_text
from gradaccord.harness.case import Case, CaseErrors, default_cotangent, find, half_unit, load, load_all, schema, shipped
from gradaccord.harness.evaluation import DTYPES
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.expression import text_of
from gradaccord.harness.inputs import decimals
from gradaccord.harness.keys import KEYS
from gradaccord.harness.yaml_text import Scalar, Source

Write = Callable[[str], Case]

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


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(text: str) -> Case:
        path = tmp_path / "case.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return writer


def one(write: Write, description: str, graph: str = "sum(x)") -> Case:
    """A case of one described input."""
    return write(f"name: one\ninputs:\n  x: {description}\ngraph:\n  f: {graph}\n")


def values(case: Case, name: str = "x", dtype: str = "float64", point: int = 0) -> np.ndarray[Any, Any]:
    return case.inputs(point, dtype)[name]


# --- a whole case -----------------------------------------------------------------------------------------


def test_the_nested_nodes_of_the_essay_load(write: Write) -> None:
    case = write(NESTED)
    assert (case.name, case.about, case.source) == ("nested-nodes", "An addition that feeds a product.", "Into-Backpropagation")
    assert case.tags == ("essay", "scalar")
    assert text_of(case.graph) == {"d": "a + b", "f": "d * c"}
    assert case.graph.outputs == ("f",)
    assert case.dtypes == ("float64", "float32")
    assert case.inputs(0, "float32") == {"a": 5.0, "b": -3.0, "c": -2.0}
    assert {a.dtype for a in case.inputs(0, "float32").values()} == {np.dtype(np.float32)}
    assert case.exact_inputs(0)["b"][()] == Fraction(-3)
    assert [(e.quantity, e.name, e.values[()], e.line) for e in case.expect[0]] == [
        ("value", "f", "-4", 12),
        ("gradient", "a", "-2", 13),
        ("gradient", "b", "-2", 13),
        ("gradient", "c", "2", 13),
    ]
    assert case.update is not None
    assert (case.update.rule, case.update.settings["step_size"], case.update.steps) == ("ascent", "0.01", 100)
    assert case.cotangent("float64") == 1.0
    assert case.accept == ()


def test_yaml_is_that_of_version_1_2(write: Write) -> None:
    """`1e-3` is a number; `no`, `y` and `on` are names."""
    case = write("name: on\ninputs: {no: 1e-3, y: +.5, off: 012}\ngraph:\n  yes: no * y * off\n")
    assert case.name == "on"
    assert {n: v.item() for n, v in case.inputs(0, "float64").items()} == {"no": 0.001, "y": 0.5, "off": 12.0}


def test_a_nested_expression_becomes_a_node_for_each_operation(write: Write) -> None:
    case = write("name: x\ninputs: {a: 1, b: 2}\ngraph:\n  f: tanh(a * b) + a / b\n")
    assert [node.name for node in case.graph.operations] == ["f.1", "f.2", "f.3", "f"]


def test_a_case_of_greek_names_in_every_style_of_quoting_loads(write: Write) -> None:
    case = write(
        "name: x\ninputs: {α: 1, β: 2}\ngraph:\n  p: α *\n    β\n  'q': 'p + α'\n  \"r\": \"q \\x2b α\"\n"
        "  s: |\n    r *\n    (β + α)\n  t: >-\n    s -\n\n    p # no comment\n".replace(" # no comment", "")
    )
    assert text_of(case.graph) == {"p": "α * β", "q": "p + α", "r": "q + α", "s": "r * (β + α)", "t": "s - p"}


def test_anchors_and_aliases_stand_for_what_they_repeat(write: Write) -> None:
    case = write("name: x\ninputs: {a: &v [1, 2], b: *v}\ngraph:\n  f: a * b\n")
    assert values(case, "b").tolist() == [1.0, 2.0]


def test_names_may_shadow_the_constants(write: Write) -> None:
    case = write("name: x\ninputs: {a: 1, e: 3}\ngraph:\n  pi: a * e\n  f: pi * e\n")
    assert text_of(case.graph) == {"pi": "a * e", "f": "pi * e"}


def test_composites_of_a_file_are_written_out_where_they_are_called(write: Write) -> None:
    case = write(
        "name: x\ninputs: {a: 1, b: 2}\ndefine:\n  swish(x): x * sigmoid(x)\n  both(x, y): s = swish(x); s + swish(y)\n"
        "graph:\n  f: both(a, b)\n"
    )
    assert text_of(case.graph) == {"f": "a * sigmoid(a) + b * sigmoid(b)"}


# --- numbers ----------------------------------------------------------------------------------------------


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=40))
def test_inputs_keep_every_decimal(number: Any) -> None:
    source = Source(Path("x"), "")
    from gradaccord.harness.inputs import build

    text = f"{number:f}"
    made = build(source, (Scalar(text, "", 0, 0), Scalar(text, "", 0, 0)))
    assert made is not None
    assert made.exact()[()] == Fraction(text)
    assert made.array[()] == float(text)


def test_not_a_number_and_infinities_are_legal_inputs(write: Write) -> None:
    case = one(write, "[.nan, .inf, -.inf, 1e400]")
    assert values(case).tolist()[1:] == [np.inf, -np.inf, np.inf]
    assert np.isnan(values(case)[0])
    assert case.exact_inputs(0)["x"][1:].tolist() == [np.inf, -np.inf, Fraction(10) ** 400]


def test_scalars_and_empty_arrays_are_legal(write: Write) -> None:
    assert values(one(write, "2")).shape == ()
    assert values(one(write, "[]")).shape == (0,)
    assert values(one(write, "[[], []]")).shape == (2, 0)
    assert values(one(write, "{shape: [0, 3], values: []}")).shape == (0, 3)
    assert values(one(write, "{shape: [0, 3], normal: {seed: 1}}")).shape == (0, 3)
    assert values(one(write, "{shape: [], formula: 1 / 4}")).tolist() == 0.25


def test_float32_inputs_are_those_decimals_rounded(write: Write) -> None:
    case = one(write, "[0.1, 16777217]")
    assert values(case, dtype="float32").tolist() == [float(np.float32(0.1)), 16777216.0]


def test_integers_and_conditions_stay_what_they_are(write: Write) -> None:
    case = write(
        "name: x\ninputs:\n  a: [1, 2, 3]\n  n: {dtype: int64, values: [2, 0]}\n  c: {dtype: bool, values: [true, false]}\n"
        "graph:\n  f: where(c, take(a, n, axis=0), 0)\n"
    )
    inputs = case.inputs(0, "float32")
    assert (inputs["n"].dtype, inputs["c"].dtype) == (np.dtype(np.int64), np.dtype(np.bool_))
    assert case.exact_inputs(0)["n"].tolist() == [2, 0]
    assert [node.name for node in case.graph.wanted] == ["a"]


def test_a_constant_input_has_no_gradient(write: Write) -> None:
    case = write("name: x\ninputs: {a: {values: 2, constant: true}, b: 1}\ngraph:\n  f: a * b\npoints:\n  - {a: 3}\n")
    assert [node.name for node in case.graph.wanted] == ["b"]
    assert values(case, "a", point=1) == 3.0
    assert case.points[1].inputs["a"].constant


# --- descriptions -----------------------------------------------------------------------------------------


def test_normal_numbers_are_those_of_pcg64_to_nine_digits(write: Write) -> None:
    """The first three of numpy.random.default_rng(0).standard_normal, as NumPy's documentation prints them."""
    case = one(write, "{shape: [3], normal: {seed: 0}}")
    np.testing.assert_allclose(values(case), [0.12573022, -0.13210486, 0.64042265], rtol=0, atol=5e-9)
    assert case.exact_inputs(0)["x"][0] == Fraction("0.125730221")


def test_mean_and_deviation_shift_and_scale(write: Write) -> None:
    plain = values(one(write, "{shape: [50], normal: {seed: 3}}"))
    moved = values(one(write, "{shape: [50], normal: {seed: 3, mean: 10, std: 0.5}}"))
    np.testing.assert_allclose(moved, 10 + plain / 2, rtol=1e-8)


def test_uniform_numbers_lie_within_their_bounds(write: Write) -> None:
    drawn = values(one(write, "{shape: [1000], uniform: {seed: 1, low: -2, high: 6}}"))
    assert -2 <= drawn.min() < -1.9
    assert 5.9 < drawn.max() < 6
    assert abs(drawn.mean() - 2) < 0.3


def test_drawn_integers_reach_both_ends(write: Write) -> None:
    case = one(write, "{shape: [200], integers: {seed: 1, low: 2, high: 5}}", "sum(astype(x) * y)\n  y: 1").graph if False else None
    assert case is None
    case = write(
        "name: x\ninputs: {n: {shape: [200], integers: {seed: 1, low: 2, high: 5}}, a: 1}\ngraph:\n  f: a * sum(astype(n))\n"
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
def test_a_formula_is_evaluated_at_every_index_to_nine_digits(write: Write, description: str, expected: Any) -> None:
    assert values(one(write, description)).tolist() == np.asarray(expected, dtype=float).tolist()


def test_a_formula_gives_integers_and_conditions_where_they_are_asked_for(write: Write) -> None:
    case = write(
        "name: x\ninputs:\n  a: {shape: [4], formula: i}\n  n: {shape: [4], dtype: int64, formula: 3 - i}\n"
        "  c: {shape: [4], dtype: bool, formula: i > 1}\ngraph:\n  f: where(c, take(a, n, axis=0), a)\n"
    )
    assert values(case, "n").tolist() == [3, 2, 1, 0]
    assert values(case, "c").tolist() == [False, False, True, True]


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_what_a_description_gives_is_a_decimal_of_nine_digits(x: float) -> None:
    rounded = float(decimals(np.array(x)))
    assert Fraction(repr(rounded)) == Fraction(f"{x:.9g}") or rounded in (np.inf, -np.inf) or abs(x) < 1e-300


def test_a_file_beside_the_case_is_read_bit_for_bit(write: Write, tmp_path: Path) -> None:
    numbers = np.array([0.1, 1 / 3], dtype=np.float32)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "w.npy", numbers)
    case = one(write, "{file: data/w.npy}")
    assert values(case, dtype="float32").tolist() == numbers.tolist()
    assert case.exact_inputs(0)["x"][1] == Fraction(float(numbers[1]))


# --- output, cotangent, points ----------------------------------------------------------------------------


def test_the_default_cotangent_is_fixed_has_both_signs_no_zero_and_is_exact_in_every_dtype(write: Write) -> None:
    weights = one(write, "{shape: [60], formula: i}", "2 * x").cotangent("float64")
    np.testing.assert_array_equal(weights[:4], [8 / 16, -13 / 16, 18 / 16, -10 / 16])
    assert np.all(np.abs(weights) * 16 % 1 == 0)
    assert 0.5 <= np.abs(weights).min() < np.abs(weights).max() <= 1.25
    assert len(set(np.abs(weights).tolist())) == 13
    np.testing.assert_array_equal(default_cotangent((2, 3)).ravel(), default_cotangent((6,)))


def test_a_given_cotangent_keeps_its_decimals(write: Write) -> None:
    case = write("name: x\ninputs: {a: [1, 2]}\ngraph:\n  f: 2 * a\ncotangent: [0.1, 3]\n")
    assert case.exact_cotangent().tolist() == [Fraction(1, 10), 3]
    assert case.cotangent("float32").dtype == np.float32


def test_the_output_may_stand_anywhere_and_others_may_be_expected(write: Write) -> None:
    case = write(
        "name: x\ninputs: {a: 1, b: 2}\ngraph:\n  f: a * b\n  g: f + 1\n  h: f - 1\noutput: f\nexpect: {h: 1, g: 3, f: 2, a: 1}\n"
    )
    assert case.graph.outputs == ("f", "h", "g")


def test_points_override_inputs_and_have_expectations_of_their_own(write: Write) -> None:
    case = write(
        "name: x\ninputs: {a: [1, 2], b: 3}\ngraph:\n  f: a * b\n"
        "points:\n  - {b: 4, expect: {f: [4, 8.0]}}\n  - {a: {normal: {seed: 0}}}\n"
    )
    assert [values(case, "b", point=k).item() for k in range(3)] == [3.0, 4.0, 3.0]
    assert values(case, "a", point=2).tolist() == [0.125730221, -0.132104863]
    assert [e.values.tolist() for e in case.points[1].expect] == [["4", "8.0"]]
    assert case.expect == ((), case.points[1].expect, ())


def test_a_gradient_may_be_expected_of_any_active_node(write: Write) -> None:
    case = write("name: x\ninputs: {a: 1, b: 2}\ngraph:\n  g: a + b\n  f: g * g\nexpect: {gradient: {g: 6, a: 6}}\n")
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


def test_ledger_entries_say_exactly_what_is_known(write: Write) -> None:
    first, second = write(LEDGER).accept
    assert (first.engine, first.quantity, first.name, first.point, first.dtype) == ("jax", "gradient", "a", 0, "float32")
    assert (first.verdict, first.reason, first.link, first.line) == ("convention", "the right derivative", "https://example.org/1", 7)
    assert (second.name, second.point, second.dtype, second.versions) == (None, None, None, "")


@pytest.mark.parametrize(
    "version, covered",
    [("jax 0.10.2", True), ("jax 0.4.2", True), ("0.4.1", False), ("0.11.0", False), ("0.11", False), ("0.5", True), ("", True)],
)
def test_version_bounds_compare_numbers_not_text(write: Write, version: str, covered: bool) -> None:
    assert write(LEDGER).accept[0].covers(version) is covered


# --- files ------------------------------------------------------------------------------------------------


def test_cases_are_found_below_folders_sorted_and_once(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/x.yaml", "a.yml", "b/note.txt", "c.yaml"):
        (tmp_path / name).write_text("")
    assert [p.name for p in find([tmp_path, tmp_path / "c.yaml"])] == ["a.yml", "x.yaml", "c.yaml"]


def test_every_shipped_case_loads_and_names_are_unique() -> None:
    assert len(load_all(find([shipped()]))) >= 45


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + NESTED.lstrip().replace("\n", "\r\n").encode())
    assert load(path).name == "nested-nodes"
    path.write_bytes(path.read_bytes().replace(b"d * c", b"d * k"))
    with pytest.raises(CaseErrors) as caught:
        load(path)
    assert (caught.value.errors[0].line, caught.value.errors[0].column) == (8, 10)


# --- the schema for editors -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", find([shipped()]), ids=lambda path: cast(Path, path).stem)
def test_the_schema_accepts_every_shipped_case(path: Path) -> None:
    jsonschema.Draft202012Validator(schema()).validate(YAML(typ="safe", pure=True).load(path))


def test_the_schema_is_one_and_knows_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["properties"]) == set(KEYS)


@pytest.mark.parametrize(
    "change",
    ["abuot: x", "name: [1]", "name: a b", "graph: {}", "tags: x", "dtypes: [float23]", "inputs: {a: {shpe: [1]}}", "inputs: {a: x}",
     "update: {rule: up, steps: 1}", "update: {rule: ascent}", "accept: [{engine: x}]", "points: [{expect: 3}]",
     "expect: {gradient: 3}"],
)  # fmt: skip
def test_the_schema_and_the_loader_refuse_the_same(write: Write, change: str) -> None:
    """A change of one key that is wrong is wrong for both."""
    plain = YAML(typ="safe", pure=True)
    base = {"name": "x", "inputs": {"a": 1}, "graph": {"f": "sin(a)"}}
    jsonschema.validate(base, schema())
    changed = {**base, **plain.load(change)}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, schema())
    rows = [change] + [f"{k}: {v}" for k, v in {"name": "x", "inputs": "{a: 1}", "graph": "{f: sin(a)}"}.items() if k not in plain.load(change)]
    with pytest.raises(CaseErrors):
        write("\n".join(rows))


# --- cost -------------------------------------------------------------------------------------------------


def chain(n: int) -> str:
    rows = [f"  n{k}: tanh({'a' if k == 0 else f'n{k - 1}'}) + 0.5" for k in range(n)]
    return "\n".join(["name: x", "inputs: {a: 1}", "graph:", *rows]) + "\n"


def fan(n: int) -> str:
    rows = [f"  n{k}: a * {k}" for k in range(n)]
    return "\n".join(["name: x", "inputs: {a: 1}", "graph:", *rows, f"  f: sum(stack([{', '.join(f'n{k}' for k in range(n))}]))"]) + "\n"


def events(write: Write, text: str) -> int:
    """How many Python functions are entered while a case loads: a measure of work that no other process disturbs."""
    count = 0

    def tracer(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tracer)
    try:
        write(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("shape", [chain, fan])
def test_loading_takes_steps_in_proportion_to_the_nodes(write: Write, shape: Callable[[int], str]) -> None:
    small, large = (events(write, shape(n)) for n in (200, 2000))
    assert large < 11 * small


def test_a_wrong_name_in_every_statement_costs_steps_in_proportion(write: Write) -> None:
    def wrong(n: int) -> str:
        return chain(n).replace("0.5", "typo")

    def errors(n: int) -> int:
        def attempt(text: str) -> Case:
            with pytest.raises(CaseErrors):
                write(text)
            return cast(Case, None)

        return events(attempt, wrong(n))

    assert errors(2000) < 11 * errors(200)


def test_a_chain_of_twenty_thousand_nodes_loads_without_recursion(write: Write) -> None:
    limit = sys.getrecursionlimit()
    case = write(chain(20_000))
    assert len(case.graph.nodes) == 40_001
    assert sys.getrecursionlimit() == limit


def test_limits_leave_room_for_a_hundred_thousand_nodes() -> None:
    text = chain(100_000)
    assert len(text) < yaml_text.MAX_BYTES
    assert 2 * 100_000 + 10 < yaml_text.MAX_NODES


def test_builders_name_inner_nodes_in_proportion_to_them() -> None:
    """A search for the next free name from 1 on would be quadratic."""
    from gradaccord.harness.graph.expression import Parser

    def steps(n: int) -> int:
        builder = Builder()
        builder.input("a", ())
        found = 0

        class Counting(dict[str, Any]):
            def __contains__(self, key: object) -> bool:
                nonlocal found
                found += 1
                return super().__contains__(key)

        builder.nodes = Counting(builder.nodes)
        Parser(builder).define("f", f"stack([{', '.join(f'a * {k}' for k in range(n))}])")
        return found

    assert steps(400) < 11 * steps(40)


def test_dtypes_of_a_case_are_those_that_engines_know() -> None:
    assert {dtype for case in load_all(find([shipped()])) for dtype in case.dtypes} <= set(DTYPES)
