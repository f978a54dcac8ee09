"""A run that is stopped within a path goes on there."""

from __future__ import annotations

import pickle
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gradaccord.harness.paths import trajectory
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.journal import PATHS, Journal
from gradaccord.harness.running.pieces import Portions
from gradaccord.harness.running.run import run, units

TEXT = """
name: long
inputs: {w: [0.5, -1, 0.25]}
graph: {f: sum(square(w) * exp(w))}
dtypes: [float64]
update: {rule: momentum, step_size: 0.01, steps: 20}
"""


class Stopping:
    """Portions of a few steps, of which a run judges so many before it is stopped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.judged, rows = 1000, 0, getattr(trajectory, "_rows")  # noqa: B009 it is not for others

        def counted(*about: Any) -> Any:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left, self.judged = self.left - 1, self.judged + 1
            return rows(*about)

        monkeypatch.setattr(trajectory, "HELD", 100)
        monkeypatch.setattr(trajectory, "_rows", counted)

    def run(self, folder: Path, left: int = 1000, *, resume: bool = False) -> list[Outcome]:
        self.left, self.judged = left, 0
        settings = Settings(("backprop", "torch"), jobs=1, out=str(folder), named=True)
        work = units([load(folder / "long.yaml")])
        with closing(Journal(folder, settings, work, resume=resume)) as journal:
            outcomes = [*run(work, settings, journal=journal)]
            journal.remove()
        return outcomes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "long.yaml").write_text(TEXT)
    return tmp_path


def told(outcomes: list[Outcome]) -> list[object]:
    return [(outcome.rows[0].case, outcome.trajectories, outcome.summaries, outcome.partings) for outcome in outcomes]


def test_a_run_that_is_stopped_within_a_path_goes_on_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = Stopping(monkeypatch)
    whole = told(stopping.run(folder))
    portions = stopping.judged
    assert portions >= 8 and not (folder / PATHS).exists()
    with pytest.raises(KeyboardInterrupt):
        stopping.run(folder, left=portions // 2 + 2)  # of the second engine, too
    assert len([*(folder / PATHS).iterdir()]) == 1
    assert told(stopping.run(folder, resume=True)) == whole
    assert stopping.judged <= portions - (portions // 2 + 2) + 2  # of each path the last portion is judged again
    assert not (folder / PATHS).exists()


def test_a_new_run_and_another_case_begin_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = Stopping(monkeypatch)
    stopping.run(folder)
    portions = stopping.judged
    with pytest.raises(KeyboardInterrupt):
        stopping.run(folder, left=3)
    stopping.run(folder)
    assert stopping.judged == portions
    with pytest.raises(KeyboardInterrupt):
        stopping.run(folder, left=3)
    (folder / "long.yaml").write_text(TEXT.replace("0.25", "0.125"))
    changed = told(stopping.run(folder, resume=True))
    assert stopping.judged == portions
    assert changed == told(stopping.run(folder))


def test_portions_that_are_cut_give_what_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = Stopping(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        stopping.run(folder, left=3)
    (file,) = (folder / PATHS).iterdir()
    data = file.read_bytes()
    keys = [*Portions(file)._known]  # pyright: ignore[reportPrivateUsage]
    assert len(keys) == 3
    file.write_bytes(data[:-1])
    cut = Portions(file)
    assert [cut.rows(key) is not None for key in keys] == [True, True, False]
    known = cut.rows(keys[0])
    assert known is not None
    cut.add(keys[2], known)
    cut.close()
    again = Portions(file)
    assert all(again.rows(key) is not None for key in keys)


def test_portions_run_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.mkdir, (tmp_path / "evil",)  # type: ignore[return-value]

    (tmp_path / "portions").write_bytes(pickle.dumps(b"key") + pickle.dumps([Evil()]))
    assert Portions(tmp_path / "portions").rows(b"key") is None
    assert not (tmp_path / "evil").exists()
