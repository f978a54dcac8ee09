"""The folder of a run: what it holds at any time, one run at a time, and a run that goes on."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.errors import CommandError
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.paths import Parting
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.folder import alone
from gradaccord.harness.running.journal import JOURNAL, Journal
from gradaccord.harness.running.run import run, units

from ..conftest import Command, engine_file

OUT = "gradaccord-report"
BENT = engine_file("spoils") + ":bent"
ALL_KINDS = """\
name: all-kinds
inputs: {x: 0.5, y: [1, -2]}
graph: {f: abs(x - 0.5) + sum(x * y ** 2)}
derivatives: [tangent, hessian_product]
update: {rule: momentum, step_size: 0.01, steps: 3}
"""


PARTING = Parting(
    case="all-kinds", point=0, dtype="float64", engine_a="a", engine_b="b", step=3, name="y", index=(1,), value_a=1.0,
    value_b=2.0, horizon=None, before="",
)  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "all-kinds.yaml"
    path.write_text(ALL_KINDS)
    return path


def results(folder: Path, name: str = "results") -> pd.DataFrame:
    found = pd.read_csv(folder / OUT / f"{name}.csv", dtype=str, keep_default_na=False)
    return found.drop(columns="seconds", errors="ignore")


def finished(folder: Path) -> bool:
    return json.loads((folder / OUT / "run.json").read_text())["finished"]


# --- a run that goes on -----------------------------------------------------------------------------------


def test_outcomes_come_back_as_they_were(case: Path, tmp_path: Path) -> None:
    work = units([load(case)])
    settings = Settings(("backprop", BENT))
    outcomes = [*run(work, settings)]
    outcomes[0] = replace(outcomes[0], partings=(PARTING,))
    for kind in ("pairs", "trajectories", "summaries", "used", "versions"):
        assert any(getattr(outcome, kind) for outcome in outcomes), kind
    journal = Journal(tmp_path, settings, work, resume=False)
    for place in (1, 0):
        journal.add(place, outcomes[place])
    journal.close()
    again = Journal(tmp_path, settings, work, resume=True)
    assert {*again.done} == {0, 1}
    assert [repr(again.outcome(place)) for place in (0, 1)] == [*map(repr, outcomes)]  # NaN is not itself
    again.remove()
    assert not (tmp_path / JOURNAL).exists()


def test_a_journal_that_is_cut_gives_what_is_whole(case: Path, tmp_path: Path) -> None:
    work, settings = units([load(case)]), Settings(("backprop",))
    outcomes = [*run(work, settings)]
    journal = Journal(tmp_path, settings, work, resume=False)
    ends = [0]
    for place, outcome in enumerate(outcomes):
        journal.add(place, outcome)
        ends.append((tmp_path / JOURNAL).stat().st_size)
    journal.close()
    data = (tmp_path / JOURNAL).read_bytes()
    for cut, kept in ((ends[2] - 1, 1), (ends[1] + 10, 1), (ends[1], 1), (ends[1] - 1, 0), (5, 0)):
        (tmp_path / JOURNAL).write_bytes(data[:cut])
        again = Journal(tmp_path, settings, work, resume=True)
        assert len(again.done) == kept
        again.add(1, outcomes[1])
        again.close()
        with closing(Journal(tmp_path, settings, work, resume=True)) as last:
            assert 1 in last.done


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("evil",)


def test_a_journal_runs_no_code(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for evil in (pickle.dumps(Evil()), pickle.dumps({"format": 1, "asked": {}, "x": Evil()})):
        (tmp_path / JOURNAL).write_bytes(evil)
        Journal(tmp_path, Settings(("backprop",)), units([load(case)]), resume=True).remove()
    assert not (tmp_path / "evil").exists()


def test_a_run_that_was_killed_goes_on_where_it_stopped(product: Path, gradaccord: Command, tmp_path: Path) -> None:
    """The engine kills the run at its second unit, once; what it did before is not asked again."""
    engine = tmp_path / "mine.py"
    engine.write_text(
        "import os, signal\nfrom pathlib import Path\nfrom gradaccord.engines import backprop\n"
        "def prepare(graph, dtype):\n"
        "    with Path('asked').open('a') as file: file.write(dtype + ' ')\n"
        "    if dtype == 'float32' and Path('asked').read_text().count('float32') == 1:\n"
        "        os.kill(os.getppid(), signal.SIGKILL)\n"
        "    return backprop.prepare(graph, dtype)\n"
    )
    words = ("run", product, "--engine", "mine.py", "--engine", "backprop")
    assert gradaccord(*words).returncode == -9
    assert not finished(tmp_path)
    assert "**Not finished.**" in (tmp_path / OUT / "report.md").read_text()
    assert set(results(tmp_path).dtype) == {"float64", "exact"}
    done = gradaccord(*words, "--resume")
    assert (done.returncode, "1 unit of an earlier run is complete" in done.stderr) == (0, True)
    assert finished(tmp_path)
    assert not (tmp_path / OUT / JOURNAL).exists()
    assert (tmp_path / "asked").read_text() == "float64 float32 float32 "
    resumed = {name: results(tmp_path, name) for name in ("results", "pairs", "trajectories")}
    assert gradaccord(*words).returncode == 0
    for name, found in resumed.items():
        pd.testing.assert_frame_equal(results(tmp_path, name), found)


def stopped(case: Path, folder: Path, settings: Settings) -> None:
    """What a run leaves that was stopped after its first unit."""
    work = units([load(case)])
    journal = Journal(folder, settings, work, resume=False)
    journal.add(0, next(run(work, settings)))
    journal.close()


def test_another_run_does_not_go_on_with_it(case: Path, tmp_path: Path) -> None:
    settings = Settings(("backprop",))
    stopped(case, tmp_path, settings)
    work = units([load(case)])
    with pytest.raises(CommandError, match="cannot go on: engine finite_difference was not asked and is "):
        Journal(tmp_path, Settings(("backprop", "finite_difference")), work, resume=True)
    with pytest.raises(CommandError, match=r"cannot go on: timeout was None and is 2\.0"):
        Journal(tmp_path, replace(settings, timeout=2.0), work, resume=True)


def test_a_case_that_has_changed_is_done_anew(case: Path, tmp_path: Path) -> None:
    settings = Settings(("backprop",))
    stopped(case, tmp_path, settings)
    case.write_text(ALL_KINDS.replace("0.5,", "0.25,"))
    with closing(Journal(tmp_path, settings, units([load(case)]), resume=True)) as journal:
        assert not journal.done


def test_a_finished_run_does_not_go_on(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(product.parent)
    words = ["run", str(product), "--engine", "backprop", "--quiet"]
    assert CliRunner().invoke(main, [*words, "--resume"]).exit_code == 0  # there was nothing to go on with
    done = CliRunner().invoke(main, [*words, "--resume"])
    assert (done.exit_code, done.output) == (
        2, f"error: the run in {OUT} is finished: without --resume a new one begins\n",
    )  # fmt: skip


# --- a folder that is not free, or full -------------------------------------------------------------------


def test_a_folder_is_for_one_run_at_a_time(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(product.parent)
    folder = product.parent / OUT
    folder.mkdir()
    (folder / "results.csv").write_text("of the other")
    with alone(folder):
        done = CliRunner().invoke(main, ["run", str(product), "--engine", "backprop"])
    assert done.exit_code == 2
    assert done.output.startswith(f"error: another run is writing to {OUT}: wait until it has ended")
    assert (folder / "results.csv").read_text() == "of the other"
    assert CliRunner().invoke(main, ["run", str(product), "--engine", "backprop"]).exit_code == 0


# The command, in a process whose files may not grow beyond so many bytes.
SMALL = """\
import resource, runpy, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
runpy.run_module("gradaccord", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("most", [300, 4000])
def test_a_disk_that_is_full_is_an_error_and_keeps_what_is_there(most: int, case: Path, tmp_path: Path) -> None:
    """No file may grow beyond so many bytes, which is an error of a write as a full disk is."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(most), "run", str(case), "--engine", "backprop"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"error: cannot write to {OUT}: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    text = (tmp_path / OUT / "results.csv").read_text() if most > 300 else "\n"
    assert text.endswith("\n")
    assert len({line.count(",") for line in text.splitlines()}) == 1
    assert not [*(tmp_path / OUT).glob("*.partial")]


# --- engines that leave Python ----------------------------------------------------------------------------

LEAVING = {
    "nobody": "BaseException: no Exception at ",
    "interrupts": "KeyboardInterrupt at ",
    "closes": "its process ended with exit status 1",
    "moves": f"ValueError: from nowhere at {engine_file('leaves_python')}:",
    "unsettled": "",
}


def test_what_an_engine_does_to_its_process_costs_its_own_rows_alone(product: Path, gradaccord: Command) -> None:
    engines = {f"{engine_file('leaves_python')}:{name}": reason for name, reason in LEAVING.items()}
    words = [word for engine in [*engines, "backprop"] for word in ("--engine", engine)]
    done = gradaccord("run", product, "--dtype", "float64", *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    rows = results(product.parent)
    for engine, reason in engines.items():
        own = rows[rows.engine == engine]
        assert set(own.verdict) == {"failed" if reason else "agree"}, engine
        assert all(found.startswith(reason) for found in own.reason), engine
    assert set(rows[rows.engine == "backprop"].verdict) == {"agree"}
