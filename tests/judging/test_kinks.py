"""What is true at kinks, at infinite slopes and where 0 meets infinity, and how an engine's choice there is named."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.rows import Row
from gradaccord.harness.truth.sides import Sides

from ..subject import subject

# Left and right derivative at 0, as a pupil would work them out.
SIDES = {
    "relu(x)": (0, 1),
    "abs(x)": (-1, 1),
    "leaky_relu(x)": (0.01, 1),
    "elu(x)": (1, 1),
    "clip(x, 0, 1)": (0, 1),
    "clip(x, -1, 0)": (1, 0),
    "relu(x) - relu(-x)": (1, 1),
    "maximum(x, x)": (1, 1),
    "maximum(x, -2 * x)": (-2, 1),
    "minimum(x, 3 * x)": (3, 1),
    "max(stack(x, -x, 2 * x))": (-1, 2),
    "sqrt(x ** 2)": (-1, 1),
    "sqrt(x * x)": (-1, 1),
    "hypot(x, x)": (-sqrt(2), sqrt(2)),
    "norm(stack(x, 2 * x))": (-sqrt(5), sqrt(5)),
    "std(stack(x, -x))": (-1, 1),
    "log(1 + sqrt(x ** 2))": (-1, 1),
    "silu(abs(x))": (-0.5, 0.5),
    "where(x > 0, 3 * x, 2 * x)": (2, 3),
    "where(x < 1, 2 * x, sqrt(x - 3))": (2, 2),
    "x * sqrt(abs(x))": (0, 0),
    "sqrt(x)": (nan, inf),
    "-sqrt(x)": (nan, -inf),
    "exp(sqrt(x))": (nan, inf),
    "x ** 0.5": (nan, inf),
    "sqrt(abs(x))": (-inf, inf),
    "log(x)": (nan, nan),
    "1 / x": (nan, nan),
    "x / abs(x)": (nan, nan),
}


@pytest.mark.parametrize("text", SIDES)
def test_one_sided_derivatives_at_0(text: str) -> None:
    about = subject(text, x=0.0)
    found, truth = about.sides["x"], about.truth.adjoints["x"]
    # No side is looked at where reverse mode knows a single number.
    assert bool(found) == (not (truth.tight.all() and np.isfinite(truth.high).all()))
    known = (found[()].left, found[()].right) if found else (float(truth.high), float(truth.high))
    np.testing.assert_allclose(known, SIDES[text], rtol=1e-15)


@pytest.mark.parametrize("text", [text for text, (left, right) in SIDES.items() if left == right])
def test_an_engine_that_gives_what_both_sides_agree_on_is_sound_and_one_beside_it_is_not(text: str) -> None:
    about, (left, _) = subject(text, x=0.0), SIDES[text]
    assert told(about, left, links=False).verdict in ("agree", "convention")
    assert told(about, left + 1e-3, links=False).finding


@pytest.mark.parametrize("sides, single", [
    ((1, 1), 1), ((0, 1), nan), ((nan, inf), inf), ((-inf, nan), -inf), ((-inf, inf), nan), ((nan, 2), nan),
])  # fmt: skip
def test_a_derivative_is_single_where_both_sides_agree_or_the_only_side_is_infinite(
    sides: tuple[float, float], single: float
) -> None:
    np.testing.assert_equal(Sides(*sides).single, single)


def told(about: Subject, number: Any, *, links: bool = True) -> Row:
    """The gradient row of an engine that gives this number for x: all it shows is sound but the last sum."""
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    gradient = {"x": np.broadcast_to(np.asarray(number, dtype=np.float64), about.inputs["x"].shape).copy()}
    if not links:
        found = replace(found, terms=None, adjoints=None)
    rows = judge(about, "x", replace(found, gradients=gradient))
    return next(row for row in rows if row.quantity == "gradient")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("text, number, verdict", [
    ("relu(x)", 0.0, "convention"),
    ("relu(x)", 1.0, "convention"),
    ("relu(x)", 0.25, "convention"),
    ("relu(x)", nan, "not finite"),
    ("relu(x) - relu(-x)", 0.0, "kink artefact"),
    ("relu(x) - relu(-x)", 2.0, "kink artefact"),
    ("elu(x)", 1.5, "wrong"),  # the slope is 1 on both sides
    ("leaky_relu(x)", 0.005, "kink artefact"),
    ("sqrt(x ** 2)", nan, "not finite"),
    ("sqrt(x ** 2)", 0.0, "convention"),
    ("sqrt(x ** 2)", 1.5, "kink artefact"),
    ("norm(stack(x, x))", nan, "not finite"),
    ("norm(stack(x, x))", 0.0, "convention"),
    ("sqrt(x)", inf, "agree"),
    ("sqrt(x)", 1e300, "not finite"),
    ("sqrt(x)", nan, "not finite"),
    ("sqrt(x)", -inf, "not finite"),
    ("x * sqrt(abs(x))", nan, "not finite"),
])  # fmt: skip
def test_what_an_engine_may_say_at_0(text: str, number: float, verdict: str, links: bool) -> None:
    row = told(subject(text, x=0.0), number, links=links)
    assert (row.verdict, row.finding) == (verdict, verdict not in ("convention", "agree")), row.reason


def test_nan_out_of_the_branch_that_was_not_taken_is_found_and_laid_where_it_is_born() -> None:
    """The classic one: the slope of where(x > 0, sqrt(x), 0) at -1 is 0, every engine says 0 * NaN."""
    about = subject("where(x > 0, sqrt(x), 0)", x=-1.0)
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert np.isnan(found.gradients["x"])
    row = next(row for row in judge(about, "x", found) if row.quantity == "gradient")
    assert (row.verdict, row.finding) == ("not finite", True)
    assert "the derivative is 0" in row.reason and str(row.node) == "value of f.2"  # the square root
    assert told(about, 0.0).verdict != "not finite"


@pytest.mark.parametrize(
    "number, choice", [(0.0, "the left one"), (1.0, "the right one"), (0.5, "the middle"), (0.3, "another")]
)
def test_a_convention_says_which_side_it_took(number: float, choice: str) -> None:
    assert f"the engine took {choice}" in told(subject("relu(x)", x=0.0), number, links=False).reason.split("; ")[-1]


def test_an_artefact_names_the_kink_that_it_comes_from() -> None:
    about = subject("relu(x) - relu(-x)", x=0.0)
    row = told(about, prepare(about.graph, about.dtype)(about.inputs, about.cotangent).gradients["x"])
    assert row.verdict == "kink artefact" and str(row.node).startswith("term of ")


def test_of_an_array_the_component_at_the_kink_is_named() -> None:
    about = subject("sum(relu(x) - relu(-x))", x=[1.0, 0.0, -2.0])
    row = told(about, [1.0, 0.0, 1.0])
    assert (row.verdict, row.index) == ("kink artefact", (1,))
    assert told(about, [1.0, 1.0, 1.0]).verdict == "convention"


@pytest.mark.parametrize("dtype, noise", [("float64", 1e-15), ("float32", 1e-7), ("float16", 5e-4), ("bfloat16", 4e-3)])
@pytest.mark.parametrize("links", [True, False])
def test_rounding_next_to_a_derivative_of_0_at_a_tie_that_balls_do_not_decide(
    dtype: str, noise: float, links: bool
) -> None:
    """As of the bias of a convolution in front of batch_norm and max_pool, where the image is blank: what normalises
    takes it out, to all but rounding, and equal numbers are pooled."""
    c = [[0, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0]]
    graph = {
        "h": "astype(c) @ x",
        "d": "h - mean(h)",
        "y": "d / sqrt(mean(square(d)) + 1e-5)",
        "f": "0.3 * max(y[0:2]) + 0.7 * max(y[2:4])",
    }
    about = subject(graph, dtype, c=c, x=[1.5409961, -0.29342890, -2.1787894])
    found = prepare(about.graph, dtype)(about.inputs, about.cotangent).gradients["x"].astype(np.float64)
    for off in (noise, 0.0, -noise):
        found[1] = off
        row = told(about, found, links=links)
        assert not row.finding, row.reason
    for off in (0.3, -0.3, nan, inf):
        found[1] = off
        assert told(about, found, links=links).finding


# --- a tie that both sides settle ---------------------------------------------------------------------------------


def at_its_term(text: str, number: float) -> str:
    """The verdict on the one term of x in `text` at 0, where an engine gives this number."""
    about = subject(text, x=0.0)
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert found.terms is not None
    (use,) = found.terms
    terms = {use: np.asarray(number)}
    return next(row.verdict for row in judge(about, "x", replace(found, terms=terms)) if row.quantity == "term")


@pytest.mark.parametrize("text, number, verdict", [
    ("elu(x)", 1.0, "agree"),  # its comparison is of a kink, its slope is not
    ("elu(x)", 1 + 1e-12, "imprecise"),
    ("leaky_relu(x)", 0.01, "convention"),
    ("leaky_relu(x)", 1.0, "convention"),
    ("leaky_relu(x)", 1.005, "wrong"),  # both comparisons open apart would give 1.01
    ("leaky_relu(x)", 0.005, "wrong"),
    ("relu(x)", 1 + 1e-8, "wrong"),  # a hull's ends are known to 30 bits
])  # fmt: skip
def test_comparisons_of_one_number_open_together(text: str, number: float, verdict: str) -> None:
    assert at_its_term(text, number) == verdict


@pytest.mark.parametrize(
    "fault, verdict", [(0.0, "agree"), (1e-15, "agree"), (1e-12, "imprecise"), (1e-3, "wrong"), (inf, "not finite")]
)
def test_where_both_sides_and_a_decided_tie_agree_rounding_is_measured_there(fault: float, verdict: str) -> None:
    """The hull of `where(x < x, x, sin(x))` and whatever is measured at its middle reach to sinh(700)."""
    about = subject("sinh(where(x < x, x, sin(x)))", x=700.0)
    (one,) = about.sides["x"].values()
    assert one.left == one.right == pytest.approx(np.cosh(np.sin(700.0)) * np.cos(700.0), rel=1e-13)
    row = told(about, one.left * (1 + fault), links=False)
    assert (row.verdict, row.finding) == (verdict, verdict != "agree"), row.reason


def test_a_settled_tie_may_lose_digits_as_any_other_place_does() -> None:
    about = subject("sin(where(x < x, x, 1e6 * x))", x=1.5)
    row = told(about, about.gradients["x"].high * (1 + 1e-11))
    assert row.verdict == "agree", row.reason
    assert told(about, about.gradients["x"].high * (1 + 1e-8)).verdict == "imprecise"


@pytest.mark.parametrize("share", [(1.0, 0.0, 0.0), (0.25, 0.25, 0.5), (0.5, 0.0, 0.5)])
def test_a_tie_of_three_is_one_however_numbers_round(share: tuple[float, ...]) -> None:
    about = subject("clip(x, low, high)", x=-1.0, low=-1.0, high=-1.0)
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert found.terms is not None and found.adjoints is not None
    arrays = [np.asarray(part) for part in share]
    given = dict(zip(("x", "low", "high"), arrays, strict=True))
    spread = replace(found, terms=dict(zip(found.terms, arrays, strict=True)), adjoints={**found.adjoints, **given})
    rows = judge(about, "x", replace(spread, gradients=given))
    assert {row.verdict for row in rows if row.quantity == "term"} <= {"agree", "convention"}


# --- what a kink must not hide --------------------------------------------------------------------------------------


def gradient_rows(about: Subject, *, links: bool, **gradients: Any) -> dict[str, Row]:
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    given = {name: np.asarray(number) for name, number in gradients.items()}
    found = replace(found, gradients={**found.gradients, **given})
    if not links:
        found = replace(found, terms=None, adjoints=None)
    return {row.name: row for row in judge(about, "x", found) if row.quantity == "gradient"}


@pytest.mark.parametrize("links", [True, False])
def test_one_kink_hides_no_fault_in_the_rest_of_a_large_gradient(links: bool) -> None:
    x = np.linspace(-1, 2, 101)[:100].copy()
    x[3] = 0
    about = subject("sum(relu(x) * cos(x))", x=x)
    gradient = prepare(about.graph, about.dtype)(about.inputs, about.cotangent).gradients["x"].copy()
    assert gradient_rows(about, links=links)["x"].verdict == "convention"
    gradient[90] += 1e-9
    assert gradient_rows(about, links=links, x=gradient)["x"].finding


def test_a_large_component_lends_its_rounding_to_no_kink() -> None:
    x = np.zeros(100)
    x[99] = 1e10
    about = subject("sum(relu(x)) + sum(x * x * x)", x=x)
    gradient = prepare(about.graph, about.dtype)(about.inputs, about.cotangent).gradients["x"].copy()
    assert gradient_rows(about, links=False)["x"].verdict == "convention"
    gradient[80] = 500.0
    assert gradient_rows(about, links=False, x=gradient)["x"].verdict == "wrong"


def test_an_input_without_a_bound_blames_no_other() -> None:
    about = subject("sum(relu(x)) + sum(sqrt(y) * y)", x=[0.0, 1.0], y=[0.0, 1.0])
    assert gradient_rows(about, links=False)["x"].verdict == "convention"


def test_engines_that_choose_differently_at_any_of_many_kinks_are_told() -> None:
    about = subject("sum(relu(x))", x=[0.0, 0.0])
    rows = [
        replace(row, engine=engine)
        for engine, choice in {"a": [0.0, 0.0], "b": [0.0, 1.0]}.items()
        for row in gradient_rows(about, links=False, x=choice).values()
    ]
    assert all(row.finding for row in conventions(rows))


def test_engines_that_choose_alike_agree_whether_they_show_links_or_not() -> None:
    about = subject("-relu(x)", x=0.0)
    rows = [
        replace(row, engine=str(links)) for links in (True, False) for row in gradient_rows(about, links=links).values()
    ]
    assert {row.verdict for row in rows} == {"convention"}
    assert not any(row.finding for row in conventions(rows))


def test_a_fault_at_a_tie_that_settles_is_held_to_rounding() -> None:
    about = subject("maximum(x, sin(x)) + x", x=0.0)
    off = np.asarray(2 * (1 + 1e-9))
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert found.adjoints is not None
    bent = replace(found, terms=None, adjoints={**found.adjoints, "x": off}, gradients={"x": off})
    assert next(row for row in judge(about, "x", bent) if row.quantity == "gradient").finding


@pytest.mark.parametrize("a, b, verdict", [(1, 1, "wrong"), (0, 0, "wrong"), (0.25, 0.75, "convention")])
def test_gradients_alone_are_held_together_too(a: float, b: float, verdict: str) -> None:
    rows = gradient_rows(subject("maximum(a, b)", a=2.0, b=2.0), links=False, a=a, b=b)
    assert {row.verdict for row in rows.values()} == {verdict}


def test_the_first_of_overlapping_windows_is_a_choice() -> None:
    """Along its own axis the second number has 0 and -1; handed to the first of each tie it has 3, as in a > b > c."""
    about = subject("maximum(a, b) * -4 + maximum(b, c) * 3", a=1.0, b=1.0, c=1.0)
    assert (about.sides["b"][()].left, about.sides["b"][()].right) == (0.0, -1.0)
    rows = gradient_rows(about, links=False, a=-4.0, b=3.0, c=0.0)
    assert {row.verdict for row in rows.values()} == {"convention"}
    assert gradient_rows(about, links=False, a=-4.0, b=3.5, c=0.0)["b"].verdict == "wrong"


@pytest.mark.parametrize("text, at", [("minimum(x, z)", inf), ("maximum(x, z)", -inf), ("maximum(x, z)", inf)])
@pytest.mark.parametrize(
    "first, second, verdict",
    [(0.5, 0.5, "convention"), (1, 0, "convention"), (0, 0, "wrong"), (1, 1, "wrong"), (0.7, 0.3, "convention")],
)
def test_infinities_that_tie_share_as_numbers_do(
    text: str, at: float, first: float, second: float, verdict: str
) -> None:
    about = subject(text, x=at, z=at)
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert found.terms is not None and found.adjoints is not None
    shares = {"x": np.asarray(float(first)), "z": np.asarray(float(second))}
    terms = dict(zip(found.terms, shares.values(), strict=True))
    spread = replace(found, terms=terms, adjoints={**found.adjoints, **shares}, gradients=shares)
    rows = judge(about, "x", spread)
    assert {row.verdict for row in rows if row.quantity in ("term", "gradient")} == {verdict}


@pytest.mark.parametrize("text", ["minimum(log(x), z)", "maximum(z, log(x))", "max(stack(log(x), z))"])
@pytest.mark.parametrize("share", [0, 0.5, 1, nan])
@pytest.mark.parametrize("links", [True, False])
def test_what_a_choice_of_no_number_hands_on_is_in_no_book(text: str, share: float, links: bool) -> None:
    about = subject(text, x=-1.0, z=2.0)
    rows = gradient_rows(about, links=links, x=share, z=share)
    assert {row.verdict for row in rows.values()} == {"undefined"}


@pytest.mark.parametrize("links", [True, False])
def test_it_blinds_no_component_that_does_not_depend_on_it(links: bool) -> None:
    x, z = np.array([1.0, nan, 3.0]), np.array([2.0, 2.0, 2.0])
    about = subject("sum(maximum(x, 2 * z) * x)", x=x, z=z)
    given = prepare(about.graph, about.dtype)(about.inputs, about.cotangent).gradients
    assert not any(row.finding for row in gradient_rows(about, links=links).values())
    for name in ("x", "z"):
        off = {**given, name: given[name] + np.array([0.0, 0.0, 0.5])}
        assert gradient_rows(about, links=links, **off)[name].finding, name
    free = {**given, "z": given["z"] + np.array([0.0, 7.0, 0.0])}
    assert not gradient_rows(about, links=links, **free)["z"].finding
