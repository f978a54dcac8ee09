"""What all tests share: pytest's own tester of plugins, cases as text, and the command as a process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gradaccord.harness.pytest_plugin import CaseItem
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.running.garbage import search_less

pytest_plugins = ["pytester"]

LONG = ("digits", "five-thousand-steps", "nadam-plain")
ENGINES = Path(__file__).parent / "engines_for_tests"

PRODUCT = """\
name: product
about: One product.
inputs: {a: 2, b: 3}
graph:
  y: a * b
expect:
  y: 6
  gradient: {a: 3, b: 2}
"""


MARK = "‸"  # in the text of a case: where an error belongs; the loader never sees it


@pytest.hookimpl(tryfirst=True)  # before `-m` is read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a shipped case the first of its precisions, none whose path takes long: those wait for `tox -e whole`."""
    for item in items:
        if not isinstance(item, CaseItem) or item.engine == "truth":
            continue
        if item.case.name in LONG or item.unit.dtype != item.case.dtypes[0]:
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """The thousands of tests stay until the end: no search for garbage need look at them again."""
    gc.collect()
    gc.freeze()
    search_less()


def places(text: str) -> list[tuple[int, int]]:
    """Line and column, from 1, of each mark."""
    found: list[tuple[int, int]] = []
    for line, row in enumerate(text.split("\n"), 1):
        parts = row.split(MARK)
        found += [(line, len("".join(parts[:k])) + 1) for k in range(1, len(parts))]
    return found


def errors_of(path: Path) -> CaseErrors:
    with pytest.raises(CaseErrors) as caught:
        load(path)
    return caught.value


def assert_told(path: Path, text: str, said: list[str]) -> None:
    """Loading the text gives errors at its marks and nowhere else, and each says the words expected of it."""
    path.write_text(text.replace(MARK, ""), encoding="utf-8")
    errors = errors_of(path).errors
    assert sorted({(error.line, error.column) for error in errors}) == places(text)
    assert len(errors) == len(said)
    for error, words in zip(errors, said, strict=True):
        message = str(error)
        assert message.startswith(f"{path}:{error.line}:{error.column}: ")
        for word in words.split(" "):
            assert word.lower() in message.lower(), f"{word!r} missing in {message}"


def engine_file(name: str) -> str:
    """An engine that misbehaves, as a command names it."""
    return str(ENGINES / f"{name}.py")


def packaged(site: Path, name: str, metadata: str, entry_points: str) -> None:
    """What an installer writes into a folder of packages of one of them; its modules stand beside it."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(metadata)
    (about / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def load_text(tmp_path: Path) -> Callable[[str], Case]:
    """Loads a case from its text."""

    def loader(text: str) -> Case:
        path = tmp_path / "case.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return loader


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A case file of one product."""
    path = tmp_path / "product.yaml"
    path.write_text(PRODUCT)
    return path


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gradaccord(tmp_path: Path) -> Command:
    """The command line as a user has it: a process of its own, in an empty folder."""

    def command(*words: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gradaccord", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return command
