"""A path that is walked again, of which some has been judged before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.chain import Chain, judge_together
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.kept import key_of
from gradaccord.harness.paths.trajectory import Taken, judged_path, taken
from gradaccord.harness.records.evaluation import Moved
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import check

STEPS = 12


class Store:
    def __init__(self) -> None:
        self.known: dict[bytes, Sequence[TrajectoryRow]] = {}

    def rows(self, key: bytes) -> Sequence[TrajectoryRow] | None:
        return self.known.get(key)

    def add(self, key: bytes, rows: Sequence[TrajectoryRow]) -> None:
        self.known[key] = rows


class Walk:
    """A path in portions of a few steps; `judged` counts the steps that links are looked at of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        builder = Builder()
        builder.input("w", (3,))
        Parser(builder).define("f", "sum(square(w) * exp(w))")
        w = np.array([0.5, -1, 0.25])
        self.start = Subject("made", 0, "float64", builder.graph(["f"]), {"w": w}, np.ones(()))
        self.update, self.judged = check("momentum", {"step_size": "0.01", "steps": STEPS}), 0

        def counted(chains: Sequence[Chain]) -> None:
            self.judged += len(chains)
            judge_together(chains)

        monkeypatch.setattr("gradaccord.harness.paths.trajectory.HELD", 100)
        monkeypatch.setattr("gradaccord.harness.paths.trajectory.judge_together", counted)

    def steps(self, until: int = STEPS, off: float = 0.0) -> Iterator[Taken]:
        """Those of the hand-written engine, which is interrupted, or begins after so many steps to step too far."""
        evaluate = row_engine.prepare(self.start.graph, "float64")
        for done, step in enumerate(taken(self.start, evaluate, self.update, row_optimiser)):
            if done == until and not off:
                raise KeyboardInterrupt
            if done >= until and step.moved is not None:
                parameters = {"w": step.moved.parameters["w"] + off}
                step = Taken(step.evaluation, Moved(parameters, step.moved.state))
            yield step

    def rows(self, steps: Iterator[Taken], store: Store | None) -> tuple[TrajectoryRow, ...]:
        self.judged = 0
        return judged_path(self.start, "made", steps, self.update, kept=store).rows


def test_what_was_judged_before_an_interrupt_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, store = Walk(monkeypatch), Store()
    whole = walk.rows(walk.steps(STEPS + 1), None)
    assert walk.judged == STEPS + 1
    with pytest.raises(KeyboardInterrupt):
        walk.rows(walk.steps(8), store)
    before, portions = walk.judged, len(store.known)
    assert portions >= 2 and 4 <= before <= 8
    assert walk.rows(walk.steps(STEPS + 1), store) == whole
    assert walk.judged == STEPS + 1 - before
    assert walk.rows(walk.steps(STEPS + 1), store) == whole
    assert walk.judged < 4  # what is left behind the last full portion


def test_a_path_that_goes_elsewhere_is_judged_from_there_on(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, store = Walk(monkeypatch), Store()
    walk.rows(walk.steps(STEPS + 1), store)
    rows = walk.rows(walk.steps(6, off=1e-9), store)
    assert next((row.step, row.cause) for row in rows if row.finding) == (7, "update")
    assert rows == walk.rows(walk.steps(6, off=1e-9), None)


def test_a_key_tells_the_last_bit_and_where_things_stand() -> None:
    x = np.array([1.0, 2.0])
    things: list[object] = [
        x, x.reshape(2, 1), x.astype(np.float32), np.nextafter(x, 3), -x, [x], {"x": x}, {"y": x}, [x, x], [[x], x],
        [x, [x]], ["x", x], ["xx"], ["x", "x"], None, Taken(), Taken(moved=Moved({"x": x}, {})), Use("f", 0),
        Use("f", 1), np.array([0.0]), np.array([-0.0]),
    ]  # fmt: skip
    assert len({key_of(thing) for thing in things}) == len(things)
    assert [key_of(thing) for thing in things] == [key_of(thing) for thing in things]
    assert key_of(np.array([1.0, 2.0])) == key_of(x)
