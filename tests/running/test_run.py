"""A run in process: units, order, ledgers, engines by name and from files, the host that can be killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import Case, load
from gradaccord.harness.records.evaluation import Unsupported
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.tally import Tally
from gradaccord.harness.running.loading import checked, version
from gradaccord.harness.running.loading import loaded as load_engine
from gradaccord.harness.running.offered import installed
from gradaccord.harness.running.run import run, units
from gradaccord.harness.running.workers import Apart, StoppedError

from ..conftest import PRODUCT, engine_file

BENT = engine_file("spoils") + ":bent"


def made(folder: Path, text: str, name: str = "case.yaml") -> Case:
    path = folder / name
    path.write_text(text)
    return load(path)


@pytest.fixture
def two_points(tmp_path: Path) -> Case:
    return made(tmp_path, PRODUCT + "points: [{a: 4, expect: {y: 12}}]\n")


def rows(case: Case, *engines: str) -> list[Row]:
    return [row for outcome in run(units([case]), Settings(engines)) for row in outcome.rows]


def test_a_unit_is_a_case_at_a_point_in_a_dtype(two_points: Case) -> None:
    found = [(unit.point, unit.dtype, unit.expectations) for unit in units([two_points])]
    assert found == [(0, "float64", True), (0, "float32", False), (1, "float64", True), (1, "float32", False)]
    assert [(unit.point, unit.dtype) for unit in units([two_points], ["float32"])] == [(0, "float32"), (1, "float32")]


def test_expectations_are_checked_once_for_each_point(two_points: Case) -> None:
    expected = [(row.point, row.name) for row in rows(two_points, "backprop") if row.quantity == "expectation"]
    assert sorted(expected) == [(0, "gradient of a"), (0, "gradient of b"), (0, "y"), (1, "y")]


@pytest.mark.parametrize("jobs", [0, 2])
def test_outcomes_come_in_the_order_of_the_units(jobs: int, two_points: Case) -> None:
    found = [(o.point, o.dtype) for o in run(units([two_points]), Settings(("backprop",), jobs))]
    assert found == [(0, "float64"), (0, "float32"), (1, "float64"), (1, "float32")]


def test_every_pair_of_engines_is_tabulated(two_points: Case) -> None:
    outcome = next(iter(run(units([two_points]), Settings(("backprop", "finite_difference", BENT)))))
    pairs = {(pair.engine_a, pair.engine_b) for pair in outcome.pairs}
    assert pairs == {("backprop", "finite_difference"), ("backprop", BENT), ("finite_difference", BENT)}
    assert {pair.name for pair in outcome.pairs} == {"y", "a", "b"}


def test_an_engine_is_asked_twice_and_its_version_is_kept(two_points: Case) -> None:
    outcome = next(iter(run(units([two_points]), Settings(("backprop",)))))
    assert outcome.versions["backprop"].startswith("Python ")


def test_nothing_compared_is_noticed(two_points: Case) -> None:
    def compared(engine: str) -> bool:
        tally = Tally()
        tally.add(Outcome(case="", point=0, dtype="", rows=tuple(rows(two_points, engine))))
        return tally.compared

    assert not compared(engine_file("needs_a_package"))
    assert compared("backprop")


# --- ledgers ----------------------------------------------------------------------------------------------


def entry(verdict: str, **more: object) -> str:
    fields = {"engine": f'"{BENT}"', "quantity": "gradient", "verdict": verdict, "reason": "planted", **more}
    if verdict == "wrong":
        fields["within"] = ".inf"
    return "accept:\n  - {" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}\n"


def test_an_entry_explains_exactly_its_findings(tmp_path: Path) -> None:
    found = rows(made(tmp_path, PRODUCT + entry("wrong", name="a")), BENT)
    explained = {(row.quantity, row.name) for row in found if row.accepted}
    assert explained == {("gradient", "a")}
    assert all(row.accepted == "planted" for row in found if row.accepted)
    assert any(row.finding and not row.accepted for row in found)
    assert not [row for row in found if row.engine == "ledger"]


@pytest.mark.parametrize(
    "text, engines, reason",
    [
        (entry("imprecise"), (BENT,), "but it was `wrong`"),
        (entry("wrong", engine="backprop"), ("backprop",), "but it was `agree`"),
        (entry("wrong", name="y", quantity="adjoint", engine="finite_difference"), ("finite_difference",), "come up"),
    ],
    ids=["another verdict", "did not happen", "not there"],
)
def test_a_stale_entry_is_a_finding(text: str, engines: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    stale = [row for row in rows(made(tmp_path, PRODUCT + text), *engines) if row.engine == "ledger"]
    assert len(stale) == 1
    assert stale[0].finding
    assert reason in stale[0].reason
    assert "case.yaml:10" in stale[0].reason


@pytest.mark.parametrize(
    "text, engines",
    [
        (entry("wrong", engine="torch"), ("backprop",)),
        (entry("wrong", engine="backprop", versions='"<1"'), ("backprop",)),
        (entry("wrong", engine=f'"{engine_file("needs_a_package")}"'), (engine_file("needs_a_package"), "backprop")),
    ],
    ids=["engine not asked", "another version", "not installed"],
)
def test_an_entry_that_did_not_run_is_not_stale(text: str, engines: tuple[str, ...], tmp_path: Path) -> None:
    assert not [row for row in rows(made(tmp_path, PRODUCT + text), *engines) if row.engine == "ledger"]


def test_an_entry_of_one_dtype_is_stale_only_for_that(tmp_path: Path) -> None:
    case = made(tmp_path, PRODUCT + entry("wrong", dtype="float32"))
    found = rows(case, BENT)
    assert {row.dtype for row in found if row.accepted} == {"float32"}
    assert not [row for row in found if row.engine == "ledger"]


# --- engines ----------------------------------------------------------------------------------------------


def test_the_shipped_engines_are_known_by_name() -> None:
    assert list(installed())[:5] == ["backprop", "torch", "jax", "jax:jit", "finite_difference"]


def test_each_name_counts_once() -> None:
    assert checked(["torch", "backprop", "torch"]) == ("torch", "backprop")


def test_checking_names_imports_no_engine(tmp_path: Path) -> None:
    engine = tmp_path / "loud.py"
    engine.write_text("raise SystemExit('imported')\ndef prepare(graph, dtype): ...\n")
    assert checked([str(engine)]) == (str(engine),)


def test_an_engine_file_may_get_its_function_by_import(tmp_path: Path) -> None:
    engine = tmp_path / "mine.py"
    engine.write_text("from gradaccord.engines.backprop import prepare as run_it\n")
    assert checked([f"{engine}:run_it"])
    assert load_engine(f"{engine}:run_it").prepare is not None
    with pytest.raises(CommandError, match="It has: run_it"):
        checked([str(engine)])


def test_names_inside_a_function_are_none_of_an_engine_file(tmp_path: Path) -> None:
    engine = tmp_path / "mine.py"
    engine.write_text("if True:\n    def run_it(graph, dtype):\n        prepare = graph\n        return prepare\n")
    with pytest.raises(CommandError, match=r"has no `prepare`\. It has: run_it\."):
        checked([str(engine)])


def test_what_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        name = "torch"
        dist = installed()["torch"].dist

        def load(self) -> object:
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

    load_engine.cache_clear()
    monkeypatch.setitem(installed(), "torch", Missing())  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match=r"torch is not installed: pip install 'gradaccord\[torch\]'"):
        load_engine("torch")
    assert version("torch") == ""


def double(engine: str, number: int) -> int:
    if number < 0:
        os._exit(7)
    time.sleep(number if number > 10 else 0)
    return 2 * number


def counting(engine: str, count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(60 if number > 10 else 0)
        yield number


def test_a_worker_that_died_or_hung_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(
        Path(__file__).parent.parent.parent
    )  # the worker looks for `double` by its module's name
    host = Apart(2.0)
    try:
        assert host.call("backprop", double, 4) == 8
        with pytest.raises(StoppedError, match="its process ended with exit status 7") as died:
            host.call("backprop", double, -1)
        assert not died.value.timed_out
        with pytest.raises(StoppedError, match="no answer within 2 seconds") as hung:
            host.call("backprop", double, 60)
        assert hung.value.timed_out
        assert [*host.each("backprop", counting, 3)] == [0, 1, 2]
        pieces = host.each("backprop", counting, 60)
        assert next(pieces) == 0
        assert host.call("backprop", double, 6) == 12  # beside one that is under way
        with pytest.raises(StoppedError, match="no answer within 2 seconds"):
            list(pieces)
        assert host.call("backprop", double, 5) == 10
    finally:
        host.close()


def test_a_defect_of_the_judge_is_a_row_that_blames_the_judge(
    two_points: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> list[Row]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("gradaccord.harness.running.unit.judged", broken)
    outcome: Outcome = next(iter(run(units([two_points]), Settings(("backprop",)))))
    own = [row for row in outcome.rows if row.engine == "backprop"]
    assert [row.reason for row in own] == ["the judge itself failed, not the engine: ZeroDivisionError: a bug"]
    assert own[0].finding


HANGS_MIDWAY = """\
import time
from gradaccord.engines import backprop
def prepare(graph, dtype):
    sound, asked = backprop.prepare(graph, dtype), []
    def evaluate(inputs, cotangent):
        asked.append(1)
        time.sleep(60 if len(asked) == 2 + 3 else 0)  # two answers, then the third step of a path
        return sound(inputs, cotangent)
    return evaluate
