"""The ledger of known disagreements: `accept` entries of a case, applied to the rows of its units.

An entry explains a finding of exactly its engine, quantity, name, point, dtype and verdict, no further off than the
entry holds, and the rows downstream that inherit it. One that ran and did not happen, or happened with another verdict
or further off, is a finding itself: no stale entry survives. In a dtype that the case does not list, an entry that
names none explains but promises nothing. What is known of the engine itself is told by the judge, and needs no entry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..judging.judge import conventions
from ..reading.case import Acceptance, Case
from ..records.outcome import Outcome
from ..records.paths import Summary
from ..records.rows import LinkName, Row, TrajectoryRow
from ..records.verdicts import FINDINGS, Verdict
from ..words import nearest


class Ledger:
    """The entries of one case and, over its units, which of them ran and which came true."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._ran: set[int] = set()
        self._due: set[int] = set()  # those of them that must come true
        self._happened: set[int] = set()
        self._beyond: set[int] = set()  # those that happened further off than they hold
        self._instead: dict[int, str] = {}

    def explain(self, outcome: Outcome) -> Outcome:
        """The outcome with its explained findings marked as accepted."""
        if not self.case.accept or any(row.verdict == "reference unreliable" for row in outcome.rows):
            return outcome
        self._notice(outcome)
        rows = conventions([self._explained(row, outcome) for row in outcome.rows])
        path = [self._on_path(row, outcome) for row in outcome.trajectories]
        summaries = [_told(summary, path) for summary in outcome.summaries]
        return replace(outcome, rows=tuple(rows), trajectories=tuple(path), summaries=tuple(summaries))

    def _notice(self, outcome: Outcome) -> None:
        ran = {row.engine for row in outcome.rows if row.verdict != "unsupported"}
        for k, entry in enumerate(self.case.accept):
            theirs = [engine for engine in ran if entry.matches(engine)]
            running = all(entry.covers(outcome.versions.get(engine, "")) for engine in theirs)
            if theirs and _covers(entry, outcome) and running:
                self._ran.add(k)
                if entry.dtype is not None or outcome.dtype in self.case.dtypes:
                    self._due.add(k)

    def _explained(self, row: Row, outcome: Outcome) -> Row:
        for k, entry in enumerate(self.case.accept):
            if k in self._ran and _covers(entry, outcome) and _names(entry, row):
                if row.verdict != entry.verdict:
                    self._instead[k] = f"it was `{row.verdict}`"
                elif not entry.holds_for(row.off) and row.quantity != entry.quantity:
                    continue  # what it is about has a row of its own
                elif not entry.holds_for(row.off):
                    self._instead[k] = f"it was off by {row.off:.2g} of the right number, beyond {entry.within:.2g}"
                    self._beyond.add(k)
                else:
                    self._happened.add(k)
                    return replace(row, accepted=entry.reason) if row.finding else row
        return row

    def _on_path(self, row: TrajectoryRow, outcome: Outcome) -> TrajectoryRow:
        """The row as its entries leave it; of what is known, the first that is off behind it and is not."""
        known = self._known_on_path(row, outcome)
        if known.finding or not known.behind:
            return known
        others = [self._known_on_path(other, outcome) for other in known.behind]
        return next((other for other in others if other.finding), known)

    def _known_on_path(self, row: TrajectoryRow, outcome: Outcome) -> TrajectoryRow:
        for k, entry in enumerate(self.case.accept):
            same = entry.matches(row.engine) and row.verdict == entry.verdict
            same = same and (_inherits(entry, row.node) or _is_step(entry, row))
            if same and entry.holds_for(row.off) and row.finding and k in self._ran and _covers(entry, outcome):
                if entry.quantity == "update":
                    self._happened.add(k)
                return replace(row, finding=False, accepted=entry.reason)
        return row

    def stale(self) -> list[Row]:
        """A finding for every entry that ran without coming true; asked once all units of the case are in."""
        return [
            _stale(self.case, entry, self._instead.get(k, ""))
            for k, entry in enumerate(self.case.accept)
            if k in self._beyond or (k in self._due and k not in self._happened)
        ]

    def idle(self, engines: Collection[str]) -> list[Row]:
        """A notice for every entry of an engine that is not among these: here it can neither explain nor be stale.

        It may belong to a package that is not installed, so that it is no finding; or its name is wrong.
        """
        return [
            _idle(self.case, entry, nearest(entry.engine, engines))
            for entry in self.case.accept
            if entry.engine not in engines and ".py" not in entry.engine
        ]


def _told(summary: Summary, path: Sequence[TrajectoryRow]) -> Summary:
    rows = [row for row in path if row.engine == summary.engine]
    first = next((row for row in rows if row.finding), None)
    return replace(summary, first=first, known=sum(bool(row.accepted) for row in rows))


def _covers(entry: Acceptance, outcome: Outcome) -> bool:
    return entry.point in (None, outcome.point) and entry.dtype in (None, outcome.dtype)


def _names(entry: Acceptance, row: Row) -> bool:
    """Whether an entry is about a row: about its quantity, or about the link that the row inherits its verdict from.

    Every link that is off has a row that names it, so what is inherited hides no second fault.
    """
    if not entry.matches(row.engine):
        return False
    if row.quantity == entry.quantity and entry.name in (None, row.name, row.name.removeprefix("gradient of ")):
        return True
    return _inherits(entry, row.node)


def _inherits(entry: Acceptance, node: LinkName | str) -> bool:
    """Whether `node`, the first link that is off, is what an entry is about."""
    if not isinstance(node, LinkName) or node.second or not node.name:
        return False
    return node.quantity == entry.quantity and entry.name in (None, node.name)


def _is_step(entry: Acceptance, row: TrajectoryRow) -> bool:
    """Whether an entry is about what an optimiser makes of an input: its state, or the input itself."""
    step = row.cause.startswith(("state ", "update"))
    return entry.quantity == "update" and step and entry.name in (None, row.name)


def _stale(case: Case, entry: Acceptance, instead: str) -> Row:
    what = f"{entry.quantity} of {entry.name}" if entry.name else entry.quantity
    clause = instead or "it did not come up"
    reason = (
        f"stale ledger entry: expected `{entry.verdict}` for {entry.engine}, {what} ({entry.reason}), but {clause}; "
        f"remove or correct the entry at {entry.file or case.path.name}:{entry.line}"
    )
    return _row(case, entry, "failed", reason)


def _idle(case: Case, entry: Acceptance, near: str) -> Row:
    where = f"the ledger entry at {entry.file or case.path.name}:{entry.line}"
    reason = f"{where} is for an engine that is not installed, `{entry.engine}`: nothing tells whether it still holds"
    return _row(case, entry, "unsupported", f"{reason}. {near}".strip())


def _row(case: Case, entry: Acceptance, verdict: Verdict, reason: str) -> Row:
    return Row(
        case=case.name,
        point=entry.point or 0,
        dtype=entry.dtype or "",
        engine="ledger",
        name=entry.name or "",
        verdict=verdict,
        reason=reason,
        finding=verdict in FINDINGS,
    )
