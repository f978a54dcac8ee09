"""No verdict and no exit status is taken from the words of a message: they are the same with every reason empty."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from gradaccord.harness.judging.classify import Judgement, Link
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.run import run, units
from gradaccord.harness.running.selection import Selected
from gradaccord.harness.running.session import session
from gradaccord.harness.truth.proof import Proof

THEMES = ("kinks", "disagreements", "basics", "saturation")
ENGINES = ("backprop", "torch", "finite_difference")
SPLIT = """
name: split
inputs: {x: [0, 1], y: 1}
graph:
  f: sum(abs(x)) + maximum(y, 1) + log(-y)
accept:
  - {engine: one, quantity: gradient, name: x, verdict: convention, reason: known}
"""
# Engines that are spoilt in one way each.
OTHERS = Path(__file__).parent.parent / "engines_for_tests" / "spoils.py"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Selected]:
    made = tmp_path_factory.mktemp("made") / "split.yaml"
    made.write_text(SPLIT)
    paths = [path for theme in THEMES for path in sorted((shipped() / theme).rglob("*.yaml"))]
    found = [load(path) for path in [*paths, made]]
    small = [case for case in found if len(case.graph.nodes) < 40 and case.update is None]
    assert len(small) > 20
    return [Selected(case, case.name) for case in (*small[2:-1:4], small[-1])]


def decided(cases: list[Selected], engines: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Of every row what was decided of it."""
    work = units([one.case for one in cases], ("float64",))
    return [
        (row.case, row.dtype, row.engine, row.quantity, row.name, row.use, row.index, row.verdict, row.node,
         row.finding, bool(row.accepted), row.choice)
        for outcome in run(work, Settings(engines))
        for row in outcome.rows
    ]  # fmt: skip


def without_words(kind: type[Any], name: str) -> Any:
    """The `__init__` of a record, which makes one of its texts empty."""
    right, place = kind.__init__, [field.name for field in fields(kind)].index(name)

    @wraps(right)
    def init(self: Any, *args: Any, **rest: Any) -> None:
        kept = list(args)
        if place < len(kept):
            kept[place] = ""
        elif name in rest:
            rest[name] = ""
        right(self, *kept, **rest)

    return init


def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every reason is an empty string."""
    for kind in (Row, Link, Judgement, Evaluation):
        monkeypatch.setattr(kind, "__init__", without_words(kind, "reason"))
    monkeypatch.setattr(Proof, "failure", property(lambda self: ""))
    assert Row(case="", point=0, dtype="", engine="", reason="said").reason == ""
    assert Judgement("agree", 0.0, (), "said").reason == ""


def test_verdicts_are_those_of_numbers(cases: list[Selected], monkeypatch: pytest.MonkeyPatch) -> None:
    engines = (*ENGINES, f"{OTHERS}:bent", f"{OTHERS}:tilted", f"{OTHERS}:number")
    spoken = decided(cases, engines)
    assert {row[7] for row in spoken} >= {"agree", "convention", "kink artefact", "wrong", "failed", "undefined"}
    silence(monkeypatch)
    assert decided(cases, engines) == spoken


@pytest.mark.parametrize("engines, status", [(ENGINES, 0), (("backprop", f"{OTHERS}:bent"), 1)])
def test_so_is_the_exit_status(
    engines: tuple[str, ...], status: int, cases: list[Selected], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [one for one in cases if one.case.name != "split"]
    settings = Settings(engines, dtypes=("float64",), jobs=1)  # in this process: others are not silenced
    spoken = session(known, replace(settings, out=str(tmp_path / "spoken")), "command")
    silence(monkeypatch)
    quiet = session(known, replace(settings, out=str(tmp_path / "silent")), "command")
    assert not any(row.reason for row in quiet.kept.open)
    assert (spoken.status, quiet.status) == (status, status)
    assert spoken.kept.tally.verdicts == quiet.kept.tally.verdicts
