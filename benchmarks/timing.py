"""Timing that a busy machine bends little: all compared run in turns, in seconds of this process's own processor time.

Imports the standard library alone.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Call = Callable[[], Any]


def turns(calls: Mapping[str, Call], *, slice_seconds: float = 0.004, rounds: int = 31) -> dict[str, list[float]]:
    """For each call the seconds of one run, round by round. In every round each has its turn of `slice_seconds`."""
    counts = {name: _count(call, slice_seconds) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            gc.collect()  # what the graphs of others left behind is not charged to the next
            for name, call in calls.items():
                taken[name].append(once(call, counts[name]) / counts[name])
    finally:
        if was_enabled:
            gc.enable()
    return taken


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median over the rounds of the ratio within a round: a slow moment slows both."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def once(call: Call, count: int = 1) -> float:
    """Seconds of `count` runs together. Processor time: what other processes take is not counted."""
    start = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - start


def _count(call: Call, slice_seconds: float) -> int:
    call()
    return max(1, int(slice_seconds / max(min(once(call, 3) / 3 for _ in range(3)), 1e-7)))
