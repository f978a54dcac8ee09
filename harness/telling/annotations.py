"""New findings as annotations of GitHub Actions, which shows them beside the line of the case that they are about.

The form is that of its workflow commands: `::error file=...,line=...,title=...::message`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import click

from ..records.outcome import Asked, Outcome
from ..records.rows import Row
from ..running.session import Watcher
from ..running.unit import Unit
from .causes import row_of
from .findings import Entry, entries, told

PLACE = re.compile(r":(\d+):\d+$")  # line and column


class Annotations(Watcher):
    """Prints an annotation for each new finding as it comes."""

    def begins(self, asked: Asked, work: Sequence[Unit], done: int = 0) -> None:
        self._asked = asked

    def asks(self, unit: Unit, engine: str) -> None:
        pass

    def finds(self, outcome: Outcome) -> None:
        for entry in entries(row for row in outcome.rows if row.unexplained):
            self._print(entry)
        for path in outcome.summaries:
            if path.first is not None:
                self._print(Entry(row_of(path)))

    def _print(self, entry: Entry) -> None:
        account = told(entry, self._asked)
        title = ": ".join(filter(None, (account.who or account.where, account.row.verdict)))
        message = "\n".join(filter(None, (account.what, *account.reasons, f"repeat: {account.again}")))
        file = Path(self._asked.addresses.get(entry.row.case, ""))
        place = f"file={_property(file.as_posix())},line={_line(file, entry.row)}," if file.is_file() else ""
        click.echo(f"::error {place}title={_property(title)}::{_message(message)}")


def _line(file: Path, row: Row) -> int:
    """Where in a case file the node or expected number stands that a finding is about, from 1; else its first line."""
    if isinstance(row.node, str) and (place := PLACE.search(row.node)):
        return int(place[1])
    node = row.node if isinstance(row.node, str) else row.node.use.consumer if row.node.use else row.node.name
    names = [name.partition(".")[0] for name in (node, row.name) if name]
    for name in names:
        for number, line in enumerate(_lines(file), 1):
            if re.search(rf"(?:^\s+|[{{,]\s*){re.escape(name)}\s*:", line):
                return number
    return 1


@lru_cache(maxsize=64)
def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
