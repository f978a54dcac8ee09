"""Faults planted in every rule, in every engine: is each one caught, and pinned to its operation and argument?

For every row of the vocabulary that has derivatives, every argument, every fault: over all examples of the row and
several points. A fault that the judge lets through either moves nothing, or moves a term by less than rounding can
(by `shaken.py`, which shares no bound with the judge), or is missed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np
from faults import OVERWRITTEN, SWAPPED, names
from plant import Plant
from planting import ENGINES, in_compiled_jax, moved
from shaken import spread
from subjects import EXAMPLES, argument, subject, victims

from gradaccord.harness.judging.agreement import same_bits
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths.trajectory import trajectory
from gradaccord.harness.records.evaluation import Evaluation, Prepare, Unsupported
from gradaccord.harness.records.verdicts import FINDINGS
from gradaccord.harness.rules.update import check
from gradaccord.harness.running.loading import load

SEEDS = 4
UPDATE = check("ascent", {"step_size": 1e-3, "steps": 3})
loaded = cache(load)
SLACK = 64.0  # how much wider than shaken numbers spread the judge's allowance may be


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault at one point: `caught`, `elsewhere` (not pinned), `hidden`, `missed` or `unmoved`.

    `moved` is how far it moved the term, as a multiple of what rounding can do there.
    """

    engine: str
    dtype: str
    row: str
    argument: str
    fault: str
    text: str
    seed: int
    result: str
    moved: float = 0.0
    named: str = ""


def outcomes(engine: str, dtype: str, row: str, seeds: int = SEEDS, most: int = 100) -> Iterator[Outcome]:
    """Every fault in every argument of a row, at one point of its examples, and at more until each fault shows.

    `most` limits the examples, `seeds` the points.
    """
    shown: dict[tuple[str, str], bool] = {}
    for seed in range(seeds):
        for example in EXAMPLES[row][:most]:
            for again in (False, True):
                for found in _at_point(engine, row, subject(example, dtype, seed, again=again), again):
                    key = found.argument, found.fault
                    shown[key] = shown.get(key, False) or found.result not in ("unmoved", "hidden")
                    yield found
        if all(shown.values()):
            return


def _at_point(engine: str, row: str, about: Subject, again: bool) -> Iterator[Outcome]:
    try:
        sound = evaluated(engine, about, None)
    except Unsupported:
        return
    if sound.status != "ok":
        return
    seen = named(about, sound)
    for use in victims(row, about):
        for fault in names(about.dtype):
            plant = Plant(about.graph, about.dtype, use, fault)
            if plant.links & seen or (fault == SWAPPED and engine != "backprop" and not plant.shown):
                continue  # the engine itself is off at this link
            if (fault == OVERWRITTEN) == again and plant.possible:
                found = _planted(engine, about, plant, sound, seen)
                yield Outcome(
                    engine, about.dtype, row, argument(row, use.position), fault, about.case, about.point, *found
                )


def _planted(
    engine: str, about: Subject, plant: Plant, sound: Evaluation, before: frozenset[str]
) -> tuple[str, float, str]:
    bent = evaluated(engine, about, plant)
    if bent.status != "ok":
        return "caught" if bent.status in FINDINGS else "missed", np.inf, bent.reason
    assert sound.terms is not None and bent.terms is not None
    assert sound.adjoints is not None and bent.adjoints is not None
    if plant.fault == OVERWRITTEN:
        was, now = sound.adjoints[plant.argument], bent.adjoints[plant.argument]
    else:
        was, now = sound.terms[plant.use], bent.terms[plant.use]
    if same_bits(was, now):
        return "unmoved", 0.0, ""
    off = named(about, bent) - before
    if off:
        result = "caught" if off <= plant.links else "beside" if off & plant.links else "elsewhere"
        return result, np.inf, ", ".join(sorted(off))
    if plant.fault == OVERWRITTEN:
        allowed = np.abs(was.astype(np.float64)) * about.form.unit
    else:
        allowed = spread(about, sound, plant.use)
    with np.errstate(all="ignore"):
        far = float(np.nanmax(moved(was, now) / allowed))
    return "missed" if far > SLACK else "hidden", far, ""


def evaluated(engine: str, about: Subject, plant: Plant | None) -> Evaluation:
    with warnings.catch_warnings(), np.errstate(all="ignore"), _preparing(engine, plant) as prepare:
        warnings.simplefilter("ignore")
        return prepare(about.graph, about.dtype)(about.inputs, about.cotangent)


def _preparing(engine: str, plant: Plant | None) -> AbstractContextManager[Prepare]:
    if engine == "jax:jit":
        return in_compiled_jax(plant)
    return nullcontext(loaded(engine).prepare) if plant is None else ENGINES[engine](plant)


def named(about: Subject, evaluation: Evaluation) -> frozenset[str]:
    """The links that the judge blames."""
    return frozenset(str(row.node) for row in judge(about, "x", evaluation) if row.verdict in FINDINGS)


def on_path(engine: str, dtype: str, row: str) -> Iterator[Outcome]:
    """The same faults while an engine walks: named at the first step, and at every one after it.

    Nothing is planted where the engine is off by itself: a path names the first link that is.
    """
    example = EXAMPLES[row][0]
    about = subject(example, dtype, 0, again=True)
    try:
        sound = evaluated(engine, about, None)
    except Unsupported:
        return
    if named(about, sound):
        return
    for use in victims(row, about):
        if about.graph[about.graph.argument(use)].op != "input":
            continue
        for fault in names(dtype):
            plant = Plant(about.graph, dtype, use, fault)
            if plant.possible:
                found = _walked(engine, about, plant, sound)
                yield Outcome(engine, dtype, row, argument(row, use.position), fault, example.text, 0, *found)


def _walked(engine: str, about: Subject, plant: Plant, sound: Evaluation) -> tuple[str, float, str]:
    with warnings.catch_warnings(), np.errstate(all="ignore"), _preparing(engine, plant) as prepare:
        warnings.simplefilter("ignore")
        rows = trajectory(about, engine, prepare(about.graph, about.dtype), UPDATE, loaded(engine).optimiser).rows
    off = [row for row in rows if row.finding]
    if not off:
        result, far, _ = _planted(engine, about, plant, sound, frozenset())
        return result if result in ("hidden", "unmoved") else "missed", far, ""
    pinned = off[0].step == 1 and all(row.cause == "gradient" and str(row.node) in plant.links for row in off)
    return "caught" if pinned else "beside", np.inf, f"step {off[0].step}: {off[0].cause} {off[0].node}"
