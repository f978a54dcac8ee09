"""The certified reference: reverse mode is held against germs, and a contradiction blames nobody but the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Constant
from gradaccord.harness.graph.symbol import Symbol, f
from gradaccord.harness.reading.case import Case, find, load, shipped
from gradaccord.harness.running.unit import Unit, outcome
from gradaccord.harness.running.workers import Here
from gradaccord.harness.truth.links import step
from gradaccord.harness.truth.proof import Proof, prove
from gradaccord.harness.truth.reference import reference

from ..conftest import Command
from ..derivatives import DIFFERENTIATED, plant, rule_of
from ..examples import EXAMPLES, Example, example, real


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Replaces a rule; steps compiled from it are forgotten before and after."""
    step.cache_clear()
    yield lambda op, rule: plant(monkeypatch, op, rule)
    step.cache_clear()


def proof_of(graph: Graph, inputs: dict[str, Any], cotangent: Any = None, *, thorough: bool = False) -> Proof:
    arrays = {name: np.asarray(x) for name, x in inputs.items()}
    weights = np.ones(graph.output.shape) if cotangent is None else cotangent
    return prove(graph, arrays, weights, reference(graph, arrays, weights), thorough=thorough)


def at_random(call: Example, seed: int = 0) -> Proof:
    graph, random = call.graph, np.random.default_rng(seed)
    inputs = {name: draw.at(random) for name, draw in call.operands.items()}
    return proof_of(graph, inputs, random.integers(1, 9, graph.output.shape))


def at(text: str, x: Any) -> Proof:
    return proof_of(example(text, x=real(*np.shape(x))).graph, {"x": x})


# --- what stands is proved -----------------------------------------------------------------------------------


@pytest.mark.parametrize("op", EXAMPLES)
def test_the_reference_of_every_operation_is_proved(op: str) -> None:
    found = [at_random(call) for call in EXAMPLES[op]]
    assert [proof.failure for proof in found] == [""] * len(found)
    assert all(proof.proved for proof in found)


@pytest.mark.parametrize("path", find([shipped()]), ids=lambda path: path.stem)
def test_every_shipped_case_is_proved_and_at_a_kink_what_has_one_derivative_is(path: Path) -> None:
    case = load(path)
    for point in range(len(case.points)):
        inputs, cotangent = case.exact_inputs(point), case.exact_cotangent()
        truth = reference(case.graph, inputs, cotangent)
        proof = prove(case.graph, inputs, cotangent, truth)
        assert proof.failure == ""
        assert {check.result for check in (*proof.values, *proof.directions)} <= {"proved", "contained"}
        # What is a set, at a kink, is all that stays unproved.
        numbers = [truth.values[case.graph.output.name], *(truth.adjoints[node.name] for node in case.graph.wanted)]
        assert proof.proved == all(np.all(number.tight) for number in numbers)


def test_every_operation_is_checked_where_that_is_asked_for() -> None:
    graph = example("softmax(x * y) @ tanh(x)", x=real(3), y=real(3)).graph
    proof = proof_of(graph, {"x": np.arange(3.0), "y": np.ones(3)}, thorough=True)
    products = [check.op for check in proof.operations if check.what.startswith("product")]
    assert products == ["multiply", "softmax", "tanh", "matmul"]
    assert {check.result for check in proof.operations} == {"proved"}


# --- what is broken is found, and where ---------------------------------------------------------------------


