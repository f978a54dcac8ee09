"""The rows of a run counted: how many got which verdict, and how many of the findings are explained."""

from __future__ import annotations

from collections import Counter

from .outcome import Outcome
from .rows import NOT_ENGINES
from .verdicts import VERDICTS, Verdict


class Tally:
    """By engine and verdict. `unexplained` and `accepted` count findings, of rows; `steps` those of paths that are
    unexplained; `compared` says whether at least one number of an engine was held against the truth."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Counter[Verdict]] = {}
        self.unexplained = 0
        self.accepted = 0
        self.steps = 0
        self.units = 0
        self.compared = False

    def add(self, outcome: Outcome) -> None:
        self.units += outcome.unit
        for row in outcome.rows:
            self.verdicts.setdefault(row.engine, Counter())[row.verdict] += 1
            self.unexplained += row.unexplained
            self.accepted += bool(row.finding and row.accepted)
            self.compared |= VERDICTS[row.verdict].compared and row.engine not in NOT_ENGINES
        self.steps += sum(step.unexplained for step in outcome.trajectories)

    @property
    def numbers(self) -> int:
        """All rows."""
        return sum(counts.total() for counts in self.verdicts.values())
