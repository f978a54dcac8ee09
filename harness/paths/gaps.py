"""How far two paths are from one another step by step, and how that grows."""

from __future__ import annotations

import numpy as np

from ..records.paths import Growth
from .horizon import Floats

LEAST = 4  # gaps that a rate is read from
SHOWN = 400  # of a path


def gaps(a: Floats, b: Floats) -> Floats:
    """The largest distance of any component, after each step that both have taken; `a` and `b` are of one input."""
    steps = min(len(a), len(b))
    with np.errstate(all="ignore"):
        return np.abs(a[:steps] - b[:steps]).max(axis=1, initial=0.0)


def shown(apart: Floats) -> tuple[tuple[int, float], ...]:
    """Gaps by their steps, the largest of every few where there are many."""
    every = -(-len(apart) // SHOWN)
    parts = [(k, apart[k : k + every]) for k in range(0, len(apart), every)]
    return tuple((k + int(np.argmax(part)), float(np.max(part))) for k, part in parts)


def growth(apart: Floats) -> Growth | None:
    """How gaps grow, from the first that is not 0 on: by a factor a step, or as a power of the steps, whichever the
    least squares of their logarithms fit better. None where there are too few."""
    where = np.flatnonzero((apart > 0) & np.isfinite(apart))
    if len(where) < LEAST:
        return None
    logs, begin = np.log(apart[where]), int(where[0])
    by_factor, by_power = _fit(where.astype(np.float64), logs), _fit(np.log(where - begin + 1.0), logs)
    kind, (slope, fit) = ("factor", by_factor) if by_factor[1] >= by_power[1] else ("power", by_power)
    return Growth(kind, float(np.exp(slope)) if kind == "factor" else slope, fit, begin)


def _fit(x: Floats, y: Floats) -> tuple[float, float]:
    """The slope of a line through points, and what of their spread it tells (R squared)."""
    across, up = x - x.mean(), y - y.mean()
    slope = float(across @ up / (across @ across))
    spread = float(up @ up)
    return slope, 1.0 - float(np.sum((up - slope * across) ** 2)) / spread if spread else 1.0
