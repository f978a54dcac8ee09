"""How much of their allowance engines use, as a section of a report: a bound that none needs is too wide."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from statistics import median

from ..harness.graph.operations import OPERATIONS
from ..harness.records.outcome import Outcome
from ..harness.records.rows import Quantity

ORDER: tuple[Quantity, ...] = ("value", "term", "adjoint")
# An operation, a dtype and a quantity.
Place = tuple[str, str, Quantity]


class Allowance:
    """The scores of all sound links, and of each kind the largest with its engine."""

    def __init__(self) -> None:
        self._scores: dict[Place, array[float]] = {}
        self._worst: dict[Place, tuple[float, str]] = {}

    def add(self, outcome: Outcome) -> None:
        for (engine, op, quantity), scores in outcome.used.items():
            place = (op, outcome.dtype, quantity)
            self._scores.setdefault(place, array("d")).extend(scores)
            self._worst[place] = max(self._worst.get(place, (0.0, "")), (max(scores), engine))

    @property
    def exact(self) -> list[str]:
        """Operations that every engine computed exactly."""
        ops = sorted({op for op, _, _ in self._worst})
        return [op for op in ops if not any(worst for (o, _, _), (worst, _) in self._worst.items() if o == op)]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Its head and its rows: an operation, its cost, and for each dtype and quantity median and worst score."""
        exact = set(self.exact)
        ops = sorted({op for op, _, _ in self._worst} - exact)
        present = dict.fromkeys(place[1:] for place in self._worst if place[0] not in exact)
        columns = sorted(present, key=lambda column: ORDER.index(column[1]))
        head = ["operation", "cost", *(f"{quantity}, {dtype}" for dtype, quantity in columns)]
        return head, [[f"`{op}`", _cost(op), *(self._cell(op, *column) for column in columns)] for op in ops]

    def _cell(self, op: str, dtype: str, quantity: Quantity) -> str:
        scores: Sequence[float] = self._scores.get((op, dtype, quantity), ())
        if not scores:
            return ""
        worst, engine = self._worst[op, dtype, quantity]
        return f"{median(scores):.2g}, {worst:.2g} {engine}" if worst else "0"


def _cost(op: str) -> str:
    return f"{OPERATIONS[op].cost:g}" if op in OPERATIONS and OPERATIONS[op].primitive else ""
