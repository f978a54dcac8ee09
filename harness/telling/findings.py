"""Rows gathered into what a reader wants to see: one entry for each bad link, with all that it spoils.

The terminal, the pytest plugin and the reports share it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..graph.language.printing import readable_names, text_of
from ..records.outcome import Asked
from ..records.rows import NOT_ENGINES, Row, component
from ..words import counted

T = TypeVar("T")

QUANTITIES = ("gradient", "tangent", "hessian_product", "value", "adjoint", "term", "expectation", "run")


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows of one engine with one and the same cause. `row` stands for them, `affected` says what they are."""

    row: Row
    affected: str
    rows: int


def entries(rows: Iterable[Row]) -> list[Entry]:
    """The rows by what caused them, in order of appearance; a gradient stands for the others where there is one."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = (row.case, row.point, row.dtype, row.engine, row.verdict, row.node, row.reason, row.accepted)
        groups.setdefault(key, []).append(row)
    return [
        Entry(min(group, key=lambda row: QUANTITIES.index(row.quantity)), affected(group), len(group))
        for group in groups.values()
    ]


@dataclass(frozen=True, slots=True)
class Silence:
    """An engine that gave no numbers in several cases, each time for the same reason."""

    row: Row
    units: int
    cases: int


def silences(rows: Iterable[Row]) -> tuple[list[Silence], list[Row]]:
    """What kept an engine from answering in more than one case, once each; and all other rows."""
    rows = list(rows)
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.quantity == "run":
            groups.setdefault((row.engine, row.verdict, row.reason, row.accepted), []).append(row)
    many = {key: group for key, group in groups.items() if len({row.case for row in group}) > 1}
    rest = [
        row for row in rows
        if row.quantity != "run" or (row.engine, row.verdict, row.reason, row.accepted) not in many
    ]  # fmt: skip
    return [Silence(group[0], len(group), len({row.case for row in group})) for group in many.values()], rest


@dataclass(frozen=True, slots=True)
class Split:
    """Engines that chose differently at one kink: who chose what, in words."""

    row: Row
    affected: str
    choices: Mapping[str, str]


def splits(findings: Iterable[Entry]) -> tuple[list[Split], list[Entry]]:
    """Conventions in which engines differ, one for each link of a case at a point; and all other entries."""
    groups: dict[tuple[object, ...], list[Entry]] = {}
    rest: list[Entry] = []
    for entry in findings:
        row = entry.row
        if row.verdict == "convention" and row.finding:
            groups.setdefault((row.case, row.point, row.node), []).append(entry)
        else:
            rest.append(entry)
    made: list[Split] = []
    for group in groups.values():
        said: dict[str, dict[str, dict[str, None]]] = {}
        for entry in group:
            said.setdefault(entry.row.reason, {}).setdefault(entry.row.engine, {})[entry.row.dtype] = None
        choices = {reason: _listed(engines) for reason, engines in said.items() if not _told_by_more(reason, said)}
        made.append(Split(group[0].row, group[0].affected, choices))
    return made, rest


def at_point(case: str, point: int) -> str:
    """A case, and which of its points it is about if that is not the first."""
    return f"{case} point {point}" if point else case


def _told_by_more(reason: str, said: Mapping[str, Mapping[str, Mapping[str, None]]]) -> bool:
    """Whether the same engines say this and more elsewhere, a term's choice in its gradient's row."""
    return any(
        len(more) > len(reason) and more.startswith(reason) and engines.keys() >= said[reason].keys()
        for more, engines in said.items()
    )


def _listed(engines: Mapping[str, Mapping[str, None]]) -> str:
    """Such as `torch, jax (float64, float32)`."""
    by_dtypes: dict[str, list[str]] = {}
    for engine, dtypes in engines.items():
        by_dtypes.setdefault(", ".join(dtypes), []).append(engine)
    return "; ".join(f"{', '.join(names)} ({dtypes})" for dtypes, names in by_dtypes.items())


def affected(rows: Iterable[Row], limit: int = 6) -> str:
    """Such as `gradient of a, b; value of f`; what is beyond the limit is counted."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        names.setdefault(row.quantity, {})[f"{row.name} in {row.use}" if row.use is not None else row.name] = None
    parts: list[str] = []
    for quantity in QUANTITIES:
        if quantity in names:
            shown, more = list(names[quantity])[:limit], len(names[quantity]) - limit
            text = f"{quantity} of {', '.join(shown)}" if any(shown) else quantity
            parts.append(text + (f" and {more} more" if more > 0 else ""))
    return "; ".join(parts)


