"""One run from the command line: outcomes as they come into every report, and the exit status at the end.

Finds the reports through entry points; imports none of them.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Literal, Protocol, TypeAlias

from ..errors import CommandError
from ..records.outcome import About, Asked, CaseSummary, Outcome, Report
from ..records.paths import Parting, Summary
from ..records.rows import Row
from ..records.settings import Settings
from ..records.tally import Tally
from ..words import counted
from .folder import alone, cannot_write, check_folder, writing
from .interrupts import Interrupts
from .journal import Journal
from .offered import REPORTS, entries, variants
from .pools import executor
from .run import run, units
from .selection import Selected
from .unit import Unit

INTERRUPTED = 130
WANTED = ("gradient", "tangent", "hessian_product")  # what a case asks for, which `--strict` wants judged


class Watcher(Protocol):
    """Who hears of a run while it is under way: in its process, of one thing at a time."""

    def begins(self, asked: Asked, work: Sequence[Unit], done: int = 0) -> None:
        """What will be run; nothing is loaded yet. Of the units so many were done before."""
        ...

    def asks(self, unit: Unit, engine: str) -> None:
        """An engine is asked next, where that is done in this process."""
        ...

    def finds(self, outcome: Outcome) -> None:
        """An outcome that is complete, in any order; it comes before any report has it."""
        ...


@dataclass
class Kept:
    """What the terminal tells at the end. Of rows that agree, only their number is kept."""

    tally: Tally = field(default_factory=Tally)
    open: list[Row] = field(default_factory=list[Row])
    known: list[Row] = field(default_factory=list[Row])
    paths: list[Summary] = field(default_factory=list["Summary"])
    partings: list[Parting] = field(default_factory=list["Parting"])
    reasons: dict[str, None] = field(default_factory=dict[str, None])
    notices: dict[str, None] = field(default_factory=dict[str, None])
    versions: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def paths_off(self) -> int:
        return sum(path.first is not None for path in self.paths)

    def add(self, outcome: Outcome) -> None:
        self.tally.add(outcome)
        for row in outcome.rows:
            if row.unexplained:
                self.open.append(row)
            elif row.finding:
                self.known.append(row)
            if row.engine == "ledger" and not row.finding:
                self.notices[f"{row.case}: {row.reason}"] = None
            elif row.quantity == "run":
                self.reasons[f"{row.engine}: {row.reason.splitlines()[-1] if row.reason else row.verdict}"] = None
        self.paths += outcome.summaries
        self.partings += outcome.partings
        self.versions |= outcome.versions


Stop: TypeAlias = Literal["", "interrupted", "found"]  # what ended a run before its last unit, if anything did


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status, why it stopped early if it did, and the messages that go with it."""

    status: int
    kept: Kept
    about: About
    stop: Stop = ""


def session(selected: Sequence[Selected], settings: Settings, command: str, watchers: Sequence[Watcher] = ()) -> Ended:
    """Run, report, and say how it went; with `settings.resume` go on with the run that stopped in that folder.

    Exit status 0: nothing unexplained; 1: a finding that no ledger entry explains, or nothing was compared; 130:
    interrupted, the reports hold what was complete. Raises CommandError before anything is computed, and where the
    reports can no longer be written.
    """
    work = units([pick.case for pick in selected], settings.dtypes)
    if not work:
        raise CommandError(f"none of {counted(len(selected), 'case')} has a dtype of: {', '.join(settings.dtypes)}")
    if set(settings.engines) <= variants().keys() and not any(pick.case.derivatives for pick in selected):
        engines = ", ".join(settings.engines)
        raise CommandError(
            f"none of {counted(len(selected), 'case')} asks for what {engines} computes: a case does so by "
            "`derivatives: [gradient, tangent, hessian_product]`"
        )
    out = Path(settings.out)
    check_folder(out)
    with alone(out):
        return _session(selected, settings, command, watchers, work)


def _session(
    selected: Sequence[Selected], settings: Settings, command: str, watchers: Sequence[Watcher], work: Sequence[Unit]
) -> Ended:
    pool, jobs = executor(settings, len(work))
    settings = replace(settings, jobs=jobs)
    asked, began, out = Asked(settings=settings, cases=tuple(map(summary_of, selected))), Began(), Path(settings.out)
    with closing(Journal(out, settings, work, resume=settings.resume)) as journal:
        reports = open_reports(out, about_run(asked, Kept(), command, began, units=len(work), left=len(work)))
        for watcher in watchers:
            watcher.begins(asked, work, len(journal.done))
        with Interrupts() as interrupts:
            under_way = _UnderWay(settings, work, watchers, reports, journal, interrupts)
            stop = under_way.run(pool)
            kept = under_way.kept
            left = len(work) - kept.tally.units
            messages = _messages(kept, left, stop)
            about = about_run(asked, kept, command, began, units=len(work), left=left, messages=messages)
            with interrupts.held(quietly=True), writing(out):
                for report in reports:
                    report.close(about)
                if not left:
                    journal.remove()
    bad = bool(kept.open) or bool(kept.paths_off) or not kept.tally.compared
    return Ended(INTERRUPTED if stop == "interrupted" else int(bad), kept, about, stop)


