"""What parts two paths: the first thing that is off, gradients or optimisers, and how fast the gap grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths import parting
from gradaccord.harness.paths.gaps import gaps, growth
from gradaccord.harness.paths.horizon import Places, places
from gradaccord.harness.paths.parting import partings
from gradaccord.harness.paths.swapped import STEPS, affordable, swapped
from gradaccord.harness.paths.trajectory import Path, trajectory
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import Advance, Evaluation, Inputs, Optimiser
from gradaccord.harness.records.paths import Parting
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.verdicts import Verdict
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.update import Update, check
from gradaccord.harness.running.run import run, units

from ..subject import subject

VALLEY = "square(x - 1) * 3 + sin(x)"
LOGISTIC = "3 * x ** 2 / 2 - 4 * x ** 3 / 3"  # ascent with step 1 is the logistic map, which doubles errors


def start(text: str = VALLEY) -> Subject:
    return subject(text, "float64", x=0.3)


def walked(update: Update, optimiser: Optimiser = row_optimiser, off_from: int | None = None) -> Path:
    """A path, whose gradients are a thousandth larger from one step on."""
    begin, calls = start(), 0
    engine = prepare(begin.graph, "float64")

    def evaluate(inputs: Inputs, cotangent: Any) -> Evaluation:
        nonlocal calls
        calls += 1
        sound = engine(inputs, cotangent)
        if off_from is None or calls < off_from:
            return sound
        assert sound.adjoints is not None
        larger = {name: g * 1.001 for name, g in sound.gradients.items()}
        return replace(sound, gradients=larger, adjoints={**sound.adjoints, **larger})

    return trajectory(begin, "made", evaluate, update, optimiser)


def by(**others: Any) -> Optimiser:
    def optimiser(rule: str, settings: Mapping[str, Any], begin: Inputs) -> Advance:
        return row_optimiser(rule, {**settings, **others}, begin)

    return optimiser


def told(update: Update, optimisers: Mapping[str, Optimiser], paths: Mapping[str, Path]) -> Parting:
    def swap(engine: str, steps: int) -> Places:
        return places(swapped(start(), replace(update, steps=steps), optimisers[engine]))

    (found,) = partings(start(), update, paths, swap)
    return found


# --- gradient or optimiser ------------------------------------------------------------------------------------


def adam(steps: int = 20) -> Update:
    return check("adam", {"step_size": 0.01, "steps": steps})


def test_an_optimiser_that_steps_otherwise_does_so_on_the_truths_gradients_too() -> None:
    other = by(beta1=0.8)
    paths = {"one": walked(adam()), "other": walked(adam(), other)}
    found = told(adam(), {"one": row_optimiser, "other": other}, paths)
    assert (found.step, found.again) == (2, 2)
    assert str(found).endswith("on the truth's gradients they part as well, at step 2, by their optimisers")


def test_gradients_that_are_off_leave_swapped_optimisers_together() -> None:
    paths = {"one": walked(adam()), "other": walked(adam(), off_from=5)}
    found = told(adam(), {"one": row_optimiser, "other": row_optimiser}, paths)
    assert found.step == 5 and found.swapped == 7 and found.again is None
    assert "their optimisers stay together, so that the gradients part them" in str(found)


def test_nothing_is_swapped_where_rounding_parts_two_paths() -> None:
    begin, update = start(LOGISTIC), check("ascent", {"step_size": 1, "steps": 60})
    one = trajectory(begin, "one", prepare(begin.graph, "float64"), update)
    near = subject(LOGISTIC, "float64", x=0.3 * (1 + 2**-52))
    other = trajectory(near, "other", prepare(begin.graph, "float64"), update)

    def never(engine: str, steps: int) -> Places:
        raise AssertionError(engine)

    (found,) = partings(begin, update, {"one": one, "other": other}, never)
    assert not found.early and found.swapped == 0 and "rounding, horizon at step" in found.why


def test_an_optimiser_that_fails_on_the_truths_gradients_tells_nothing() -> None:
    def none(engine: str, steps: int) -> None:
        return None

    paths = {"one": walked(adam()), "other": walked(adam(), off_from=5)}
    (found,) = partings(start(), adam(), paths, none)
    assert found.swapped == 0 and "truth" not in str(found)


def test_the_truth_of_many_steps_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert affordable(start(), STEPS) and not affordable(start(), STEPS + 1)
    monkeypatch.setattr(parting, "affordable", lambda *_: False)
    paths = {"one": walked(adam()), "other": walked(adam(), off_from=5)}
    assert told(adam(), {}, paths).swapped == 0


def test_a_run_swaps_the_optimisers_of_engines() -> None:
    case = load(shipped() / "optimisers" / "rprop.yaml")
    found = [one for outcome in run(units([case], ["float64"]), Settings(("torch", "jax"))) for one in outcome.partings]
    assert found and all(one.swapped and one.again is not None for one in found)
    assert {one.before.partition(" (")[0] for one in found} == {"step 1 of jax: convention"}


# --- the first cause ------------------------------------------------------------------------------------------


def changed(path: Path, *rows: tuple[int, str, Verdict, str]) -> Path:
    """A path with other verdicts: (step, name, verdict, cause)."""

    def of(row: TrajectoryRow) -> TrajectoryRow:
        for step, name, verdict, cause in rows:
            if (row.step, row.name) == (step, name):
                return replace(row, verdict=verdict, cause=cause)
        return row

    return replace(path, rows=tuple(map(of, path.rows)))


def before(*rows: tuple[int, str, Verdict, str]) -> str:
    sound = walked(adam())
    x = sound.places["x"].copy()
    x[7:] *= 1.001
    (found,) = partings(start(), adam(), {"one": sound, "other": changed(replace(sound, places={"x": x}), *rows)})
    assert found.step == 7
    return found.before.replace("made", "other")


OUTPUT = start().graph.output.name


@pytest.mark.parametrize(
    "rows, said",
    [
        ([(3, "x", "imprecise", "state m"), (5, "x", "wrong", "update")], "step 3 of other: imprecise (state m of x)"),
        ([(1, "x", "not judged", ""), (5, "x", "wrong", "update")], "step 5 of other: wrong (update of x)"),
        ([(4, "x", "not judged", ""), (2, "x", "not judged", "")], "step 2 of other: not judged"),
        ([(8, "x", "wrong", "update")], ""),
        ([(7, OUTPUT, "wrong", "value")], ""),
        ([(6, OUTPUT, "wrong", "value")], f"step 6 of other: wrong (value of {OUTPUT})"),
        ([(6, OUTPUT, "wrong", "value"), (6, "x", "imprecise", "update")], "step 6 of other: imprecise (update of x)"),
    ],
)
def test_the_first_thing_that_is_off_is_told(rows: list[tuple[int, str, Verdict, str]], said: str) -> None:
    assert before(*rows) == said


# --- how the gap grows ----------------------------------------------------------------------------------------

K = np.arange(12.0)


@pytest.mark.parametrize(
    "apart, kind, rate, begin",
    [
        (1e-16 * 2.0**K, "factor", 2.0, 0),
        (1e-3 * 0.5**K, "factor", 0.5, 0),
        (np.where(K < 3, 0.0, 1e-9 * np.maximum(K - 2, 0)), "power", 1.0, 3),
        (1e-9 * (K + 1) ** 2, "power", 2.0, 0),
    ],
)
def test_a_rate_is_read_off(apart: Any, kind: str, rate: float, begin: int) -> None:
    found = growth(apart)
    assert found is not None and (found.kind, found.begin) == (kind, begin)
    assert found.rate == pytest.approx(rate) and found.fit == pytest.approx(1.0)


def test_from_few_gaps_no_rate_is_read() -> None:
    assert growth(np.array([0.0, 0.0, 1e-9, 1e-3, 1.0])) is None
    assert growth(np.array([np.nan, np.inf, 1e-9, 1e-3, 1.0])) is None


def test_what_has_no_rate_fits_badly() -> None:
    found = growth(10.0 ** np.array([-9, -3, -9, -3, -9, -3, -9, -3.0]))
    assert found is not None and found.fit < 0.3


def test_a_gap_is_that_of_the_component_that_is_furthest_off() -> None:
    a, b = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), np.array([[0.0, 1.5], [3.0, 1.0]])
    assert gaps(a, b).tolist() == [0.5, 2.0]


def test_the_gap_of_the_logistic_map_doubles() -> None:
    """Its Lyapunov exponent is ln 2 (Ott 1993, Chaos in Dynamical Systems, chapter 2)."""
    begin, update = start(LOGISTIC), check("ascent", {"step_size": 1, "steps": 60})
    engine: Callable[..., Evaluation] = prepare(begin.graph, "float64")
    one = trajectory(begin, "one", engine, update)
    other = trajectory(subject(LOGISTIC, "float64", x=0.3 * (1 + 2**-52)), "other", engine, update)
    (found,) = partings(begin, update, {"one": one, "other": other})
    assert found.growth is not None and found.growth.kind == "factor"
    assert found.growth.rate == pytest.approx(2.0, rel=0.15) and found.growth.fit > 0.9
    assert f"the gap grows {found.growth.rate:.3g}-fold a step from step" in str(found)
