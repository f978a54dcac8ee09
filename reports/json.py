"""`run.json`: what was run, where, on which versions, and the command that repeats it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from ..harness.records.findings import unexplained
from ..harness.records.outcome import About, Outcome
from .whole import Whole


class JsonReport:
    """One object, for machines."""

    def __init__(self, folder: Path) -> None:
        self._file = Whole(folder, "run.json")
        self._verdicts: dict[str, Counter[str]] = {}
        self._unexplained = 0
        self._seconds: dict[str, float] = {}

    def add(self, outcome: Outcome) -> None:
        for row in outcome.rows:
            self._verdicts.setdefault(row.engine, Counter())[row.verdict] += 1
        if outcome.unit:
            self._seconds[f"{outcome.case} {outcome.point} {outcome.dtype}"] = round(outcome.seconds, 4)
        self._unexplained += sum(map(unexplained, outcome.rows)) + sum(map(unexplained, outcome.trajectories))

    def close(self, about: About) -> None:
        run = {
            "command": about.command,
            "flags": dict(about.flags),
            "started": about.started,
            "seconds": round(about.seconds, 3),
            "platform": dict(about.platform),
            "versions": dict(about.versions),
            "engines": list(about.engines),
            "cases": [
                {"name": case.name, "address": case.address, "points": case.points, "nodes": len(case.graph.nodes)}
                for case in about.cases
            ],
            "seeds": dict(about.seeds),
            "units": about.units,
            "units_left": about.left,
            "unit_seconds": self._seconds,
            "verdicts": {engine: dict(counts) for engine, counts in self._verdicts.items()},
            "unexplained": self._unexplained,
            "messages": list(about.messages),
        }
        self._file.write(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
        self._file.close()


write = JsonReport
