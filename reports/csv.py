"""Three tables as CSV, one row per record, every digit kept: results, pairs, trajectories.

pandas reads them without a hint: floats by `repr`, an empty field for what is not there, `inf` and `nan`
as they are, an index in brackets (so that it stays text). Rows are written as they come.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from ..harness.records.outcome import About, Outcome
from ..harness.records.rows import Index, PairRow, Row, TrajectoryRow
from .whole import Whole


class CsvReport:
    """`results.csv`, `pairs.csv` and `trajectories.csv`."""

    def __init__(self, folder: Path) -> None:
        self._results = _Table(folder, "results.csv", Row)
        self._pairs = _Table(folder, "pairs.csv", PairRow)
        self._trajectories = _Table(folder, "trajectories.csv", TrajectoryRow)

    def add(self, outcome: Outcome) -> None:
        self._results.add(outcome.rows)
        self._pairs.add(outcome.pairs)
        self._trajectories.add(outcome.trajectories)

    def close(self, about: About) -> None:
        for table in (self._results, self._pairs, self._trajectories):
            table.file.close()


class _Table:
    """Columns are the fields of the record, in their order."""

    def __init__(self, folder: Path, name: str, record: type[Any]) -> None:
        self.columns = [field.name for field in fields(record) if field.metadata.get("column", True)]
        self.file = Whole(folder, name)
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(self.columns)
        self.file.flush()

    def add(self, records: Iterable[object]) -> None:
        self.writer.writerows([_cell(name, getattr(record, name)) for name in self.columns] for record in records)
        self.file.flush()


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name == "index":
        return str(list(cast("Index", value))) if value else ""
    return repr(value) if isinstance(value, float) else " ".join(str(value).split())


write = CsvReport
