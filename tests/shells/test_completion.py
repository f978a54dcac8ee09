"""What a shell completes, as it asks: through an environment variable, without the loader of cases or a framework."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.reading.case import find, load, shipped
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.running.offered import installed

HEAVY = {"numpy", "torch", "jax", "flint", "rich", "ruamel", "pandas", "gradaccord.harness.reading.case"}
ASK = (
    "import sys\nfrom gradaccord.harness.cli import main\n"
    "try:\n    main(prog_name='gradaccord')\nfinally:\n    print(*set(sys.modules) & {heavy!r}, file=sys.stderr)"
)


def asked(folder: Path, *words: str) -> tuple[dict[str, list[str]], set[str]]:
    """What bash is told about the last word, by kind, and which heavy modules that took."""
    environment = {
        **os.environ,
        "_GRADACCORD_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("gradaccord", *words)),
        "COMP_CWORD": str(len(words)),
    }
    code = ASK.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    told: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        kind, _, value = line.partition(",")
        told.setdefault(kind, []).append(value)
    return told, set(done.stderr.split())


@pytest.mark.parametrize("command", ["run", "list", "validate", "show", "prove"])
def test_cases_are_completed_by_name(command: str, tmp_path: Path) -> None:
    told, loaded = asked(tmp_path, command, "nested-")
    assert told["plain"] == ["nested-nodes"]
    assert not loaded


def test_every_shipped_case_and_theme_is_known(tmp_path: Path) -> None:
    told, _ = asked(tmp_path, "run", "")
    names = {load(path).name for path in find([shipped()])}
    assert set(told["plain"]) == names | {path.parent.name for path in find([shipped()])}


def test_paths_are_completed_beside_names(tmp_path: Path) -> None:
    for name in ("nested-mine.yaml", "nested-notes.txt", ".nested.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "nested-folder").mkdir()
    told, _ = asked(tmp_path, "run", "nested-")
    assert sorted(told["plain"]) == ["nested-folder", "nested-mine.yaml", "nested-nodes"]
    told, _ = asked(tmp_path, "run", "./nes")
    assert told == {"file": ["./nes"]}


@pytest.mark.parametrize("words", [["run", "-e"], ["run", "--engine"], ["show", "sum", "-e"]], ids=" ".join)
def test_engines_are_completed(words: list[str], tmp_path: Path) -> None:
    told, loaded = asked(tmp_path, *words, "t")
    assert told == {"plain": [name for name in installed() if name.startswith("t")]}
    assert "torch:forward" in told["plain"]
    assert not loaded
    assert asked(tmp_path, *words, "mine")[0] == {"file": ["mine"]}


def test_operations_are_completed(tmp_path: Path) -> None:
    told, loaded = asked(tmp_path, "ops", "ta")
    assert told["plain"] == sorted(name for name in OPERATIONS if name.startswith("ta"))
    assert "tanh" in told["plain"]
    assert not loaded


@pytest.mark.parametrize("words", [["run", "-d"], ["show", "sum", "--dtype"]], ids=" ".join)
def test_dtypes_are_completed(words: list[str], tmp_path: Path) -> None:
    told, loaded = asked(tmp_path, *words, "")
    assert told["plain"] == list(FORMATS)
    assert loaded <= {"numpy"}


def test_bash_takes_it(tmp_path: Path) -> None:
    """The script that bash is given, and its function called as bash does."""
    command = Path(sys.executable).with_name("gradaccord")
    script = (
        'eval "$(_GRADACCORD_COMPLETE=bash_source gradaccord)"\n'
        "compopt() { :; }\n"  # it works in a completion alone
        "COMP_WORDS=(gradaccord run nested-) COMP_CWORD=2\n"
        '_gradaccord_completion gradaccord\necho "${COMPREPLY[@]}"'
    )
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "nested-nodes\n"
