"""What an engine lacks is told by asking it: of a case that it refuses, each operation alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import load
from gradaccord.harness.running.coverage import Coverage, Lacking, coverage
from gradaccord.harness.running.workers import Beside, Here

from ..conftest import Command

CASES = {
    "one": "tanh(x) + exp(x)",
    "two": "tanh(x) * sin(x)",
    "three": "where(x > 0, tanh(x), sin(x))",
    "four": "sum(softmax(stack([x, 2 * x])) ** 2)",
    "five": "mean(stack([x, x]))",
    "six": "x * sqrt(3)",
}
ENGINE = """\
import os
from gradaccord import Unsupported, emit, missing, runnable, written_out
ALL = set("add subtract multiply divide pow negative where greater copy exp"
  " sum max stack sqrt tanh sin softmax mean stop_gradient".split())
def engine(lacks, *, composites=False, acts=lambda: None):
    def prepare(graph, dtype):
        table = dict.fromkeys(ALL - set(lacks.split()), float)
        if missing(graph, {**table, "tanh": 1, "sin": 1, "softmax": 1, "constant": 1, "mean": 1}):
            raise AssertionError("another operation than those of the test")
        if any(node.op not in table for node in (written_out(graph, table) if composites else graph).operations):
            acts()
            raise Unsupported("no")
    return prepare
whole = engine("")
few = engine("tanh sin softmax mean")
primitives = engine("tanh exp softmax mean", composites=True)
ends = engine("tanh", acts=lambda: os._exit(3))
def never(graph, dtype):
    raise KeyError("never")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    for name, graph in CASES.items():
        (tmp_path / "cases" / f"{name}.yaml").write_text(f"name: {name}\ninputs: {{x: 1}}\ngraph:\n  f: {graph}\n")
    (tmp_path / "mine.py").write_text(ENGINE)
    return tmp_path


def of(engine: str, folder: Path, *, apart: bool = False) -> Coverage:
    host = Beside() if apart else Here()
    try:
        return coverage(f"{folder}/mine.py:{engine}", [load(folder / "cases" / f"{name}.yaml") for name in CASES], host)
    finally:
        host.close()


def test_an_engine_that_has_all_lacks_nothing(folder: Path) -> None:
    assert of("whole", folder) == Coverage(6, 6, ())


def test_operations_are_ranked_by_the_cases_that_they_cost(folder: Path) -> None:
    lacking = (Lacking("tanh", 3, 1), Lacking("sin", 2, 0), Lacking("mean", 1, 1), Lacking("softmax", 1, 1))
    assert of("few", folder) == Coverage(1, 6, lacking)


def test_a_composite_counts_for_the_primitives_that_it_is_made_of(folder: Path) -> None:
    lacking = (Lacking("tanh", 3, 2), Lacking("exp", 2, 1))
    assert of("primitives", folder) == Coverage(2, 6, lacking)


def test_an_engine_that_ends_its_process_lacks_what_ended_it(folder: Path) -> None:
    assert of("ends", folder, apart=True) == Coverage(3, 6, (Lacking("tanh", 3, 3),))


def test_an_engine_that_refuses_everything_lacks_everything(folder: Path) -> None:
    found = of("never", folder)
    assert found.prepared == 0
    assert {one.operation for one in found.lacking} > {"tanh", "sin", "multiply"}


def test_an_engine_that_cannot_be_loaded_has_no_table(folder: Path) -> None:
    (folder / "mine.py").write_text("engine = None\n")
    with pytest.raises(CommandError, match="expected an Engine"):
        of("engine", folder)


def test_the_table_ends_with_how_many_are_prepared(folder: Path, gradaccord: Command) -> None:
    done = gradaccord("engines", f"{folder}/mine.py:few", folder / "cases")
    words = [line.split() for line in done.stdout.splitlines()]
    assert words[:2] == [["lacking", "cases", "alone"], ["tanh", "3", "1"]]
    assert done.stdout.endswith("prepares 1 of 6 cases\n")
