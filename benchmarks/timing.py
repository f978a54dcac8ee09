"""Timing that a busy machine cannot bend: everything compared is run in turns, and medians are compared.

Imports the standard library alone.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Call = Callable[[], Any]


def seconds_each(calls: Mapping[str, Call], *, slice_seconds: float = 0.004, rounds: int = 25) -> dict[str, float]:
    """The median seconds of one run of each call. In every round each has its turn of about `slice_seconds`."""
    counts = {name: _count(call, slice_seconds) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in calls.items():
                taken[name].append(once(call, counts[name]) / counts[name])
            gc.collect()  # what the graphs of others left behind is not charged to the next
    finally:
        if was_enabled:
            gc.enable()
    return {name: statistics.median(times) for name, times in taken.items()}


def once(call: Call, count: int = 1) -> float:
    """Seconds of `count` runs together."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def _count(call: Call, slice_seconds: float) -> int:
    call()
    return max(1, int(slice_seconds / max(min(once(call) for _ in range(3)), 1e-7)))
