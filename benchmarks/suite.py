"""Cases, each engine alone and all together, with an empty cache of compiled programs and with a full one.

As a script, `python benchmarks/suite.py ENGINE [PATH ...]` runs one engine in this process and prints its processor
time and what of it the engine did not spend: a process of its own starts without what another one has compiled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from gradaccord.harness.records.evaluation import CACHE, Engine
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running import answers
from gradaccord.harness.running.loading import load
from gradaccord.harness.running.run import run, units
from gradaccord.harness.running.selection import select

RUN = "run"
ROWS = ("backprop", "torch", "jax", "jax:jit", "finite_difference", RUN)


@contextmanager
def timed(spent: dict[str, float]) -> Generator[None]:
    """Every call into an engine's prepare, evaluate and optimiser is added to `spent`, by engine."""

    def stopwatch(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*args: Any) -> Any:
            start = time.process_time()
            try:
                result = call(*args)
            finally:
                spent[name] = spent.get(name, 0.0) + time.process_time() - start
            return stopwatch(name, result) if callable(result) else result

        return measured

    def loaded(name: str) -> Engine:
        engine = load(name)
        optimiser = engine.optimiser and stopwatch(name, engine.optimiser)
        return replace(engine, prepare=stopwatch(name, engine.prepare), optimiser=optimiser)

    patched, answers.load = answers.load, loaded
    try:
        yield
    finally:
        answers.load = patched


def alone(engine: str, paths: Sequence[str]) -> tuple[float, float]:
    """Processor seconds of the cases on one engine, and those that the engine did not spend."""
    spent: dict[str, float] = {}
    with timed(spent):
        start = time.process_time()
        for _ in run(units([pick.case for pick in select(paths)]), Settings((engine,))):
            pass
        seconds = time.process_time() - start
    return seconds, seconds - spent.get(engine, 0.0)


def row(name: str, paths: Sequence[str] = ()) -> list[str]:
    """An engine by processor time; `run`, the whole run as a user has it, by the clock. Of all shipped cases where no
    path is given."""
    with TemporaryDirectory() as cache:
        if name == RUN:
            cold, warm = (_by_the_clock(cache, paths) for _ in range(2))
            return [name, _seconds(cold), _seconds(warm), "", ""]
        (cold, _), (warm, own) = (_measured(cache, name, paths) for _ in range(2))
    return [name, *map(_seconds, (cold, warm, own)), f"{own / warm:.0%}"]


def _seconds(seconds: float) -> str:
    return f"{seconds:,.{int(seconds < 10)}f} s"


def _measured(cache: str, engine: str, paths: Sequence[str]) -> tuple[float, float]:
    words = [sys.executable, __file__, engine, *paths]
    said = subprocess.run(words, env={**os.environ, CACHE: cache}, capture_output=True, text=True, check=True).stdout
    seconds, own = map(float, said.split())
    return seconds, own


def _by_the_clock(cache: str, paths: Sequence[str]) -> float:
    words = [sys.executable, "-m", "gradaccord", "run", *paths, "--quiet", "--out", f"{cache}/report"]
    start = time.perf_counter()
    done = subprocess.run(words, env={**os.environ, CACHE: cache}, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: it found something
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(*alone(sys.argv[1], sys.argv[2:]))
