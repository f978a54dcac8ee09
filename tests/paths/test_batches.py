"""Paths whose steps read data, and paths of which some steps alone are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradaccord.engines.backprop import engine as row_engine
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import shaken_path
from gradaccord.harness.paths.summary import summary
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.records.evaluation import Advance, Array, Evaluation, Inputs, Moved, Optimiser
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.rules.optimiser import row_optimiser

TEXT = """
name: line
inputs: {w: 1, b: 0}
data:
  batch: 2
  x: [1, 2, 3, 4, 5]
  y: [2, 0, 1, 3, 9]
graph:
  off: w * x + b - y
  loss: mean(square(off))
update: {rule: descent, step_size: 0.01, steps: 5}
"""


def case(tmp_path: Path, text: str = TEXT) -> Case:
    (tmp_path / "case.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path / "case.yaml")


def subject(case: Case) -> Subject:
    return Subject(case.name, 0, "float64", case.graph, case.inputs(0, "float64"), case.cotangent("float64"))


def walk(
    case: Case,
    optimiser: Optimiser = row_optimiser,
    change: Callable[[int, Evaluation], Evaluation] = lambda done, said: said,
) -> tuple[list[Inputs], tuple[TrajectoryRow, ...]]:
    """What the engine was asked at, and the rows; it may say something else after so many steps."""
    update, start = case.walk("float64"), subject(case)
    assert update is not None
    sound, asked = row_engine.prepare(case.graph, "float64"), list[Inputs]()

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        asked.append({name: array.copy() for name, array in inputs.items()})
        return change(len(asked) - 1, sound(inputs, cotangent))

    return asked, trajectory(start, "made", evaluate, update, optimiser).rows


def by_hand(steps: int) -> list[tuple[float, float]]:
    """The parameters after each step, by the derivative on paper."""
    batches = [((1, 2), (2, 0)), ((3, 4), (1, 3))]  # the fifth row is no batch
    w, b, path = 1.0, 0.0, [(1.0, 0.0)]
    for step in range(steps):
        xs, ys = batches[step % 2]
        offs = [w * x + b - y for x, y in zip(xs, ys, strict=True)]
        w, b = w - 0.01 * sum(off * x for off, x in zip(offs, xs, strict=True)), b - 0.01 * sum(offs)
        path.append((w, b))
    return path


def test_each_step_reads_the_next_rows_and_the_first_ones_again(tmp_path: Path) -> None:
    asked, rows = walk(case(tmp_path))
    assert [inputs["x"].tolist() for inputs in asked] == [[1, 2], [3, 4], [1, 2], [3, 4], [1, 2], [3, 4]]
    assert [inputs["y"].tolist() for inputs in asked] == [[2, 0], [1, 3], [2, 0], [1, 3], [2, 0], [3 - 2, 3]]
    assert {row.verdict for row in rows} == {"agree"}
    assert np.allclose([(inputs["w"], inputs["b"]) for inputs in asked], by_hand(5), rtol=1e-14)
    losses = [row.value for row in rows if row.name == "loss"]
    assert losses[0] == ((1 - 2) ** 2 + 2**2) / 2
    w, b = by_hand(1)[1]
    assert losses[1] == pytest.approx(sum((w * x + b - y) ** 2 for x, y in [(3, 1), (4, 3)]) / 2)


def test_an_engine_that_reads_the_batch_before_is_off_in_its_first_gradient_of_a_new_one(tmp_path: Path) -> None:
    sound = case(tmp_path)
    first, late = row_engine.prepare(sound.graph, "float64"), sound.inputs(0, "float64")

    def stale(done: int, said: Evaluation) -> Evaluation:
        if done == 0:
            return said
        old = first({**late, "w": said.values["w"], "b": said.values["b"]}, np.ones(()))
        return replace(said, gradients=old.gradients, values={**old.values, "x": said.values["x"]}, terms=None)

    _, rows = walk(sound, change=stale)
    assert next((row.step, row.cause) for row in rows if row.finding and row.name == "w") == (2, "gradient")


def test_shaken_paths_read_the_same_batches(tmp_path: Path) -> None:
    made = case(tmp_path)
    update = made.walk("float64")
    assert update is not None
    path = [float(parameters["w"]) for parameters in shaken_path(subject(made), update, 0)]
    assert np.allclose(path, [w for w, _ in by_hand(5)], rtol=1e-13)


def test_a_path_of_batches_is_not_said_to_move_the_other_way(tmp_path: Path) -> None:
    made = case(tmp_path)
    update = made.walk("float64")
    assert update is not None
    told = str(summary(walk(made)[1], update, "loss"))
    assert "each of its own batch; every step is sound" in told
    assert "other way" not in told


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("batch: 2", "batch: 0", "a batch of 0 rows"),
        ("batch: 2", "batch: 6", "a batch of 6 rows"),
        ("  batch: 2\n", "", "no key `batch`"),
        ("y: [2, 0, 1, 3, 9]", "y: [2, 0, 1, 3]", "4 rows in `y`"),
        ("x: [1, 2, 3, 4, 5]", "x: 3", "a number as the table `x`"),
        ("inputs: {w: 1, b: 0}", "inputs: {w: 1, b: 0, x: [1, 2]}", "`x` in `inputs` and in `data`"),
        ("update: {rule: descent, step_size: 0.01, steps: 5}", "", "`data` without `update`"),
        ("graph:", "points:\n  - {x: [1, 2]}\ngraph:", "`x` at a further point"),
        ("steps: 5", "steps: 5, watch: 0", "watch: 0"),
        ("  x: [1, 2, 3, 4, 5]\n  y: [2, 0, 1, 3, 9]\n", "", "no table in `data`"),
        ("data:\n  batch: 2", "dataset:\n  batch: 2", "Did you mean `data`?"),
    ],
)
def test_what_is_wrong_with_data_is_told(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(CaseErrors) as caught:
        case(tmp_path, TEXT.replace(old, new))
    assert says in str(caught.value)


def test_an_index_that_a_later_batch_reads_is_checked(tmp_path: Path) -> None:
    text = """
