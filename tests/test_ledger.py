"""The ledger on made-up rows: what an entry explains, what it does not, and what is left of a convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import Quantity, Row, TrajectoryRow
from gradaccord.harness.records.verdicts import Verdict
from gradaccord.harness.running.ledger import Ledger

TEXT = """
name: made
inputs: {a: 1, b: 2}
graph:
  y: a * b
accept:
  - {engine: one, quantity: term, name: a, verdict: VERDICT, reason: known}
"""


def case(folder: Path, verdict: Verdict) -> Case:
    path = folder / "made.yaml"
    path.write_text(TEXT.replace("VERDICT", verdict))
    return load(path)


def row(engine: str, quantity: Quantity, name: str, verdict: Verdict, node: str, reason: str = "") -> Row:
    return Row(
        "made", 0, "float64", engine, quantity, name, "", "", 1.0, 1.0, 0.0, 2.0, 3.0, verdict, node, reason, 0.0,
        finding=True,
    )  # fmt: skip


def settled(ledger: Ledger, *rows: Row) -> tuple[Row, ...]:
    return ledger.settle(Outcome("made", 0, "float64", rows)).rows


def test_an_entry_explains_its_row_and_those_that_inherit_its_link(tmp_path: Path) -> None:
    found = settled(
        Ledger(case(tmp_path, "wrong")),
        row("one", "term", "a", "wrong", "term of a in y[0]"),
        row("one", "gradient", "a", "wrong", "term of a in y[0]"),
    )
    assert [one.accepted for one in found] == ["known", "known"]


@pytest.mark.parametrize(
    "other",
    [
        row("one", "gradient", "b", "wrong", "term of b in y[1]"),
        row("one", "gradient", "a", "wrong", "term of ab in y[0]"),
        row("one", "gradient", "a", "wrong", "value of a"),
        row("one", "gradient", "a", "imprecise", "term of a in y[0]"),
        row("two", "term", "a", "wrong", "term of a in y[0]"),
    ],
)
def test_an_entry_explains_no_other_link_verdict_or_engine(other: Row, tmp_path: Path) -> None:
    assert not settled(Ledger(case(tmp_path, "wrong")), row("one", "value", "y", "agree", ""), other)[1].accepted


def test_a_convention_that_the_ledger_explains_leaves_the_others_in_agreement(tmp_path: Path) -> None:
    lower, upper = "the engine took the lower end", "the engine took the upper end"
    rows = [
        row(engine, "term", "a", "convention", "term of a in y[0]", reason)
        for engine, reason in (("one", upper), ("two", lower), ("three", lower))
    ]
    found = settled(Ledger(case(tmp_path, "convention")), *rows)
    assert [(one.finding, one.accepted) for one in found] == [(True, "known"), (False, ""), (False, "")]


def test_conventions_that_still_differ_stay_findings(tmp_path: Path) -> None:
    rows = [
        row(engine, "term", "a", "convention", "term of a in y[0]", f"the engine took {engine}")
        for engine in ("one", "two", "three")
    ]
    found = settled(Ledger(case(tmp_path, "convention")), *rows)
    assert [one.finding and not one.accepted for one in found] == [False, True, True]


@pytest.mark.parametrize(
    "installed, said", [(["two"], "`one`"), (["once", "on", "two"], "Did you mean `on"), (["one", "two"], "")]
)
def test_an_entry_of_an_engine_that_is_not_there_is_noticed(installed: list[str], said: str, tmp_path: Path) -> None:
    found = Ledger(case(tmp_path, "wrong")).idle(installed)
    assert [(one.engine, one.verdict, one.finding) for one in found] == [("ledger", "unsupported", False)] * bool(said)
    assert all(said in one.reason and "made.yaml:7" in one.reason for one in found)


@pytest.mark.parametrize("node, known", [("term of a in y[0]", True), ("term of b in y[1]", False), ("", False)])
def test_a_step_of_a_path_is_explained_by_the_link_that_it_inherits(node: str, known: bool, tmp_path: Path) -> None:
    step = TrajectoryRow("made", 0, "float64", "one", 1, "a", "", 1.0, 1.0, 0.0, 2.0, "wrong", "gradient", node, True)
    there = (row("one", "term", "a", "wrong", "term of a in y[0]"),)
    found = Ledger(case(tmp_path, "wrong")).settle(Outcome("made", 0, "float64", there, trajectories=(step,)))
    assert (found.trajectories[0].finding, bool(found.trajectories[0].accepted)) == (not known, known)
