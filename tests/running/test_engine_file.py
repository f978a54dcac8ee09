"""An engine in a file of a user's own: what it imports, and where in it an exception came from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gradaccord.harness.errors import LoadingError, one_line
from gradaccord.harness.records.evaluation import Unsupported
from gradaccord.harness.running.loading import load


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def engine(folder: Path, text: str, name: str = "mine") -> str:
    path = folder / f"{name}.py"
    path.write_text(text)
    return str(path)


def test_a_module_beside_the_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "rules_beside.py").write_text("def prepare(graph, dtype):\n    return (graph, dtype)\n")
    assert load(engine(tmp_path, "from rules_beside import prepare\n")).prepare is not None


def test_a_file_named_like_a_framework_hides_none(tmp_path: Path) -> None:
    text = "import numpy\nfloating = numpy.float64\ndef prepare(graph, dtype):\n    return None\n"
    assert load(engine(tmp_path, text, "numpy")).prepare is not None


@pytest.mark.parametrize(
    "text, said",
    [
        ("x = 1\nraise OSError('no driver')\n", "cannot be loaded: OSError: no driver at {file}:2"),
        ("\n\nprepare = {}['rule']\n", "cannot be loaded: KeyError: 'rule' at {file}:3"),
        ("def f():\n    int('x')\nf()\nprepare = f\n", "invalid literal for int() with base 10: 'x' at {file}:2"),
    ],
)
def test_what_loading_it_raises_is_placed_in_the_file(text: str, said: str, tmp_path: Path) -> None:
    name = engine(tmp_path, text + "def prepare(graph, dtype): ...\n")
    with pytest.raises(LoadingError) as caught:
        load(name)
    assert str(caught.value).endswith(said.format(file=name))


def test_a_package_that_is_missing_is_placed_too(tmp_path: Path) -> None:
    name = engine(tmp_path, "\nimport a_package_that_is_not_there\nprepare = None\n")
    with pytest.raises(Unsupported, match=r"pip install a_package_that_is_not_there at .*mine\.py:2"):
        load(name)


def test_what_a_module_beside_it_raises_is_placed_there(tmp_path: Path) -> None:
    (tmp_path / "breaks_beside.py").write_text("def prepare(graph, dtype):\n    return graph[dtype]\n")
    prepare = load(engine(tmp_path, "from breaks_beside import prepare\n")).prepare
    with pytest.raises(TypeError) as caught:
        prepare(3, "float64")  # type: ignore[arg-type]
    assert one_line(caught.value).endswith(f" at {tmp_path / 'breaks_beside.py'}:2")


def test_an_exception_from_elsewhere_has_no_place() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        int("x")
    assert " at " not in one_line(caught.value)
