"""`run.json`: what is or was run, where, on which versions, the command that repeats it, and whether it is finished."""

from __future__ import annotations

import json
from pathlib import Path

from ..harness.records.outcome import About, Outcome
from ..harness.records.tally import Tally
from .whole import put


class JsonReport:
    """One object, for machines."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "run.json"
        self._tally = Tally()
        self._seconds: dict[str, float] = {}

    def begin(self, about: About) -> None:
        self._put(about)

    def add(self, outcome: Outcome) -> None:
        self._tally.add(outcome)
        if outcome.unit:
            self._seconds[f"{outcome.case} {outcome.point} {outcome.dtype}"] = round(outcome.seconds, 4)

    def close(self, about: About) -> None:
        self._put(about)

    def _put(self, about: About) -> None:
        run = {
            "finished": not about.left,
            "command": about.command,
            "flags": dict(about.settings.flags),
            "started": about.started,
            "seconds": round(about.seconds, 3),
            "platform": dict(about.platform),
            "versions": dict(about.versions),
            "engines": list(about.settings.engines),
            "cases": [
                {"name": case.name, "address": case.address, "points": case.points, "nodes": len(case.graph.nodes)}
                for case in about.cases
            ],
            "seeds": dict(about.seeds),
            "units": about.units,
            "units_left": about.left,
            "unit_seconds": self._seconds,
            "verdicts": {engine: dict(counts) for engine, counts in self._tally.verdicts.items()},
            "unexplained": self._tally.unexplained + self._tally.steps,
            "messages": list(about.messages),
        }
        put(self._path, json.dumps(run, indent=2) + "\n")


write = JsonReport
