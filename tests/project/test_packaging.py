"""What is installed: packages, pins, entry points."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
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


@pytest.mark.parametrize(
    "group", ["gradaccord.engines", "gradaccord.reports", "gradaccord.pages", "pytest11", "console_scripts"]
)
def test_every_entry_point_leads_somewhere(group: str) -> None:
    own = [entry for entry in entry_points(group=group) if entry.dist is not None and entry.dist.name == "gradaccord"]
    assert own
    for entry in own:
        assert entry.load() is not None


def test_the_version_heads_the_changelog() -> None:
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == PROJECT["project"]["version"]


def test_every_file_that_is_no_code_is_package_data() -> None:
    """A wheel has only what `package-data` names: a page's template that is left out is missed by nobody's checkout."""
    patterns: Mapping[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]
    for room, package in ROOMS.items():
        for file in (ROOT / room).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                inside = file.relative_to(ROOT / room)
                owners = {
                    ".".join((package, *inside.parts[:depth])): Path(*inside.parts[depth:])
                    for depth in range(len(inside.parts))
                }
                named = [path.match(pattern) for owner, path in owners.items() for pattern in patterns.get(owner, [])]
                named += [inside.suffix == ".yaml" or inside.suffix == ".npy"] * (room == "cases")
                assert any(named), f"{file.relative_to(ROOT)} is in no wheel"


def test_each_extra_is_needed_by_code() -> None:
    """The packages of an extra are imported somewhere, or are what tests and tools are started by."""
    started = {"basedpyright", "pytest-xdist", "ruff", "gradaccord"}
    folders = ("api", "harness", "engines", "reports", "tests", "trust", "benchmarks", "models", "docs")
    code = "\n".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    for extra, needs in PROJECT["project"]["optional-dependencies"].items():
        for need in needs:
            name = Requirement(need).name
            assert name in started or re.search(rf"\b{name.replace('-', '_')}\b", code), (
                f"{extra}: nothing needs {name}"
            )


@pytest.mark.slow
def test_a_wheel_works_outside_of_the_checkout(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves files beside what it builds
    for name in (*ROOMS, "pyproject.toml", "README.md", "LICENSE"):
        place = ROOT / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, source / name if place.is_dir() else source)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*wheel, str(source)], check=True, cwd=tmp_path)
    (built,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(built) as file:
        file.extractall(installed)
    code = (
        "import sys, gradaccord, gradaccord.harness.cli as cli\n"
        f"assert gradaccord.__file__.startswith({str(installed)!r}), gradaccord.__file__\n"
        "sys.argv[1:] = ['run', 'nested-nodes', 'padded-embedding', '--engine', 'backprop', '--jobs', '1']\n"
        "cli.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    reports = {path.name for path in (tmp_path / "gradaccord-report").iterdir()}
    assert {"report.html", "report.md", "results.csv", "run.json"} <= reports
