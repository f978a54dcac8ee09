"""Files of cases, without the loader: where the shipped ones are and their names, and what may be one at all."""

from __future__ import annotations

import re
from difflib import get_close_matches
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


WORD = re.compile(r"""(?:^|[{,])[\s"'-]*([A-Za-z]+)["']?\s*:""", re.MULTILINE)  # in the place of a key


def may_be_a_case(path: Path) -> bool:
    """Whether a YAML file has a key like `inputs` or `graph`, misspelt perhaps, or cannot be read: one of another kind,
    which lies beside cases by chance, has none."""
    try:
        words: list[str] = WORD.findall(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return True
    return any(get_close_matches(word, ("inputs", "graph"), cutoff=0.7) for word in words)
