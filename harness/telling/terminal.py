"""What a run looks like in a terminal once it is over: the table of verdicts, the findings. Fits 80 columns.

Loaded by commands that print, never by `--help`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent, wrap

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..records.paths import Parting, Summary, together
from ..records.rows import NOT_ENGINES, Row
from ..records.verdicts import VERDICTS, Verdict
from ..running.offered import variants
from ..running.session import Ended
from ..words import counted
from .causes import Cause, causes
from .findings import Told, at_point, engines_first, partings_by_unit, told

SHOWN = 20  # causes; the report has them all
PATHS_SHOWN = 6
WIDEST = (32, 22, 20)  # columns of what is off, of 80


def console(*, stderr: bool = False) -> Console:
    return Console(highlight=False, stderr=stderr)


def verdicts(counts: Mapping[str, Mapping[Verdict, int]]) -> Iterator[Table]:
    """How many numbers of each engine got which verdict: in 80 columns a row for each verdict, and below it a row for
    each variant, of which there may be many."""
    apart = {engine: tally for engine, tally in counts.items() if engine in variants()}
    engines = {engine: tally for engine, tally in engines_first(counts).items() if engine not in apart}
    if engines:
        table = _table(*engines)
        for verdict in _occurring(engines):
            table.add_row(verdict, *_numbers(engines.values(), verdict), style=VERDICTS[verdict].style)
        yield table
    if apart:
        heads = _occurring(apart)
        table = _table(*heads)
        for column, verdict in zip(table.columns[1:], heads, strict=True):
            column.style = VERDICTS[verdict].style
        for engine, count in apart.items():
            table.add_row(escape(engine), *(number for verdict in heads for number in _numbers([count], verdict)))
        yield table


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("")
    for head in heads:
        table.add_column(escape(head), justify="right", overflow="fold")
    return table


def _occurring(counts: Mapping[str, Mapping[Verdict, int]]) -> list[Verdict]:
    return [verdict for verdict in VERDICTS if any(tally.get(verdict) for tally in counts.values())]


def _numbers(counts: Iterable[Mapping[Verdict, int]], verdict: Verdict) -> Iterator[str]:
    return (f"{tally[verdict]:,}" if tally.get(verdict) else "·" for tally in counts)


def finding(screen: Console, account: Told, cases: int = 1) -> None:
    """What is off, why, in how many cases, and a command that shows it again."""
    headline(screen, account)
    place = account.link if account.row.engine in NOT_ENGINES else ""
    also = f"also off: {account.also:,} more" if account.also else ""
    size = f"in {counted(cases, 'case')}, of which this is the smallest" if cases > 1 else ""
    _paragraphs(screen, *account.reasons, "; ".join(filter(None, (also, size))), place, account.nodes)
    screen.print(Text(f"  repeat: {account.again}"), soft_wrap=True)  # in one piece, to be copied


def headline(screen: Console, account: Told) -> None:
    """What is off, in a line."""
    head = "  ".join(filter(None, (account.where, account.what, account.who)))
    screen.print(Text.assemble((head, "bold"), "  ", (account.row.verdict, _style(account.row))))


def _style(row: Row) -> str:
    style = VERDICTS[row.verdict].style
    return f"bold {style}" if style == "red" else style


def _paragraphs(screen: Console, *texts: str) -> None:
    width = max(screen.width - 2, 20)
    for line in (line for text in texts for line in text.splitlines()):
        margin = line[: len(line) - len(line.lstrip())]
        lines = wrap(line, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
        screen.print(Text(indent("\n".join(lines), "  ")), soft_wrap=True)


def causes_of(end: Ended) -> list[Cause]:
    """What is off in a run, by its causes."""
    return causes([*end.kept.open, *end.kept.known], end.about, end.kept.paths)


def ended(screen: Console, end: Ended, report: str) -> None:
    """The end of a run: how many numbers got which verdict, what is new, paths, and at last what is off in which
    operation of which engine, with one line that says it all."""
    kept, about = end.kept, end.about
    for k, table in enumerate(verdicts(kept.tally.verdicts)):
        if k:
            screen.print()
        screen.print(table)
    found = causes_of(end)
    new = [cause for cause in found if not cause.known]
    for cause in new[:SHOWN]:
        screen.print()
        finding(screen, told(cause.smallest, about), len(cause.cases))
    if any(path.first is None for path in kept.paths):
        screen.print()
        _paths(screen, kept.paths)
        _partings(screen, kept.partings)
    screen.print()
    _paragraphs(screen, *kept.notices)
    for message in about.messages:
        screen.print(Text(message, "bold"))
    if found:
        screen.print("What is off, by engine and operation; all else that was judged is sound:\n")
        screen.print(overview(found, screen.width))
        screen.print()
    screen.print(Text(last_line(end, found)))
    screen.print(Text(f"Report: {report}; report.html beside it is for a browser"), soft_wrap=True)


def overview(found: Sequence[Cause], width: int) -> Table:
    """What is off, by engine and operation: all that is new as far as it fits, and all that is known."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    widest = [column * max(width, 80) // 80 for column in WIDEST]
    for head in ("operation", "what is off", "smallest case"):
        table.add_column(head)
    new = [cause for cause in found if not cause.known]
    groups: dict[tuple[str, bool], list[Cause]] = {}
    for cause in [*new[:SHOWN], *(cause for cause in found if cause.known)]:
        groups.setdefault((_engines(cause), cause.known), []).append(cause)
    for (engines, known), group in groups.items():
        table.add_row(f"[bold]{escape(engines)}[/bold], {'known' if known else 'new'}:")
        for where, off, cases in _in_one(group):
            more = f" +{len(cases) - 1:,}" if len(cases) > 1 else ""
            folded = [
                "\n".join(wrap(cell, most)) for cell, most in zip((where, off, cases[0] + more), widest, strict=True)
            ]
            style = "dim" if known else VERDICTS[group[0].verdicts[0]].style
            table.add_row(escape(indent(folded[0], "  ")), *map(escape, folded[1:]), style=style)
    if len(new) > SHOWN:
        table.add_row(f"  and {len(new) - SHOWN:,} more that are new")
    return table


