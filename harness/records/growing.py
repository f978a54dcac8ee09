"""A file that grows by whole pieces under its own name: whatever ends a run, what stands there can be read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class Growing:
    """Each piece reaches the file before `add` returns, in one call of the system; `kept` bytes are there already."""

    def __init__(self, path: Path, kept: int = 0) -> None:
        self._file = path.open("r+b" if kept else "wb", buffering=0)
        self._file.truncate(kept)
        self._file.seek(kept)

    def add(self, piece: bytes) -> int:
        """Where the piece begins. Raises OSError where it does not fit; the file is then what it was before."""
        start, left = self._file.tell(), memoryview(piece)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            with suppress(OSError):
                self._file.truncate(start)
                self._file.seek(start)
            raise
        return start

    def close(self) -> None:
        self._file.close()
