"""Three tables as CSV, one row per record, every digit kept: results, pairs, trajectories.

pandas reads them without a hint, which it does by parts: floats by `repr`, an empty field for a number that is not
there, `inf` and `nan` as they are; a text in every field of a column of text, an index in brackets. Rows are written
as they come.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

from ..harness.records.growing import Growing
from ..harness.records.outcome import About, Outcome
from ..harness.records.rows import NO_TEXT, Index, PairRow, Row, TrajectoryRow, columns
from ..harness.words import visible


class CsvReport:
    """`results.csv`, `pairs.csv` and `trajectories.csv`."""

    def __init__(self, folder: Path) -> None:
        self._results = _Table(folder, "results.csv", Row)
        self._pairs = _Table(folder, "pairs.csv", PairRow)
        self._trajectories = _Table(folder, "trajectories.csv", TrajectoryRow)

    def begin(self, about: About) -> None:
        pass

    def add(self, outcome: Outcome) -> None:
        self._results.add(outcome.rows)
        self._pairs.add(outcome.pairs)
        self._trajectories.add(outcome.trajectories)

    def close(self, about: About) -> None:
        for table in (self._results, self._pairs, self._trajectories):
            table.close()


class _Table:
    """Columns are the fields of the record, in their order."""

    def __init__(self, folder: Path, name: str, record: type[Any]) -> None:
        self._columns = columns(record)
        self._file = Growing(folder / name)
        self._write([[*self._columns]])

    def add(self, records: Iterable[object]) -> None:
        self._write(
            [_cell(name, dtype, getattr(record, name)) for name, dtype in self._columns.items()] for record in records
        )

    def close(self) -> None:
        self._file.close()

    def _write(self, rows: Iterable[Sequence[str]]) -> None:
        """Whole lines, in one piece."""
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.add(text.getvalue().encode())


FORMULAS = tuple("=+-@")  # a text that begins so is computed by a spreadsheet


def _cell(name: str, dtype: str, value: object) -> str:
    if dtype != "str":
        return "" if value is None else repr(value)
    if name == "index":
        return str(list(cast("Index", value)))
    text = visible(" ".join(str(value).split())) if value is not None else ""
    nothing = "" if name == "accepted" else NO_TEXT
    return f"'{text}" if text.startswith(FORMULAS) else text or nothing


write = CsvReport