@dataclass(frozen=True, slots=True)
class Began:
    """When a run began: by the calendar, and by the clock that its length is measured with."""

    at: datetime = field(default_factory=lambda: datetime.now().astimezone())
    clock: float = field(default_factory=perf_counter)


def about_run(
    asked: Asked, kept: Kept, command: str, began: Began, *, units: int, left: int = 0, messages: tuple[str, ...] = ()
) -> About:
    """What reports tell of a run that is over, or stopped with so many units left."""
    return About(
        command=command,
        settings=asked.settings,
        cases=asked.cases,
        versions=kept.versions,
        platform=environment(),
        seeds={},
        started=began.at.isoformat(timespec="seconds"),
        seconds=perf_counter() - began.clock,
        units=units,
        left=left,
        messages=messages,
    )


class _FoundError(Exception):
    """The first unexplained finding, where a run stops at it."""


class _UnderWay:
    """A run: each outcome to the watchers once it is complete, and to the reports in the order of the units."""

    def __init__(
        self,
        settings: Settings,
        work: Sequence[Unit],
        watchers: Sequence[Watcher],
        reports: Sequence[Report],
        journal: Journal,
        interrupts: Interrupts,
    ) -> None:
        self.kept = Kept()
        self._settings, self._work = settings, work
        self._watchers, self._reports, self._interrupts = watchers, reports, interrupts
        self._journal = journal
        self._waiting: dict[tuple[str, int, str, bool], Outcome] = {}  # noticed, and not yet in the reports

    def run(self, pool: Executor) -> Stop:
        """Raises CommandError where nothing more can be written, and what a watcher raises."""
        try:
            with (
                pool,
                closing(run(self._work, self._settings, pool, self._notice, self._ask, self._journal)) as outcomes,
            ):
                for outcome in outcomes:
                    self._report(self._waiting.pop(outcome.key))
        except KeyboardInterrupt:
            self._report_waiting()
            return "interrupted"
        except _FoundError:
            self._report_waiting()
            return "found"
        return ""

    def _report_waiting(self) -> None:
        place = {(unit.case.name, unit.point, unit.dtype): k for k, unit in enumerate(self._work)}
        last = len(place)
        for key in sorted(self._waiting, key=lambda key: (place.get(key[:3], last), not key[3])):
            self._report(self._waiting[key])

    def _ask(self, unit: Unit, engine: str) -> None:
        for watcher in self._watchers:
            watcher.asks(unit, engine)

    def _notice(self, outcome: Outcome) -> None:
        outcome = strictly(outcome) if self._settings.strict else outcome
        self._waiting[outcome.key] = outcome
        for watcher in self._watchers:
            watcher.finds(outcome)
        if self._settings.fail_fast and outcome.unexplained:
            raise _FoundError

    def _report(self, outcome: Outcome) -> None:
        with self._interrupts.held(), writing(Path(self._settings.out)):
            self.kept.add(outcome)
            for report in self._reports:
                report.add(outcome)


def strictly(outcome: Outcome) -> Outcome:
    """The outcome in which what a case wants and nobody could judge is a finding."""
    rows = [
        replace(row, finding=True) if row.verdict == "not judged" and row.quantity in WANTED else row
        for row in outcome.rows
    ]
    return replace(outcome, rows=tuple(rows))


def _messages(kept: Kept, left: int, stop: Stop) -> tuple[str, ...]:
    messages: list[str] = []
    if stop == "found" and not left:
        pass  # it was the last unit: the run is complete
    elif stop:
        total, were = counted(kept.tally.units + left, "unit"), "was" if left == 1 else "were"
        why = "Interrupted" if stop == "interrupted" else "Stopped at the first unexplained finding"
        messages.append(
            f"{why}: {left} of {total} {were} left; what was complete is in the reports. "
            "The same command with --resume goes on with it."
        )
    elif not kept.tally.compared:
        why = "; ".join(list(kept.reasons)[:5]) or "no engine gave a number that could be judged"
        messages.append(f"Nothing was compared: {why}.")
    return tuple(messages)


def open_reports(folder: Path, about: About) -> list[Report]:
    """Every installed report, begun in the folder. Raises CommandError where one cannot be written."""
    try:
        reports = [entry.load()(folder) for entry in entries(REPORTS).values()]
        for report in reports:
            report.begin(about)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return reports


def summary_of(pick: Selected) -> CaseSummary:
    """What a report tells about a case."""
    case = pick.case
    code = () if case.call is None else tuple(map(str, case.call.functions))
    return CaseSummary(case.name, pick.address, case.about, case.source, case.tags, len(case.points), case.graph, code)


def environment() -> Mapping[str, str]:
    """Where and on what this runs."""
    return {
        "gradaccord": installed_version("gradaccord"),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "machine": platform.machine(),
        "numpy": installed_version("numpy"),
        "python-flint": installed_version("python-flint"),
    }


def installed_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
