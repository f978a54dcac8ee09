"""Random steps of every rule, some with a planted fault, judged with intervals and by balls alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.judging.classify import sound
from gradaccord.harness.paths import settled
from gradaccord.harness.paths.inner import Unknown
from gradaccord.harness.paths.move import Judged, Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.settled import Settled
from gradaccord.harness.paths.stacked import Norms, residuals
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.rules.definition import Definition
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.rule import RULES, Choice
from gradaccord.harness.rules.update import check
from gradaccord.harness.truth.precision import working

Array = NDArray[Any]
STEPS = 3  # of each path; the last two are judged
SHAPES = ((64,), (97,), (200,), (2, 60))


@dataclass(slots=True)
class Tally:
    """What was judged: by rule and dtype elements, those that balls call sound, and those that intervals settle.

    `missed`: settled, and balls say otherwise. `other`: steps of which rows would tell something else.
    """

    steps: int = 0
    by_balls: int = 0
    elements: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    sound: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    settled: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    missed: list[str] = field(default_factory=list[str])
    other: list[str] = field(default_factory=list[str])


def survey(steps: int, seed: int) -> Tally:
    """So many steps at least."""
    tally, k = Tally(), 0
    while tally.steps < steps:
        drawn = steps_of(seed, k)
        if drawn is not None:
            judge_both_ways(*drawn, tally, f"{seed}, {k}")
        k += 1
    return tally


# --- what is drawn ------------------------------------------------------------------------------------------


def steps_of(seed: int, k: int) -> tuple[Definition, list[Move]] | None:
    """The k-th path's definition and its last moves; None where the settings drawn are none of the rule."""
    rng = np.random.default_rng([seed, k])
    rule, dtype = str(rng.choice(list(RULES))), str(rng.choice(list(FORMATS)))
    try:
        update = check(rule, settings(rng, rule))
        update.definition.at((2, 3)).graph("x", (2, 3))
    except GraphError:
        return None
    shape = SHAPES[rng.integers(len(SHAPES))]
    x = (rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 1)).astype(dtype)
    with np.errstate(all="ignore"):
        moves = walk(row_optimiser(rule, update.numbers, {"x": x.copy()}), x, slopes(rng, shape, dtype))
        definition = update.definition
        return definition, [faulty(rng, move, definition) if rng.random() < 0.6 else move for move in moves[-2:]]


def settings(rng: np.random.Generator, rule: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {"steps": 6, "step_size": repr(float(10 ** rng.uniform(-4, 0)))}
    for name, allowed in RULES[rule].settings.items():
        if isinstance(allowed, Choice):
            drawn[name] = str(rng.choice(list(allowed.answers)))
        elif allowed.below == "1" and rng.random() < 0.3:
            near_1 = 1 - 10 ** rng.uniform(-6, -1)
            drawn[name] = repr(round(float(rng.choice([rng.uniform(0.01, 0.99), near_1])), 7))
        elif name.startswith(("eps", "initial")) and rng.random() < 0.3:
            drawn[name] = repr(float(10 ** rng.uniform(-12, 0)))
    common: list[Mapping[str, Any]] = [
        {"weight_decay": repr(float(10 ** rng.uniform(-5, -0.5)))},
        {"clip_value": repr(float(10 ** rng.uniform(-4, 0)))},
        {
            "clip_norm": repr(float(10 ** rng.uniform(-3, 1))),
            "clip_by": str(rng.choice(["norm", "norm_and_1e-6"])),
        },
        {
            "average": repr(round(float(rng.uniform(0.1, 0.99)), 4)),
            "average_begins": str(rng.choice(["first", "start", "zero"])),
        },
        {"accumulate": str(rng.integers(2, 4)), "accumulated": str(rng.choice(["mean", "sum"]))},
    ]
    for one in common:
        if rng.random() < 0.15:
            drawn |= one
    return drawn


def slopes(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Iterator[Array]:
    """Gradients of one size or of many, now and then tiny or vast, a tenth of them 0."""
    widest = (-4, 2) if dtype == "float16" else (-22, 6)
    scale = 10.0 ** (rng.uniform(*widest) if rng.random() < 0.3 else rng.uniform(-4, 1))
    spread = 10.0 ** rng.uniform(-3, 3, shape) if rng.random() < 0.5 else np.ones(shape)
    for _ in range(STEPS):
        yield (rng.standard_normal(shape) * scale * spread * (rng.random(shape) < 0.9)).astype(dtype)


def walk(step: Any, x: Array, gradients: Iterator[Array]) -> list[Move]:
    moves, state = list[Move](), None
    for t, g in enumerate(gradients, 1):
        moved = step({"x": g})
        new = {variable: np.array(arrays["x"]) for variable, arrays in moved.state.items()}
        totals = [state["total"]] if state and "total" in state else []
        after = np.array(moved.parameters["x"])
        moves.append(Move(t, FORMATS[x.dtype.name], x, g, state, new, after, [g], totals))
        x, state = after, new
    return moves


def faulty(rng: np.random.Generator, move: Move, definition: Definition) -> Move:
    """With up to three numbers of a state variable or the parameter off by a part of a unit to a hundred."""
    names = [v for v in definition.state if v in move.new_state and move.new_state[v].shape == move.x.shape]
    name = str(rng.choice([*names, "x"]))
    array = (move.new_x if name == "x" else move.new_state[name]).copy()
    flat, which = array.reshape(-1), rng.integers(0, array.size, rng.integers(1, 4))
    units = rng.choice([-1, 1], len(which)) * 10.0 ** rng.uniform(-0.5, 2, len(which))
    flat[which] = (flat[which].astype(np.float64) * (1 + 2 * move.form.unit * units)).astype(array.dtype)
    return replace(move, new_x=array) if name == "x" else replace(move, new_state={**move.new_state, name: array})


# --- both ways ----------------------------------------------------------------------------------------------


def judge_both_ways(definition: Definition, moves: list[Move], tally: Tally, where: str) -> None:
    with np.errstate(all="ignore"):
        with_intervals, alone = judge_moves(moves, definition), by_balls(moves, definition)
        for move, mine, theirs in zip(moves, with_intervals, alone, strict=True):
            tally.steps += 1
            if told(mine) != told(theirs):
                tally.other.append(f"{definition.rule}, {move.form.name}, seed {where}: {mine.findings}")
            try:
                with working():
                    one = Settled(move, definition.at(move.x.shape), Norms())
            except Unknown:
                tally.by_balls += 1
                continue
            kind = (definition.rule, move.form.name)
            with working():
                found = residuals(move, definition.at(move.x.shape))
            for name, bound in one.bounds[0].items():
                link = found[name]
                within = ((link.score <= 1) & link.enclosed).reshape(-1)
                certain = np.isfinite(bound.scores)
                tally.elements[kind] += len(certain)
                tally.sound[kind] += int(within.sum())
                tally.settled[kind] += int(certain.sum())
                wrong = certain & (~within | (bound.lossy == sound(link, move.form).reshape(-1)))
                if wrong.any():
                    tally.missed.append(f"{name} of {definition.rule}, {move.form.name}, seed {where}: {wrong.sum()}")


def by_balls(moves: list[Move], definition: Definition) -> list[Judged]:
    """As if no move were large enough for intervals."""
    least, settled.LEAST = settled.LEAST, 1 << 62
    try:
        return judge_moves(moves, definition)
    finally:
        settled.LEAST = least


def told(judged: Judged) -> list[str]:
    """What rows may tell of a step."""
    return [f"{one} {judged.measured(one.cause, one.index)}" for one in judged.findings]
