"""Two runs of the same cases beside one another: what an upgrade changed. Reads the folders that runs have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..errors import CommandError
from ..records.rows import NO_TEXT
from ..records.verdicts import GRAVITY, VERDICTS, Verdict
from ..words import counted

ERODED, CLOSE = 2.0, 0.25  # a score so many times as high, and so near its bound
SHOWN = 40  # groups in a terminal


class Key(NamedTuple):
    """What names a number in any run."""

    case: str
    point: str
    dtype: str
    engine: str
    quantity: str
    name: str
    use: str


@dataclass(frozen=True, slots=True)
class Number:
    """What one run says of a number: its verdict, whether that is a finding and a known one, and its score."""

    verdict: str
    finding: bool
    known: bool
    score: float | None
    reason: str


Kind: TypeAlias = Literal[
    "newly off", "known no more", "no longer off", "known now", "another verdict", "nearer its bound"
]
KINDS: Mapping[Kind, str] = {
    "newly off": "a finding of the second run that the first one does not have",
    "known no more": "a finding in both runs, which a ledger entry explained in the first one only",
    "no longer off": "a finding of the first run that passes in the second",
    "known now": "a finding in both runs, which a ledger entry explains in the second one only",
    "another verdict": "a finding in both runs or in neither, with different verdicts",
    "nearer its bound": f"sound in both runs, with a score at least {ERODED:g} times as high, above {CLOSE:g}",
}
FAILS: tuple[Kind, ...] = ("newly off", "known no more")


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its folder has it."""

    folder: Path
    versions: Mapping[str, str]
    numbers: Mapping[Key, Number]
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed alike of one engine in one case: the gravest of its numbers, and how many they are."""

    kind: Kind
    engine: str
    case: str
    dtypes: tuple[str, ...]
    what: str
    count: int
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All that changed from run `a` to run `b`: `versions` of engines and platform by name; what is in one alone."""

    a: Run
    b: Run
    changes: tuple[Change, ...]
    versions: Mapping[str, tuple[str, str]]
    both: int
    only_a: int
    only_b: int

    @property
    def off(self) -> bool:
        """Whether anything is newly off and unexplained: exit status 1."""
        return any(change.kind in FAILS for change in self.changes)

    def of(self, kind: Kind) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind == kind)


