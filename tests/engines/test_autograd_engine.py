"""A third party's engine, HIPS autograd: as a package of its own and as the single file of `docs/engines.md`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("autograd")

ROOT = Path(__file__).parent.parent.parent
PACKAGE = Path(__file__).parent.parent / "autograd_engine"
MODULE = PACKAGE / "gradaccord_autograd.py"
NESTED = ROOT / "cases" / "basics" / "nested-nodes.yaml"
REUSE = ROOT / "cases" / "basics" / "reuse.yaml"


def judged(engine: str, folder: Path, path: str = "") -> pd.DataFrame:
    """The rows of a run of two cases on one engine."""
    arguments = [str(NESTED), str(REUSE), "--engine", engine, "--dtype", "float64", "--out", str(folder / "report")]
    command = [sys.executable, "-m", "gradaccord", "run", *arguments]
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = pd.read_csv(folder / "report" / "results.csv")
    return rows.query("engine == @engine")


def agrees(rows: pd.DataFrame) -> bool:
    """Whether terms, adjoints, gradients and values were all judged and found sound."""
    found = set(rows["quantity"])
    return {"value", "term", "adjoint", "gradient"} <= found and set(rows["verdict"]) == {"agree"}


def test_installed_as_a_package_it_is_an_engine_by_name(tmp_path: Path) -> None:
    source = shutil.copytree(PACKAGE, tmp_path / "source")  # a build leaves files beside its source
    target = tmp_path / "site"
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(target), str(source)]
    subprocess.run(install, check=True, capture_output=True)
    assert agrees(judged("autograd", tmp_path, str(target)))


def test_the_same_module_is_an_engine_as_a_single_file(tmp_path: Path) -> None:
    assert agrees(judged(f"{MODULE}:prepare", tmp_path))


def test_a_wrong_term_of_such_an_engine_is_named(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.py"
    faulty.write_text(MODULE.read_text().replace("seen[key] = g\n", "seen[key] = g * (1 + 1e-12)\n"))
    with pytest.raises(AssertionError, match=r"term of `f.1` in `f: u \* u \* x`"):
        judged(f"{faulty}:prepare", tmp_path)


def test_the_page_on_engines_shows_the_module_whole() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "engines.md").read_text(), re.MULTILINE | re.DOTALL)
    assert MODULE.read_text() in blocks
