"""What once fooled the judge: `tests/faults` has the cases, the engines, and in `expected.csv` what must be said.

`must` is, of every row that a line means (its engines, quantity and name; all where it names none), one of: `finding`,
`pass`, `known` (a finding that is explained), `verdict=A|B`, `truth=NUMBER`, `blames=WORDS`; or, of the run,
`exit=STATUS`, `says=WORDS`, `path=finding`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.records.rows import NO_TEXT

FAULTS = Path(__file__).parent.parent / "faults"
PASSES = ("agree", "lossy", "ill-conditioned", "convention")
Line: TypeAlias = Mapping[str, str]  # of expected.csv, or of a report


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return [{name: "" if cell == NO_TEXT else cell for name, cell in row.items()} for row in csv.DictReader(text)]


EXPECTED = lines(FAULTS / "expected.csv")
RUNS = [(*key, list(group)) for key, group in groupby(EXPECTED, key=lambda line: (line["case"], line["options"]))]
# Where an engine of the folder is caught by its numbers.
LIARS = [line for line in EXPECTED if line["engines"].startswith("engines.py") and line["must"] in ("finding", "known")]
SOUND = {"engines.py:b_garbage": "torch", "engines.py:hundredth": "jax"}  # there backprop has NaN itself


@dataclass(frozen=True)
class Ran:
    """What came of one run."""

    status: int
    printed: str
    rows: Sequence[Line]
    path: Sequence[Line]

    def meant(self, line: Line) -> list[Line]:
        engines = line["engines"].split("|")
        return [
            row
            for row in self.rows
            if (not line["engines"] or row["engine"].rpartition("/")[2] in engines)
            and all(line[column] in ("", row[column]) for column in ("quantity", "name"))
        ]


Run: TypeAlias = Callable[[str, str], Ran]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a case of the folder, from another folder; what has run before is not run again."""

    @cache
    def command(case: str, options: str) -> Ran:
        for framework in ("torch", "jax"):
            if framework in options or "behind_ledger" in options:
                pytest.importorskip(framework)
        words = [f"{FAULTS}/{word}" if word.startswith("engines.py") else word for word in options.split()]
        folder = tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "path", list(sys.path))
            done = CliRunner().invoke(main, ["run", str(FAULTS / f"{case}.yaml"), *words, "--out", "out"])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        reports = [folder / "out" / f"{name}.csv" for name in ("results", "trajectories")]
        return Ran(done.exit_code, done.output, *(lines(path) if path.exists() else [] for path in reports))

    return command


def found(row: Line) -> bool:
    return row["finding"] == "True"


OF_ROWS: Mapping[str, Callable[[Line, str], bool]] = {
    "finding": lambda row, _: found(row) and not row["accepted"],
    "known": lambda row, _: found(row) and bool(row["accepted"]),
    "pass": lambda row, _: not found(row) and row["verdict"] in PASSES,
    "verdict": lambda row, any_of: row["verdict"] in any_of.split("|"),
    "truth": lambda row, number: float(row["reference"]) == pytest.approx(float(number), rel=1e-6, abs=1e-6),
    "blames": lambda row, words: words in row["node"] or words in row["reason"],
}
OF_RUNS: Mapping[str, Callable[[Ran, str], bool]] = {
    "exit": lambda ran, status: ran.status == int(status),
    "says": lambda ran, words: words in ran.printed,
    "path": lambda ran, _: any(map(found, ran.path)),
}


def broken(line: Line, ran: Ran) -> str:
    """How a run does not do what a line of expected.csv demands, empty if it does."""
    kind, _, argument = line["must"].partition("=")
    if kind in OF_RUNS:
        return "" if OF_RUNS[kind](ran, argument) else f"exit {ran.status}: {ran.printed}"
    rows = ran.meant(line)
    off = [row for row in rows if not OF_ROWS[kind](row, argument)]
    if rows and not off:
        return ""
    told = [f"{row['engine']} {row['quantity']} {row['name']}: {row['verdict']} {row['reference']}" for row in off]
    return f"must {line['must']} ({line['why']}): {told or 'no such row, ' + ran.printed}"


@pytest.mark.parametrize("case, options, expected", RUNS, ids=[f"{case} {options}" for case, options, _ in RUNS])
def test_what_once_fooled_the_judge_is_told_right(run: Run, case: str, options: str, expected: Sequence[Line]) -> None:
    ran = run(case, options)
    assert not [said for line in expected if (said := broken(line, ran))]


@pytest.mark.parametrize("liar", LIARS, ids=lambda line: line["engines"])
def test_where_a_liar_is_found_a_sound_engine_is_not(run: Run, liar: Line) -> None:
    """What is demanded of the liar's rows must fail for those of a sound one."""
    sound = SOUND.get(liar["engines"], "backprop")
    options = liar["options"].replace(liar["engines"], sound)
    if not liar["name"]:
        liar = {**liar, "quantity": "gradient"}
    line, ran = {**liar, "engines": sound}, run(liar["case"], options)
    assert broken(line, ran)
    assert not any(map(found, ran.meant(line)))


@pytest.mark.parametrize(
    "engine, must",
    [
        ("backprop", "finding"),
        ("torch", "pass"),
        ("torch", "known"),
        ("torch", "verdict=agree|lossy"),
        ("torch", "truth=2"),
        ("torch", "blames=cosine"),
        ("jax", "finding"),
        ("", "exit=0"),
        ("", "says=splendid"),
        ("", "path=finding"),
    ],
)
def test_what_is_not_so_is_told(run: Run, engine: str, must: str) -> None:
    line = {"engines": engine, "quantity": "gradient", "name": "x", "must": must, "why": "planted"}
    assert broken(line, run("zero-times-nan", "-e backprop -e torch"))


def test_each_case_of_the_folder_is_run() -> None:
    assert {path.stem for path in FAULTS.glob("*.yaml")} == {line["case"] for line in EXPECTED}
