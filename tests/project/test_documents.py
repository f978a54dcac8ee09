"""What every document promises: the README's commands, links that lead somewhere, cases that load."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gradaccord.harness.reading.case import load

ROOT = Path(__file__).parent.parent.parent
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
    text = document.read_text()
    for name, block in re.findall(r"^<!-- file: (.*?) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(block)
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)):
        if block.startswith("name:"):
            file = tmp_path / f"{number}.yaml"
            file.write_text(block)
            assert load(file).graph.nodes


def test_the_site_has_every_page_of_the_docs() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = re.findall(r"[\w-]+\.md", text.partition("\nnav:\n")[2])
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
