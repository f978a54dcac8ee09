"""What is installed: packages, pins, entry points."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = {
    "api": "gradaccord",
    **{room: f"gradaccord.{room}" for room in ("cases", "engines", "harness", "reports")},
}


def test_every_folder_with_code_is_a_package_of_the_distribution() -> None:
    folders = {
        ".".join((package, *file.parent.relative_to(ROOT / room).parts))
        for room, package in ROOMS.items()
        for file in (ROOT / room).rglob("*.py")
    }
    assert folders == set(PROJECT["tool"]["setuptools"]["packages"])


def test_nothing_at_the_root_is_a_module() -> None:
    assert not list(ROOT.glob("*.py"))


@pytest.mark.parametrize("room, package", ROOMS.items())
def test_the_type_checker_sees_each_room_under_its_installed_name(room: str, package: str) -> None:
    seen = ROOT / "typings" / Path(*package.split(".")) / "__init__.py"
    assert seen.resolve() == (ROOT / room / "__init__.py").resolve()


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    split = [line.split("==") for line in lines]
    assert len({canonicalize_name(name) for name, _ in split}) == len(lines)
    return {canonicalize_name(name): version for name, version in split}


def test_every_dependency_is_pinned_inside_its_range() -> None:
    pinned = pins()
    for text in requires("gradaccord") or ():
        requirement = Requirement(text)
        # Public models take what is newest, in an environment of their own.
        public = "extra == 'models'" in text.replace('"', "'")
        if requirement.name != "gradaccord" and not public:
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
