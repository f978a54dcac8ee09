"""New findings as annotations of GitHub Actions, each at the line of its case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main

from ..conftest import engine_file

CASE = """\
name: flow
about: An engine is off in it.
inputs: {a: 2, b: -3}
graph:
  c: a * b
  f: "c * a"
update: {rule: descent, step_size: 0.01, steps: 3}
"""


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("flow, 100%.yaml").write_text(CASE)
    bent = engine_file("spoils") + ":bent"
    words = ["run", "flow, 100%.yaml", "-e", bent, "-e", "backprop", "-d", "float64", "--format", "github"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "without an explanation" in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("::")]


def test_each_new_finding_stands_at_its_line(lines: list[str]) -> None:
    found = [re.match(r"::error file=(.*?),line=(\d+),title=(.*?)::(.*)$", line) for line in lines]
    assert len(found) >= 3 and all(found)
    placed = {match[4].partition("%0A")[0]: int(match[2]) for match in found if match}
    terms = {what: line for what, line in placed.items() if what.startswith("term")}
    assert terms and all(line == (6 if " in f[" in what else 5) for what, line in terms.items())
    adjoints = {what: line for what, line in placed.items() if re.match(r"adjoint of [ab]$", what)}
    assert adjoints and set(adjoints.values()) <= {3, 5, 6}


def test_what_the_form_reads_itself_is_escaped(lines: list[str]) -> None:
    for line in lines:
        assert line.startswith("::error file=flow%2C 100%25.yaml,line=")
        title = line.partition("title=")[2].partition("::")[0]
        assert "spoils.py%3Abent" in title
        assert "," not in title
        assert "%0Arepeat: gradaccord run " in line


def test_json_has_two_names_and_a_form_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "sum", "-e", "backprop", "-d", "float64"]
    both = [CliRunner().invoke(main, [*words, *form]).stdout for form in (["--json"], ["--format", "json"])]
    assert all('"type": "summary"' in text for text in both)
    done = CliRunner().invoke(main, [*words, "--format", "xml"])
    assert done.exit_code == 2
    assert "'github'" in done.stderr


def test_an_expected_number_that_is_off_is_told_at_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flow.yaml").write_text(CASE + "expect:\n  gradient:\n    a: -12\n    b: 5\n")
    done = CliRunner().invoke(main, ["run", "flow.yaml", "-e", "backprop", "-d", "float64", "--format", "github"])
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert line.startswith("::error file=flow.yaml,line=11,title=truth exact%3A wrong::expectation of gradient of b")
