"""The judge is judged, in small: `python trust` does the same at length and keeps its tables in docs/trust.md."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "trust"))

import liars
import numpy as np
import planting
import second
import stepped
import subjects
from alarms import Kind, explanation, fallen, kinds
from fakes import FAKES, rows
from faults import names
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from plant import Plant
from planted import SLACK, evaluated, on_path, outcomes
from planting import ENGINES
from random_graphs import SCALES, RandomGraph, random_graphs
from shaken import spread
from subjects import EXAMPLES, ROWS, subject, victims

from gradaccord.engines import backprop
from gradaccord.harness.judging.agreement import differs
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths import settled
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.truth.beside import beside
from gradaccord.harness.truth.numbers import to_balls
from gradaccord.harness.truth.reference import Number


@pytest.mark.parametrize("most", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("row", ROWS)
def test_a_fault_planted_in_any_row_of_the_hand_written_engine_is_caught_and_pinned(row: str, most: int) -> None:
    found = list(outcomes("backprop", "float64", row, most=most))
    results = Counter(outcome.result for outcome in found)
    assert results["caught"]
    assert not [outcome for outcome in found if outcome.result in ("missed", "beside", "elsewhere")]


HALVED = ["multiply", "exp", "sum", "matmul", "log_softmax", "layer_norm", "take", "batch_norm", "max_pool", "conv1d"]


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("row", HALVED)
def test_a_fault_planted_in_half_precision_is_caught_and_pinned(row: str, dtype: str) -> None:
    results = Counter(outcome.result for outcome in outcomes("backprop", dtype, row, most=1))
    assert results["caught"]
    assert not {"missed", "beside", "elsewhere"} & set(results)


@pytest.mark.parametrize("engine", ["torch", "jax", "jax:jit"])
@pytest.mark.parametrize("row", ["multiply", "tanh", "softmax", "matmul", "sum"])
def test_a_fault_planted_in_a_framework_is_caught_and_pinned(row: str, engine: str) -> None:
    pytest.importorskip(engine.partition(":")[0])
    found = list(outcomes(engine, "float64", row, seeds=1, most=1))
    assert {outcome.result for outcome in found} <= {"caught", "unmoved"}
    assert any(outcome.result == "caught" for outcome in found)


FUSED = [
    "batch_norm",
    "scaled_dot_product_attention",
    "cross_entropy",
    *(pytest.param(row, marks=pytest.mark.slow) for row in ("group_norm", "max_pool", "conv_transpose")),
]


@pytest.mark.parametrize("row", FUSED)
def test_a_fault_planted_in_a_fused_layer_is_caught_and_pinned(row: str) -> None:
    pytest.importorskip("torch")
    found = list(outcomes("torch", "float64", row, seeds=1, most=2))
    assert {outcome.result for outcome in found} <= {"caught", "unmoved", "hidden"}  # hidden: less than rounding may do
    assert any(outcome.result == "caught" for outcome in found)


@pytest.mark.parametrize("engine", ["backprop", "torch", "jax:jit"])
@pytest.mark.parametrize("row", ["multiply", "tanh", "softmax"])
def test_a_fault_planted_in_a_walking_engine_is_named_at_the_first_step(row: str, engine: str) -> None:
    if engine != "backprop":
        pytest.importorskip(engine.partition(":")[0])
    assert {outcome.result for outcome in on_path(engine, "float64", row)} == {"caught"}


def test_one_compilation_serves_every_fault_and_none() -> None:
    pytest.importorskip("jax")
    about = subject(EXAMPLES["multiply"][1], "float64", 0)
    planting._compiled.cache_clear()
    sound = evaluated("jax:jit", about, None)
    for use in victims("multiply", about):
        for fault in names("float64"):
            plant = Plant(about.graph, "float64", use, fault)
            if plant.possible:
                assert differs(sound, evaluated("jax:jit", about, plant))
    assert not differs(sound, evaluated("jax:jit", about, None))
    assert planting._compiled.cache_info().misses == 1


@pytest.mark.parametrize("fake", FAKES)
def test_a_fake_engine_is_a_finding(fake: str) -> None:
    assert any(row.finding for row in rows(fake))


def test_a_quotient_is_explained_by_the_proof_that_its_divisor_fell_to_0_and_by_nothing_else() -> None:
    made = RandomGraph({"a": (3,)}, {"d": "gelu(a, approximate='tanh')", "f": "1 / d"})
    at = replace(made.subject("float32", 1.0, 0), inputs={"a": np.array([-5.6, 0.5, -5.7], np.float32)})
    sound = backprop.prepare(at.graph, "float32")(at.inputs, at.cotangent)
    assert list(sound.values["d"] == 0) == [True, False, True]  # tanh is -1 there; the truth is 1e7

    def whys(shown: Evaluation) -> set[str]:
        rows = judge(at, "x", shown)
        return {why for kind, _, why in kinds(at.graph, rows, fallen(at, {"x": shown})) if kind.quantity == "value"}

    with np.errstate(all="ignore"):
        assert whys(sound) == {"fallen"}
        other = np.array(sound.values["f"])
        other[1] = np.inf  # not divided by 0 there
        assert whys(replace(sound, values={**sound.values, "f": other})) == {""}


OF_LIARS = [point for point in liars.POINTS if point.statements in ("(1 - cos(x)) / x", "abs(x) ** 3", "prod(x)")]


@pytest.mark.parametrize("point", OF_LIARS, ids=lambda point: str(point.statements))
def test_a_lie_about_a_gradient_is_found_where_it_is_hard_to_tell(point: liars.Point) -> None:
    said = [one for one in liars.told([replace(point, product=None)]) if one.kind == "gradient"]
    assert len({one.lie for one in said}) >= 3
    assert not [one for one in said if not one.found]


@pytest.mark.parametrize("point", OF_LIARS, ids=lambda point: str(point.statements))
def test_the_right_gradient_is_no_finding_there(point: liars.Point) -> None:
    assert not [row for dtype in point.dtypes for row in liars.honest(point, dtype) if row.finding]


def test_the_reference_of_second_order_is_that_of_differences() -> None:
    tally = second.survey(25, seed=1)
    assert tally.counts["same"] > 20
    assert not [what for what in second.OFF if tally.counts[what]]


@pytest.mark.parametrize(
    "of, told",
    [(lambda x: 2 * x, "another number"), (lambda x: x, "same")],
    ids=["twice the product", "the product"],
)
def test_a_product_that_is_off_is_told(of: Callable[[float], float], told: str) -> None:
    """(|x| ** 2)'' = 2, along 3."""
    graph = second.graph_of("abs(a) ** 2")
    subject = Subject("planted", 0, "float64", graph, {"a": np.zeros(())}, np.ones(()))
    there = beside(graph, subject.inputs, subject.cotangent)
    claimed = np.asarray(of(6.0))
    number = Number(claimed, np.zeros(()), np.zeros(()), to_balls(claimed))
    asked = second.Question(subject, {"a": np.asarray(3.0)})
    assert second.told(asked, there, "a", (), number)[0] == told


def test_without_a_fault_nothing_is_named() -> None:
    about = subject(EXAMPLES["tanh"][1], "float64", 0)
    evaluation = backprop.prepare(about.graph, "float64")(about.inputs, about.cotangent)
    assert not [row for row in judge(about, "backprop", evaluation) if row.finding]


def test_what_is_planted_does_not_stay() -> None:
    about = subject(EXAMPLES["tanh"][1], "float64", 0)
    (use,) = victims("tanh", about)
    for fault in names("float64"):
        with ENGINES["backprop"](Plant(about.graph, "float64", use, fault)):
            pass
    test_without_a_fault_nothing_is_named()


def test_shaken_numbers_spread_by_what_rounding_does() -> None:
    about = subject(EXAMPLES["exp"][1], "float64", 0)
    (use,) = victims("exp", about)
    evaluation = backprop.prepare(about.graph, "float64")(about.inputs, about.cotangent)
    assert evaluation.terms is not None
    units = spread(about, evaluation, use) / abs(evaluation.terms[use]) * 2.0**53
    assert ((units > 1) & (units < SLACK)).all()


@seed(1)
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_graphs(most=8), st.sampled_from(["float64", "float32"]), st.sampled_from(SCALES))
def test_no_false_alarm_on_random_graphs(made: RandomGraph, dtype: str, scale: float) -> None:
    pytest.importorskip("torch")
    from gradaccord.engines.pytorch import engine as pytorch

    about = made.subject(dtype, scale, 0)
    found = [
        row
        for name, engine in (("backprop", backprop.engine), ("torch", pytorch.engine))
        for row in judge(about, name, engine.prepare(made.graph, dtype)(about.inputs, about.cotangent))
    ]
    assert not [f"{kind}: {row.reason}" for kind, row, why in kinds(made.graph, conventions(found)) if not why]


def test_a_finding_that_nothing_explains_is_an_alarm() -> None:
    assert explanation(Kind("torch", "term", "sin", "wrong"), None, None) == ""
    assert explanation(Kind("jax", "term", "minimum", "not finite"), None, None) == "checked"
    assert explanation(Kind("jax", "term", "minimum", "convention"), None, None) == ""
    assert explanation(Kind("torch", "value", "softplus", "imprecise"), None, None) == "ledger"


def test_python_trust_reads_its_own_rooms() -> None:
    """Rooms of tests and benchmarks lie on its path too, and may bear the same name."""
    folder = Path(__file__).parent.parent.parent / "trust"
    rooms = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__main__")
    script = (
        f"import runpy, sys; sys.path.insert(0, {str(folder)!r}); runpy.run_path(sys.path[0], run_name='trust')\n"
        + "".join(f"import {room}; print({room}.__file__)\n" for room in ("subjects", *rooms))
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {Path(line).parent for line in done.stdout.splitlines()} == {folder}


BREAKS = {  # what a loader does to one file -> what is said of it
    "raise KeyError('x')": "KeyError: 'x'",
    "__import__('os')._exit(3)": "ended with exit status 3",
    "while True: pass": "killed by SIGPROF",
    "bytearray(8 << 30)": "MemoryError",
}


@pytest.mark.parametrize("does", BREAKS)
def test_a_loader_that_breaks_is_seen(does: str, tmp_path: Path) -> None:
    code = f"""\
