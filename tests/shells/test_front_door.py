"""`import gradaccord`: what it offers, and what it costs."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import gradaccord
from gradaccord.harness.cli import main

from ..project.test_verdict_cases import told_in

ROOT = Path(__file__).parent.parent.parent
FRAMEWORKS = {"torch", "jax", "optax", "flint"}
OLD_PATHS = [
    ("evaluation", "Array Derivative DTYPES Engine Evaluate Evaluation Inputs Moved Optimiser Prepare PrepareAlong"),
    ("evaluation", "Along Status Unsupported Variant"),
    ("graph.emit", "emit missing source"),
    ("graph.graph", "Constant Graph Node Use"),
]


def loaded(code: str) -> set[str]:
    """The modules, without their submodules, that a fresh interpreter has after this code."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_it_loads_no_library_at_all() -> None:
    assert not loaded("import gradaccord") & {*FRAMEWORKS, "numpy", "ml_dtypes", "importlib.metadata"}


JUDGING = {"check", "check_optimiser", "compare", "define", "run", "trace"}


def test_no_name_of_it_loads_a_framework() -> None:
    contract = ", ".join(sorted(set(gradaccord.__all__) - JUDGING))
    found = loaded(f"from gradaccord import {contract}")
    assert "numpy" in found
    assert not found & FRAMEWORKS
    judging = loaded(f"from gradaccord import {', '.join(sorted(JUDGING))}")  # these need balls
    assert judging & FRAMEWORKS == {"flint"}


def test_every_name_is_there_and_listed() -> None:
    assert dir(gradaccord) == sorted(gradaccord.__all__)
    assert {name for name in gradaccord.__all__ if hasattr(gradaccord, name)} == set(gradaccord.__all__)


def test_the_type_checker_reads_the_same_names_from_the_same_rooms() -> None:
    tree = ast.parse((ROOT / "api" / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    found = {
        alias.name: node.module for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert set(found) | {"__version__"} == set(gradaccord.__all__)
    for name, module in found.items():
        assert module is not None
        assert getattr(gradaccord, name) is getattr(importlib.import_module(module), name)


def test_a_name_that_it_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gradaccord' has no attribute 'engine'"):
        _ = gradaccord.engine  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError):
        exec("from gradaccord import engine")


@pytest.mark.parametrize("room, names", OLD_PATHS)
def test_the_paths_of_old_go_on_working(room: str, names: str) -> None:
    module = importlib.import_module(f"gradaccord.harness.{room}")
    for name in names.split():
        assert getattr(module, name) is getattr(gradaccord, name, getattr(module, name))


def test_authors_of_engines_need_no_other_door() -> None:
    page = (ROOT / "docs" / "engines.md").read_text()
    sources = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    sources += [path.read_text() for path in (ROOT / "tests" / "autograd_engine").glob("*.py")]
    imported = {
        node.module
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gradaccord")
    }
    assert imported == {"gradaccord"}


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "gradaccord", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == gradaccord.__version__


def test_the_smallest_engine_of_the_page_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "engines.md").read_text()
    ((name, source),) = re.findall(r"^<!-- file: (.*?) -->\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ((words, shown),) = re.findall(r"^```console\n\$ gradaccord (.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)
    (tmp_path / name).write_text(source)
    monkeypatch.chdir(tmp_path)
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words.split())
    assert told_in(shown, done.output), done.output
    assert done.exit_code == 0
