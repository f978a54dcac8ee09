"""How far a run is, on the standard error: on a terminal a bar, elsewhere a line now and then. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from textwrap import fill
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import click

from ..records.outcome import Outcome
from ..records.tally import Tally
from ..running.schedule import cost
from ..running.unit import Unit
from ..words import counted

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 80
SECONDS_BETWEEN_LINES = 10.0


def folded(text: str) -> str:
    """A text in lines that fit; what follows the first is indented."""
    return fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


# --- how far it is ----------------------------------------------------------------------------------------


class Clock:
    """How long what is left may take, by what the same amount of work took so far.

    The first unit is no measure: a framework is loaded in it.
    """

    def __init__(self, work: Sequence[Unit]) -> None:
        self._costs = {(unit.case.name, unit.point, unit.dtype): cost(unit) for unit in work}
        self._done = 0
        self._since = self._last = 0.0  # when the first and the last unit was complete
        self._left: float | None = None  # then

    def finds(self, outcome: Outcome) -> None:
        cost = self._costs.pop(outcome.key[:3], 0) if outcome.unit else 0
        self._last = perf_counter()
        if not self._since:
            self._since = self._last
        else:
            self._done += cost
        if self._done:
            self._left = (self._last - self._since) * sum(self._costs.values()) / self._done

    @property
    def seconds(self) -> float | None:
        """None while nothing is known of it. A unit that takes longer than it should may take as long again."""
        since = perf_counter() - self._last
        return None if self._left is None else max(self._left - since, since)


def about(seconds: float) -> str:
    """A time as one says it: `about 40 s`, `about 3 min`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 95:
        return f"about {max(round(seconds, -1), 10):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


class State:
    """What is known of a run while it is under way."""

    def __init__(self, work: Sequence[Unit]) -> None:
        self.units = len(work)
        self.tally = Tally()
        self.doing = ""
        self.clock = Clock(work)

    def add(self, outcome: Outcome) -> None:
        self.tally.add(outcome)
        self.clock.finds(outcome)

    @property
    def numbers(self) -> str:
        """Such as `1,204 numbers, 2 off`."""
        off = self.tally.unexplained + self.tally.steps
        return counted(self.tally.numbers, "number") + (f", {off:,} off" if off else "")

    @property
    def left(self) -> str:
        seconds = self.clock.seconds
        return f"{about(seconds)} left" if seconds is not None and self.tally.units < self.units else ""


class Display(Protocol):
    """How far a run is, and lines that stay."""

    def say(self, text: str) -> None: ...

    def screen(self) -> Console:
        """Where what is not mere text is printed."""
        ...

    def show(self, state: State, *, complete: bool) -> None:
        """Something has changed; `complete`: a unit."""
        ...


class Lines:
    """A line when the first unit is complete, and then one now and then: a log is alive and is not flooded."""

    def __init__(self) -> None:
        self._last: float | None = None

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def screen(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def show(self, state: State, *, complete: bool) -> None:
        now = perf_counter()
        due = self._last is None or now - self._last >= SECONDS_BETWEEN_LINES
        if complete and due and state.tally.units < state.units:
            self._last = now
            far = f"{state.tally.units:,} of {counted(state.units, 'unit')}, {state.numbers}"
            self.say(folded("; ".join(filter(None, (far, state.left, state.doing)))))


class Bar:
    """Two lines that stay below all others: which case and engine, and a bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: State | None = None

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def screen(self) -> Console:
        return self._console

    def show(self, state: State, *, complete: bool) -> None:
        self._state = state

    def lines(self) -> RenderableType:
        """What is shown now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self._state
        if state is None:
            return ""
        row = Table.grid(padding=(0, 1))
        done = f"{state.tally.units:,}/{state.units:,} units"
        far = "  ".join(filter(None, (done, state.numbers, state.left)))
        row.add_row(ProgressBar(state.units, state.tally.units, width=20), Text(far, no_wrap=True, overflow="ellipsis"))
        return Group(Text(state.doing, no_wrap=True, overflow="ellipsis"), row)


@contextmanager
def bar() -> Generator[Bar, None, None]:
    """A bar on the standard error, as long as the block runs."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    shown = Bar(console)
    # Of what goes to the standard output a bar on the standard error knows nothing.
    with Live(get_renderable=shown.lines, console=console, refresh_per_second=4, transient=True, redirect_stdout=False):
        yield shown
