"""The front door to `gradaccord run` from Python: the same cases, engines and verdicts, as an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ..errors import CommandError
from ..records.outcome import Asked, Outcome
from ..records.rows import Row, shown
from ..records.settings import Settings
from ..records.tally import Tally
from ..running.loading import checked
from ..running.offered import installed
from ..running.pools import executor
from ..running.run import run as outcomes_of
from ..running.run import units
from ..running.selection import check_dtypes, refuse_code, select
from ..running.session import strictly, summary_of
from ..telling.causes import causes
from ..telling.findings import told
from ..telling.terminal import finding, overview, verdicts
from ..words import counted
from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ran(Shown):
    """What a run found: `outcomes`, one for each case, point and dtype."""

    asked: Asked
    outcomes: tuple[Outcome, ...]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for outcome in self.outcomes for row in outcome.rows)

    @cached_property
    def findings(self) -> tuple[Row, ...]:
        """The rows that are off and that no ledger entry explains."""
        return tuple(row for row in self.rows if row.unexplained)

    @property
    def sound(self) -> bool:
        """Whether something was compared, and nothing is unexplained: exit status 0 of the command."""
        return self._tally.compared and not any(outcome.unexplained for outcome in self.outcomes)

    @cached_property
    def _tally(self) -> Tally:
        tally = Tally()
        for outcome in self.outcomes:
            tally.add(outcome)
        return tally

    def frame(self) -> pd.DataFrame:
        """The rows as a table, with the columns of `results.csv`."""
        import pandas as pd

        return pd.DataFrame([shown(row) for row in self.rows])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tally = self._tally
        size = f"{counted(len(self.asked.cases), 'case')}, {counted(tally.numbers, 'number')}"
        found = f"{counted(tally.unexplained, 'number')} off" if tally.unexplained else "no unexplained disagreement"
        yield Text(f"{size}: {found if tally.compared else 'nothing was compared'}", style="bold")
        yield from verdicts(tally.verdicts)
        paths = [summary for outcome in self.outcomes for summary in outcome.summaries]
        with console.capture() as captured:
            for cause in causes(self.findings, self.asked, paths):
                finding(console, told(cause.smallest, self.asked), len(cause.cases))
        yield Text.from_ansi(captured.get())
        known = causes([row for row in self.rows if row.finding and row.accepted], self.asked)
        if known:
            yield Text("What is known to be off:\n")
            yield overview(known, console.width)


def run(
    *cases: str | Path,
    engines: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    tags: Sequence[str] = (),
    jobs: int = 1,
    timeout: float | None = None,
    strict: bool = False,
    allow_code: bool = False,
) -> Ran:
    """Run cases on engines and judge every number, as the command does.

    A case is a file, a folder, the name of a shipped case, or the text of a case file, which has a line break; all
    shipped cases for none. `engines` and `dtypes`: all, and those of each case, for none. `jobs` units at once, each in
    a process of its own; 1 is this process. `timeout`: seconds an engine may take for a unit. `strict`: a wanted
    derivative that is `not judged` is a finding. `allow_code`: the functions that cases name by `call` are run.

    Raises CommandError or CaseErrors for what is wrong, before anything is computed.
    """
    names = checked(engines) or tuple(installed())
    settings = Settings(
        names, jobs, timeout, dtypes=check_dtypes(dtypes), named=names != tuple(installed()), strict=strict,
        allow_code=allow_code,
    )  # fmt: skip
    with TemporaryDirectory(prefix="gradaccord-") as folder:
        words = [_file(case, Path(folder), k) for k, case in enumerate(cases)]
        selected = select(words, tags)
        if not allow_code:
            refuse_code(selected, "allow_code=True runs it")
        work = units([pick.case for pick in selected], settings.dtypes)
        if not work:
            raise CommandError(f"none of {counted(len(selected), 'case')} has a dtype of: {', '.join(dtypes)}")
        pool, _ = executor(settings, len(work))
        with pool:
            outcomes = tuple(outcomes_of(work, settings, pool))
    asked = Asked(settings=settings, cases=tuple(map(summary_of, selected)))
    return Ran(asked, tuple(map(strictly, outcomes)) if strict else outcomes)


def _file(case: str | Path, folder: Path, count: int) -> str:
    """What the command would name a case by; a text becomes a file."""
    if isinstance(case, Path) or "\n" not in case:
        return str(case)
    path = folder / f"text-{count}.yaml"
    path.write_text(case, encoding="utf-8")
    return str(path)
