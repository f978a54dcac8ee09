"""Which unit to begin next: one in the order of the run, so that first verdicts come early, beside it the longest.

A long unit that begins last is what everybody waits for at the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from math import prod

from .unit import Unit

AHEAD = 256  # units that may begin before one whose outcome is still awaited: so many outcomes wait at most


def cost(unit: Unit) -> float:
    """How long a unit may take beside others, as far as its case tells: what any unit costs; for each node, which is
    compiled and judged, and again for each derivative and on a path; and for the numbers in them."""
    case, nodes = unit.case, unit.case.graph.nodes
    steps = case.update.steps if case.update is not None else 0
    numbers = sum(prod(node.shape) for node in nodes)
    return 500 + len(nodes) * (10 + 20 * len(case.derivatives) + steps) + numbers / 50


class Schedule:
    """The units that have not begun and are not `done`, by their places in the run, where so many are worked on at
    once."""

    def __init__(self, costs: Sequence[float], at_once: int, done: Collection[int] = ()) -> None:
        self._costs = costs
        self._at_once = at_once
        self._window = max(AHEAD, 4 * at_once)
        self._rest = [place for place in range(len(costs)) if place not in done]
        self._long = set[int]()
        self._in_order = set[int]()

    def begin(self, awaited: int) -> int | None:
        """The unit to begin now; `awaited` is the first one without an outcome. None where there is none to begin."""
        free = bisect_left(self._rest, awaited + self._window)
        if not free:
            return None
        if not self._in_order or len(self._long) >= self._at_once - 1:
            unit = self._rest.pop(0)
            self._in_order.add(unit)
        else:
            unit = self._rest.pop(max(range(free), key=lambda place: self._costs[self._rest[place]]))
            self._long.add(unit)
        return unit

    def end(self, unit: int) -> None:
        """The unit is no longer worked on."""
        self._long.discard(unit)
        self._in_order.discard(unit)
