"""docs/verdicts.md: each verdict has a section, whose command gives that verdict and prints what the page shows."""

from __future__ import annotations

import csv
import re
import shlex
import sys
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.verdicts import FINDINGS, SEVERITY, VERDICTS, Verdict

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^### (.*)\n((?:(?!##).*\n)*)", PAGE, re.MULTILINE))
FILES = sorted((ROOT / "docs" / "verdicts").glob("*.yaml"))

# Ascending. An engine that gave no numbers has one row, of the first or of the last ones.
GRAVITY: tuple[Verdict, ...] = (
    "unsupported",
    *sorted(SEVERITY, key=SEVERITY.__getitem__),
    "unstable",
    "failed",
    "timed out",
    "reference unreliable",
)
FAULTY = "docs/verdicts/engines.py"


@dataclass(frozen=True)
class Shown:
    """A case's engines, those that get its verdict marked by `*`; its dtype, further flags and exit status."""

    engines: str
    dtype: str = "float64"
    flags: str = ""
    status: int = 0


TABLE: dict[Verdict, Shown] = {
    "agree": Shown("backprop*"),
    "lossy": Shown("backprop*"),
    "ill-conditioned": Shown("backprop*"),
    "undefined": Shown("backprop*"),
    "unsupported": Shown("backprop torch*"),
    "not judged": Shown("finite_difference*"),
    "convention": Shown("torch* jax*", status=1),
    "kink artefact": Shown("torch*", status=1),
    "imprecise": Shown(f"{FAULTY}:single*", status=1),
    "wrong": Shown(f"{FAULTY}:mirrored*", status=1),
    "not finite": Shown("torch*", status=1),
    "out of range": Shown("backprop*", status=1),
    "overflow": Shown("backprop*", dtype="float16", status=1),
    "unstable": Shown(f"{FAULTY}:forgetful*", status=1),
    "failed": Shown(f"backprop {FAULTY}:sineless*", status=1),
    "timed out": Shown(f"{FAULTY}:hanging*", flags=" --timeout 2", status=1),
}


def file(verdict: Verdict) -> Path:
    return ROOT / "docs" / "verdicts" / f"{verdict.replace(' ', '-')}.yaml"


def command(verdict: Verdict) -> str:
    shown = TABLE[verdict]
    engines = "".join(f" --engine {name.rstrip('*')}" for name in shown.engines.split())
    return f"gradaccord run {file(verdict).relative_to(ROOT).as_posix()}{engines} --dtype {shown.dtype}{shown.flags}"


NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
MARK = "\0"
TIME = re.compile(r"\d+\.\d s\b")


def split(text: str) -> tuple[str, list[float]]:
    """The words, each number as a mark, and the numbers. Line breaks are the terminal's, and times differ."""
    text = TIME.sub("a moment", " ".join(text.split()))
    return NUMBER.sub(MARK, text), [float(number) for number in NUMBER.findall(text)]


def told_in(quoted: str, printed: str) -> bool:
    """Whether a page's words stand in what was printed, with numbers that differ in their last digits at most: those
    are the processor's and the frameworks'."""
    (words, numbers), (all_words, all_numbers) = split(quoted), split(printed)
    start = all_words.find(words)
    while start >= 0:
        before = all_words.count(MARK, 0, start)
        found = all_numbers[before : before + len(numbers)]
        if all(isclose(a, b, rel_tol=0.02) for a, b in zip(numbers, found, strict=True)):
            return True
        start = all_words.find(words, start + 1)
    return False


def test_another_number_on_the_page_is_noticed() -> None:
    assert told_in("off by 0.251, in 1.2 s", "it is off by 0.2512, in 13.7 s\nand so on")
    assert not told_in("off by 0.251", "it is off by 0.351")
    assert not told_in("off by 0.251", "it is of by 0.251")


def test_every_verdict_has_a_section() -> None:
    assert list(VERDICTS) == list(get_args(Verdict))
    assert sorted(SECTIONS) == sorted(get_args(Verdict))
    assert sorted(GRAVITY) == sorted(SECTIONS)


def test_the_page_tells_findings_from_what_passes() -> None:
    _, _, findings = PAGE.partition("## Verdicts that are findings\n")
    assert set(re.findall(r"^### (.*)$", findings, re.MULTILINE)) == {*FINDINGS, "convention"}
    assert {verdict for verdict, shown in TABLE.items() if shown.status} == set(TABLE) & {*FINDINGS, "convention"}


def test_every_verdict_has_a_case_but_the_one_that_no_sound_installation_shows() -> None:
    assert set(SECTIONS) - set(TABLE) == {"reference unreliable"}
    assert sorted(map(file, TABLE)) == FILES
    assert not re.search(r"^\$ ", SECTIONS["reference unreliable"], re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_case_goes_by_its_verdict_and_says_what_it_shows(path: Path) -> None:
    case = load(path)
    assert case.name == path.stem
    assert case.about
    assert not case.accept


@pytest.mark.parametrize("verdict", TABLE)
def test_the_command_on_the_page_gives_the_verdict(
    verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)```$", SECTIONS[verdict], re.MULTILINE)
    assert [line for line, _ in blocks] == [command(verdict)]
    for name in {engine.rstrip("*") for engine in TABLE[verdict].engines.split()} & {"torch", "jax"}:
        pytest.importorskip(name)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))

    words = [*shlex.split(command(verdict))[1:], "--out", str(tmp_path)]
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words)

    assert done.exit_code == TABLE[verdict].status, done.output
    given: dict[str, set[str]] = {}
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as results:
        for row in csv.DictReader(results):
            given.setdefault(row["engine"], set()).add(row["verdict"])
    gravest = {engine: max(verdicts, key=list[str](GRAVITY).index) for engine, verdicts in given.items()}
    assert gravest == {
        engine.rstrip("*"): verdict if engine.endswith("*") else "agree" for engine in TABLE[verdict].engines.split()
    }
    for piece in blocks[0][1].split("...\n"):
        assert told_in(piece, done.output), piece
    quoted = "\n".join(re.findall(r"^> (.*)$", SECTIONS[verdict], re.MULTILINE))
    assert told_in(quoted, (tmp_path / "report.md").read_text(encoding="utf-8"))
