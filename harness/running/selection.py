"""What a command means by its words: which case files, which dtypes, where the results go.

Every mistake is a CommandError or CaseErrors, before anything is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CommandError
from ..reading.case import Case, CaseError, CaseErrors, find, load_all
from ..reading.ledger_file import with_ledger
from ..reading.names import shipped, shipped_names
from ..records.evaluation import DTYPES
from ..words import counted, nearest


@dataclass(frozen=True, slots=True)
class Selected:
    """A case and what a command names it by: a path, or the name of a shipped case."""

    case: Case
    address: str


def select(words: Sequence[str], tags: Sequence[str] = ()) -> list[Selected]:
    """The cases that are meant: files, folders, names of shipped cases or of their folders; all shipped ones for none.
    With tags, of these the cases that have at least one of the tags.

    Raises CaseErrors with everything that is wrong with any of them, and CommandError for a tag that none has.
    """
    paths = find([_path(word) for word in words] or [shipped()])
    cases = load_all(paths)
    _check_tags(tags, cases)
    return [Selected(case, address(case.name, case.path)) for case in cases if not tags or {*tags} & {*case.tags}]


def explained(selected: Sequence[Selected], ledgers: Sequence[str]) -> list[Selected]:
    """The cases with what files of known disagreements say of them. Raises CaseErrors with all that is wrong there."""
    cases = [pick.case for pick in selected]
    for path in ledgers:
        cases = with_ledger(cases, Path(path))
    return [Selected(case, pick.address) for case, pick in zip(cases, selected, strict=True)]


def refuse_code(selected: Sequence[Selected], remedy: str) -> None:
    """Raises CaseErrors for cases that would run people's own code; the remedy allows it."""
    errors: list[CaseError] = []
    for case in (entry.case for entry in selected):
        if case.call is not None:
            named = " and ".join(f"{function.file.name}:{function.name}" for function in case.call.functions)
            found = f"`call` runs the code of {named}"
            expected = "a case without `call`, unless code is allowed"
            errors.append(CaseError(case.path, case.call.line, case.call.column, found, expected, remedy))
    if errors:
        raise CaseErrors(errors)


def graph_is_data(case: Case) -> Case:
    """The case, if its computation stands in the file. Raises CommandError where that is code."""
    if case.call is None:
        return case
    raise CommandError(
        f"the computation of {case.name} is code ({', '.join(map(str, case.call.functions))}), which has no graph "
        "until it runs. `gradaccord trace` writes a function as a case."
    )


def _check_tags(tags: Sequence[str], cases: Sequence[Case]) -> None:
    known = sorted({tag for case in cases for tag in case.tags})
    for tag in tags:
        if tag not in known:
            told = f"Known: {', '.join(known)}." if known else "They have no tags: a case gets them by `tags: [NAME]`."
            hint = " ".join(filter(None, [nearest(tag, known), told]))
            raise CommandError(f"none of {counted(len(cases), 'case')} has the tag `{tag}`. {hint}")


def _path(word: str) -> Path:
    path = Path(word)
    if path.exists() or path.suffix or os.sep in word:
        return path
    if (shipped() / word).exists():
        return shipped() / word
    names = shipped_names()
    if word in names:
        return names[word]
    hint = " ".join(filter(None, [nearest(word, names), "`gradaccord list` shows the shipped cases."]))
    raise CommandError(f"no file, folder or shipped case `{word}`. {hint}")


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
