"""An optimiser's path judged: its moves by rule and precision, and a whole path beside its steps alone."""

from __future__ import annotations

import statistics
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from links import network
from timing import once, ratio

from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.paths import settled
from gradaccord.harness.paths.inner import Unknown
from gradaccord.harness.paths.move import Move
from gradaccord.harness.paths.moves import judge_moves
from gradaccord.harness.paths.settled import Settled
from gradaccord.harness.paths.stacked import Norms
from gradaccord.harness.paths.trajectory import taken, trajectory
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.rules.optimiser import row_optimiser
from gradaccord.harness.rules.rule import RULES
from gradaccord.harness.rules.update import Update, check
from gradaccord.harness.running.loading import load
from gradaccord.harness.truth.precision import working

MOVES_HEAD = "rule | dtype | by balls alone | with intervals | ratio | elements that balls see"
PATHS_HEAD = (
    "judged | steps | seconds | a step | times the engine's steps alone | times a loop of torch | peak of new memory"
)
SHOWN = (
    "adam", "adamw", "nadam", "amsgrad", "adamax", "adabelief", "rmsprop", "adagrad", "adadelta", "momentum", "descent",
    "lion", "rprop", "lamb",
)  # fmt: skip
FEW = 2_000  # parameters that are enough to time balls


def moved(rule: str, dtype: str, size: int) -> tuple[Update, Move]:
    """The third step of a rule, on a parameter of a layer's size."""
    random = np.random.default_rng(0)
    eps = {"eps": "0.001"} if dtype == "float16" and "eps" in RULES[rule].settings else {}  # 1e-8 may be 0 there
    update = check(rule, {"step_size": "0.001", "steps": 3, **eps})
    x, state, moves = (random.normal(size=size) * 0.05).astype(dtype), None, list[Move]()
    step = row_optimiser(rule, update.numbers, {"x": x.copy()})
    for t in range(1, 4):
        g = (random.normal(size=size) * (3 if dtype == "float16" else 0.01)).astype(dtype)
        there = step({"x": g})
        new = {name: np.array(arrays["x"]) for name, arrays in there.state.items()}
        after = np.array(there.parameters["x"])
        moves.append(Move(t, FORMATS[dtype], x, g, state, new, after))
        x, state = after, new
    return update, moves[-1]


def move_rows(size: int = 100_000) -> Iterator[list[str]]:
    kinds = [(rule, dtype) for rule in SHOWN for dtype in (FORMATS if rule == "adam" else ("float32", "float64"))]
    for rule, dtype in kinds:
        update, move = moved(rule, dtype, size)
        few = moved(rule, dtype, FEW)[1]

        def timed(one: Move, update: Update = update) -> float:
            return once(lambda: judge_moves([one], update.definition)) / one.x.size

        def by_balls(one: Move, timed: Callable[[Move], float] = timed) -> float:
            least, settled.LEAST = settled.LEAST, 1 << 62
            try:
                return timed(one)
            finally:
                settled.LEAST = least

        timed(few)  # compiles the lines
        try:
            with working():
                left = Settled(move, update.definition, Norms()).left
        except Unknown:
            left = size
        balls, mine = ([take(one) for _ in range(5)] for take, one in ((by_balls, few), (timed, move)))
        yield [
            rule,
            dtype,
            f"{statistics.median(balls) * 1e6:.1f} µs",
            f"{statistics.median(mine) * 1e6:.2f} µs",
            f"{ratio(balls, mine):.0f}",
            f"{left / size:.2%}",
        ]


def path_rows() -> Iterator[list[str]]:
    """784-128-10 by Adam, in float32, on torch."""
    subject, engine = network("float32"), load("torch")
    evaluate = engine.prepare(subject.graph, subject.dtype)
    for watch, counts in ((1, (10, 40)), (50, (100, 400))):
        for steps in counts:
            update = replace(check("adam", {"step_size": "0.001", "steps": steps}), watch=watch)

            def judged(update: Update = update) -> object:
                return trajectory(subject, "torch", evaluate, update, engine.optimiser).rows

            def alone(update: Update = update) -> None:
                for _ in taken(subject, evaluate, update, engine.optimiser or row_optimiser):
                    pass

            loop = torch_loop(subject, steps)
            calls: tuple[Callable[[], Any], ...] = (judged, alone, loop)
            for call in calls[1:]:
                call()
            seconds, walked, looped = zip(*([once(call) for call in calls] for _ in range(3)), strict=True)
            tracemalloc.start()
            judged()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            taken_ = statistics.median(seconds)
            yield [
                "every step" if watch == 1 else f"every {watch}th",
                f"{steps}",
                f"{taken_:.1f} s",
                f"{taken_ / steps * 1e3:.0f} ms",
                f"{ratio(seconds, walked):.1f}",
                f"{ratio(seconds, looped):.0f}",
                f"{peak / 2**20:.0f} MiB",
            ]


def torch_loop(subject: Subject, steps: int) -> Callable[[], None]:
    """What a person writes: the same network and optimiser, nothing looked at."""

    def loop() -> None:
        layers = [torch.tensor(subject.inputs[name], requires_grad=True) for name in ("w1", "b1", "w2", "b2")]
        x, target = torch.tensor(subject.inputs["x"]), torch.tensor(subject.inputs["target"])
        optimiser = torch.optim.Adam(layers, lr=0.001, foreach=False)
        for _ in range(steps):
            w1, b1, w2, b2 = layers
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(torch.tanh(x @ w1 + b1) @ w2 + b2, target)
            loss.backward()
            optimiser.step()

    return loop
