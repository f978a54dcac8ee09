"""How far rounding alone may move a gradient: exact to first order, and a judge of what shows no inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.truth.adjoints import adjoint
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.residuals import Numerals
from gradaccord.harness.truth.rounding import floats
from gradaccord.harness.truth.sweeps import Key, Moved, Point
from gradaccord.harness.truth.sweeps import sweeps as sweeps_of

CASES = ("functions/rosenbrock", "functions/branin", "layers/attention", "layers/lstm-cell", "models/gaussian-mixture")


def of_case(name: str, dtype: str) -> Subject:
    case = load(shipped() / f"{name}.yaml")
    return Subject(case.name, 0, dtype, case.graph, case.inputs(0, dtype), case.cotangent(dtype))


def evaluated(subject: Subject) -> Evaluation:
    return prepare(subject.graph, subject.dtype)(subject.inputs, subject.cotangent)


def residuals(subject: Subject, evaluation: Evaluation) -> Iterator[tuple[Key, Any]]:
    """Engine minus exact at every link, on the engine's own numbers."""
    graph, form = subject.graph, subject.form
    terms, adjoints = evaluation.terms, evaluation.adjoints
    assert terms is not None and adjoints is not None
    with working():
        for node in graph.operations:
            operands = [Numerals(evaluation.values[arg], form) for arg in node.args if isinstance(arg, str)]
            y, step = Numerals(evaluation.values[node.name], form), subject.steps[node.name]
            if node.kind == "float":
                exact = step.value_program(None)(*(x.exact for x in operands))[0]
                yield ("value", node.name), floats(y.exact - exact)
            uses = graph.uses_in[node.name]
            if uses:
                g = Numerals(adjoints[node.name], form)
                exact = step.term_program(None)(*(x.exact for x in operands), g.exact)
                for use, term in zip(uses, exact, strict=True):
                    yield ("term", use), floats(Numerals(terms[use], form).exact - term)
        for name, g in adjoints.items():
            if name != graph.output.name:
                found = adjoint(Numerals(g, form), [terms[use] for use in graph.uses_of[name]], form)
                yield ("adjoint", name), g.astype(np.float64) - found.exact


@pytest.mark.parametrize(
    "name, of_value",
    [
        *((name, False) for name in CASES),
        *((name, True) for name in CASES if not of_case(name, "float32").cotangent.shape),
    ],
)
def test_an_error_is_the_sum_over_links_of_sensitivity_times_residual(name: str, of_value: bool) -> None:
    """To first order in u: in float32, whose numbers float64 holds exactly, to about 2^-20 of what adds up."""
    subject = of_case(name, "float32")
    evaluation = evaluated(subject)
    off = dict(residuals(subject, evaluation))
    moved: Moved = "value" if of_value else "adjoint"
    asked = [subject.graph.output] if of_value else subject.graph.wanted
    random = np.random.default_rng(1)
    drawn = {node.name: random.normal(size=node.shape) for node in asked}
    point = Point(
        {key: x.high.astype(subject.inputs[key].dtype) if key in subject.inputs else x.high
         for key, x in subject.truth.values.items()},
        {key: x.high for key, x in subject.truth.adjoints.items()},
    )  # fmt: skip
    slopes = sweeps_of(subject.graph).slopes(point, moved, drawn, "floats")
    parts = [float(np.sum(slope * off[key])) for key, slope in slopes.items()]
    error = sum(
        float(np.sum(weight * subject.truth.adjoints[key].error(evaluation.gradients[key])))
        if not of_value
        else float(weight * subject.truth.values[key].error(evaluation.values[key]))
        for key, weight in drawn.items()
    )
    assert sum(map(abs, parts)) > 0
    assert abs(error - sum(parts)) <= 1e-5 * sum(map(abs, parts))


def bare(subject: Subject, evaluation: Evaluation, **gradients: Any) -> list[Row]:
    """The gradient rows of an engine that shows nothing but gradients."""
    shown = {**evaluation.gradients, **gradients}
    black_box = Evaluation("ok", values={subject.graph.output.name: evaluation.values[subject.graph.output.name]})
    rows = judge(subject, "x", replace(black_box, gradients=shown))
    return [row for row in rows if row.quantity == "gradient"]


