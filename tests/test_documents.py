"""What the documents promise: the README's commands, the links, the cases and the engine that they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradaccord.harness.case import load
from gradaccord.harness.keys import KEYS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def command(name: str) -> str:
    """The one command in the code block under `<!-- command: name -->`."""
    found = re.findall(rf"^<!-- command: {name} -->\n```sh\n(.*?)```$", README, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"the README has {len(found)} commands called {name}"
    return found[0]


@pytest.mark.parametrize("name", ["run", "test"])
def test_each_command_is_one_line_that_sets_everything_up(name: str) -> None:
    text = command(name)
    assert text.count("\n") == 1
    assert "python3.11 -m venv .venv" in text and "-c constraints.txt" in text
    subprocess.run(["bash", "-n", "-c", text], check=True)


def test_ci_runs_the_readmes_own_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    extract = re.search(r"^command=\$\((.*)\)$", script, re.MULTILINE)
    assert extract is not None
    run = subprocess.run(["bash", "-c", extract[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == command("test")


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_whole_case_that_is_shown_loads(document: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)):
        if block.startswith("name:"):
            file = tmp_path / f"{number}.yaml"
            file.write_text(block)
            assert load(file).graph.nodes


def test_the_reference_of_the_case_language_has_every_key() -> None:
    text = (ROOT / "docs" / "cases.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in text] == []


def test_the_engine_that_is_shown_as_an_example_runs_and_shows_its_terms(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "engines.md").read_text()
    found = re.search(r'^```python\n(""".*?)^```$', text, re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "hips.py").write_text(found[1])
    case = ROOT / "cases" / "basics" / "nested-nodes.yaml"
    arguments = [str(case), "--engine", "hips.py:prepare", "--dtype", "float64", "--out", "report"]
    command = [sys.executable, "-m", "gradaccord.harness", "run", *arguments]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = (tmp_path / "report" / "results.csv").read_text().splitlines()
    judged = [row for row in rows if "hips.py:prepare,term," in row and ",agree," in row]
    assert len(judged) == 4  # a and b into d, d and c into f
