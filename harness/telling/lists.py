"""What there is, as tables for a terminal: cases, engines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from ..errors import LoadingError
from ..reading.case import Case
from ..records.evaluation import Unsupported
from ..running.loading import loaded, version


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
    for name in names:
        try:
            loaded(name)
            status = "ready"
        except (Unsupported, LoadingError) as reason:
            status = str(reason)
        table.add_row(escape(name), escape(status), escape(version(name)))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
