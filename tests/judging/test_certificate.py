"""Where links alone prove a run, no truth is computed; where they do not, it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines import backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging import certificate
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.truth import sensitivity


def graph_of(text: str) -> Graph:
    builder = Builder()
    builder.input("x", (3,))
    parser = Parser(builder)
    parser.define("h", text)
    parser.define("f", "sum(h)")
    return builder.graph(["f"])


def chain_of(text: str, x: list[float], change: Any = None) -> Chain:
    graph, inputs = graph_of(text), {"x": np.array(x)}
    evaluation: Evaluation = backprop.prepare(graph, "float64")(inputs, np.ones(()))
    evaluation = change(evaluation) if change else evaluation
    chain = Chain(Subject("case", 0, "float64", graph, inputs, np.ones(())), evaluation)
    chain.judge()
    return chain


ORDINARY = [0.3, -1.5, 2.0]


def test_sound_links_of_numbers_within_the_range_prove_a_run_without_its_truth() -> None:
    chain = chain_of("tanh(x) * exp(x)", ORDINARY)
    assert certificate.certified(chain)
    rows = certificate.rows(chain, "backprop")
    assert {row.verdict for row in rows} == {"agree"} and all(row.reference is None for row in rows)
    assert "truth" not in vars(chain.subject)
    assert all(row.reference is not None for row in certificate.rows(chain, "backprop", truth=True))


@pytest.mark.parametrize(
    "text, x",
    [
        ("relu(x)", [0.0, 1.0, -1.0]),  # a kink
        ("log(exp(x))", [-800.0, 1.0, 2.0]),  # 0 of a number that is none
        ("exp(x) * exp(-x)", [-800.0, 1.0, 2.0]),  # infinity of numbers that are not
        ("1e-200 * (1e-200 * x) * 1e300", ORDINARY),  # falls to 0 by a product
    ],
)
def test_kinks_and_numbers_that_left_the_range_are_not_proved_by_links(text: str, x: list[float]) -> None:
    chain = chain_of(text, x)
    assert not certificate.certified(chain)
    assert any(row.reference is not None for row in certificate.rows(chain, "backprop"))


def test_a_mask_of_infinities_is_no_reason_for_the_truth() -> None:
    assert certificate.certified(chain_of("softmax(where(x > 0, x, -inf))", [1.0, 2.0, -1.0]))
    assert certificate.certified(chain_of("max(pad(x, widths=[[1, 1]], value=-inf)) + x", [1.0, 2.0, -1.0]))
    assert not certificate.certified(chain_of("softmax(where(x > 5, x, -inf))", [1.0, 2.0, -1.0]))


def off(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, gradients={"x": evaluation.gradients["x"] * (1 + 1e-13)})


def value_off(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, output=evaluation.values["f"] * (1 + 1e-9))


@pytest.mark.parametrize("largest", [0, 50_000])
@pytest.mark.parametrize("change", [off, value_off])
def test_a_plain_program_with_other_bits_is_judged_by_itself(
    change: Any, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensitivity, "SWEPT_WHOLE", largest)
    chain = chain_of("tanh(x) * exp(x)", ORDINARY, change)
    assert not certificate.certified(chain)
    (row,) = [row for row in certificate.rows(chain, "backprop") if row.finding]
    assert row.quantity == ("gradient" if change is off else "value") and "rounding alone may move it" in row.reason


def test_of_a_plain_program_with_other_bits_by_rounding_only_these_are_held_against_the_truth() -> None:
    def last_bit(evaluation: Evaluation) -> Evaluation:
        return replace(evaluation, gradients={"x": np.nextafter(evaluation.gradients["x"], 9)})

    rows = certificate.rows(chain_of("tanh(x) * exp(x)", ORDINARY, last_bit), "backprop")
    assert {row.verdict for row in rows} == {"agree"}
    assert [row.reference is not None for row in rows] == [False, True]


def test_a_graph_too_large_for_its_truth_says_what_links_leave_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "LARGEST", 1)
    rows = certificate.rows(chain_of("tanh(x) * exp(x)", ORDINARY, off), "backprop")
    (gradient,) = [row for row in rows if row.quantity == "gradient"]
    assert gradient.verdict == "not judged" and "other bits" in gradient.reason
    rows = certificate.rows(chain_of("relu(x)", [0.0, 1.0, -1.0]), "backprop")
    assert {row.verdict for row in rows if row.quantity == "gradient"} == {"convention"}
    assert all("one-sided" in row.reason for row in rows if row.verdict == "convention")


def test_kinks_alone_of_a_large_graph_are_told_by_their_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "LARGEST_AT_KINKS", 1)
    rows = certificate.rows(chain_of("relu(x) * 2", [0.0, 1.0, -1.0]), "backprop")
    (gradient,) = [row for row in rows if row.quantity == "gradient"]
    assert gradient.verdict == "convention" and "one-sided" in gradient.reason and gradient.reference is None
    rows = certificate.rows(chain_of("relu(x) + log(exp(x))", [0.0, 1.0, -800.0]), "backprop")
    assert any(row.verdict == "not finite" and row.finding for row in rows)
    rows = certificate.rows(chain_of("relu(x) * 2", [0.0, 1.0, -1.0], off), "backprop")
    assert any(row.quantity == "gradient" and row.finding for row in rows)


def without_the_stopped_term(evaluation: Evaluation) -> Evaluation:
    assert evaluation.terms is not None
    shown = {use: term for use, term in evaluation.terms.items() if use.consumer != "h.1"}
    return replace(evaluation, terms=shown)


def test_a_term_that_nothing_hands_on_need_not_be_shown() -> None:
    """As of JAX's softmax, which subtracts a maximum whose gradient is stopped: backwards, nothing comes there."""
    chain = chain_of("exp(x - stop_gradient(max(x)))", ORDINARY, without_the_stopped_term)
    assert any(node.name == "h.1" and node.op == "max" for node in chain.subject.graph.operations)
    assert certificate.certified(chain)


