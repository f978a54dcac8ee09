"""Where paths part: what rounding can do, against maps whose error growth is known; drifts that it cannot explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.horizon import SAMPLES, shaken_path
from gradaccord.harness.paths.parting import partings
from gradaccord.harness.paths.trajectory import Path as Walked
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import DTYPES
from gradaccord.harness.records.outcome import Outcome
from gradaccord.harness.records.paths import Parting
from gradaccord.harness.records.rows import LinkName
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.verdicts import Verdict
from gradaccord.harness.rules.update import Update, check
from gradaccord.harness.running.run import run, units

from ..conftest import Command
from ..subject import subject

BITS: Mapping[str, int] = {"float64": 53, "float32": 24}

# Ascent with step 1 on these is the logistic map 4 x (1 - x), which doubles errors at each step (its Lyapunov exponent
# is ln 2: Ott 1993, Chaos in Dynamical Systems, chapter 2), and x / 2 + 1 / 4, which halves them.
LOGISTIC = "3 * x ** 2 / 2 - 4 * x ** 3 / 3"
HALVING = "x / 4 - x ** 2 / 4"


def ascent(steps: int) -> Update:
    return check("ascent", {"step_size": 1, "steps": steps})


def path(start: Subject, update: Update) -> Walked:
    return trajectory(start, "sound", prepare(start.graph, start.dtype), update)


def drifted(sound: Walked, at: int) -> Walked:
    """The same path, all rows sound, as if it had been a thousandth elsewhere from step `at` on."""
    x = sound.places["x"].copy()
    x[at:] *= 1.001
    return replace(sound, places={"x": x})


def parted(text: str, dtype: str, steps: int, at: int) -> Parting:
    start, update = subject(text, dtype, x=0.3), ascent(steps)
    sound = path(start, update)
    (found,) = partings(start, update, {"one": sound, "other": drifted(sound, at)})
    return found


@pytest.mark.parametrize("dtype", BITS)
def test_the_horizon_of_the_logistic_map_is_where_doubling_has_used_half_of_the_digits(dtype: str) -> None:
    found = parted(LOGISTIC, dtype, steps=60, at=59)
    assert found.horizon is not None
    # A step has some ten roundings, of numbers up to ten times as large as x: 2 to 8 doublings ahead.
    assert 2 <= BITS[dtype] / 2 - found.horizon <= 8
    assert not found.unexplained


@pytest.mark.parametrize("dtype", BITS)
def test_errors_that_halve_have_no_horizon(dtype: str) -> None:
    assert parted(HALVING, dtype, steps=60, at=30).horizon is None


@pytest.mark.parametrize(
    "text, at, ending", [(LOGISTIC, 5, "only from step "), (HALVING, 30, "on no step of this path")]
)
def test_paths_that_part_before_rounding_explains_it_are_told_apart(text: str, at: int, ending: str) -> None:
    found = parted(text, "float64", steps=60, at=at)
    assert (found.step, found.unexplained) == (at, True)
    assert f"every step is sound, yet rounding alone may part them {ending}" in str(found)


def test_paths_that_part_beyond_the_horizon_are_explained() -> None:
    found = parted(LOGISTIC, "float64", steps=60, at=50)
    assert (found.step, found.unexplained) == (50, False)
    assert "one and other part at step 50: x is" in str(found)
    assert str(found).endswith(f"; rounding, horizon at step {found.horizon}: every step is sound")
    watched = replace(found, watch=10)
    assert str(watched).endswith(f"horizon at step {found.horizon}: every step that was judged is sound")


@pytest.mark.parametrize("verdict, told", [(v, f"{v} (state v of x)") for v in ("wrong", "convention")])
def test_a_step_that_is_not_sound_is_what_parts_them(verdict: Verdict, told: str) -> None:
    start, update = subject(HALVING, "float64", x=0.3), ascent(20)
    sound = path(start, update)
    rows = tuple(
        replace(row, engine="other", verdict=verdict, cause="state v") if row.step == 5 else row for row in sound.rows
    )
    (found,) = partings(start, update, {"one": sound, "other": replace(drifted(sound, 7), rows=rows)})
    assert (found.before, found.unexplained) == (f"step 5 of other: {told}", False)
    (found,) = partings(start, update, {"one": sound, "other": replace(drifted(sound, 3), rows=rows)})
    assert (found.before, found.unexplained) == ("", True)


def test_paths_that_stay_together_do_not_part_and_estimates_are_left_out() -> None:
    start, update = subject(HALVING, "float64", x=0.3), ascent(20)
    sound = path(start, update)
    off = drifted(sound, 3)
    assert partings(start, update, {"one": sound, "other": sound}) == []
    assert partings(start, update, {"one": sound, "other": replace(off, estimated=True)}) == []
    assert len(partings(start, update, {"one": sound, "other": off, "third": off})) == 2


def test_a_number_that_passes_zero_keeps_the_size_that_it_had() -> None:
    start, update = subject(HALVING, "float64", x=0.3), ascent(2)
    sound = path(start, update)
    one, other = (replace(sound, places={"x": np.array([[1.0], [x], [-1.0]])}) for x in (1e-12, -1e-12))
    assert partings(start, update, {"one": one, "other": other}) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_shaken_engines_are_near_the_sound_one_and_all_different(dtype: str) -> None:
    start, update = subject(LOGISTIC, dtype, x=0.3), ascent(1)
    after = [float([*shaken_path(start, update, seed)][1]["x"]) for seed in range(SAMPLES)]
    unit = start.form.unit
    np.testing.assert_allclose(after, 4 * 0.3 * 0.7, rtol=64 * unit)
    assert len(set(after)) > SAMPLES / 2
    assert (max(after) - min(after)) > 4 * unit


def test_a_component_is_named_by_its_index() -> None:
    builder = Builder()
    builder.input("x", (2, 3))
    Parser(builder).define("f", "sum(x / 4 - x ** 2 / 4)")
    start = Subject("made", 0, "float64", builder.graph(["f"]), {"x": np.full((2, 3), 0.3)}, np.ones(()))
    sound = path(start, ascent(9))
    x = sound.places["x"].copy()
    x[6:, 4] += 0.01
    (found,) = partings(start, ascent(9), {"one": sound, "other": replace(sound, places={"x": x})})
    assert (found.step, found.name, found.index) == (6, "x", (1, 1))


# --- a chaotic case, on real engines ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ricker() -> list[Outcome]:
    case = load(shipped() / "models" / "ricker.yaml")
    return list(run(units([case], ["float32"]), Settings(("backprop", "torch", "jax"))))


def test_engines_that_are_sound_at_every_step_part_on_a_chaotic_path_where_rounding_may_part_them(
    ricker: list[Outcome],
) -> None:
    for outcome in ricker:
        assert [summary.first for summary in outcome.summaries] == [None] * 3
        assert all(summary.unjudged == 0 for summary in outcome.summaries)
        assert {(one.engine_a, one.engine_b) for one in outcome.partings} == {
            ("backprop", "torch"), ("backprop", "jax"), ("torch", "jax"),
        }  # fmt: skip
        for one in outcome.partings:
            assert one.horizon is not None and one.horizon <= one.step
        ends = [summary.end for summary in outcome.summaries]
        assert len({round(end, 3) for end in ends if end is not None}) == 3


def test_a_run_tells_in_the_terminal_and_in_its_report_where_paths_part(gradaccord: Command, tmp_path: Path) -> None:
    text = (shipped() / "models" / "ricker.yaml").read_text()
    (tmp_path / "ricker.yaml").write_text(text.replace("steps: 150", "steps: 50"))
    done = gradaccord("run", "ricker.yaml", "--engine", "backprop", "--engine", "torch", "--dtype", "float32")
    assert done.returncode == 0
    told = " ".join(done.stdout.split())
    assert "every step is sound" in told
    step = told.partition("ricker float32 backprop and torch part at step ")[2].partition(":")[0]
    horizon = told.partition("rounding, horizon at step ")[2].partition(":")[0]
    assert 0 < int(horizon) <= int(step)
    report = (tmp_path / "gradaccord-report" / "report.md").read_text()
    assert f"| [`ricker`](cases.md#ricker) | float32 | `backprop`, `torch` | {step} |" in report
    assert f"rounding, horizon at step {horizon}: every step is sound |" in report


def test_paths_that_are_nan_alike_do_not_part() -> None:
    start = subject(LOGISTIC, "float64", x=np.nan)
    walked = path(start, ascent(1))
    assert not partings(start, ascent(1), {"a": walked, "b": walked})


def test_a_gradient_that_is_off_and_parts_two_paths_is_told_with_its_input_and_operation() -> None:
    start, update = subject(HALVING, "float64", x=0.3), ascent(20)
    sound = path(start, update)
    operation = start.graph.operations[-1]
    rows = tuple(
        replace(row, engine="other", verdict="wrong", cause="gradient", node=LinkName("value", operation.name))
        if row.step == 5
        else row
        for row in sound.rows
    )
    (found,) = partings(start, update, {"one": sound, "other": replace(drifted(sound, 7), rows=rows)})
    assert found.before == f"step 5 of other: wrong (gradient of x, {operation.op})"
