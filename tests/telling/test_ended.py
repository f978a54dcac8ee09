"""The end of a run in a terminal of 80 columns: what is off, in which operation of which engine, known or new."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gradaccord.harness.graph.node import Use
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.outcome import About, CaseSummary, Outcome
from gradaccord.harness.records.rows import LinkName, Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.session import Ended, Kept
from gradaccord.harness.telling.terminal import SHOWN, ended

NAME = "a-case-with-a-long-name-that-does-not-fit"
WRONG = Row(
    case=NAME, point=0, dtype="float64", engine="jax", quantity="value", name="y", engine_value=1.0, reference=2.0,
    error=-1.0, verdict="wrong", node=LinkName("value", "y"), reason="off by far", finding=True,
)  # fmt: skip
KNOWN = replace(
    WRONG, engine="torch", quantity="term", name="a", use=Use("y", 0), node=LinkName("term", "a", Use("y", 0)),
    accepted="so it is",
)  # fmt: skip


@pytest.fixture
def about(product: Path) -> About:
    graph = load(product).graph
    names = [NAME, *(f"graph-{k}" for k in range(84))]
    return About(
        command="gradaccord run", settings=Settings(("torch", "jax"), named=False), versions={}, platform={}, seeds={},
        cases=tuple(CaseSummary(name, f"{name}.yaml", "", "", (), 1, graph) for name in names),
        started="", seconds=1.5, units=1,
    )  # fmt: skip


def shown(about: About, rows: Sequence[Row]) -> str:
    kept, screen = Kept(), Console(file=io.StringIO(), width=80, highlight=False)
    kept.add(Outcome(case=NAME, point=0, dtype="float64", rows=tuple(rows)))
    ended(screen, Ended(1, kept, about), "report.md")
    assert isinstance(screen.file, io.StringIO)
    text = screen.file.getvalue()
    assert all(len(line) <= 80 or "repeat: " in line for line in text.splitlines())
    return text


def table(text: str) -> list[str]:
    """The lines of the table of causes, from its head on."""
    lines = [" ".join(line.split()) for line in text.partition("\noperation ")[2].splitlines()]
    return lines[: lines.index("")] if lines else []


def test_the_terminal_ends_with_a_table_of_what_is_off_new_before_known(about: About) -> None:
    text = shown(about, [KNOWN, WRONG, replace(WRONG, engine="jax:jit", dtype="float32")])
    assert table(text) == [
        "what is off smallest case",
        "jax, jax:jit, new:",
        "multiply value: wrong a-case-with-a-long-", "name-that-does-not-", "fit",
        "torch, known:",
        "multiply derivative: wrong a-case-with-a-long-", "name-that-does-not-", "fit",
    ]  # fmt: skip
    assert text.splitlines()[-2] == "85 cases, 3 numbers, 1.5 s: 1 disagreement without an explanation, 1 known"


def test_a_defect_in_many_graphs_is_told_once_with_their_number(about: About) -> None:
    rows = [replace(WRONG, case=f"graph-{k}") for k in range(33)]
    text = shown(about, [*rows, *(replace(row, quantity="gradient", name="a") for row in rows)])
    assert table(text)[1:] == ["jax, new:", "multiply value: wrong graph-0 +32"]
    assert text.count("repeat: ") == 1
    assert "also off: 1 more; in 33 cases, of which this is the smallest" in text


def test_an_operation_that_is_off_in_several_ways_alike_has_one_line(about: About) -> None:
    term = replace(WRONG, quantity="term", name="a", use=Use("y", 0), node=LinkName("term", "a", Use("y", 0)))
    text = shown(about, [WRONG, replace(term, case="graph-3"), replace(term, engine="torch", verdict="imprecise")])
    assert table(text)[1:] == [
        "jax, new:", "multiply value, derivative: a-case-with-a-long-", "wrong name-that-does-not-", "fit +1",
        "torch, new:", "multiply derivative: imprecise a-case-with-a-long-", "name-that-does-not-", "fit",
    ]  # fmt: skip


def test_known_ones_are_told_in_the_table_alone(about: About) -> None:
    text = shown(about, [KNOWN])
    assert "repeat: " not in text
    assert "no unexplained disagreement, 1 known" in text


def test_where_nothing_is_off_there_is_no_table(about: About) -> None:
    text = shown(about, [replace(WRONG, verdict="agree", node="", finding=False)])
    assert not table(text + "\n")
    assert "no unexplained disagreement\n" in text


def test_of_very_many_new_ones_the_first_are_told_and_the_others_counted(about: About) -> None:
    rows = [replace(WRONG, engine=f"engine{k}") for k in range(SHOWN + 5)]
    text = shown(about, [*rows, KNOWN])
    assert text.count("repeat: ") == SHOWN
    assert sum(line.endswith(", new:") for line in table(text)) == SHOWN
    assert "and 5 more that are new" in text
    assert text.splitlines()[-2].endswith(f"{SHOWN + 5} disagreements without an explanation, 1 known")
