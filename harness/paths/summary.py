"""Paths in a line: what became of one engine's, for terminals and reports."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..records.paths import Summary
from ..records.rows import TrajectoryRow
from ..rules.rule import RULES
from ..rules.update import Update


def summary(rows: Sequence[TrajectoryRow], update: Update, output: str, *, state: bool = False) -> Summary:
    """The summary of one engine's path; `rows` are those of `trajectory`, `output` the name of the output, and `state`
    says whether that reads what is carried."""
    assert rows, "a path has at least one row"
    outputs = [row.value for row in rows if row.name == output]
    promise = RULES[update.rule].promise
    taken = max(_done(row, output) for row in rows)
    sign = 1.0 if promise == "up" else -1.0
    with np.errstate(all="ignore"):
        moves = [sign * (after - before) for before, after in pairwise(outputs)]
        whole = sign * (outputs[-1] - outputs[0]) if moves else float("nan")
    head = rows[0]
    return Summary(
        case=head.case, point=head.point, dtype=head.dtype, engine=head.engine, rule=update.rule, promise=promise,
        steps=taken,
        asked=update.steps,
        start=outputs[0] if outputs else None,
        end=outputs[-1] if outputs else None,
        against=0 if state or update.data is not None else sum(not (move >= 0) for move in moves),
        kept=None if not moves or whole == 0 else bool(whole > 0),
        watch=update.watch,
        batches=update.data is not None,
        state=state,
        first=next((row for row in rows if row.finding), None),
        known=sum(bool(row.accepted) for row in rows),
        dialect=_dialect(rows, update),
        unjudged=len({row.step for row in rows if row.verdict in ("not judged", "undefined") and not _stops(row)}),
        why=_why(rows, taken, update),
    )  # fmt: skip


def _dialect(rows: Sequence[TrajectoryRow], update: Update) -> str:
    """Of another known definition that explains what is off what it does, in words."""
    first = next((row for row in rows if row.finding or row.accepted), None)
    if first is None or first.verdict != "convention" or not first.setting:
        return ""
    answers = (part.partition(": ")[::2] for part in first.setting.split(", "))
    choices = RULES[update.rule].choices
    return "; ".join(choices[name].answers[answer] for name, answer in answers)


def _done(row: TrajectoryRow, output: str) -> int:
    """How many steps a path has taken, as far as one of its rows tells."""
    return row.step - 1 if _stops(row) and row.name != output else row.step


def _stops(row: TrajectoryRow) -> bool:
    """Whether a row says why there is no further step."""
    return bool(row.cause) and row.verdict in ("failed", "timed out", "unsupported", "undefined")


def _why(rows: Sequence[TrajectoryRow], taken: int, update: Update) -> str:
    """Why a path was not walked to its end; empty where it was."""
    stop = next(filter(_stops, rows), None)
    if stop is not None:
        return f"{stop.verdict}: {stop.cause.partition(': ')[2] or stop.cause}"
    lost = "a parameter or what is carried" if update.carry else "a parameter"
    return "" if taken == update.steps else f"{lost} is not finite"
