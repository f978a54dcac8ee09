"""One run from the command line: outcomes as they come into every report, and the exit status at the end.

Finds the reports through entry points of the group `gradaccord.reports`; imports none of them.
"""

from __future__ import annotations

import platform
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from time import perf_counter
from types import FrameType

from ..errors import CommandError
from ..records.outcome import About, CaseSummary, Outcome, Report
from ..records.paths import Parting, Summary
from ..records.rows import Row
from ..records.settings import Settings
from ..records.tally import Tally
from ..words import counted
from .loading import variants
from .pools import executor
from .run import run, units
from .selection import Selected, check_folder

GROUP = "gradaccord.reports"
INTERRUPTED = 130


@dataclass
class Kept:
    """What the terminal tells at the end. Of rows that agree, only their number is kept."""

    tally: Tally = field(default_factory=Tally)
    open: list[Row] = field(default_factory=list[Row])
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
            if row.engine == "ledger" and not row.finding:
                self.notices[f"{row.case}: {row.reason}"] = None
            elif row.quantity == "run":
                self.reasons[f"{row.engine}: {row.reason}"] = None
        self.paths += outcome.summaries
        self.partings += outcome.partings
        self.versions |= outcome.versions


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status and the messages that go with it."""

    status: int
    kept: Kept
    about: About


def session(
    selected: Sequence[Selected],
    settings: Settings,
    command: str,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> Ended:
    """Run, report, and say how it went.

    Exit status 0: nothing unexplained; 1: a finding that no ledger entry explains, or nothing was compared; 130:
    interrupted, the reports hold what was complete. Raises CommandError before anything is computed.
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
    pool, jobs = executor(settings, len(work))
    settings = replace(settings, jobs=jobs)
    reports = open_reports(out)
    kept = Kept()
    started, start = datetime.now().astimezone(), perf_counter()
    interrupted = False
    with _Interrupts() as interrupts:
        try:
            with pool, closing(run(work, settings, pool)) as outcomes:
                progress(work[0].case.name, 0, len(work))
                for outcome in outcomes:
                    with interrupts.held():
                        kept.add(outcome)
                        for report in reports:
                            report.add(outcome)
                    progress(outcome.case, kept.tally.units, len(work))
        except KeyboardInterrupt:
            interrupted = True
        left = len(work) - kept.tally.units
        messages = _messages(kept, left, interrupted)
        about = About(
            command=command,
            settings=settings,
            cases=tuple(map(summary_of, selected)),
            versions=kept.versions,
            platform=environment(),
            seeds={},
            started=started.isoformat(timespec="seconds"),
            seconds=perf_counter() - start,
            units=len(work),
            left=left,
            messages=messages,
        )
        with interrupts.held(quietly=True):
            for report in reports:
                report.close(about)
    bad = bool(kept.open) or bool(kept.paths_off) or not kept.tally.compared
    return Ended(INTERRUPTED if interrupted else int(bad), kept, about)


def _messages(kept: Kept, left: int, interrupted: bool) -> tuple[str, ...]:
    messages: list[str] = []
    if interrupted:
        total, were = counted(kept.tally.units + left, "unit"), "was" if left == 1 else "were"
        messages.append(f"Interrupted: {left} of {total} {were} left; what was complete is in the reports.")
    elif not kept.tally.compared:
        why = "; ".join(list(kept.reasons)[:5]) or "no engine gave a number that could be judged"
        messages.append(f"Nothing was compared: {why}.")
    return tuple(messages)


def open_reports(folder: Path) -> list[Report]:
    """Every installed report, begun in the folder. Raises CommandError where one cannot be written."""
    try:
        return [entry.load()(folder) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)]
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error.strerror or error}") from None


def summary_of(pick: Selected) -> CaseSummary:
    """What a report tells about a case."""
    case = pick.case
    return CaseSummary(case.name, pick.address, case.about, case.source, case.tags, len(case.points), case.graph)


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


class _Interrupts:
    """Ctrl-C, held back while a report is written, so that no line of it is cut in the middle."""

    def __init__(self) -> None:
        self._held = False
        self._pending = False

    def __enter__(self) -> _Interrupts:
        self._before = signal.signal(signal.SIGINT, self._on)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._pending = True

    @contextmanager
    def held(self, *, quietly: bool = False) -> Generator[None, None, None]:
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending and not quietly:
            self._pending = False
            raise KeyboardInterrupt