"""


def test_a_step_that_hangs_costs_the_steps_after_it_alone(tmp_path: Path) -> None:
    """A path of ten thousand steps is given no more time for one than another."""
    case = made(tmp_path, PRODUCT + "update: {rule: ascent, step_size: 0.5, steps: 10000}\n")
    (tmp_path / "mine.py").write_text(HANGS_MIDWAY)
    (found,) = run(units([case], ["float64"]), Settings((f"{tmp_path}/mine.py",), timeout=3.0))
    steps = {(row.step, row.name): row for row in found.trajectories}
    assert {row.verdict for (step, _), row in steps.items() if step < 3} == {"agree"}
    assert [steps[step, "a"].value for step in (1, 2)] == [3.5, 5.5]  # by hand, as below
    assert {(row.step, row.verdict, row.finding) for (_, name), row in steps.items() if name in "ab"} == {
        (1, "agree", False), (2, "agree", False), (3, "timed out", True),
    }  # fmt: skip
    assert steps[3, "a"].cause == "no answer within 3 seconds: its process was stopped"
    assert {row.verdict for row in found.rows} == {"agree"}
    assert found.summaries[0].first is not None


def test_a_trajectory_has_a_row_for_each_step_and_input(tmp_path: Path) -> None:
    case = made(tmp_path, PRODUCT + "update: {rule: ascent, step_size: 0.5, steps: 3}\n")
    found = next(iter(run(units([case]), Settings(("backprop",)))))
    # By hand: (2, 3), then a + b/2 and b + a/2 of the old ones: (3.5, 4), (5.5, 5.75), (8.375, 8.5).
    steps = {(row.step, row.name): row.value for row in found.trajectories}
    assert [steps[step, "a"] for step in (1, 2, 3)] == [3.5, 5.5, 8.375]
    assert [steps[step, "b"] for step in (1, 2, 3)] == [4.0, 5.75, 8.5]
    assert [steps[step, "y"] for step in (0, 3)] == [6.0, 8.375 * 8.5]
    assert found.summaries[0].kept
