"""Every pair of engines beside one another, as a section of a report: pairs that have a number in common, no others."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from statistics import median

from ..harness.records.outcome import Outcome
from ..harness.records.rows import PairRow, Quantity, component
from ..harness.telling.findings import at_point
from .layout import listed

Pair = tuple[str, str]

HEAD = ["engines", "the same", "of the others the median, ulps", "furthest apart, ulps", "there", "values"]

# What is told in tables of its own: only variants and engines that can differentiate twice have it.
BEYOND: Mapping[Quantity, str] = {"tangent": "Tangents", "hessian_product": "Hessian-vector products"}


class Agreement:
    """How many results of each pair are the same bit for bit, how far apart the others are, and where most."""

    def __init__(self) -> None:
        self._ulps: dict[str, dict[Pair, array[float]]] = {}
        self._worst: dict[tuple[str, Pair], PairRow] = {}

    def add(self, outcome: Outcome) -> None:
        for row in outcome.pairs:
            title, pair = BEYOND.get(row.quantity, ""), (row.engine_a, row.engine_b)
            self._ulps.setdefault(title, {}).setdefault(pair, array("d")).append(row.ulps)
            worst = self._worst.get((title, pair))
            if worst is None or not row.ulps <= worst.ulps:
                self._worst[title, pair] = row

    def tables(self) -> dict[str, list[list[str]]]:
        """Under `HEAD`, a row for each pair: values and gradients without a title, then what lies beyond them."""
        return {
            title: [[listed(pair), *_row(ulps, self._worst[title, pair])] for pair, ulps in pairs.items()]
            for title in ("", *BEYOND.values())
            if (pairs := self._ulps.get(title))
        }


def _row(ulps: array[float], worst: PairRow) -> list[str]:
    apart = [distance for distance in ulps if distance > 0]
    same = f"{len(ulps) - len(apart):,} of {len(ulps):,}"
    if not apart:
        return [same, "", "", "", ""]
    which = f"{worst.quantity} of `{worst.name}`{component(worst.index)}"
    there = f"{at_point(f'`{worst.case}`', worst.point)} {worst.dtype}, {which}"
    return [same, _rounded(median(apart)), _rounded(worst.ulps), there, ", ".join(_apart(worst.value_a, worst.value_b))]


def _rounded(ulps: float) -> str:
    return f"{ulps:,.0f}" if 100 <= ulps < 1e6 else f"{ulps:.3g}"


def _apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers to nine digits, or to as many as tell them apart."""
    for digits in range(9, 17):
        if (shown := (f"{a:.{digits}g}", f"{b:.{digits}g}"))[0] != shown[1]:
            return shown
    return repr(a), repr(b)