@pytest.mark.parametrize(("dtype", "fault"), [("float64", 1e-12), ("float32", 1e-4)])  # noqa: PT006
@pytest.mark.parametrize("name", ["functions/rosenbrock", "layers/lstm-cell", "models/gaussian-mixture"])
def test_an_engine_that_shows_gradients_alone_is_judged(name: str, dtype: str, fault: float) -> None:
    subject = of_case(name, dtype)
    evaluation = evaluated(subject)
    assert {row.verdict for row in bare(subject, evaluation)} <= {"agree", "ill-conditioned"}
    for node in subject.graph.wanted:
        gradient = evaluation.gradients[node.name]
        off = gradient + np.asarray(fault * np.max(np.abs(gradient)), gradient.dtype)
        rows = {row.name: row for row in bare(subject, evaluation, **{node.name: off})}
        assert rows[node.name].finding
        assert not any(row.finding for name, row in rows.items() if name != node.name)


def large() -> Subject:
    builder = Builder()
    builder.input("w", (300, 20))
    builder.input("x", (20,), constant=True)
    parser = Parser(builder)
    parser.define("f", "sum(tanh(w @ x))")
    random = np.random.default_rng(3)
    inputs = {"w": random.normal(size=(300, 20)), "x": random.normal(size=20)}
    return Subject("large", 0, "float64", builder.graph(["f"]), inputs, np.ones(()))


@pytest.mark.parametrize("place", [(123, 7), (0, 0), (299, 19)])
def test_of_a_large_gradient_every_component_is_looked_at(place: tuple[int, int]) -> None:
    subject = large()
    evaluation = evaluated(subject)
    [row] = bare(subject, evaluation)
    assert row.verdict == "agree"
    assert row.reason.endswith("of 6,000 further from the truth than shaken runs")
    off = evaluation.gradients["w"].copy()
    off[place] *= 1 + 1e-9
    [row] = bare(subject, evaluation, w=off)
    assert (row.finding, row.index) == (True, place)


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_gradient_alone_that_is_not_finite_is_a_finding(fault: float) -> None:
    subject = large()
    evaluation = evaluated(subject)
    off = evaluation.gradients["w"].copy()
    off[299, 19] = fault
    [row] = bare(subject, evaluation, w=off)
    assert (row.verdict, row.index) == ("not finite", (299, 19))


def verdicts(name: str, dtype: str) -> set[str]:
    subject = of_case(name, dtype)
    return {row.verdict for row in judge(subject, "x", evaluated(subject)) if row.quantity == "gradient"}


def test_a_problem_that_loses_the_digits_is_ill_conditioned_and_a_formula_that_does_is_not() -> None:
    assert "ill-conditioned" in verdicts("algebra/ill-conditioned", "float64")
    assert "ill-conditioned" in verdicts("saturation/one-minus-cosine", "float64")
    assert "ill-conditioned" not in verdicts("saturation/tanh", "float64")
    assert verdicts("functions/rosenbrock", "float64") == {"agree"}


def test_an_ill_conditioned_row_names_the_link_that_loses_the_most() -> None:
    subject = of_case("algebra/ill-conditioned", "float64")
    row = next(row for row in judge(subject, "x", evaluated(subject)) if row.verdict == "ill-conditioned")
    assert not row.finding
    assert str(row.node) == "value of f.1" and "digits are left" in row.reason


@pytest.mark.parametrize("number", [0.0, 0.5, 1.0])
def test_a_gradient_alone_at_a_kink_is_a_convention_inside_its_hull_and_wrong_outside(number: float) -> None:
    builder = Builder()
    builder.input("x", ())
    Parser(builder).define("f", "relu(x)")
    subject = Subject("kink", 0, "float64", builder.graph(["f"]), {"x": np.zeros(())}, np.ones(()))
    evaluation = evaluated(subject)
    [row] = bare(subject, evaluation, x=np.array(number))
    assert row.verdict == "convention"
    [row] = bare(subject, evaluation, x=np.array(number + 1.1))
    assert row.verdict == "wrong"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "text", ["mean(x)", "sum(leaky_relu(x))", "sum(x * 0.1)", "sum(x / 3 + x / 7)", "mean(abs(x))"]
)
def test_a_gradient_of_constants_alone_is_rounded_too(text: str, dtype: str) -> None:
    builder = Builder()
    builder.input("x", (3,))
    Parser(builder).define("f", text)
    x = np.array([1, 2, 4], dtype)
    about = Subject("constants", 0, dtype, builder.graph(["f"]), {"x": x}, np.ones((), dtype))
    found = evaluated(about)
    assert {row.verdict for row in bare(about, found) if row.quantity == "gradient"} == {"agree"}
    off = found.gradients["x"] * about.cotangent.dtype.type(1 + (1e-12 if dtype == "float64" else 1e-5))
    assert all(row.finding for row in bare(about, found, x=off) if row.quantity == "gradient")
