"""A graph carries operations of its own: every look-up of a node's operation goes through the graph."""

from __future__ import annotations

import ast
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradaccord.engines import backprop
from gradaccord.engines.finite_difference import engine as finite_difference
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.define import define
from gradaccord.harness.graph.directional import directional
from gradaccord.harness.graph.emit import source
from gradaccord.harness.graph.gradient import gradient
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import ExpressionError, Parser
from gradaccord.harness.graph.language.printing import text_of
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.graph.operations.operation import operation
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.verdicts import FINDINGS

ROOT = Path(__file__).parent.parent.parent
SWISH = operation("swish", "x, *, alpha=1", definition="x / (1 + exp(-alpha * x))", stable="x * sigmoid(alpha * x)")
TWICE = define("twice(x)", "swish(x, alpha=2) + swish(x)", within=(SWISH,))
# Another meaning of a name that the table has, which stands before it.
SHIFTED = operation("relu", "x", definition="where(x > 1, x - 1, 0)")


def of_its_own(*texts: str) -> Graph:
    builder = Builder((SWISH, TWICE, SHIFTED))
    builder.input("x", (3,))
    parser = Parser(builder)
    for k, text in enumerate(texts):
        parser.define(f"h{k}", text)
    return builder.graph([f"h{len(texts) - 1}"])


def subject(graph: Graph) -> Subject:
    return Subject("case", 0, "float64", graph, {"x": np.array([0.3, -1.5, 2.0])}, np.ones(3))


GRAPH = of_its_own("twice(x) * 3", "relu(x) + h0", "swish(h1, alpha=0.5)")


def test_no_name_of_a_definition_is_in_the_table() -> None:
    assert {"swish", "twice"}.isdisjoint(OPERATIONS)
    assert GRAPH.operation(GRAPH["h2"]) is SWISH
    assert GRAPH.vocabulary["relu"] is SHIFTED is not OPERATIONS["relu"]


def test_what_is_made_of_a_graph_keeps_its_definitions() -> None:
    made = [
        GRAPH.pruned(["h0"]),
        gradient(GRAPH).graph,
        directional(GRAPH).graph,
        gradient(directional(GRAPH).graph).graph,
    ]
    assert all(graph.definitions == GRAPH.definitions for graph in made)


def test_two_graphs_that_differ_in_a_definition_are_two() -> None:
    other = replace(GRAPH, definitions=(replace(SWISH), TWICE, SHIFTED))
    assert other != GRAPH and hash(other) != hash(GRAPH)


def test_a_graph_travels_to_another_process_with_its_definitions() -> None:
    assert GRAPH.vocabulary and GRAPH.by_name and GRAPH.uses
    there = pickle.loads(pickle.dumps(GRAPH))
    assert there.nodes == GRAPH.nodes and there.outputs == GRAPH.outputs
    assert [one.name for one in there.definitions] == ["swish", "twice", "relu"]
    assert there.operation(there["h2"]).definition == SWISH.definition


def test_definitions_are_read_printed_and_emitted() -> None:
    assert text_of(GRAPH)["h2"] == "swish(h1, alpha=0.5)"
    assert "swish(h1, alpha=0.5)" in source(GRAPH, ["h2"])
    with pytest.raises(ExpressionError, match="has no parameter"):
        of_its_own("swish(x, gama=2)")


def test_an_engine_runs_them_and_the_judge_looks_inside() -> None:
    about = subject(GRAPH)
    evaluation = backprop.prepare(GRAPH, "float64")(about.inputs, about.cotangent)
    rows = judge(about, "backprop", evaluation)
    assert len(rows) > 10
    assert {row.verdict for row in rows} == {"agree"}

    def swish(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
        return x / (1 + np.exp(-alpha * x))

    x = about.inputs["x"]
    h1 = np.where(x > 1, x - 1, 0) + 3 * (swish(x, 2) + swish(x))
    assert np.allclose(evaluation.values["h2"], swish(h1, 0.5), rtol=1e-14)


def test_a_fault_in_one_is_named() -> None:
    about = subject(GRAPH)
    evaluation = backprop.prepare(GRAPH, "float64")(about.inputs, about.cotangent)
    values = {**evaluation.values, "h2": evaluation.values["h2"] * (1 + 1e-13)}
    rows = judge(about, "backprop", replace(evaluation, values=values))
    assert {row.name for row in rows if row.verdict in FINDINGS and row.quantity == "value"} == {"h2"}


def test_finite_differences_run_them() -> None:
    about = subject(GRAPH)
    evaluation = finite_difference.prepare(GRAPH, "float64")(about.inputs, about.cotangent)
    exact = backprop.prepare(GRAPH, "float64")(about.inputs, about.cotangent).gradients["x"]
    assert np.allclose(evaluation.gradients["x"], exact, rtol=1e-9)


# What is about the names of the table and no node of a graph: kernels of the number systems, words of the language.
ABOUT_NAMES = {
    "alignment/calls.py", "graph/expand.py", "graph/graph.py", "graph/language/habits.py",
    "graph/language/mistakes.py", "graph/language/slips.py", "graph/operations/operation.py",
    "hearing/definitions.py", "hearing/recording.py", "judging/defects.py", "judging/known.py", "options.py",
    "reading/definitions.py",
    "reading/editors.py", "reading/formula.py", "reading/statements.py",
    "telling/showing.py", "truth/forward.py", "truth/intervals.py", "truth/next_to_one.py",
    "truth/pairs.py", "truth/products.py", "truth/rounding.py", "truth/shaken.py",
}  # fmt: skip


def test_no_operation_of_a_node_is_looked_up_in_the_table() -> None:
    reading = {
        path.relative_to(ROOT / "harness").as_posix()
        for path in (ROOT / "harness").rglob("*.py")
        if any(isinstance(node, ast.Name) and node.id == "OPERATIONS" for node in ast.walk(ast.parse(path.read_text())))
    }
    assert reading == ABOUT_NAMES
    by_node = [
        (path.name, ast.unparse(node))
        for folder in ("harness", "engines", "reports", "trust")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node).startswith("OPERATIONS[")
        and ".op" in ast.unparse(node)
        and "step." not in ast.unparse(node)  # a call that a listener tells of, in words of the table
    ]
    assert by_node == []


def test_no_input_has_the_name_of_a_number_or_of_another_node_in_the_source() -> None:
    builder = Builder()
    inputs = {"constant_0": 2.0, "relu": 3.0, "relu_": 5.0}
    for name in inputs:
        builder.input(name, ())
    parser = Parser(builder)
    parser.define("f", "maximum(constant_0, 1) + relu * 10 + relu_ * 100 + abs(relu)")
    graph = builder.graph(["f"])
    evaluation = backprop.prepare(graph, "float64")({k: np.array(v) for k, v in inputs.items()}, np.ones(()))
    assert evaluation.values["f"] == 2 + 30 + 500 + 3