def engines_first(by_engine: Mapping[str, T]) -> dict[str, T]:
    """What is told by engine: first of the engines, and at the end of the truth and of ledgers."""
    return dict(sorted(by_engine.items(), key=lambda item: item[0] in NOT_ENGINES))


def again(asked: Asked, case: str, engine: str = "", dtype: str = "") -> str:
    """A command that shows the same again, of one engine in one dtype or as this run was."""
    return asked.settings.again(asked.addresses.get(case, case), engine, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is to say of a finding, whoever lays it out.

    `who` is an engine and a dtype, empty where engines differ; `affected` is all that is off for the same reason and
    empty where an engine is silent, `what` the first of it with its component and `also` the others; `link` is the
    first link that is off; `reasons` are sentences; `row` has the numbers, if there are any; `nodes` says what inner
    nodes are that were mentioned; `again` is a command that shows the same.
    """

    row: Row
    where: str
    again: str
    who: str = ""
    affected: str = ""
    what: str = ""
    also: str = ""
    link: str = ""
    reasons: tuple[str, ...] = ()
    nodes: str = ""


def told(finding: Entry | Split | Silence, asked: Asked) -> Told:
    """A finding as all there is to say of it."""
    row = finding.row
    reasons = (row.reason,) if row.reason else ()
    repeat = again(asked, row.case, *((row.engine, row.dtype) if not isinstance(finding, Split) else ()))
    if isinstance(finding, Silence):
        where = f"in {counted(finding.cases, 'case')}, {counted(finding.units, 'unit')}"
        return Told(row=row, where=where, who=row.engine, reasons=reasons, again=repeat)
    who = " ".join(filter(None, (row.engine, row.dtype)))
    what, _, also = finding.affected.partition("; ")
    what, cited = what + component(row.index), (finding.affected, str(row.node), row.reason)
    if isinstance(finding, Split):
        who, what, cited = "", finding.affected.partition("; ")[0], (finding.affected, str(row.node))
        reasons = tuple(f"{engines}: {reason}" for reason, engines in finding.choices.items())
    return Told(
        row=row,
        where=at_point(row.case, row.point),
        who=who,
        affected=finding.affected,
        what=what,
        also=also,
        link=str(row.node),
        reasons=reasons,
        nodes=inner(asked, row.case, *cited),
        again=repeat,
    )


def numbers(row: Row) -> str:
    """The engine's number beside the truth; empty where the row is not about a number."""
    if row.engine_value is None or row.reference is None:
        return ""
    text = f"engine {row.engine_value!r}, truth {row.reference!r}, error {row.error:.3g}"
    if row.digits is not None:
        text += f", {counted(float(f'{row.digits:.3g}'), 'digit')} agree"
    return text + (f", score {row.score:.3g}" if row.score is not None else "")


INNER = re.compile(r"[^\W\d]\w*(?:\.\d+)+")


def inner(asked: Asked, case: str, *texts: str) -> str:
    """What the inner nodes are that texts mention, such as "`f.1` is `a * b`"; the graph's own text nests them."""
    graph = asked.graphs.get(case)
    if graph is None:
        return ""
    names = dict.fromkeys(name for text in texts for name in INNER.findall(text) if name in graph.by_name)
    written: list[str] = []
    for name in names:
        part = graph.pruned([name])
        written.append(f"`{name}` is `{text_of(part)[readable_names(part)[name]]}`")
    return ", ".join(written)
