"""What every document promises: the README's commands, links that lead somewhere, cases that load."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gradaccord.harness.cli import main
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
        (tmp_path / name).parent.mkdir(exist_ok=True)
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


def words_of_commands(text: str) -> list[list[str]]:
    """Each command `gradaccord ...` of a text that names a subcommand, as words; comments and what a pipe has behind it
    are left out."""
    lines = re.findall(r"(?:^|[\s`/(])gradaccord ([a-z]+\b[^`\n|>#]*)", text, re.MULTILINE)
    return [line.split() for line in lines]


def unknown(words: list[str]) -> list[str]:
    """Options of a command that it does not have, or the name of one that is not there."""
    command = main.commands.get(words[0])
    if command is None:
        return [words[0]]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    return [word for word in words[1:] if word.startswith("-") and word.partition("=")[0].rstrip(".,;") not in options]


@pytest.mark.parametrize(
    "document",
    [*DOCUMENTS, ROOT / "docs" / "github" / "action.yml", ROOT / ".pre-commit-hooks.yaml"],
    ids=lambda d: d.name,
)
def test_every_command_that_is_shown_has_its_options(document: Path) -> None:
    blocks = re.findall(r"^ *```(?:sh|console|yaml)\n(.*?)^ *```$", document.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks) if document.suffix == ".md" else document.read_text()
    assert [(words, unknown(words)) for words in words_of_commands(text) if unknown(words)] == []


def test_a_command_or_option_that_is_not_there_is_noticed() -> None:
    shown = words_of_commands("$ old/bin/gradaccord run cases --engin torch | head\n- run: gradaccord walk\n")
    assert [unknown(words) for words in shown] == [["--engin"], ["walk"]]


def test_the_hook_of_the_recipes_is_one_that_the_project_has() -> None:
    yaml = YAML(typ="safe")
    hooks = {hook["id"] for hook in yaml.load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "recipes.md").read_text(), re.MULTILINE | re.DOTALL)
    shown = [block for block in map(yaml.load, blocks) if "repos" in block]
    assert {hook["id"] for block in shown for repo in block["repos"] for hook in repo["hooks"]} == hooks