name: picked
inputs: {w: [1, 2, 3]}
data: {batch: 1, which: {dtype: int64, values: [0, 2, 3]}}
graph:
  f: sum(take(w, which, axis=0))
update: {rule: descent, step_size: 0.01, steps: 3}
"""
    with pytest.raises(CaseErrors, match=r"the index 3 in `which\[2\]`"):
        case(tmp_path, text)
    case(tmp_path, text.replace("3]}}", "1]}}"))


# --- watch ------------------------------------------------------------------------------------------------------


def changed(at: int) -> Optimiser:
    """The sound optimiser, which at one step moves a little too far."""

    def optimiser(rule: str, settings: Inputs, start: Inputs) -> Advance:
        sound, t = row_optimiser(rule, settings, start), 0

        def step(gradients: Inputs) -> Moved:
            nonlocal t
            t += 1
            moved = sound(gradients)
            off = 1e-9 if t >= at else 0.0
            return Moved({name: x + off for name, x in moved.parameters.items()}, moved.state)

        return step

    return optimiser


def test_what_is_watched_has_the_same_rows_as_without(tmp_path: Path) -> None:
    _, every = walk(case(tmp_path, TEXT.replace("steps: 5", "steps: 9")))
    asked, some = walk(case(tmp_path, TEXT.replace("steps: 5", "steps: 9, watch: 4")))
    assert len(asked) == 10
    at = {True: (0, 4, 8, 9), False: (1, 5, 9)}  # outputs, and steps
    assert list(some) == [row for row in every if row.step in at[row.name == "loss"]]


def test_a_fault_at_a_step_that_is_watched_is_seen_and_no_other(tmp_path: Path) -> None:
    made = case(tmp_path, TEXT.replace("steps: 5", "steps: 9, watch: 4"))
    update = made.walk("float64")
    assert update is not None
    _, rows = walk(made, changed(5))
    assert {(row.step, row.cause) for row in rows if row.finding} == {(5, "update")}
    _, rows = walk(made, changed(4))
    assert not [row for row in rows if row.finding]
    assert "each step that was judged (1, 5, ...) is sound" in str(summary(rows, update, "loss"))


def test_a_path_that_ends_between_two_watched_steps_says_where(tmp_path: Path) -> None:
    made = case(tmp_path, TEXT.replace("steps: 5", "steps: 9, watch: 4"))
    update = made.walk("float64")
    assert update is not None

    def failing(done: int, said: Evaluation) -> Evaluation:
        return said if done < 6 else Evaluation("failed", "no more")

    _, rows = walk(made, change=failing)
    told = summary(rows, update, "loss")
    assert (told.steps, told.asked, told.why) == (6, 9, "failed: no more")
    assert told.first is not None and told.first.step == 7


def test_a_parameter_that_is_lost_between_two_watched_steps_is_a_finding_there(tmp_path: Path) -> None:
    lost = {"w": np.array(np.nan), "b": np.array(0.0)}

    def nowhere(done: int, said: Evaluation) -> Evaluation:
        return said if done < 6 else replace(said, gradients=lost)

    _, rows = walk(case(tmp_path, TEXT.replace("steps: 5", "steps: 9, watch: 4")), change=nowhere)
    assert next((row.step, row.name, row.cause) for row in rows if row.finding) == (7, "w", "gradient")