def changes(a: Path, b: Path) -> Changes:
    """What changed between two run folders. Raises CommandError for a folder that is none, or runs of other numbers."""
    first, second = _run(a), _run(b)
    both = [key for key in second.numbers if key in first.numbers]
    if not both:
        raise CommandError(
            f"{a} and {b} have no number in common: a run is compared with one of the same cases and engines"
        )
    groups: dict[tuple[Kind, str, str], list[Key]] = {}
    for key in second.numbers:
        kind = _kind(first.numbers.get(key), second.numbers[key])
        if kind is not None:
            groups.setdefault((kind, key.engine, key.case), []).append(key)
    order = list(KINDS)
    found = [_change(*named, keys, first, second) for named, keys in groups.items()]
    found.sort(key=lambda change: (order.index(change.kind), change.engine, -change.count, change.case))
    names = dict.fromkeys([*first.versions, *second.versions])
    pairs = {name: (first.versions.get(name, ""), second.versions.get(name, "")) for name in names}
    return Changes(
        first, second, tuple(found), {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        len(both), len(first.numbers) - len(both), len(second.numbers) - len(both),
    )  # fmt: skip


def _kind(before: Number | None, after: Number) -> Kind | None:
    """How a number changed; of one that the first run does not have, only that it is off."""
    if before is None:
        return "newly off" if after.finding and not after.known else None
    if before.finding != after.finding:
        newly: Kind = "another verdict" if after.known else "newly off"
        return newly if after.finding else "no longer off"
    if after.finding and before.known != after.known:
        return "known now" if after.known else "known no more"
    if before.verdict != after.verdict:
        return "another verdict"
    if before.score is None or after.score is None or after.finding:
        return None
    return "nearer its bound" if after.score > max(ERODED * before.score, CLOSE) else None


def _change(kind: Kind, engine: str, case: str, keys: Sequence[Key], first: Run, second: Run) -> Change:
    def gravity(key: Key) -> tuple[float, float]:
        after = second.numbers[key]
        return GRAVITY.get(_verdict(after.verdict), 0), after.score or 0.0

    worst = max(keys, key=gravity)
    before, after = first.numbers.get(worst), second.numbers[worst]
    named = f"{worst.name} in {worst.use}" if worst.use else worst.name
    return Change(
        kind=kind, engine=engine, case=case, count=len(keys), reason=after.reason,
        dtypes=tuple(dict.fromkeys(key.dtype for key in keys if key.dtype)),
        what=" of ".join(filter(None, [worst.quantity, named])),
        before=_told(before, kind), after=_told(after, kind),
    )  # fmt: skip


def _told(number: Number | None, kind: Kind) -> str:
    if number is None:
        return ""
    if kind == "nearer its bound" and number.score is not None:
        return f"score {number.score:.2g}"
    return number.verdict + (" (known)" if number.known and number.finding else "")


# --- reading -----------------------------------------------------------------------------------------------------


def _run(folder: Path) -> Run:
    table, facts = folder / "results.csv", folder / "run.json"
    if not table.is_file() or not facts.is_file():
        raise CommandError(f"{folder} is no folder of a run: expected results.csv and run.json in it")
    try:
        said: Any = json.loads(facts.read_text(encoding="utf-8"))
        versions = {**said["platform"], **said["versions"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{facts} can't be read ({error}): expected what `gradaccord run` writes") from None
    try:
        numbers = dict(_numbers(table)) | _paths(folder / "trajectories.csv")
    except (ValueError, KeyError, csv.Error) as error:
        raise CommandError(f"{table} can't be read ({error}): expected what `gradaccord run` writes") from None
    return Run(folder, versions, numbers, bool(said.get("finished", True)))


def _numbers(table: Path) -> Iterator[tuple[Key, Number]]:
    for row in _rows(table):
        score = float(row["score"]) if row["score"] else None
        key = Key(*(row[name] for name in Key._fields))
        yield key, Number(row["verdict"], row["finding"] == "True", bool(row["accepted"]), score, row["reason"])


def _paths(table: Path) -> dict[Key, Number]:
    """Of each path its first step that is off, or that none is."""
    found: dict[Key, Number] = {}
    for row in _rows(table) if table.is_file() else ():
        key = Key(row["case"], row["point"], row["dtype"], row["engine"], "path", "", "")
        known, finding = bool(row["accepted"]), row["finding"] == "True"
        if key not in found or (finding and not found[key].finding):
            reason = f"step {row['step']}: {row['cause']}" if finding else ""
            found[key] = Number(row["verdict"] if finding else "agree", finding, known, None, reason)
    return found


def _rows(table: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(2**31 - 1)  # a reason may be a long traceback
    with table.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield {name: "" if text == NO_TEXT else text for name, text in row.items()}


# --- telling -----------------------------------------------------------------------------------------------------


def in_terminal(found: Changes, screen: Console) -> None:
    """A table for each kind of change, and a line that says it all."""
    for line in _notes(found):
        screen.print(Text(line))
    for kind, means in KINDS.items():
        some = found.of(kind)
        if not some:
            continue
        screen.print(Text.assemble(("\n" + kind, "bold"), f": {means}\n"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for head in ("engine", "case", "what", "before", "after"):
            table.add_column(head, overflow="fold")
        for change in some[:SHOWN]:
            after = Text(change.after, VERDICTS[_verdict(change.after)].style if kind != "nearer its bound" else "")
            table.add_row(
                escape(change.engine), escape(change.case), escape(_what(change)), change.before or "·", after
            )
        screen.print(table)
        if len(some) > SHOWN:
            screen.print(f"and {len(some) - SHOWN:,} more; `--markdown` has them all")
    screen.print(Text("\n" + _last(found)))


def in_markdown(found: Changes) -> str:
    """The same as a page."""
    parts = [f"# {_last(found)}", "\n".join(f"- {line}" for line in _notes(found))]
    for kind, means in KINDS.items():
        some = found.of(kind)
        if some:
            lines = [f"## {kind.capitalize()}", "", f"{means[0].upper()}{means[1:]}.", ""]
            lines += ["| engine | case | what | before | after |", "| --- | --- | --- | --- | --- |"]
            for change in some:
                cells = (f"`{change.engine}`", f"`{change.case}`", _what(change), change.before, change.after)
                lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
            parts.append("\n".join(lines))
    return "\n\n".join(filter(None, parts))


def _notes(found: Changes) -> Iterable[str]:
    yield from (f"{name}: {a or 'not there'}, then {b or 'not there'}" for name, (a, b) in found.versions.items())
    for run in (found.a, found.b):
        if not run.finished:
            yield f"{run.folder} is not finished: what it lacks is not compared"
    for run, count in ((found.a, found.only_a), (found.b, found.only_b)):
        if count:
            yield f"{counted(count, 'number')} only in {run.folder}"


def _what(change: Change) -> str:
    more = f" and {change.count - 1:,} more" if change.count > 1 else ""
    return f"{change.what}{more}" + (f" ({', '.join(change.dtypes)})" if change.dtypes else "")


def _verdict(told: str) -> Verdict:
    return cast("Verdict", told.removesuffix(" (known)"))


def _last(found: Changes) -> str:
    counts = [f"{counted(len(found.of(kind)), 'change')} {kind}" for kind in KINDS if found.of(kind)]
    return f"{counted(found.both, 'number')} in both runs: " + (", ".join(counts) if counts else "no verdict changed")
