"""Where the shipped cases are, and their names, read off without the loader: for commands and for shell completion."""

from __future__ import annotations

import re
from pathlib import Path


def shipped() -> Path:
    """The folder of the cases that come with gradaccord."""
    return Path(__file__).resolve().parent.parent.parent / "cases"


def shipped_names() -> dict[str, Path]:
    """The file of each shipped case by the case's name."""
    paths: dict[str, Path] = {}
    for path in sorted(shipped().rglob("*.yaml")):
        name = re.search(r"^name:[ ]*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if name is not None:
            paths[name[1]] = path
    return paths
