"""A file that is always whole. Imports nothing of the project."""

from __future__ import annotations

import os
from pathlib import Path


def put(path: Path, text: str) -> None:
    """Put the text in the place of what was there, at once: whoever reads sees the one or the other."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
