"""What a command means by its words: which case files, which dtypes, where the results go.

Every mistake is a CommandError or CaseErrors, before anything is computed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CommandError
from ..reading.case import Case, find, load_all, shipped
from ..records.evaluation import DTYPES
from ..words import nearest


@dataclass(frozen=True, slots=True)
class Selected:
    """A case and what a command names it by: a path, or the name of a shipped case."""

    case: Case
    address: str


def select(words: Sequence[str]) -> list[Selected]:
    """The cases that are meant: files, folders, names of shipped cases or of their folders; all shipped ones for none.

    Raises CaseErrors with everything that is wrong with any of them.
    """
    paths = find([_path(word) for word in words] or [shipped()])
    return [Selected(case, address(case.name, case.path)) for case in load_all(paths)]


def _path(word: str) -> Path:
    path = Path(word)
    if path.exists() or path.suffix or os.sep in word:
        return path
    if (shipped() / word).exists():
        return shipped() / word
    names = _names()
    if word in names:
        return names[word]
    hint = " ".join(filter(None, [nearest(word, names), "`gradaccord list` shows the shipped cases."]))
    raise CommandError(f"no file, folder or shipped case `{word}`. {hint}")


def _names() -> dict[str, Path]:
    """The shipped cases by name, read off without loading them."""
    paths: dict[str, Path] = {}
    for path in sorted(shipped().rglob("*.yaml")):
        name = re.search(r"^name:[ ]*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if name is not None:
            paths[name[1]] = path
    return paths


def address(name: str, path: Path) -> str:
    """A path below the working folder as it is typed; a shipped case by its name; any other path in full."""
    full = path.resolve()
    here = Path.cwd().resolve()
    if full.is_relative_to(here):
        return full.relative_to(here).as_posix()
    return name if full.is_relative_to(shipped()) else str(path)


def check_dtypes(names: Iterable[str]) -> tuple[str, ...]:
    """The dtypes, each once. Raises CommandError for one that is none."""
    names = tuple(dict.fromkeys(names))
    for name in names:
        if name not in DTYPES:
            hint = " ".join(filter(None, [nearest(name, DTYPES), f"Known: {', '.join(DTYPES)}."]))
            raise CommandError(f"unknown dtype `{name}`. {hint}")
    return names


def check_folder(folder: Path) -> None:
    """Make the folder of a run. Raises CommandError where that, or writing in it, is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".gradaccord.partial"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(f"cannot write to {folder}: {reason}. `--out DIR` chooses another folder.") from None
