"""What of a run is kept on disk until it is finished: pickles of plain records, and what was judged of paths.

Of a pickle plain records alone are made, so a folder that comes from elsewhere runs no code.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..graph.node import Use
from ..records.growing import Growing
from ..records.outcome import Outcome
from ..records.paths import Growth, Parting, Plane, Summary
from ..records.rows import LinkName, PairRow, Row, TrajectoryRow

RECORDS = {
    (record.__module__, record.__qualname__): record
    for record in (Outcome, Row, PairRow, TrajectoryRow, Summary, Parting, Growth, Plane, LinkName, Use)
}
# What reading a pickle raises that is cut, or is none.
DAMAGES = (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError, MemoryError)


class Records(pickle.Unpickler):
    """Makes records, and what records hold, of a pickle, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        record = RECORDS.get((module, name))
        if record is None:
            raise pickle.UnpicklingError(f"{module}.{name} is no record")
        return record


class Portions:
    """Of one unit the rows of its paths by what they were made from, each portion in the file before the next is begun.

    A disk that is full costs what is kept, and no outcome.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Growing | None = None
        self._known: dict[bytes, int] = {}
        self._whole = 0
        if path.is_file():
            with path.open("rb") as stream, suppress(*DAMAGES):
                while True:
                    self._whole = stream.tell()
                    key, place = Records(stream).load(), stream.tell()
                    Records(stream).load()
                    self._known[key] = place

    def rows(self, key: bytes) -> Sequence[TrajectoryRow] | None:
        if key not in self._known:
            return None
        with self._path.open("rb") as stream:
            stream.seek(self._known[key])
            return Records(stream).load()

    def add(self, key: bytes, rows: Sequence[TrajectoryRow]) -> None:
        with suppress(OSError):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = Growing(self._path, self._whole)
            self._file.add(pickle.dumps(key) + pickle.dumps([*rows]))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
