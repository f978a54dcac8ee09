"""A finding at a definition says which step inside is off; one at a framework's function, that nothing is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import Case
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.running.answers import Answer, answer
from gradaccord.harness.running.inside import looked_into

TEXT = """
name: inside
inputs: {x: [-10, 0.5], w: [1, 2]}
define:
  tail(x): gelu(x) + 1e-30
  both(x, w): t = x * w; s = 2 * tail(t); s * tanh(w)
graph:
  y: exp(both(x, w) * 3)
"""


def subject_of(case: Case) -> Subject:
    return Subject(case.name, 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))


def looked(case: Case, engine: str, change: Callable[[Graph, Answer], Answer] | None = None) -> list[Row]:
    """The findings of an engine whose every answer is changed."""
    subject = subject_of(case)

    def ask(graph: Graph) -> Answer:
        reply = answer(engine, graph, "float64", subject.inputs, subject.cotangent)
        return reply if change is None else change(graph, reply)

    reply = ask(subject.graph)
    rows = judge(subject, engine, reply.evaluation, reply.again, knowledge=reply.knowledge)
    return [row for row in looked_into(subject, engine, rows, ask) if row.finding]


def test_what_is_known_of_a_step_inside_explains_the_definition(load_text: Callable[[str], Case]) -> None:
    pytest.importorskip("torch")
    rows = looked(load_text(TEXT), "torch")
    assert rows and all(row.accepted for row in rows if "inside `both`" in row.reason)
    told = next(row.reason for row in rows if row.quantity == "value")
    assert "inside `both` value of" in told and "is `gelu(" in told


def planted(names: tuple[str, ...]) -> Callable[[Graph, Answer], Answer]:
    """Answers in which one node's value is off wherever a graph has a node of that operation."""

    def change(graph: Graph, reply: Answer) -> Answer:
        values = {
            node.name: np.asarray(reply.evaluation.values[node.name]) * (1 + 1e-9) if node.op in names else array
            for node in graph.nodes
            for array in [reply.evaluation.values[node.name]]
        }
        evaluation = replace(reply.evaluation, values=values)
        return replace(reply, evaluation=evaluation, again=evaluation)

    return change


def test_a_fault_planted_inside_is_named_and_explained_by_nothing(load_text: Callable[[str], Case]) -> None:
    rows = looked(load_text(TEXT), "backprop", planted(("both", "tanh")))
    told = next(row for row in rows if row.quantity == "value" and "inside `both`" in row.reason)
    assert "is `tanh(w)`" in told.reason and not told.accepted


def test_where_no_step_inside_is_off_it_says_so(load_text: Callable[[str], Case]) -> None:
    rows = looked(load_text(TEXT), "backprop", planted(("both",)))
    assert any(row.reason.endswith("no step inside `both` is off by itself") for row in rows)


def test_of_a_function_of_a_framework_nothing_is_seen(load_text: Callable[[str], Case]) -> None:
    pytest.importorskip("torch")
    text = TEXT.replace("graph:", "native: {both: {torch: torch.special.xlogy}}\ngraph:")
    rows = looked(load_text(text), "torch")
    assert any(
        row.reason.endswith("the framework's own function, of which nothing is seen inside: torch.special.xlogy")
        for row in rows
    )


def test_other_findings_stay_as_they_are(load_text: Callable[[str], Case]) -> None:
    """And the graph is not evaluated once more for them."""
    case = load_text(TEXT)
    subject = subject_of(case)
    reply = planted(("exp",))(case.graph, answer("backprop", case.graph, "float64", subject.inputs, subject.cotangent))
    rows = judge(subject, "backprop", reply.evaluation, reply.again)
    assert any(row.verdict in FINDINGS for row in rows)

    def never(graph: Graph) -> Answer:
        raise AssertionError("asked again")

    assert looked_into(subject, "backprop", rows, never) == rows
