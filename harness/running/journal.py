"""What a run has found so far, for a run that goes on with it: the outcome of each unit, as it came.

`run.journal` stands beside the reports while a run is not finished, and beside it, of units with long paths, what has
been judged of these so far.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..errors import CommandError
from ..records.growing import Growing
from ..records.outcome import Outcome
from ..records.settings import Settings
from .folder import writing
from .loading import is_file, split
from .offered import installed
from .pieces import DAMAGES, Records
from .unit import Unit

JOURNAL, PATHS = "run.journal", "run.paths"
FORMAT = 3
Digest: TypeAlias = bytes


class Journal:
    """The outcomes of the units of a run that are complete, by their places in its work, as they came."""

    def __init__(self, folder: Path, settings: Settings, work: Sequence[Unit], *, resume: bool) -> None:
        """With `resume` those of the run that stopped there. Raises CommandError where it cannot go on."""
        self._folder, self._path, self._work = folder, folder / JOURNAL, work
        self.done: dict[int, int] = {}  # where each stands in the file
        head = {"format": FORMAT, "asked": _asked(settings)}
        if resume and not self._path.is_file() and _finished(folder):
            raise CommandError(f"the run in {folder} is finished: without --resume a new one begins")
        with writing(folder):
            kept = self._read(head) if resume and self._path.is_file() else 0
            self._file = Growing(self._path, kept)
            if not kept:
                self._file.add(pickle.dumps(head))
                shutil.rmtree(folder / PATHS, ignore_errors=True)

    def _read(self, head: Mapping[str, Any]) -> int:
        """Find the outcomes; how many bytes of the file are whole."""
        places = {digest(unit): place for place, unit in enumerate(self._work)}
        kept = 0
        with self._path.open("rb") as stream:
            try:
                _check(Records(stream).load(), head, self._folder)
                while True:
                    kept = stream.tell()
                    unit, outcome = Records(stream).load(), stream.tell()
                    Records(stream).load()
                    if unit in places:
                        self.done[places[unit]] = outcome
            except DAMAGES:
                return kept

    def outcome(self, place: int) -> Outcome:
        """What came of a unit that is done."""
        with self._path.open("rb") as stream:
            stream.seek(self.done[place])
            return Records(stream).load()

    def add(self, place: int, outcome: Outcome) -> None:
        """Raises CommandError where it does not fit; what is there stays."""
        unit = digest(self._work[place])
        with writing(self._folder):
            self._file.add(pickle.dumps(unit) + pickle.dumps(outcome))
        portions_of(unit, self._folder).unlink(missing_ok=True)

    def close(self) -> None:
        """What is there stays, for a run that goes on with it."""
        self._file.close()

    def remove(self) -> None:
        """The run is finished."""
        self._file.close()
        self._path.unlink()
        shutil.rmtree(self._folder / PATHS, ignore_errors=True)


def portions_of(unit: Digest, folder: Path) -> Path:
    """Where what has been judged of a unit's paths is kept, in the folder of a run."""
    return folder / PATHS / unit.hex()[:32]


def _finished(folder: Path) -> bool:
    try:
        told: Any = json.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and cast("dict[str, Any]", told).get("finished") is True


def _asked(settings: Settings) -> dict[str, object]:
    """What outcomes depend on, beside their unit."""
    return {
        "gradaccord": _version("gradaccord"),
        **{f"engine {name}": _running(name) for name in settings.engines},
        "timeout": settings.timeout,
        "allow_code": settings.allow_code,
    }


def _running(engine: str) -> str:
    if is_file(engine):
        return hashlib.sha256(split(engine)[0].read_bytes()).hexdigest()[:12]
    entry = installed()[engine]
    package = entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]
    base = engine.partition(":")[0]
    return f"{package} {_version(package)}" + (f", {base} {_version(base)}" if base != package else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _check(found: object, head: Mapping[str, Any], folder: Path) -> None:
    told = cast("dict[str, Any]", found if isinstance(found, dict) else {})
    if told.get("format") != FORMAT:
        raise CommandError(f"{folder / JOURNAL} is not of this version: without --resume a new run begins")
    before, now = cast("Mapping[str, object]", told["asked"]), cast("Mapping[str, object]", head["asked"])
    for key in {**before, **now}:
        was, is_now = (repr(asked[key]) if key in asked else "not asked" for asked in (before, now))
        if was != is_now:
            raise CommandError(
                f"the run in {folder} cannot go on: {key} was {was} and is {is_now}. Repeat its command with --resume, "
                "or begin a new run without it."
            )


def digest(unit: Unit) -> Digest:
    """What tells a unit from all others, its numbers and its code included: what has changed since is done anew."""
    case = unit.case
    told = hashlib.sha256(case.path.read_bytes())
    told.update(repr((unit.point, unit.dtype, unit.expectations)).encode())
    for name, value in case.points[unit.point].inputs.items():
        told.update(name.encode() + value.array.tobytes())
    for name, table in case.data.tables.items() if case.data is not None else ():
        told.update(name.encode() + table.array.tobytes())
    for function in case.call.functions if case.call is not None else ():
        told.update(function.file.read_bytes())
    return told.digest()