FAULTS: dict[str, Callable[[Symbol], Any]] = {
    "times 1 + 2^-40": lambda term: term * Constant(str(1 + 2**-40)),
    "negated": lambda term: -term,
    "dropped": lambda term: None,
    "reversed": lambda term: f.flip(term, axis=None),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("op", DIFFERENTIATED)
def test_a_broken_rule_makes_the_reference_unreliable_and_is_named(
    op: str, fault: str, rules: Callable[[str, Any], None]
) -> None:
    right = rule_of(op)

    def wrong(*symbols: Symbol, **parameters: Any) -> list[Any]:
        return [FAULTS[fault](term) if isinstance(term, Symbol) else term for term in right(*symbols, **parameters)]

    rules(op, wrong)
    proofs = [at_random(call, seed) for call in EXAMPLES[op] for seed in (0, 1)]
    failed = [proof for proof in proofs if proof.failure]
    assert failed
    assert all(proof.apart[0].op == op and f"`{op}`" in proof.failure for proof in failed)


SWAPPED = ["subtract", "multiply", "divide", "pow", "hypot", "atan2", "maximum", "where"]


@pytest.mark.parametrize("op", SWAPPED)
def test_a_rule_with_its_terms_swapped_is_named(op: str, rules: Callable[[str, Any], None]) -> None:
    right = rule_of(op)
    rules(
        op, lambda *symbols, **parameters: (*right(*symbols, **parameters)[:-2], *right(*symbols, **parameters)[:-3:-1])
    )
    failed = [proof for proof in map(at_random, EXAMPLES[op]) if proof.failure]
    assert failed
    assert all(proof.apart[0].op == op for proof in failed)


def test_the_operation_inside_a_composite_is_named(rules: Callable[[str, Any], None]) -> None:
    rules("exp", lambda g, y, x: (g * y * Constant("1.0000001"),))
    proof = at("logsumexp(2 * x)", np.array([0.5, -1.0, 2.0]))
    assert proof.suspect == "product of `exp` inside `logsumexp` in `result`"


def test_one_element_among_many_is_found(rules: Callable[[str, Any], None]) -> None:
    rules("sin", lambda g, y, x: (g * f.where(f.greater(x, 998.5), f.cos(x) * Constant("1.000000000001"), f.cos(x)),))
    assert at("sin(x)", np.arange(999.0)).proved
    assert at("sin(x)", np.arange(1000.0)).apart[0].op == "sin"


# --- kinks, infinities, precision ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["abs(x)", "relu(x)", "maximum(x, -2 * x)", "where(x >= 0, x, 4 * x)", "elu(x)"])
def test_at_a_kink_the_slope_of_a_side_lies_in_the_hull_and_the_rest_is_proved(text: str) -> None:
    proof = at(text, np.array([0.0, 1.5, -2.0]))
    assert proof.failure == ""
    assert not proof.proved
    assert [check.result for check in proof.directions] == ["contained", "proved"] * 2


def test_a_fault_beside_a_kink_is_found(rules: Callable[[str, Any], None]) -> None:
    rules("abs", lambda g, y, x: (g * f.sign(x) * Constant("1.000000000001"),))
    assert at("abs(x)", np.array([0.0, 1.5, -2.0])).apart[0].op == "abs"


def test_a_hull_that_is_too_small_is_a_contradiction(rules: Callable[[str, Any], None]) -> None:
    rules("abs", lambda g, y, x: (0.5 * g * f.sign(x),))
    assert at("abs(x)", np.float64(0)).apart[0].op == "abs"


@pytest.mark.parametrize("text,x", [("sqrt(x)", 0), ("log(x)", 0), ("1 / x", 0), ("log(x)", -1), ("x ** 0.5", 0)])
def test_enclosures_that_are_not_finite_prove_nothing(text: str, x: float) -> None:
    proof = at(text, np.float64(x))
    assert proof.failure == ""
    assert not proof.proved
    assert {check.result for check in proof.directions} == {"open"}


def test_what_is_finite_beside_an_infinity_is_checked_all_the_same(rules: Callable[[str, Any], None]) -> None:
    rules("sin", lambda g, y, x: (2 * g * f.cos(x),))
    assert at("sum(sqrt(sin(x)))", np.array([0.0, 1.0])).apart[0].op == "sin"


def test_a_difference_that_cancels_takes_the_precision_that_it_needs() -> None:
    graph = example("(1 + x) - 1", x=real()).graph
    inputs = {"x": np.array(Fraction(1, 3 * 10**100), dtype=object)}
    weights = np.ones(())
    found = reference(graph, inputs, weights)
    assert found.precision == 512
    assert prove(graph, inputs, weights, found).proved


def test_what_4096_bits_cannot_tell_is_unreliable_but_a_kink_is_not() -> None:
    lost = at("sin(exp(x))", np.float64(1e4))
    assert "loose at 4,096 bits" in lost.failure
    assert at("abs(x) + sin(x)", np.float64(0)).failure == ""


# --- in a run ------------------------------------------------------------------------------------------------


CASE = """\
name: broken
inputs: {a: 2, b: 3}
graph:
  d: sin(a) * b
  y: d + b
expect: {y: 7}
update: {rule: descent, step_size: 0.5, steps: 2}
accept:
  - {engine: backprop, quantity: gradient, verdict: wrong, reason: known}
"""


def unit(case: Case) -> Unit:
    return Unit(case, 0, "float64", expectations=True)


def test_an_unreliable_reference_judges_nobody(
    load_text: Callable[[str], Case], rules: Callable[[str, Any], None]
) -> None:
    rules("sin", lambda g, y, x: (g * f.cos(x) * Constant("1.000000000001"),))
    found = outcome(unit(load_text(CASE)), ["backprop"], Here())
    first, *rest = found.rows
    assert (first.engine, first.verdict, first.finding) == ("truth", "reference unreliable", True)
    assert first.node == "product of `sin` in `d.1`"
    assert first.reason.startswith(str(first.node))
    assert rest
    assert {(row.verdict, row.reason, row.finding) for row in rest} == {("not judged", "reference unreliable", False)}
    assert found.trajectories == ()


def test_a_reference_that_cannot_be_computed_judges_nobody(
    load_text: Callable[[str], Case], rules: Callable[[str, Any], None]
) -> None:
    def raises(*symbols: Symbol) -> Any:
        raise ZeroDivisionError("no rule")

    case = load_text(CASE)
    rules("sin", raises)
    first = outcome(unit(case), ["backprop"], Here()).rows[0]
    assert first.verdict == "reference unreliable"
    assert "could not be computed" in first.reason


def test_a_sound_reference_says_nothing(load_text: Callable[[str], Case]) -> None:
    # Of another graph than above: engines keep what they have compiled.
    rows = outcome(unit(load_text(CASE.replace("sin", "cos"))), ["backprop"], Here()).rows
    assert {row.verdict for row in rows if row.engine == "backprop"} == {"agree"}
    assert {row.quantity for row in rows if row.engine == "truth"} == {"expectation"}


# --- `gradaccord prove` --------------------------------------------------------------------------------------


def test_prove_prints_as_many_digits_as_are_asked_for(tmp_path: Path, gradaccord: Command) -> None:
    (tmp_path / "log.yaml").write_text("name: log\ninputs: {x: 2}\ngraph: {y: log(x)}\n")
    done = gradaccord("prove", "log.yaml", "--digits", "60", "--directions", "2", "--seed", "7")
    assert done.returncode == 0
    # ln 2, https://oeis.org/A002162
    assert "value of y     [0.69314718055994530941723212145817656807550013436025525412068" in done.stdout
    assert "gradient of x  0.5\n" in done.stdout
    assert "256 bits" in done.stdout
    assert "2 proved (random integers, seed 7)" in done.stdout
    assert "proved: forward and reverse mode enclose the same numbers" in done.stdout


def test_prove_takes_several_cases_and_shows_a_kink_as_a_set(gradaccord: Command) -> None:
    done = gradaccord("prove", "nested-nodes", "abs-at-zero", "--point", "0")
    assert done.returncode == 0
    assert "gradient of b  -2\n" in done.stdout
    assert "[2]  a set, from -3.00000 to 3.00000" in done.stdout
    assert "not contradicted: a set here (a kink)" in done.stdout


def test_prove_exits_with_1_where_the_reference_is_unreliable(tmp_path: Path, gradaccord: Command) -> None:
    (tmp_path / "lost.yaml").write_text("name: lost\ninputs: {x: 10000}\ngraph: {y: sin(exp(x))}\n")
    done = gradaccord("prove", "lost.yaml")
    assert done.returncode == 1
    assert "reference unreliable: `y` is loose at 4,096 bits" in done.stdout


@pytest.mark.parametrize("words", [["nested-node"], ["nested-nodes", "--point", "1"], []])
def test_prove_exits_with_2_for_what_makes_no_sense(words: list[str], gradaccord: Command) -> None:
    assert gradaccord("prove", *words).returncode == 2
