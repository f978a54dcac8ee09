"""What is told of a run while it is under way, and at its end, as a command wants it.

What comes while it runs goes to the standard error: what will be run, how far it is, each new cause of a finding once.
The standard output has the account at the end, or JSON.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

import click

from ..records.outcome import Asked, Outcome
from ..records.tally import Tally
from ..records.verdicts import VERDICTS, Verdict
from ..running.offered import variants
from ..running.session import Ended, Watcher
from ..running.unit import Unit
from ..words import counted
from .annotations import Annotations
from .causes import Key, causes
from .findings import at_point, told
from .progress import Display, Lines, State, bar, folded
from .stream import Stream


class Progress(Watcher):
    """Tells of a run on a display: what it will do, how far it is, each new cause of a finding once, and with
    `verbose` a line for each case."""

    def __init__(self, display: Display, *, verbose: bool = False) -> None:
        self._display = display
        self._verbose = verbose
        self._causes: set[Key] = set()
        self._cases: dict[str, tuple[Tally, float]] = {}

    def begins(self, asked: Asked, work: Sequence[Unit], done: int = 0) -> None:
        self._asked = asked
        self._state = State(work)
        self._left = Counter(unit.case.name for unit in work)
        size = f"{counted(len(asked.cases), 'case')}, {counted(len(work), 'unit')}"
        engines = _listed(asked.settings.engines)
        there = f"; {counted(done, 'unit')} of an earlier run {'is' if done == 1 else 'are'} complete" if done else ""
        self._display.say(folded(f"{size}, on {engines}{there}"))
        self._state.doing = f"loading {engines}"
        self._display.show(self._state, complete=False)

    def asks(self, unit: Unit, engine: str) -> None:
        self._state.doing = f"{at_point(unit.case.name, unit.point)} {unit.dtype} {engine}"
        self._display.show(self._state, complete=False)

    def finds(self, outcome: Outcome) -> None:
        self._state.add(outcome)
        if self._asked.settings.jobs > 1 or self._asked.settings.cluster:
            engines = _listed(self._asked.settings.engines)
            self._state.doing = f"done: {at_point(outcome.case, outcome.point)} {outcome.dtype}, {engines}"
        self._tell_causes(outcome)
        if self._verbose:
            self._tell_case(outcome)
        self._display.show(self._state, complete=outcome.unit)

    def _tell_causes(self, outcome: Outcome) -> None:
        """Each cause once, in a line; the end of the run tells all of it."""
        rows = [row for row in outcome.rows if row.unexplained]
        for cause in causes(rows, self._asked, outcome.summaries):
            if cause.key not in self._causes:
                self._causes.add(cause.key)
                from .terminal import headline

                headline(self._display.screen(), told(cause.smallest, self._asked))

    def _tell_case(self, outcome: Outcome) -> None:
        tally, seconds = self._cases.pop(outcome.case, (Tally(), 0.0))
        tally.add(outcome)
        self._cases[outcome.case] = tally, seconds + outcome.seconds
        self._left[outcome.case] -= outcome.unit
        if outcome.unit and not self._left[outcome.case]:
            self._display.say(folded(case_line(outcome.case, *self._cases.pop(outcome.case))))


def case_line(case: str, tally: Tally, seconds: float) -> str:
    """Such as `nested-nodes: 2 units, 39 numbers, 0.2 s: 39 agree`."""
    verdicts = Counter[Verdict]()
    for counts in tally.verdicts.values():
        verdicts.update(counts)
    many = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in VERDICTS if verdicts[verdict])
    known = f" ({tally.accepted:,} known)" if tally.accepted else ""
    size = f"{counted(tally.units, 'unit')}, {counted(tally.numbers, 'number')}"
    return f"{case}: {size}, {seconds:.1f} s: {many}{known}"


def _listed(engines: Sequence[str]) -> str:
    """Engines by name; more than one variant is counted, for there may be many."""
    extra = [engine for engine in engines if engine in variants()]
    names = list(engines)
    if len(extra) > 1 and len(extra) < len(engines):
        names = [engine for engine in engines if engine not in extra] + [counted(len(extra), "variant")]
    return ", ".join(names)


# --- how a command wants it -------------------------------------------------------------------------------


@contextmanager
def watching(
    *, quiet: bool, verbose: bool, form: str
) -> Generator[tuple[list[Watcher], Callable[[Ended, str], None]], None, None]:
    """Who hears of a run, as a command wants it, and how its end is told: a function of it and the report's path.

    `form`: `text`; `json`, with which the standard output has JSON alone, and what it else has goes to the standard
    error; `github`, annotations. `quiet`: nothing but the last line, and what went wrong.
    """
    stream, as_json = Stream(), form == "json"

    def tell(end: Ended, report: str) -> None:
        if as_json:
            stream.ends(end, report)
        from .terminal import causes_of, console, ended, last_line

        if not quiet:
            ended(console(stderr=as_json), end, report)
            return
        for message in end.about.messages:
            click.echo(message, err=True)
        if not as_json:
            click.echo(last_line(end, causes_of(end)))

    hearing: Mapping[str, Watcher] = {"json": stream, "github": Annotations()}
    watchers: list[Watcher] = [hearing[form]] if form in hearing else []
    if quiet:
        yield watchers, tell
        return
    moves = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    both = as_json and sys.stdout.isatty()  # JSON and a bar would overwrite each other
    with bar() if moves and not both else nullcontext(Lines()) as display:
        yield [Progress(display, verbose=verbose), *watchers], tell