def _engines(cause: Cause) -> str:
    return ", ".join(Path(engine).name if ".py" in engine else engine for engine in cause.engines)


def _in_one(group: Iterable[Cause]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Where, what and in which cases: of the same engines, causes that differ in what of the operation is off alone are
    told together."""
    together: dict[tuple[str, str], list[Cause]] = {}
    for cause in group:
        together.setdefault((cause.where or "·", cause.how), []).append(cause)
    for (where, how), causes_ in together.items():
        what = ", ".join(dict.fromkeys(cause.what for cause in causes_ if cause.what))
        cases = tuple(dict.fromkeys(case for cause in causes_ for case in cause.cases))
        yield where, ": ".join(filter(None, (what, how))), cases


def _paths(screen: Console, paths: Sequence[Summary]) -> None:
    """Paths whose steps are sound, where there are few; what is off is told as a finding."""
    if len(paths) > PATHS_SHOWN:
        screen.print(Text("\n".join(wrap(together(paths), max(screen.width, 20)))))
    else:
        for path in paths:
            if path.first is None:
                _paragraphs(screen, f"{at_point(path.case, path.point)} {path.dtype} {path}")


def _partings(screen: Console, partings: Sequence[Parting]) -> None:
    """Of each unit the first pair of engines that part; before all others those that rounding does not explain."""
    units = partings_by_unit(partings)
    for (case, point, dtype), (first, *others) in [*units.items()][:PATHS_SHOWN]:
        more = f"; so do {counted(len(others), 'more pair')} of engines" if others else ""
        _paragraphs(screen, f"{at_point(case, point)} {dtype} {first}{more}")
    if len(units) > PATHS_SHOWN:
        screen.print(f"paths part in {counted(len(units) - PATHS_SHOWN, 'more unit')}: see the report")


def last_line(end: Ended, found: Sequence[Cause]) -> str:
    """How many numbers, how long it took, and whether anything is off; `found` are the causes of the end."""
    known = sum(cause.known for cause in found)
    new = len(found) - known
    tally, about = end.kept.tally, end.about
    if new:
        outcome = f"{counted(new, 'disagreement')} without an explanation"
    else:
        outcome = "no unexplained disagreement" if tally.compared else "nothing compared"
    explained = f", {known:,} known" if known else ""
    size = f"{counted(len(about.cases), 'case')}, {counted(tally.numbers, 'number')}"
    return f"{size}, {about.seconds:.1f} s: {outcome}{explained}"
