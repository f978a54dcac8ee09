"""What there is, as tables for a terminal: cases, engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from ..errors import LoadingError
from ..reading.case import Case
from ..records.evaluation import Unsupported
from ..running.coverage import Coverage, coverage
from ..running.loading import loaded, version
from ..running.selection import select
from ..running.workers import Beside, StoppedError
from ..words import counted


def cases_table(cases: Iterable[Case]) -> Table:
    """Cases with their tags, operations and points."""
    table = _table("case", "tags")
    for column in ("ops", "points"):
        table.add_column(column, justify="right")
    for case in cases:
        operations = f"{len(case.graph.operations):,}"
        table.add_row(escape(case.name), escape(", ".join(case.tags)), operations, str(len(case.points)))
    return table


def engines_table(names: Iterable[str]) -> Table:
    """Engines, whether each can run here, and what it runs on."""
    table = _table("engine", "status", "runs on")
    host = Beside()
    try:
        for name in names:
            try:
                found = host.call(name, _standing)
            except StoppedError as stopped:
                found = str(stopped), ""
            table.add_row(escape(name), *map(escape, found))
    finally:
        host.close()
    return table


def _standing(name: str) -> tuple[str, str]:
    """Whether an engine can run, and what on."""
    try:
        loaded(name)
    except (Unsupported, LoadingError) as reason:
        return str(reason), ""
    return "ready", version(name)


def coverage_of(engine: str, words: Sequence[str]) -> list[Table | str]:
    """Of the cases that are meant, how many an engine prepares, and what it lacks, what costs most cases first."""
    host = Beside()
    try:
        found = coverage(engine, [entry.case for entry in select(words)], host)
    finally:
        host.close()
    line = f"{engine} prepares {found.prepared} of {counted(found.cases, 'case')}"
    return [*([_coverage(found)] if found.lacking else []), escape(line)]


def _coverage(found: Coverage) -> Table:
    table = _table("lacking")
    for column in ("cases", "alone"):
        table.add_column(column, justify="right")
    for one in found.lacking:
        table.add_row(escape(one.operation or one.reason), str(one.cases), str(one.alone))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
