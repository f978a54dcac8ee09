"""What a failing test of a case says."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from ..records.outcome import Asked
from ..records.paths import Summary
from ..records.rows import Row
from ..running.unit import Unit
from .causes import causes
from .findings import again, numbers, told


def failure(asked: Asked, unit: Unit, engine: str, rows: Sequence[Row], paths: Sequence[Summary]) -> str:
    """All that is off on one engine in a unit, each cause once, and a command that shows it again."""
    lines = list[str]()
    for cause in causes(rows, asked):
        account = told(cause.smallest, asked)
        lines.append(": ".join(filter(None, (account.what, account.row.verdict))))
        shown = (
            account.link and f"first link that is off: {account.link}",
            *account.reasons,
            numbers(account.row),
            account.also and f"also off: {account.also:,} more",
            account.nodes,
        )
        lines += [indent(text, "  ") for text in shown if text]
    lines += map(str, paths)
    # A choice at a kink is off beside the choices of the other engines alone.
    alone = not any(row.verdict == "convention" for row in rows)
    lines.append(f"repeat: {again(asked, unit.case.name, *((engine, unit.dtype) if alone else ()))}")
    return "\n".join(lines)
