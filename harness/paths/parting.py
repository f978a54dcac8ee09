"""Where the paths of two engines part, and from which step on rounding alone may part them: the horizon.

Where every step is sound, what parts two paths is amplified rounding, and beyond the horizon that is all there is to
say. Paths that part before it although every step is sound are told apart: either the judge has let something through,
or `horizon.py` underrates what rounding can do there. Nobody is blamed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeAlias

import numpy as np

from ..graph.graph import Graph
from ..judging.classify import place
from ..judging.subject import Subject
from ..records.formats import Format
from ..records.paths import Parting
from ..records.rows import LinkName, TrajectoryRow, element
from ..records.verdicts import SEVERITY, VERDICTS
from ..rules.update import Update
from .gaps import gaps, growth, shown
from .horizon import Places, envelope, watched
from .swapped import affordable
from .trajectory import Path

Swap: TypeAlias = Callable[[str, int], "Places | None"]  # (engine, steps): its optimiser on the truth's gradients
BEYOND = 4  # swapped optimisers may part by a quarter of the steps later
REACH = 2.0  # the spread of a few shaken paths, taken for what rounding can do


def partings(start: Subject, update: Update, paths: Mapping[str, Path], swap: Swap | None = None) -> list[Parting]:
    """For every pair of engines whose paths part, where, and by `swap` whether gradients or optimisers part them.

    Left out are engines that estimate their own error, such as finite differences: what they are off by is no rounding.
    """
    exact = {engine: path for engine, path in paths.items() if path.places and not path.estimated}
    apart = {(a, b): _apart(exact[a].places, exact[b].places, start.form) for a, b in combinations(exact, 2)}
    if not any(apart.values()):
        return []
    rounding = _apart(*envelope(start, update), start.form, REACH)
    entries, swaps = list[Parting](), _Swaps(start, update, swap)
    for (a, b), parted in apart.items():
        if parted is None:
            continue
        step, name, which = parted
        array = start.inputs[name]
        index = place(watched(array.size)[which], array.shape)
        between = gaps(exact[a].places[name], exact[b].places[name])
        found = Parting(
                case=start.case, point=start.point, dtype=start.dtype, engine_a=a, engine_b=b, step=step, name=name,
                index=index,
                value_a=float(exact[a].places[name][step, which]),
                value_b=float(exact[b].places[name][step, which]),
                horizon=rounding[0] if rounding else None,
                before=_before(start.graph, [*exact[a].rows, *exact[b].rows], step),
                watch=update.watch,
                state=bool(update.carry),
                growth=growth(between[: step + 1]),
                gaps=shown(between),
        )  # fmt: skip
        entries.append(swaps.told(found) if found.early else found)
    return entries


class _Swaps:
    """The optimisers of engines on the truth's gradients, walked as far as was asked for."""

    def __init__(self, start: Subject, update: Update, swap: Swap | None) -> None:
        self._start, self._update, self._swap = start, update, swap
        self._walked: dict[str, tuple[int, Places | None]] = {}

    def told(self, found: Parting) -> Parting:
        """A parting with what the swapped optimisers say of it, where that can be had."""
        steps = min(self._update.steps, found.step + found.step // BEYOND + 1)
        if found.horizon is not None:
            steps = min(steps, found.horizon - 1)
        a, b = (self._places(engine, steps) for engine in (found.engine_a, found.engine_b))
        if not a or not b or any(len(x) <= found.step for own in (a, b) for x in own.values()):
            return found
        again = _apart(a, b, self._start.form)
        return replace(found, swapped=steps, again=again[0] if again else None)

    def _places(self, engine: str, steps: int) -> Places | None:
        if self._swap is None or not affordable(self._start, steps):
            return None
        if self._walked.get(engine, (-1, None))[0] < steps:
            self._walked[engine] = steps, self._swap(engine, steps)
        found = self._walked[engine][1]
        return found and {name: x[: steps + 1] for name, x in found.items()}


def _apart(a: Places, b: Places, form: Format, reach: float = 1.0) -> tuple[int, str, int] | None:
    """The first step after which half of the digits are gone, in which input, and its component that is furthest off.

    Digits are those of the largest that the input has been so far: what only cancels there is not lost.
    """
    candidates: list[tuple[int, str, int]] = []
    for name, x in a.items():
        steps = min(len(x), len(b[name]))
        first, second = x[:steps], b[name][:steps]
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(first), np.abs(second)).max(axis=1, initial=0.0, keepdims=True)
            distance = reach * np.abs(first - second)
            far = ~(distance <= form.unit**0.5 * np.maximum.accumulate(size, axis=0))
            far &= ~(np.isnan(first) & np.isnan(second))
        if far.any():
            step = int(np.argmax(far.any(axis=1)))
            candidates.append((step, name, int(np.argmax(distance[step]))))
    return min(candidates, key=lambda parted: parted[0], default=None)


def _before(graph: Graph, rows: Sequence[TrajectoryRow], step: int) -> str:
    """The first thing that was not sound on two paths before they parted; what is open is told if nothing is off.

    What an output was after a step stands before the next one, whose gradient was taken with it.
    """

    def place(row: TrajectoryRow) -> float:
        return row.step + 0.5 * (row.name == graph.output.name)

    doubtful = [
        row for row in rows if place(row) <= step and row.verdict in SEVERITY and not VERDICTS[row.verdict].sound
    ]
    if not doubtful:
        return ""
    off = [row for row in doubtful if VERDICTS[row.verdict].compared]
    worst = min(off or doubtful, key=lambda row: (place(row), -SEVERITY[row.verdict]))
    return f"step {worst.step} of {worst.engine}: {worst.verdict}" + (
        f" ({_cause(graph, worst)})" if worst.cause else ""
    )


def _cause(graph: Graph, row: TrajectoryRow) -> str:
    """`gradient of w2[1], multiply`: what is off, in which input, and where its links name it the operation."""
    told = f"{row.cause} of {element(row.name, row.index)}"
    if not isinstance(row.node, LinkName):
        return told
    guilty = graph[row.node.use.consumer if row.node.use is not None else row.node.name].op
    return told if guilty == "input" else f"{told}, {guilty}"
