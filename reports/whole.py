"""A file that appears whole or not at all. Imports nothing of the project.

It grows under the name `NAME.partial`, so that even a run that is killed leaves what it had found.
"""

from __future__ import annotations

import os
from pathlib import Path


class Whole:
    """Text written in pieces; `close` puts the file in its place at once."""

    def __init__(self, folder: Path, name: str) -> None:
        self.target = folder / name
        self._partial = folder / f"{name}.partial"
        self._file = self._partial.open("w", encoding="utf-8", newline="")

    def write(self, text: str) -> int:
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        os.replace(self._partial, self.target)
