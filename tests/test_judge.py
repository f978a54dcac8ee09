"""The judge is judged: a fault planted in an engine is caught and pinned to its operation, and sound engines pass.

The hand-written engine is the victim in most tests: its rules are broken while it prepares, and mended
before the judge looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as backprop
from gradaccord.harness.agreement import differs, pairs, ulps_between
from gradaccord.harness.evaluation import Evaluation
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.derivatives import RULES
from gradaccord.harness.graph.expression import Parser
from gradaccord.harness.graph.graph import Use
from gradaccord.harness.judge import judge, settle
from gradaccord.harness.rows import FINDINGS, Row
from gradaccord.harness.subject import Subject

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
SMALLEST_FAULT = {"float64": 1e-12, "float32": 1e-5}


def subject(graph: Mapping[str, str], dtype: str = "float64", **inputs: Any) -> Subject:
    """A subject from statements of the case language and arrays."""
    builder = Builder()
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    arrays = {name: a if a.dtype.kind in "ib" else a.astype(dtype) for name, a in arrays.items()}
    for name, array in arrays.items():
        builder.input(name, array.shape, {"f": "float", "i": "int", "b": "bool"}[array.dtype.kind])  # pyright: ignore[reportArgumentType]
    parser = Parser(builder)
    for name, text in graph.items():
        parser.define(name, text)
    output = builder.graph([list(graph)[-1]])
    shape = output.output.shape
    cotangent = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape) if shape else np.ones(())
    return Subject("case", 0, dtype, output, arrays, cotangent.astype(dtype))


def attention(dtype: str = "float64") -> Subject:
    random = np.random.default_rng(7)
    q, k, v = (random.normal(size=size) for size in ((3, 2), (4, 2), (4, 2)))
    graph = {"s": "q @ matrix_transpose(k)", "w": "softmax(s / sqrt(2))", "out": "tanh(w @ v)"}
    return subject(graph, dtype, q=q, k=k, v=v)


def evaluated(about: Subject) -> Evaluation:
    return backprop.prepare(about.graph, about.dtype)(about.inputs, about.cotangent)


def first_off(rows: list[Row]) -> set[str]:
    return {row.node for row in rows if row.verdict in FINDINGS}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_sound_engine_passes_on_every_link(dtype: str) -> None:
    rows = judge(attention(dtype), "backprop", evaluated(attention(dtype)))
    assert {row.quantity for row in rows} == {"value", "gradient", "adjoint", "term"}
    assert not [row for row in rows if row.finding]
    assert 0 < max(row.score or 0 for row in rows) <= 1


# --- one element of one array of an otherwise sound evaluation -----------------------------------------

FAULTS: Mapping[str, Callable[[float, str], float]] = {
    "not a number": lambda x, dtype: float("nan"),
    "infinity": lambda x, dtype: float("inf"),
    "another sign": lambda x, dtype: -x,
    "twice": lambda x, dtype: 2 * x,
    "zero": lambda x, dtype: 0.0,
    "a small factor": lambda x, dtype: x * (1 + SMALLEST_FAULT[dtype]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_element_of_any_term_is_named(fault: str, dtype: str) -> None:
    about = attention(dtype)
    sound = evaluated(about)
    assert sound.terms is not None
    for use, term in sound.terms.items():
        wrong = term.copy()
        index = np.unravel_index(np.argmax(np.abs(wrong)), wrong.shape)
        wrong[index] = FAULTS[fault](float(wrong[index]), dtype)
        rows = judge(about, "backprop", replace(sound, terms={**sound.terms, use: wrong}))
        off = [row for row in rows if row.quantity == "term" and row.use == str(use)]
        assert off[0].verdict in FINDINGS, f"{fault} in the term {use} got past the judge"
        assert off[0].node == f"term of {about.graph.argument(use)} in {use}"
        assert off[0].index == ", ".join(str(int(i)) for i in index)
        assert off[0].finding


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_element_of_any_value_or_adjoint_is_named(fault: str) -> None:
    about = attention()
    sound = evaluated(about)
    assert sound.adjoints is not None
    for quantity, arrays in (("value", sound.values), ("adjoint", sound.adjoints)):
        for name in arrays:
            wrong = arrays[name].copy()
            index = np.unravel_index(np.argmax(np.abs(wrong)), wrong.shape)
            wrong[index] = FAULTS[fault](float(wrong[index]), "float64")
            changed = {**arrays, name: wrong}
            broken = replace(sound, values=changed) if quantity == "value" else replace(sound, adjoints=changed)
            rows = judge(about, "backprop", broken)
            off = next(row for row in rows if row.quantity == quantity and row.name == name)
            assert off.verdict in FINDINGS, f"{fault} in the {quantity} of {name} got past the judge"
            assert off.node == f"{quantity} of {name}"


def test_everything_downstream_of_a_fault_names_its_link_and_nothing_beside_it_does() -> None:
    about = subject({"d": "a + b", "e": "exp(b)", "f": "d * c", "out": "f + e"}, a=5.0, b=-3.0, c=-2.0)
    sound = evaluated(about)
    assert sound.terms is not None
    use = Use("f", 0)
    rows = judge(about, "x", replace(sound, terms={**sound.terms, use: sound.terms[use] * (1 + 1e-12)}))
    verdicts = {row.name: row for row in rows if row.quantity == "gradient"}
    assert verdicts["a"].node == verdicts["b"].node == "term of d in f[0]"
    assert verdicts["c"].verdict == "agree"


# --- a broken rule, inside the engine ------------------------------------------------------------------

IMAGE, KERNEL = np.arange(1.0, 10).reshape(1, 1, 3, 3) / 7, np.arange(1.0, 5).reshape(1, 1, 2, 2) / 3

SMOOTH: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "add": ("a + b", (1.5, 0.25)),
    "subtract": ("a - b", (1.5, 0.25)),
    "multiply": ("a * b", (1.5, 0.3)),
    "divide": ("a / b", (1.5, 0.3)),
    "negative": ("-a", (1.5,)),
    "abs": ("abs(a)", (-1.5,)),
    "square": ("square(a)", (1.3,)),
    "sqrt": ("sqrt(a)", (1.3,)),
    "reciprocal": ("reciprocal(a)", (1.3,)),
    "pow": ("a ** b", (1.3, 0.7)),
    "hypot": ("hypot(a, b)", (1.3, 0.7)),
    "exp": ("exp(a)", (0.3,)),
    "expm1": ("expm1(a)", (0.3,)),
    "log": ("log(a)", (1.3,)),
    "log1p": ("log1p(a)", (0.3,)),
    "log2": ("log2(a)", (1.3,)),
    "log10": ("log10(a)", (1.3,)),
    "logaddexp": ("logaddexp(a, b)", (0.3, 0.9)),
    "sin": ("sin(a)", (0.7,)),
    "cos": ("cos(a)", (0.7,)),
    "tan": ("tan(a)", (0.7,)),
    "asin": ("asin(a)", (0.3,)),
    "acos": ("acos(a)", (0.3,)),
    "atan": ("atan(a)", (0.3,)),
    "atan2": ("atan2(a, b)", (0.3, 0.7)),
    "sinh": ("sinh(a)", (0.7,)),
    "cosh": ("cosh(a)", (0.7,)),
    "tanh": ("tanh(a)", (0.7,)),
    "asinh": ("asinh(a)", (0.7,)),
    "acosh": ("acosh(a)", (1.7,)),
    "atanh": ("atanh(a)", (0.3,)),
    "erf": ("erf(a)", (0.7,)),
    "erfc": ("erfc(a)", (0.7,)),
    "lgamma": ("lgamma(a)", (3.3,)),
    "digamma": ("digamma(a)", (3.3,)),
    "polygamma": ("polygamma(a, n=1)", (3.3,)),
    "sigmoid": ("sigmoid(a)", (0.7,)),
    "softplus": ("softplus(a)", (0.7,)),
    "maximum": ("maximum(a, b)", (0.7, 0.2)),
    "minimum": ("minimum(a, b)", (0.2, 0.7)),
    "where": ("where(a > 0, a, b)", (0.2, 0.7)),
    "max": ("max(a)", ([0.2, 0.9],)),
    "sum": ("sum(a, axis=0)", ([[0.2, 0.9]],)),
    "cumsum": ("cumsum(a, axis=0)", ([0.2, 0.9],)),
    "matmul": ("a @ b", ([[0.2, 0.9]], [[0.3], [0.7]])),
    "einsum": ('einsum("ij,jk->ik", a, b)', ([[0.2, 0.9]], [[0.3], [0.7]])),
    "copy": ("copy(a)", (0.7,)),
    "correlate2d": ("correlate2d(a, b)", (IMAGE, KERNEL)),
    "permute_dims": ("permute_dims(a, axes=[1, 0])", ([[0.2, 0.9]],)),
    "matrix_transpose": ("matrix_transpose(a)", ([[0.2, 0.9]],)),
    "reshape": ("reshape(a, shape=[2, 1])", ([0.2, 0.9],)),
    "expand_dims": ("expand_dims(a, axis=0)", ([0.2, 0.9],)),
    "squeeze": ("squeeze(a, axis=0)", ([[0.2, 0.9]],)),
    "broadcast_to": ("broadcast_to(a, shape=[2, 2])", ([0.2, 0.9],)),
    "concat": ("concat([a, b])", ([0.2], [0.9])),
    "stack": ("stack([a, b])", ([0.2], [0.9])),
    "getitem": ("a[1:]", ([0.2, 0.9],)),
    "place": ('place(a, index="1:", shape=[3])', ([0.2, 0.9],)),
    "take": ("take(a, i, axis=0)", ([0.2, 0.9],)),
    "scatter_add": ("scatter_add(a, i, axis=0, size=3)", ([0.2, 0.9],)),
    "flip": ("flip(a, axis=0)", ([0.2, 0.9],)),
    "roll": ("roll(a, shift=1, axis=0)", ([0.2, 0.9],)),
    "pad": ("pad(a, widths=[[1, 1]])", ([0.2, 0.9],)),
    "correlate2d_input": ("correlate2d_input(a, b, shape=[1, 1, 3, 3])", (KERNEL, KERNEL)),
    "correlate2d_weight": ("correlate2d_weight(a, b, shape=[1, 1, 2, 2])", (KERNEL, IMAGE)),
}


def test_every_rule_is_broken_below() -> None:
    assert set(SMOOTH) == set(RULES)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", SMOOTH)
def test_a_rule_off_by_a_small_factor_is_caught_and_pinned_to_its_operation(
    op: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, values = SMOOTH[op]
    inputs: dict[str, Any] = dict(zip("ab", values, strict=False))
    if "i" in text.replace("axis", "").replace("size", "").split("(")[-1].split(", "):
        inputs["i"] = np.array([1, 0])
    about = subject({"h": text, "out": "tanh(h)"}, dtype, **inputs)
    assert not first_off(judge(about, "backprop", evaluated(about)))
    sound = RULES[op]

    def broken(g: Any, y: Any, *xs: Any, **params: Any) -> Any:
        terms: Any = sound(g, y, *xs, **params)
        return [None if term is None else term * (1 + SMALLEST_FAULT[dtype]) for term in terms]

    with monkeypatch.context() as patch:
        patch.setitem(RULES, op, broken)
        wrong = evaluated(about)
    off = first_off(judge(about, "backprop", wrong))
    assert off, f"{op} got past the judge"
    assert all(node.startswith("term of ") for node in off)
    # tanh's own rule multiplies too: what is named is the broken operation, or the first of its kind.
    assert any("in h" in node or op in ("multiply", "tanh", "subtract") for node in off)


# --- ties ----------------------------------------------------------------------------------------------


def test_at_a_tie_every_share_is_a_convention_but_the_shares_must_sum_to_the_whole() -> None:
    about = subject({"m": "maximum(a, b)", "out": "3 * m"}, a=2.0, b=2.0)
    sound = evaluated(about)
    assert sound.terms is not None and sound.adjoints is not None

    def shared(first: float, second: float) -> list[Row]:
        terms = {**sound.terms, Use("m", 0): np.array(first), Use("m", 1): np.array(second)}  # pyright: ignore[reportGeneralTypeIssues]
        adjoints = {**sound.adjoints, "a": np.array(first), "b": np.array(second)}  # pyright: ignore[reportGeneralTypeIssues]
        gradients = {"a": adjoints["a"], "b": adjoints["b"]}
        rows = judge(about, "x", replace(sound, terms=terms, adjoints=adjoints, gradients=gradients))
        return [row for row in rows if row.quantity == "gradient"]

    for first, second in ((3.0, 0.0), (1.5, 1.5), (0.0, 3.0), (1.0, 2.0)):
        assert [row.verdict for row in shared(first, second)] == ["convention", "convention"]
    for first, second in ((3.0, 3.0), (0.0, 0.0), (4.0, -1.0), (float("nan"), 0.0)):
        assert all(row.finding for row in shared(first, second))


def test_engines_that_choose_differently_at_a_kink_are_findings_and_those_that_agree_are_not() -> None:
    about = subject({"out": "relu(x)"}, x=0.0)
    sound = evaluated(about)
    rows = judge(about, "one", sound)
    assert {row.verdict for row in rows if row.quantity == "gradient"} == {"convention"}
    assert not [row for row in settle([*rows, *judge(about, "two", sound)]) if row.finding]
    one = np.array(1.0)
    other = replace(
        sound, terms={Use("out", 0): one}, adjoints={**(sound.adjoints or {}), "x": one}, gradients={"x": one}
    )
    settled = settle([*rows, *judge(about, "two", other)])
    assert {row.engine for row in settled if row.finding} == {"one", "two"}
    assert "the lower end" in next(row.reason for row in settled if row.finding and row.engine == "one")


# --- what is not finite --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_is_found_where_it_is_born() -> None:
    about = subject({"y": "exp(x)", "out": "y * 2"}, "float32", x=100.0)
    rows = judge(about, "backprop", evaluated(about))
    off = next(row for row in rows if row.quantity == "value" and row.name == "out")
    assert (off.verdict, off.node) == ("overflow", "value of y")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_logarithm_of_a_negative_number_is_undefined_and_no_finding() -> None:
    about = subject({"y": "log(x)", "out": "y * 2"}, x=-1.0)
    rows = judge(about, "backprop", evaluated(about))
    assert {row.verdict for row in rows if row.quantity == "value" and row.name != "x"} == {"undefined"}
    assert not [row for row in rows if row.finding]


# --- digits --------------------------------------------------------------------------------------------


def test_a_formula_that_cancels_is_lossy_and_passes() -> None:
    about = subject({"out": "tanh(x)"}, x=18.0)
    gradient = next(row for row in judge(about, "backprop", evaluated(about)) if row.quantity == "gradient")
    assert (gradient.verdict, gradient.finding) == ("lossy", False)
    assert gradient.digits is not None and gradient.digits < 8


def test_float32_inside_float64_is_imprecise_and_says_how_many_bits_are_right() -> None:
    about = subject({"out": "tanh(x)"}, x=0.7)
    sound = evaluated(about)
    assert sound.terms is not None and sound.adjoints is not None
    coarse = np.float64(np.float32(sound.gradients["x"]))
    shown = np.array(coarse)
    rows = judge(
        about,
        "x",
        replace(sound, terms={Use("out", 0): shown}, adjoints={**sound.adjoints, "x": shown}, gradients={"x": shown}),
    )
    row = next(row for row in rows if row.quantity == "gradient")
    assert row.verdict == "imprecise" and row.finding
    assert "right to 26 of 53 bits, looks like float32 inside float64" in row.reason


def test_digits_count_agreement_with_the_truth_and_the_reference_is_the_truth() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    row = next(
        row for row in judge(about, "backprop", evaluated(about)) if row.quantity == "value" and row.name == "out"
    )
    assert row.reference == 2.718281828459045
    assert row.digits is not None and 15 <= row.digits <= 18


# --- what an engine shows decides how finely it is judged ----------------------------------------------


def test_an_engine_that_shows_adjoints_alone_is_judged_on_the_sum_of_its_term_links() -> None:
    about = subject({"d": "a * a", "out": "d * a"}, a=1.3)
    sound = replace(evaluated(about), terms=None)
    assert not [row for row in judge(about, "x", sound) if row.finding]
    assert sound.adjoints is not None
    for name, value in sound.adjoints.items():
        adjoints = {**sound.adjoints, name: value * (1 + 1e-12)}
        rows = judge(about, "x", replace(sound, adjoints=adjoints, gradients={"a": adjoints["a"]}))
        assert f"adjoint of {name}" in first_off(rows)


def test_a_gradient_alone_is_judged_by_what_rounding_may_do_or_by_the_engines_own_estimate() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    sound = evaluated(about)
    bare = replace(sound, terms=None, adjoints=None)
    assert [row.verdict for row in judge(about, "x", bare) if row.quantity == "gradient"] == ["agree"]
    for fault, verdict in {1e-14: "imprecise", 1e-1: "wrong"}.items():
        faulty = replace(bare, gradients={"x": sound.gradients["x"] * (1 + fault)})
        assert [row.verdict for row in judge(about, "x", faulty) if row.quantity == "gradient"] == [verdict]
    off = {"x": sound.gradients["x"] * (1 + 1e-6)}
    honest = replace(bare, gradients=off, errors={"x": np.array(1e-5)})
    assert [row.verdict for row in judge(about, "x", honest) if row.quantity == "gradient"] == ["agree"]
    boastful = replace(bare, gradients=off, errors={"x": np.array(1e-7)})
    assert [row.verdict for row in judge(about, "x", boastful) if row.quantity == "gradient"] == ["wrong"]
    silent = replace(bare, gradients={"x": np.array(np.nan)}, errors={"x": np.array(1e-7)})
    assert [row.verdict for row in judge(about, "x", silent) if row.quantity == "gradient"] == ["wrong"]


def test_a_plain_program_with_other_bits_than_the_tagged_one_is_judged_by_what_rounding_may_do() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    sound = evaluated(about)
    plain = {"x": np.nextafter(sound.gradients["x"], 3)}
    rows = judge(about, "x", replace(sound, gradients=plain))
    assert [row.verdict for row in rows if row.quantity == "gradient"] == ["agree"]


@pytest.mark.parametrize("fault", [float("nan"), float("inf"), 0.0, -2.718281828459045, 2.718281828459045 * (1 + 1e-6)])
def test_a_plain_program_that_is_grossly_off_is_a_finding_although_its_tagged_twin_is_sound(fault: float) -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    rows = judge(about, "x", replace(evaluated(about), gradients={"x": np.array(fault)}))
    row = next(row for row in rows if row.quantity == "gradient")
    assert row.finding and row.node == "gradient of x"
    assert row.verdict == ("wrong" if np.isfinite(fault) else "not finite")


def test_an_answer_that_changes_is_unstable() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    first = evaluated(about)
    again = replace(first, gradients={"x": np.nextafter(first.gradients["x"], 3)})
    assert differs(first, first) == ""
    rows = judge(about, "x", first, again)
    assert [(row.verdict, row.finding) for row in rows] == [("unstable", True)]
    assert "gradient of `x`" in rows[0].reason


def test_an_engine_that_computes_on_another_input_is_wrong_at_that_input() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    other = replace(about, inputs={"x": np.array(1.0 + 2.0**-52)})
    rows = judge(about, "x", evaluated(other))
    assert first_off(rows) == {"value of x"}


# --- side by side --------------------------------------------------------------------------------------


def test_ulps_count_the_steps_between_two_numbers_and_nan_is_infinitely_far_from_a_number() -> None:
    a = np.array([1.0, 1.0, np.nan, np.nan, -0.0], dtype=np.float32)
    b = np.array([1.0, np.nextafter(np.float32(1), np.float32(2)), np.nan, 1.0, 0.0], dtype=np.float32)
    assert ulps_between(a, b).tolist() == [0.0, 1.0, 0.0, np.inf, 0.0]


def test_every_pair_of_engines_is_tabulated_on_the_value_and_every_gradient() -> None:
    about = subject({"out": "a * b"}, a=1.5, b=0.3)
    sound = evaluated(about)
    off = replace(sound, gradients={**sound.gradients, "a": np.nextafter(sound.gradients["a"], 3)})
    rows = pairs(about, {"x": sound, "y": off, "z": sound})
    assert len(rows) == 3 * 3
    assert {(row.engine_a, row.engine_b) for row in rows if row.ulps} == {("x", "y"), ("y", "z")}
    assert {row.ulps for row in rows} == {0.0, 1.0}


# --- two faults -----------------------------------------------------------------------------------------


def test_a_second_fault_downstream_of_the_first_has_a_row_that_names_it() -> None:
    about = subject({"d": "exp(a)", "f": "tanh(d)", "out": "f * f"}, a=0.3)
    sound = evaluated(about)
    assert sound.terms is not None
    first, second = Use("f", 0), Use("d", 0)
    terms = {**sound.terms, **{use: sound.terms[use] * (1 + 1e-9) for use in (first, second)}}
    named = first_off(judge(about, "x", replace(sound, terms=terms)))
    assert {"term of d in f[0]", "term of a in d[0]"} <= named


# --- what an engine hides, and what it claims ---------------------------------------------------------------


def gradient_rows(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.quantity == "gradient"]


@pytest.mark.parametrize("terms", [True, False])
def test_hidden_values_leave_the_gradient_to_what_rounding_may_do(terms: bool) -> None:
    about = subject({"h": "sin(x)", "out": "h * 3"}, x=0.7)
    sound = evaluated(about)
    hidden = replace(sound, values={"out": sound.values["out"]}, terms=sound.terms if terms else None)
    assert [row.verdict for row in gradient_rows(judge(about, "x", hidden))] == ["agree"]
    assert sound.adjoints is not None
    off = {"x": sound.adjoints["x"] * 1.5}
    hidden = replace(hidden, adjoints={**sound.adjoints, **off}, gradients=off)
    assert [row.verdict for row in gradient_rows(judge(about, "x", hidden))] == ["wrong"]


@pytest.mark.parametrize("estimate", [-1.0, 0.0, 1e-9])
def test_no_error_estimate_that_is_too_small_passes(estimate: float) -> None:
    about = subject({"out": "sum(sin(x))"}, x=[0.1, 0.2])
    off = replace(evaluated(about), terms=None, adjoints=None, gradients={"x": np.array([9.0, 9.0])})
    rows = judge(about, "x", replace(off, errors={"x": np.full(2, estimate)}))
    assert [row.verdict for row in gradient_rows(rows)] == ["wrong"]
    hidden = judge(about, "x", replace(off, errors={"x": np.array([np.inf, estimate])}))
    assert [row.verdict for row in gradient_rows(hidden)] == ["wrong"]


def test_a_plain_gradient_that_is_not_finite_is_a_finding_at_a_kink_too() -> None:
    about = subject({"out": "sum(relu(x))"}, x=[0.0, 1.0])
    rows = judge(about, "x", replace(evaluated(about), gradients={"x": np.array([np.nan, 1.0])}))
    assert gradient_rows(rows)[0].verdict == "not finite"


def test_adjoints_alone_show_a_convention_and_every_kink_of_an_array_counts() -> None:
    about = subject({"out": "sum(relu(x))"}, x=[0.0, 0.0])
    sound = evaluated(about)
    rows: list[Row] = []
    for engine, slopes in (("one", [0.0, 0.0]), ("two", [0.0, 1.0])):
        slope = np.array(slopes)
        adjoints = {**(sound.adjoints or {}), "x": slope}
        rows += judge(about, engine, replace(sound, terms=None, adjoints=adjoints, gradients={"x": slope}))
    assert {row.verdict for row in gradient_rows(rows)} == {"convention"}
    assert {row.engine for row in settle(rows) if row.finding} == {"one", "two"}


@pytest.mark.parametrize("shares", [(0.0, 0.0), (2.0, 2.0)])
def test_the_shares_of_broadcast_operands_sum_to_the_whole_too(shares: tuple[float, float]) -> None:
    about = subject({"out": "sum(maximum(a, b))"}, a=[2.0, 2.0], b=2.0)
    sound = evaluated(about)
    a, b = np.full(2, shares[0] / 2), np.array(shares[1])
    terms = {**(sound.terms or {}), Use("out.1", 0): a, Use("out.1", 1): b}
    adjoints = {**(sound.adjoints or {}), "a": a, "b": b}
    rows = judge(about, "x", replace(sound, terms=terms, adjoints=adjoints, gradients={"a": a, "b": b}))
    assert any(row.finding for row in rows)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("text", ["x + 1", "x * 2", "x / 2", "square(x)"])
def test_arithmetic_on_an_infinity_is_judged(text: str) -> None:
    about = subject({"y": text, "out": "exp(-y)"}, x=np.inf)
    sound = evaluated(about)
    assert not [row for row in judge(about, "x", sound) if row.finding]
    rows = judge(about, "x", replace(sound, values={**sound.values, "y": np.array(5.0)}))
    assert [row.verdict for row in rows if row.quantity == "value" and row.name == "y" and row.finding]


def test_a_product_that_is_added_to_a_bias_from_the_start_is_sound() -> None:
    random = np.random.default_rng(0)
    x, weight, bias = random.normal(size=(2, 3)) * 1e-3, random.normal(size=(2, 3)), random.normal(size=2)
    about = subject({"out": "linear(x, weight, bias)"}, x=x, weight=weight, bias=bias)
    from_bias = np.tile(bias, (2, 1))
    for k in range(3):
        from_bias = from_bias + np.outer(x[:, k], weight[:, k])
    sound = evaluated(about)
    rows = judge(about, "x", replace(sound, values={**sound.values, "out": from_bias}))
    assert not [row for row in rows if row.finding]
    rows = judge(about, "x", replace(sound, values={**sound.values, "out": from_bias * (1 + 1e-12)}))
    assert any(row.finding for row in rows)


def test_other_terms_in_a_second_run_are_unstable() -> None:
    about = subject({"out": "exp(x)"}, x=1.0)
    first = evaluated(about)
    assert "term" in differs(first, replace(first, terms={Use("out", 0): np.array(3.0)}))


def test_an_input_of_another_sign_of_zero_is_another_input() -> None:
    about = subject({"out": "x + 1"}, x=0.0)
    sound = evaluated(about)
    rows = judge(about, "x", replace(sound, values={**sound.values, "x": np.array(-0.0)}))
    assert "value of x" in first_off(rows)


# --- what the searches for false alarms found ------------------------------------------------------------------


def test_next_to_its_root_logaddexp_may_lose_what_its_parts_were_rounded_by() -> None:
    about = subject({"y": "logaddexp(a, b)"}, a=-0.9143483591340287, b=-0.5036147495878182)
    found = evaluated(about)
    assert not first_off(judge(about, "x", found))
    off = {"y": found.values["y"] + 1e-13}
    assert "value of y" in first_off(judge(about, "x", replace(found, values={**found.values, **off})))


@pytest.mark.parametrize("x", [1.4616, -0.5041, -2.6107])
def test_next_to_its_roots_digamma_may_lose_what_its_parts_were_rounded_by(x: float) -> None:
    about = subject({"y": "digamma(a)"}, a=x)
    found = evaluated(about)
    for shift, sound in ((4e-15, True), (4e-14, False)):
        off = {"y": found.values["y"] + shift}
        named = first_off(judge(about, "x", replace(found, values={**found.values, **off})))
        assert ("value of y" in named) is not sound


@pytest.mark.parametrize("graph", [{"l": "log(b)", "y": "maximum(a, l)"}, {"y": "a + acosh(b)"}])
def test_where_a_value_does_not_exist_its_derivative_does_not_either(graph: dict[str, str]) -> None:
    about = subject(graph, a=2.0, b=-1e30)
    rows = judge(about, "x", evaluated(about))
    assert not first_off(rows)
    assert "undefined" in {row.verdict for row in rows}


def test_only_at_a_tie_must_the_terms_of_a_maximum_sum_to_its_adjoint() -> None:
    about = subject({"y": "maximum(a, b)"}, a=2.0, b=1.0)
    found = evaluated(about)
    assert found.terms is not None
    doubled = {**found.terms, Use("y", 0): found.terms[Use("y", 0)] * 2}
    named = first_off(judge(about, "x", replace(found, terms=doubled)))
    assert "term of a in y[0]" in named and "term of b in y[1]" not in named


def test_engines_that_choose_alike_agree_though_the_ends_of_their_hulls_differ_in_a_digit() -> None:
    about = subject({"y": "relu(x) * s"}, x=0.0, s=0.3452945)
    near = subject({"y": "relu(x) * s"}, x=0.0, s=0.3452946)
    rows = [
        replace(row, engine=engine)
        for engine, one in {"a": about, "b": near}.items()
        for row in judge(one, engine, evaluated(one))
    ]
    assert any(row.verdict == "convention" for row in rows)
    assert not any(row.finding for row in settle(rows))


def test_a_tie_of_bounds_of_other_shapes_is_judged() -> None:
    about = subject({"y": "sum(clip(x, low, high))"}, x=[0.5, 2.0], low=0.0, high=[1.0, 2.0])
    assert not [row for row in judge(about, "x", evaluated(about)) if row.verdict in ("failed", "wrong")]
