"""A run as lines of JSON on the standard output: an object for each finding as it comes, and a summary at the end.

The keys are described in `docs/command-line.md`, and stay. JSON has no NaN and no infinities: they are the strings
`nan`, `inf` and `-inf`, as in the CSV files; what there is no number for is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite

import click

from ..judging.begins import began
from ..records.outcome import Asked, Outcome
from ..records.paths import Summary
from ..running.session import Ended, Watcher
from ..running.unit import Unit
from .causes import row_of
from .findings import Entry, again, entries


class Stream(Watcher):
    """Prints each finding as an object. `new` and `known` count them; known ones are those that a ledger explains."""

    def __init__(self) -> None:
        self.new = 0
        self.known = 0

    def begins(self, asked: Asked, work: Sequence[Unit], done: int = 0) -> None:
        self._asked = asked

    def asks(self, unit: Unit, engine: str) -> None:
        pass

    def finds(self, outcome: Outcome) -> None:
        for entry in entries(row for row in outcome.rows if row.finding):
            self.known += bool(entry.row.accepted)
            self.new += not entry.row.accepted
            _print(of_entry(entry, self._asked))
        for path in outcome.summaries:
            if path.first is not None:
                self.new += 1
                _print(of_path(path, self._asked))

    def ends(self, end: Ended, report: str) -> None:
        """The last object."""
        tally, about = end.kept.tally, end.about
        _print({
            "type": "summary",
            "status": end.status,
            "stopped": end.stop or None,
            "compared": tally.compared,
            "cases": len(about.cases),
            "units": about.units,
            "units_left": about.left,
            "numbers": tally.numbers,
            "new": self.new,
            "known": self.known,
            "seconds": round(about.seconds, 3),
            "verdicts": {engine: dict(counts) for engine, counts in tally.verdicts.items()},
            "versions": dict(about.versions),
            "messages": list(about.messages),
            "report": report,
        })  # fmt: skip


def of_entry(entry: Entry, asked: Asked) -> Mapping[str, object]:
    """A finding: rows of a unit with one cause, by the row that stands for them."""
    row = entry.row
    return {
        "type": "finding",
        "known": row.accepted or None,
        "case": row.case,
        "point": row.point,
        "dtype": row.dtype,
        "engine": row.engine,
        "verdict": row.verdict,
        "quantity": row.quantity,
        "name": row.name,
        "use": None if row.use is None else str(row.use),
        "index": list(row.index),
        "step": None,
        "engine_value": number(row.engine_value),
        "reference": number(row.reference),
        "error": number(row.error),
        "score": number(row.score),
        "digits": number(row.digits),
        "link": str(row.node),
        "operation": began(row, asked.graphs.get(row.case))[0] or None,
        "place": row.place or None,
        "reason": row.reason,
        "rows": entry.rows,
        "repeat": again(asked, row.case, row.engine, row.dtype),
    }


def of_path(path: Summary, asked: Asked) -> Mapping[str, object]:
    """A path of which a step is off: that step, by the same keys."""
    first = path.first
    assert first is not None
    row = replace(
        row_of(path), name=first.name, index=first.index,
        engine_value=first.value, reference=first.reference, error=first.error, score=first.score,
    )  # fmt: skip
    return {**of_entry(Entry(row), asked), "quantity": "path", "step": first.step, "operation": None}


def number(value: float | None) -> float | str | None:
    """A number that JSON can hold."""
    return value if value is None or isfinite(value) else repr(float(value))


def _print(thing: Mapping[str, object]) -> None:
    click.echo(json.dumps(thing, allow_nan=False))
