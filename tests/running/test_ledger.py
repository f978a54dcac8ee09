"""The ledger on made-up rows: what an entry explains, what it does not, and what is left of a convention."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import LinkName, Quantity, Row, TrajectoryRow
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


OFF = 1e-4  # of the right number
TERM = LinkName("term", "a", Use("y", 0))


def case(folder: Path, verdict: Verdict) -> Case:
    path = folder / "made.yaml"
    path.write_text(TEXT.replace("VERDICT", verdict))
    return load(path)


def row(engine: str, quantity: Quantity, name: str, verdict: Verdict, node: LinkName | str, choice: str = "") -> Row:
    return Row(
        case="made",
        point=0,
        dtype="float64",
        engine=engine,
        quantity=quantity,
        name=name,
        engine_value=1.0,
        reference=1.0,
        error=0.0,
        score=2.0,
        digits=3.0,
        verdict=verdict,
        node=node,
        choice=((choice, 1),) if choice else (),
        off=OFF,
        finding=True,
    )


def explained(ledger: Ledger, *rows: Row) -> tuple[Row, ...]:
    return ledger.explain(Outcome(case="made", point=0, dtype="float64", rows=rows)).rows


def test_an_entry_explains_its_row_and_those_that_inherit_its_link(tmp_path: Path) -> None:
    found = explained(
        Ledger(case(tmp_path, "wrong")),
        row("one", "term", "a", "wrong", TERM),
        row("one", "gradient", "a", "wrong", TERM),
    )
    assert [one.accepted for one in found] == ["known", "known"]


@pytest.mark.parametrize(
    "other",
    [
        row("one", "gradient", "b", "wrong", LinkName("term", "b", Use("y", 1))),
        row("one", "gradient", "a", "wrong", LinkName("term", "ab", Use("y", 0))),
        row("one", "gradient", "a", "wrong", LinkName("value", "a")),
        row("one", "gradient", "a", "imprecise", TERM),
        row("two", "term", "a", "wrong", TERM),
    ],
)
def test_an_entry_explains_no_other_link_verdict_or_engine(other: Row, tmp_path: Path) -> None:
    assert not explained(Ledger(case(tmp_path, "wrong")), row("one", "value", "y", "agree", ""), other)[1].accepted


def test_a_convention_that_the_ledger_explains_leaves_the_others_in_agreement(tmp_path: Path) -> None:
    lower, upper = "lower", "upper"
    rows = [
        row(engine, "term", "a", "convention", TERM, choice)
        for engine, choice in (("one", upper), ("two", lower), ("three", lower))
    ]
    found = explained(Ledger(case(tmp_path, "convention")), *rows)
    assert [(one.finding, one.accepted) for one in found] == [(True, "known"), (False, ""), (False, "")]


def test_conventions_that_still_differ_stay_findings(tmp_path: Path) -> None:
    rows = [row(engine, "term", "a", "convention", TERM, engine) for engine in ("one", "two", "three")]
    found = explained(Ledger(case(tmp_path, "convention")), *rows)
    assert [one.finding and not one.accepted for one in found] == [False, True, True]


@pytest.mark.parametrize(
    "installed, said", [(["two"], "`one`"), (["once", "on", "two"], "Did you mean `on"), (["one", "two"], "")]
)
def test_an_entry_of_an_engine_that_is_not_there_is_noticed(installed: list[str], said: str, tmp_path: Path) -> None:
    found = Ledger(case(tmp_path, "wrong")).idle(installed)
    assert [(one.engine, one.verdict, one.finding) for one in found] == [("ledger", "unsupported", False)] * bool(said)
    assert all(said in one.reason and "made.yaml:7" in one.reason for one in found)


@pytest.mark.parametrize("node, known", [(TERM, True), (LinkName("term", "b", Use("y", 1)), False), ("", False)])
def test_a_step_of_a_path_is_explained_by_the_link_that_it_inherits(
    node: LinkName | str, known: bool, tmp_path: Path
) -> None:
    step = TrajectoryRow(
        case="made",
        point=0,
        dtype="float64",
        engine="one",
        step=1,
        name="a",
        value=1.0,
        reference=1.0,
        error=0.0,
        score=2.0,
        verdict="wrong",
        cause="gradient",
        node=node,
        finding=True,
        off=OFF,
    )
    there = (row("one", "term", "a", "wrong", TERM),)
    found = Ledger(case(tmp_path, "wrong")).explain(
        Outcome(case="made", point=0, dtype="float64", rows=there, trajectories=(step,))
    )
    assert (found.trajectories[0].finding, bool(found.trajectories[0].accepted)) == (not known, known)


@pytest.mark.parametrize(
    "within, off, known",
    [("", OFF, True), ("", 5 * 2.0**-11, False), (", within: 1e-4", OFF, True), (", within: 1e-4", 5 * OFF, False),
     (", within: 0.6", 0.56, True), (", within: .inf", float("inf"), True), ("", float("nan"), False)],
)  # fmt: skip
def test_an_entry_explains_no_more_than_it_was_made_for(within: str, off: float, known: bool, tmp_path: Path) -> None:
    path = tmp_path / "made.yaml"
    path.write_text(TEXT.replace("VERDICT", "wrong").replace("reason: known", f"reason: known{within}"))
    ledger = Ledger(load(path))
    term = replace(row("one", "term", "a", "wrong", TERM), off=off)
    inherited = replace(row("one", "gradient", "a", "wrong", TERM), off=off)
    assert [one.unexplained for one in explained(ledger, term, inherited)] == [not known] * 2
    stale = ledger.stale()
    assert len(stale) == (not known)
    assert all("it was off by" in one.reason and "beyond" in one.reason for one in stale)


@pytest.mark.parametrize(
    "named, runs, same",
    [
        ("engines.py:one", "/any/where/engines.py:one", True),
        ("engines.py:one", "engines.py:one", True),
        ("where/engines.py:one", "/any/where/engines.py:one", True),
        ("engines.py:one", "/any/where/my_engines.py:one", False),
        ("engines.py:one", "/any/where/engines.py:two", False),
        ("else/engines.py:one", "/any/where/engines.py:one", False),
        ("jax", "jax:jit", False),
    ],
)
def test_a_file_is_known_by_its_own_name_whatever_its_folder(named: str, runs: str, same: bool, tmp_path: Path) -> None:
    path = tmp_path / "made.yaml"
    path.write_text(TEXT.replace("VERDICT", "wrong").replace("engine: one", f'engine: "{named}"'))
    found = explained(Ledger(load(path)), row(runs, "term", "a", "wrong", TERM))
    assert bool(found[0].accepted) == same
