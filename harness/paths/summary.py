"""Paths in a line: what became of one engine's, for terminals and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..records.rows import TrajectoryRow, element
from ..rules.update import RULES, Update
from ..words import counted


@dataclass(frozen=True, slots=True)
class Summary:
    """One path: from where to where the output went in how many steps, and the first step that is off.

    `against` counts the steps on which the output moved the other way than the rule promises; `kept` says
    whether from start to end it moved as promised (None: it stood still, or is not known).
    """

    case: str
    point: int
    dtype: str
    engine: str
    rule: str
    steps: int
    start: float | None
    end: float | None
    against: int
    kept: bool | None
    first: TrajectoryRow | None
    known: int = 0
    unjudged: int = 0

    def __str__(self) -> str:
        went = f"{self.engine}: {self.rule}, {counted(self.steps, 'step')}"
        if self.start is not None and self.end is not None:
            promise = RULES[self.rule].promise
            moved = {True: f"{promise} as promised", False: f"not {promise} as promised", None: "and did not move"}[
                self.kept
            ]
            went += f", output from {self.start:.6g} to {self.end:.6g}, {moved}"
            went += f" ({self.against} of {self.steps} steps the other way)" if self.against else ""
        if self.first is None:
            if self.unjudged:
                return f"{went}; no step is known to be off, {self.unjudged} could not be judged"
            known = f", but for {counted(self.known, 'known disagreement')}" if self.known else ""
            return f"{went}; every step is sound{known}"
        row = self.first
        where = element(row.name, row.index)
        return f"{went}; first off at step {row.step} in {where}: {row.cause}, {row.verdict}"


def summary(rows: Sequence[TrajectoryRow], update: Update, output: str) -> Summary:
    """The summary of one engine's path; `rows` are those of `trajectory`, `output` the name of the output."""
    assert rows, "a path has at least one row"
    outputs = [row.value for row in rows if row.name == output]
    promise = RULES[update.rule].promise
    sign = 1.0 if promise == "up" else -1.0
    with np.errstate(all="ignore"):
        moves = [sign * (after - before) for before, after in pairwise(outputs)]
        whole = sign * (outputs[-1] - outputs[0]) if moves else float("nan")
    head = rows[0]
    return Summary(
        head.case, head.point, head.dtype, head.engine, update.rule,
        steps=max((row.step for row in rows if row.verdict not in ("failed", "timed out")), default=0),
        start=outputs[0] if outputs else None,
        end=outputs[-1] if outputs else None,
        against=sum(not (move >= 0) for move in moves),
        kept=None if not moves or whole == 0 else bool(whole > 0),
        first=next((row for row in rows if row.finding), None),
        unjudged=len({row.step for row in rows if row.verdict == "not judged"}),
    )  # fmt: skip
