"""What is installed: packages, pins, entry points, and the commands that the README promises."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from gradaccord.harness.case import load
from gradaccord.harness.keys import KEYS

ROOT = Path(__file__).parent.parent
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("cases", "engines", "harness", "reports")
README = (ROOT / "README.md").read_text()


def test_every_folder_with_code_is_a_package_of_the_distribution() -> None:
    folders = {
        ".".join(("gradaccord", *file.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
    }
    assert folders == set(PROJECT["tool"]["setuptools"]["packages"])


def test_nothing_at_the_root_is_a_module() -> None:
    assert not list(ROOT.glob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_the_type_checker_sees_each_room_under_its_installed_name(room: str) -> None:
    assert (ROOT / "typings" / "gradaccord" / room).resolve() == ROOT / room


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    split = [line.split("==") for line in lines]
    assert len({canonicalize_name(name) for name, _ in split}) == len(lines)
    return {canonicalize_name(name): version for name, version in split}


def test_every_dependency_is_pinned_inside_its_range() -> None:
    pinned = pins()
    for text in requires("gradaccord") or ():
        requirement = Requirement(text)
        if requirement.name != "gradaccord":
            version = Version(pinned[canonicalize_name(requirement.name)])
            assert version in requirement.specifier, f"{text}: pinned is {version}"
            assert not version.is_prerelease and not version.local


@pytest.mark.parametrize("group", ["gradaccord.engines", "gradaccord.reports", "pytest11", "console_scripts"])
def test_every_entry_point_leads_somewhere(group: str) -> None:
    own = [entry for entry in entry_points(group=group) if entry.dist is not None and entry.dist.name == "gradaccord"]
    assert own
    for entry in own:
        assert entry.load() is not None


def test_the_version_heads_the_changelog() -> None:
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == PROJECT["project"]["version"]


# --- the README's promises --------------------------------------------------------------------------------


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
