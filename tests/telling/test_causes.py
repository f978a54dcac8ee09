"""Findings by cause: what is one thing is one entry, over cases, points and dtypes, and two things are two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradaccord.harness.graph.directional import directional
from gradaccord.harness.graph.node import Use
from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.records.outcome import Asked, CaseSummary
from gradaccord.harness.records.paths import Summary
from gradaccord.harness.records.rows import LinkName, Row, TrajectoryRow
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.verdicts import VERDICTS, Verdict
from gradaccord.harness.running.run import units
from gradaccord.harness.running.unit import outcome
from gradaccord.harness.running.workers import Here
from gradaccord.harness.telling.causes import Cause, causes, family_of
from gradaccord.harness.telling.findings import told

CASES: Mapping[str, str] = {
    "small": "inputs: {x: 2}\ngraph: {y: exp(x)}\n",
    "large": "inputs: {x: 2, w: 3}\ngraph: {h: sin(x), g: exp(h), y: g * w + h}\n",
    "other": "inputs: {x: 2, w: 3}\ngraph: {h: x * w, y: exp(h) + h}\n",
}


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return about(*(_load(tmp_path, name, text) for name, text in CASES.items()))


def _load(folder: Path, name: str, text: str) -> Case:
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\n{text}")
    return load(path)


def about(*cases: Case) -> Asked:
    shown = tuple(CaseSummary(case.name, f"{case.name}.yaml", "", "", (), 1, case.graph) for case in cases)
    return Asked(settings=Settings(("torch", "jax", "jax:jit"), named=False), cases=shown)


VALUE = {"small": LinkName("value", "y"), "large": LinkName("value", "g"), "other": LinkName("value", "y.1")}
TERM = {
    "small": LinkName("term", "x", Use("y", 0)),
    "large": LinkName("term", "h", Use("g", 0)),
    "other": LinkName("term", "h", Use("y.1", 0)),
}


def off(case: str, node: LinkName | str, verdict: Verdict = "wrong", **rest: Any) -> Row:
    """A finding of the link itself, unless the rest says otherwise."""
    own = dict(zip(("quantity", "name", "use"), node, strict=False)) if isinstance(node, LinkName) else {}
    fields: dict[str, Any] = {
        "case": case,
        "point": 0,
        "dtype": "float64",
        "engine": "jax",
        "error": 1.0,
        **own,
        **rest,
    }
    return Row(**fields, verdict=verdict, node=node, finding=True)


def titles(found: list[Cause]) -> list[tuple[str, tuple[str, ...], str]]:
    return [(cause.operation, cause.engines, cause.off) for cause in found]


# --- what is one ------------------------------------------------------------------------------------------


def test_an_operation_that_is_off_in_many_places_is_one_entry_and_the_smallest_case_is_told(asked: Asked) -> None:
    rows = [
        off("large", VALUE["large"]),
        off("large", VALUE["large"], quantity="gradient", name="x"),
        off("other", VALUE["other"], dtype="float32"),
        off("small", VALUE["small"], "imprecise", point=1, engine="jax:jit", dtype="float32"),
    ]
    (cause,) = causes(rows, asked)
    assert titles([cause]) == [("exp", ("jax", "jax:jit"), "value: wrong, imprecise")]
    assert (cause.cases, cause.dtypes, cause.rows) == (("small", "other", "large"), ("float64", "float32"), 4)
    assert not cause.known
    account = told(cause.smallest, asked)
    assert (account.where, account.who) == ("small point 1", "jax:jit float32")
    assert account.again == "gradaccord run small.yaml --engine jax:jit --dtype float32"


def test_nan_from_a_step_is_that_step_and_told_first(asked: Asked) -> None:
    rows = [off("small", TERM["small"]), off("small", TERM["small"], "not finite", dtype="float32")]
    (cause,) = causes(rows, asked)
    assert titles([cause]) == [("exp", ("jax",), "derivative: not finite, wrong")]
    assert told(cause.smallest, asked).row.verdict == "not finite"


def test_also_off_says_how_many_of_one_engine_in_one_unit(asked: Asked) -> None:
    rows = [off("large", VALUE["large"], quantity=quantity, name="x") for quantity in ("gradient", "adjoint")]
    (cause,) = causes([*rows, *(replace(row, dtype="float32") for row in rows), off("large", VALUE["large"])], asked)
    assert (cause.rows, told(cause.smallest, asked).also) == (5, 2)


def test_a_number_that_is_right_by_luck_does_not_stand_for_the_others(asked: Asked) -> None:
    lucky = off("large", VALUE["large"], quantity="gradient", name="w", error=0.0)
    (cause,) = causes([lucky, off("large", VALUE["large"])], asked)
    assert told(cause.smallest, asked).what == "value of g"


@pytest.mark.parametrize(
    "node, operation, what",
    [
        (LinkName("value", "g"), "exp", "value"),
        (LinkName("term", "h", Use("g", 0)), "exp", "derivative"),
        (LinkName("term", "", Use("h", 0)), "sin", "derivative"),
        (LinkName("adjoint", "g"), "multiply", "derivative"),
        (LinkName("adjoint", "h"), "sum of terms", "adjoint"),
        (LinkName("gradient", "x"), "", "gradient"),
        (LinkName("hessian_product", "x"), "", "Hessian-vector product"),
        (LinkName("value", "x"), "input", "value"),
    ],
)
def test_the_operation_is_that_of_the_link(node: LinkName, operation: str, what: str, asked: Asked) -> None:
    assert titles(causes([off("large", node)], asked)) == [(operation, ("jax",), f"{what}: wrong")]


def test_the_operation_of_the_second_order_is_that_of_its_own_graph(asked: Asked) -> None:
    graph = directional(asked.graphs["large"]).graph
    node = next(node for node in graph.operations if node.op == "cos")
    (cause,) = causes([off("large", LinkName("value", node.name, second=True))], asked)
    assert titles([cause]) == [("cos", ("jax",), "second-order value: wrong")]


def test_what_is_wrong_with_the_whole_of_one_operation_is_wrong_with_it(asked: Asked) -> None:
    assert titles(causes([off("small", LinkName("gradient", "x"))], asked)) == [("exp", ("jax",), "gradient: wrong")]


# --- what is two ------------------------------------------------------------------------------------------

TWO: Mapping[str, list[Row]] = {
    "two operations": [off("large", VALUE["large"]), off("large", LinkName("value", "h"))],
    "value and derivative": [off("small", VALUE["small"]), off("small", TERM["small"])],
    "two frameworks": [off("small", VALUE["small"]), off("small", VALUE["small"], engine="torch")],
    "two engines from files": [off("small", VALUE["small"], engine=f"my.py:{name}") for name in "ab"],
    "known and new": [off("small", VALUE["small"]), off("large", VALUE["large"], accepted="so it is")],
    "first and second order": [
        off("small", VALUE["small"]),
        off("small", LinkName("value", "y", second=True), quantity="tangent", name="y"),
    ],
    "a step and what sound steps lead to": [
        off("small", VALUE["small"], "not finite"),
        off("large", VALUE["large"], "not finite", quantity="gradient", name="x"),
    ],
    "two reasons to fail": [off("small", "", "failed", reason=reason) for reason in ("no driver", "no memory")],
    "two false expectations": [
        off("small", f"small.yaml:{line}", quantity="expectation", engine="truth") for line in (1, 2)
    ],
    "two stale entries": [off("small", "", "failed", engine="ledger", reason=f"entry {k} is stale") for k in (1, 2)],
    "two references": [off(case, "y", "reference unreliable", engine="truth") for case in ("small", "large")],
}


@pytest.mark.parametrize("rows", TWO.values(), ids=TWO)
def test_two_things_are_two_entries(rows: list[Row], asked: Asked) -> None:
    assert len(causes(rows, asked)) == 2


# --- what concerns all engines, and what has no link ---------------------------------------------------------


@pytest.mark.parametrize("verdict", ["kink artefact", "overflow", "not finite"])
def test_what_comes_of_sound_steps_is_told_of_all_engines_together(verdict: Verdict, asked: Asked) -> None:
    rows = [
        off("small", TERM["small"], verdict, quantity="gradient", name="x", engine=engine)
        for engine in ("torch", "jax")
    ]
    assert titles(causes(rows, asked)) == [("exp", ("torch", "jax"), f"gradient: {verdict}")]


def chose(case: str, engine: str, choice: str) -> Row:
    return off(case, TERM[case], "convention", engine=engine, choice=((choice, 1),), reason=f"it took {choice}")


def test_engines_that_chose_differently_are_one_entry_that_says_who_chose_what(asked: Asked) -> None:
    rows = [
        chose(case, engine, "right" if engine == "jax" else "middle") for case in CASES for engine in ("torch", "jax")
    ]
    (cause,) = causes(rows, asked)
    assert cause.off == "derivative: convention (torch: the middle; jax: the right one)"
    assert len(cause.cases) == 3
    account = told(cause.smallest, asked)
    assert account.reasons == ("torch (float64): it took middle", "jax (float64): it took right")
    assert account.again == "gradaccord run small.yaml"  # with all engines


def test_an_engine_that_is_alone_with_its_choice_is_told_with_it(asked: Asked) -> None:
    left = replace(chose("small", "jax", "left"), accepted="so it is")
    (cause,) = causes([left, replace(left, engine="jax:jit")], asked)
    assert cause.off == "derivative: convention (took the left one)"
    assert not causes([replace(left, choice=(("left", 2), ("right", 1)))], asked)[0].chosen


@pytest.mark.parametrize("verdict", ["unstable", "timed out", "failed"])
def test_an_engine_that_gives_no_numbers_is_one_entry(verdict: Verdict, asked: Asked) -> None:
    reason = "a second run gave another `{}`" if verdict == "unstable" else "no driver"
    rows = [off(case, "", verdict, reason=reason.format(case)) for case in ("large", "other")]
    (cause,) = causes(rows, asked)
    assert (cause.operation, cause.off, cause.cases) == ("", verdict, ("other", "large"))


FIRST = TrajectoryRow(
    case="large", point=0, dtype="float64", engine="jax", step=3, name="x", verdict="wrong", finding=True
)


@pytest.mark.parametrize(
    "first, operation, said",
    [
        (replace(FIRST, cause="gradient", node=VALUE["large"]), "exp", "value: wrong"),
        (replace(FIRST, cause="update"), "adam", "update: wrong"),
        (replace(FIRST, cause="no driver", verdict="failed"), "", "path: failed"),
    ],
)
def test_a_path_has_the_cause_of_its_first_step_that_is_off(
    first: TrajectoryRow, operation: str, said: str, asked: Asked
) -> None:
    path = Summary(
        case="large", point=0, dtype="float64", engine="jax", rule="adam", promise="down", steps=9, asked=9,
        start=1.0, end=0.0, against=0, kept=True, first=first,
    )  # fmt: skip
    sound = replace(path, engine="torch", first=None)
    assert titles(causes([], asked, [path, sound])) == [(operation, ("jax",), said)]
    assert len(causes([off("small", VALUE["small"])], asked, [path])) == (1 if operation == "exp" else 2)


def test_every_verdict_and_an_unknown_case_has_a_cause(asked: Asked) -> None:
    for verdict in VERDICTS:
        (cause,) = causes([off("nowhere", VALUE["small"], verdict)], asked)
        assert told(cause.smallest, asked).again == "gradaccord run nowhere" + (
            "" if verdict == "convention" else " --engine jax --dtype float64"
        )


def test_new_ones_come_first_and_then_those_in_most_cases(asked: Asked) -> None:
    rows = [
        *(off(case, TERM[case], accepted="so it is") for case in CASES),
        off("large", LinkName("value", "h")),
        *(off(case, VALUE[case]) for case in ("large", "other")),
    ]
    found = causes(rows, asked)
    assert [(cause.operation, cause.known, len(cause.cases)) for cause in found] == [
        ("exp", False, 2), ("sin", False, 1), ("exp", True, 3),
    ]  # fmt: skip
    assert found[-1].accepted == ("so it is",)


def test_an_engine_from_a_file_is_its_own() -> None:
    assert [family_of(name) for name in ("jax", "jax:jit", "torch:forward", "mine/my.py:a")] == [
        "jax", "jax", "torch", "mine/my.py:a",
    ]  # fmt: skip


# --- an engine's real defect ------------------------------------------------------------------------------

AROUND = ("{} + x", "sin({}) * x", "{0} * {0} - x", "x / (2 + {})", "tanh(x + {})")
HEAD = "inputs: {r: -2.7476816467274126, x: 0.5}\n"


def test_a_defect_in_many_graphs_is_one_entry(tmp_path: Path) -> None:
    """lgamma of JAX next to a root: right to half of the digits, in whatever graph, and all that follows is sound."""
    pytest.importorskip("jax")
    texts = [HEAD + f"graph: {{y: {text.format('lgamma(r)')}}}\n" for text in AROUND]
    cases = [_load(tmp_path, f"graph-{k}", text) for k, text in enumerate(texts)]
    rows = [
        row
        for unit in units(cases, ["float64"])
        for row in outcome(unit, ["backprop", "jax"], Here()).rows
        if row.finding
    ]
    assert len(rows) > 2 * len(cases)
    (cause,) = causes(rows, about(*cases))
    assert titles([cause]) == [("lgamma", ("jax",), "value: imprecise")]
    assert (len(cause.cases), cause.cases[0], cause.rows) == (len(cases), "graph-0", len(rows))


@pytest.mark.parametrize("quantity", ["gradient", "hessian_product"])
def test_where_no_link_names_the_operation_those_of_wrong_cases_and_of_no_sound_one_are_suspected(
    quantity: Any, asked: Asked
) -> None:
    shown: dict[str, Any] = {"quantity": quantity, "name": "x", "engine": "alone.py:f", "dtype": "float64", "point": 0}
    wrong = off("large", LinkName(quantity, "x"), "wrong", **shown)
    sound = [replace(wrong, case=case, verdict="agree", finding=False, node="") for case in ("small", "other")]

    def of(rows: list[Row]) -> Cause:
        return next(cause for cause in causes(rows, asked) if cause.verdicts == ("wrong",))

    cause = of([wrong, *sound[:1]])
    assert (cause.operation, cause.where) == ("", "add, multiply, sin?")
    assert of([wrong, *sound]).where == "sin?"
    assert of([wrong, replace(wrong, case="other"), sound[0]]).suspects == ("add", "multiply")