@pytest.mark.parametrize("text, x, said", [
    ("where(x == 0, 1, sin(x) / x)", 0.0, "not finite"),  # 0 times NaN of the other branch
    ("sqrt(x) ** 2", 0.0, "not finite"),  # 0 times infinity
    ("log(sigmoid(x))", -800.0, "not judged"),
    ("log(x)", np.nan, "undefined"),
])  # fmt: skip
def test_a_graph_too_large_for_its_truth_claims_no_absence_of_one(
    text: str, x: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "LARGEST", 1)
    rows = certificate.rows(chain_of(text, [x, 1.0, 2.0]), "backprop")
    (gradient,) = [row for row in rows if row.quantity == "gradient"]
    assert gradient.verdict == said, gradient.reason
    assert gradient.finding == (said == "not finite")


MANY = (40, 50)


def many() -> tuple[Subject, Evaluation]:
    """Steps of 2,000 numbers each, which go by intervals and their truth by pairs."""
    builder = Builder()
    for name in ("x", "w", "b"):
        builder.input(name, MANY)
    parser = Parser(builder)
    parser.define("h", "relu(x * w + b)")
    parser.define("f", "mean(square(h) / (x * x + 1))")
    random = np.random.default_rng(0)
    inputs = {name: random.normal(size=MANY).astype(np.float32) for name in ("x", "w", "b")}
    subject = Subject("case", 0, "float32", builder.graph(["f"]), inputs, np.ones((), np.float32))
    return subject, backprop.prepare(subject.graph, "float32")(inputs, subject.cotangent)


def test_one_number_of_many_that_is_off_is_found_at_its_place_by_links_alone() -> None:
    subject, evaluation = many()
    chain = Chain(subject, evaluation)
    chain.judge()
    assert certificate.certified(chain) and "truth" not in vars(subject)
    assert {row.verdict for row in certificate.rows(chain, "backprop")} <= {"agree", "lossy"}
    terms, values = evaluation.terms or {}, evaluation.values
    large = [use for use, term in terms.items() if term.shape == MANY]
    assert len(large) > 10
    for what in (*large, *(node.name for node in subject.graph.operations if node.shape == MANY)):
        numbers = (values[what] if isinstance(what, str) else terms[what]).copy()
        place = np.unravel_index(np.argmax(np.abs(numbers)), MANY)
        numbers[place] *= np.float32(1 + 1e-5)
        bent = replace(evaluation, values={**values, what: numbers}) if isinstance(what, str) else evaluation
        bent = bent if isinstance(what, str) else replace(evaluation, terms={**terms, what: numbers})
        chain = Chain(subject, bent)
        chain.judge()
        assert not certificate.certified(chain)
        where = ("value", what) if isinstance(what, str) else ("term", what)
        link = chain.links[where]
        assert link.verdict in ("wrong", "imprecise") and link.index == tuple(map(int, place))


def test_the_truth_of_many_numbers_is_in_pairs_and_a_gradient_that_is_off_is_held_against_it() -> None:
    subject, evaluation = many()
    assert subject.truth.in_pairs and subject.proof.proved
    off = evaluation.gradients["w"].copy()
    off[7, 9] = off[7, 9] * 2 + 1e-3
    alone = replace(evaluation, gradients={**evaluation.gradients, "w": off}, adjoints=None, terms=None)
    rows = {row.name: row for row in judge(subject, "backprop", alone) if row.quantity == "gradient"}
    assert rows["w"].finding and rows["w"].index == (7, 9)
    assert not rows["x"].finding and not rows["b"].finding
