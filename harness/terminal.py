"""What a run looks like in a terminal: progress, the table of verdicts, the findings. Fits 80 columns.

Imports rich and the rows; loaded by commands that print, never by `--help`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .findings import LEGEND, Entry, entries, numbers, repeat, title
from .session import Ended

STYLES = {"agree": "green", "lossy": "cyan", "convention": "cyan", "undefined": "dim", "unsupported": "dim",
          "not judged": "dim"}  # fmt: skip
SHOWN = 20  # findings; the report has them all
PATHS_SHOWN = 6


def console() -> Console:
    return Console(highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A function to tell what was done last and how much of all is done; a bar, where there is a terminal."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield lambda label, done, total: None
        return
    columns = (TextColumn("{task.description:24.24}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda label, done, total: bar.update(task, description=label, completed=done, total=total)


def verdicts(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Engine by verdict: how many numbers."""
    present = [verdict for verdict in LEGEND if any(found.get(verdict) for found in counts.values())]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("engine", overflow="fold")
    for verdict in present:
        table.add_column(verdict, justify="right", style=STYLES.get(verdict, "red"), overflow="fold")
    for engine, found in counts.items():
        table.add_row(escape(engine), *(str(found.get(verdict) or "·") for verdict in present))
    return table


def finding(screen: Console, entry: Entry, address: str) -> None:
    """What is off, the numbers, and a command that shows it again."""
    row = entry.row
    point = f" point {row.point}" if row.point else ""
    head = Text.assemble(
        (row.case, "bold"), f"{point}  {title(entry)}  {row.engine} {row.dtype}  ", (row.verdict, STYLES.get(row.verdict, "bold red"))
    )
    screen.print(head)
    details = [row.reason, numbers(row) if row.quantity != "expectation" else "", f"{row.node}" if row.quantity == "expectation" else ""]
    rest = entry.affected.partition("; ")[2]
    details.append(f"also off: {rest}" if rest else "")
    for line in details:
        if line:
            screen.print(Padding(Text(line), (0, 0, 0, 2)))
    screen.print(Text(f"  repeat: {repeat(address, row.engine, row.dtype)}"), soft_wrap=True)


def ended(screen: Console, end: Ended, report: str) -> None:
    """The end of a run: table, findings, and one line that says it all."""
    tally, about = end.tally, end.about
    addresses = {case.name: case.address for case in about.cases}
    screen.print(verdicts(tally.counts))
    found = entries(tally.open)
    for entry in found[:SHOWN]:
        screen.print()
        finding(screen, entry, addresses.get(entry.row.case, entry.row.case))
    if len(found) > SHOWN:
        screen.print(f"\nand {len(found) - SHOWN} more in {report}")
    if tally.paths:
        screen.print()
        shown = tally.paths if len(tally.paths) <= PATHS_SHOWN else [p for p in tally.paths if "first off" in p][:PATHS_SHOWN]
        for path in shown:
            screen.print(Padding(Text(path), (0, 0, 0, 0)))
        if len(tally.paths) > PATHS_SHOWN:
            off = f"{tally.paths_off} with a step that is off" if tally.paths_off else "every step is sound"
            screen.print(f"{len(tally.paths)} trajectories: {off}")
    screen.print()
    for message in about.messages:
        screen.print(Text(message, "bold"))
    numbers_judged = sum(sum(counts.values()) for counts in tally.counts.values())
    total = len(found) + tally.paths_off
    outcome = f"{total} disagreement{'s' * (total != 1)} without an explanation" if total else "no unexplained disagreement"
    known = f", {tally.accepted} known" if tally.accepted else ""
    screen.print(
        Text(f"{len(about.cases)} case{'s' * (len(about.cases) != 1)}, {numbers_judged:,} numbers, {about.seconds:.1f} s: {outcome}{known}")
    )
    screen.print(Text(f"Report: {report}"))
