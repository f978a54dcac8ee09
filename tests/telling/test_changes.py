"""`gradaccord diff`: what an upgrade changed, told from the folders of two runs."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gradaccord.harness.cli import main
from gradaccord.harness.telling.changes import KINDS, Kind, changes

from ..conftest import PRODUCT, engine_file

Row = dict[str, str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run with a fault, a path, and cases that agree."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "product.yaml").write_text(PRODUCT)
    words = [
        "run",
        str(folder / "product.yaml"),
        "nested-nodes",
        "-e",
        "backprop",
        "-e",
        engine_file("spoils") + ":bent",
    ]
    assert CliRunner().invoke(main, [*words, "-d", "float64", "--quiet", "--out", str(folder / "out")]).exit_code == 1
    return folder / "out"


@pytest.fixture
def another(run: Path, tmp_path: Path) -> Callable[[Callable[[Row], Row | None]], Path]:
    """The same run, each row of its results changed by a function, or left out where that gives none."""

    def changed(change: Callable[[Row], Row | None], table: str = "results.csv") -> Path:
        folder = tmp_path / "another"
        shutil.copytree(run, folder)
        with (run / table).open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        write(folder / table, filter(None, (change(dict(row)) for row in rows)), list(rows[0]))
        return folder

    return changed


def write(path: Path, rows: Iterable[Row], columns: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def diff(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, ["diff", *map(str, words)])


def test_a_run_and_itself_differ_in_nothing(run: Path) -> None:
    done = diff(run, run)
    assert done.exit_code == 0
    assert "no verdict changed" in done.output


def sound(row: Row) -> bool:
    return row["engine"] == "backprop" and row["verdict"] == "agree" and row["quantity"] == "gradient"


def off(row: Row) -> bool:
    return row["verdict"] == "wrong"


@pytest.mark.parametrize(
    "kind, which, change, status",
    [
        ("newly off", sound, {"verdict": "wrong", "finding": "True"}, 1),
        ("no longer off", off, {"verdict": "agree", "finding": "False"}, 0),
        ("known now", off, {"accepted": "so it is"}, 0),
        ("another verdict", sound, {"verdict": "not judged"}, 0),
        ("another verdict", off, {"verdict": "not finite"}, 0),
        ("another verdict", sound, {"verdict": "wrong", "finding": "True", "accepted": "so it is"}, 0),
        ("nearer its bound", sound, {"score": "0.9"}, 0),
    ],
)
def test_each_kind_of_change_is_told(
    kind: Kind, which: Callable[[Row], bool], change: Row, status: int, run: Path,
    another: Callable[[Callable[[Row], Row]], Path],
) -> None:  # fmt: skip
    folder = another(lambda row: row | change if which(row) else row)
    found = changes(run, folder)
    assert {one.kind for one in found.changes} == {kind}
    assert sum(one.count for one in found.changes) >= 2
    done = diff(run, folder)
    assert done.exit_code == status
    assert f"{kind}: {KINDS[kind]}" in " ".join(done.output.split())
    assert all(len(line) <= 80 for line in done.output.splitlines())
    assert f"## {kind.capitalize()}" in diff(run, folder, "--markdown").output


def test_what_an_entry_explained_before_alone_is_off(
    run: Path, another: Callable[[Callable[[Row], Row]], Path]
) -> None:
    folder = another(lambda row: row | {"accepted": "so it is"} if off(row) else row)
    found = changes(folder, run)
    assert {one.kind for one in found.changes} == {"known no more"}
    assert found.off


def test_a_path_that_has_a_step_off_is_told_once(run: Path, another: Callable[..., Path]) -> None:
    def late(row: Row) -> Row:
        found = row["engine"] == "backprop" and int(row["step"]) >= 50
        return row | {"verdict": "wrong", "finding": "True", "cause": "update"} if found else row

    found = changes(run, another(late, "trajectories.csv"))
    (change,) = found.changes
    assert (change.kind, change.what, change.count) == ("newly off", "path", 1)
    assert change.reason == "step 50: update"


def test_versions_that_changed_and_numbers_of_one_run_alone_are_told(run: Path, another: Callable[..., Path]) -> None:
    folder = another(lambda row: None if row["case"] == "nested-nodes" else row)
    facts = json.loads((folder / "run.json").read_text())
    facts["versions"]["backprop"] = "Python 4"
    (folder / "run.json").write_text(json.dumps(facts))
    told = diff(run, folder).output
    assert "then Python 4" in told
    assert re.search(r"\b\d{2,} numbers only in", told)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda folder: (folder / "run.json").unlink(), "is no folder of a run: expected results.csv and run.json"),
        (lambda folder: (folder / "run.json").write_text("{"), "run.json can't be read"),
        (lambda folder: (folder / "run.json").write_text("[]"), "run.json can't be read"),
        (lambda folder: (folder / "results.csv").write_text("a,b\n1,2\n"), "results.csv can't be read"),
        (lambda folder: (folder / "results.csv").write_text(""), "no number in common"),
    ],
)
def test_a_folder_that_is_none_is_told(
    damage: Callable[[Path], object], said: str, run: Path, another: Callable[..., Path]
) -> None:
    folder = another(lambda row: row)
    damage(folder)
    (folder / "trajectories.csv").unlink()
    done = diff(run, folder)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
