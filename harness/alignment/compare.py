"""Two runs at several points: the same computation, or where it parts; and how far that was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np

from ..hearing.heard import Heard
from . import gradients
from .align import Alignment, align
from .difference import Divergence
from .exercised import not_exercised
from .matching import Match, laid_out
from .trail import Pair, Run, run, trail

POINTS = ("your own numbers", "random numbers")


@dataclass(frozen=True)
class Comparison:
    """What is found, and where: at which of the points. `digits`: to how many the outputs agree. `not_exercised` are
    steps of one side that changed nothing at any point; `not_compared` inputs of `a` whose gradients have no like."""

    divergences: tuple[Divergence, ...]
    point: str
    trail: tuple[Pair, ...]
    layouts: tuple[str, ...]
    digits: float
    not_exercised: tuple[str, ...]
    not_compared: tuple[str, ...]
    runs: tuple[Run, ...] = ()  # of `a` and of `b`, at that point

    @property
    def same(self) -> bool:
        return not self.divergences


def compare(a: Sequence[Heard], b: Sequence[Heard]) -> Comparison:
    """Two functions by their runs at the same points, the user's own numbers first. The last point, of random numbers,
    tells most: it is looked at first."""
    inputs = gradients.matched(a[-1], b[-1])
    idle: list[set[str]] = []
    digits, layouts = inf, tuple[str, ...]()
    left: tuple[str, ...] | None = None
    match: Match | None = None
    for k in reversed(range(len(a))):
        point = POINTS[min(k, 1)]
        found = align(a[k], b[k])
        match = found.match
        if not found.same:
            return Comparison(found.divergences, point, found.trail, found.layouts, 0.0, (), (), _runs(match))
        apart, missing = gradients.compared(found.a, found.b, inputs)
        if apart:
            return Comparison(tuple(apart), point, tuple(trail(match)), found.layouts, 0.0, (), (), _runs(match))
        names = tuple(found.a.label(name) for name in missing)
        layouts, left = layouts or found.layouts, names if left is None else tuple(one for one in left if one in names)
        idle.append(set(not_exercised(match)))
        digits = min(digits, _digits(found))
    kept = [said for said in sorted(idle[0]) if all(said in one for one in idle)]
    return Comparison((), "", (), layouts, digits, tuple(kept), left or (), _runs(match) if match else ())


def _runs(match: Match) -> tuple[Run, Run]:
    return run(match), run(match.back)


def _digits(found: Alignment) -> float:
    """To how many digits the outputs agree, of the largest number of each."""
    worst = inf
    for name, other in zip(found.a.heard.outputs, found.b.heard.outputs, strict=True):
        x, y = found.a.numbers[name], found.b.numbers[other]
        with np.errstate(all="ignore"):
            off = min(
                (float(np.nanmax(np.abs(np.where(z == y, 0.0, z - y)), initial=0.0)) for z in laid_out(x, y.shape)),
                default=0.0,
            )
            size = float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y)))
        if off and size:
            worst = min(worst, -log10(off / size))
    return min(worst, 15.95)