import sys
sys.path.insert(0, {str(Path(subjects.__file__).parent)!r})
from pathlib import Path
from typing import Any
import fuzzed
import gradaccord.harness.reading.case as case
sound, fuzzed.SECONDS, seen = case.load, 0.5, []
def load(path):
    seen.append(path)
    if len(seen) == 7:
        {does}
    return sound(path)
case.load = load
counts, broken, longest, memory = fuzzed.fuzzed(9, 1, Path("kept"))
print(sum(counts.values()), *broken)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    count, _, said = done.stdout.partition(" ")
    assert (int(count), said.strip()) == (9, f"kept/1-6.yaml: {BREAKS[does]}")


def test_what_intervals_settle_of_random_steps_is_sound_by_balls_and_told_alike() -> None:
    tally = stepped.survey(40, seed=4)
    assert (tally.missed, tally.other) == ([], [])
    assert tally.settled.total() > 0.9 * tally.sound.total()


def test_intervals_that_are_too_wide_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = settled.scores_of

    def wide(*given: Any) -> Any:
        scores, lossy = sound(*given)
        return np.where(np.isfinite(scores), scores, 0.0), lossy

    monkeypatch.setattr(settled, "scores_of", wide)
    tally = stepped.survey(12, seed=4)
    assert tally.missed
    assert tally.other
