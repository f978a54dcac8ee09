"""Findings of one unit: one entry for each link that is off, and all there is to say of it.

The terminal, the pytest plugin and the reports share it; `causes.py` gathers entries over cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..graph.language.printing import readable_names, text_of
from ..records.outcome import Asked
from ..records.paths import Parting
from ..records.rows import NOT_ENGINES, Row, component
from ..words import counted

T = TypeVar("T")

QUANTITIES = ("gradient", "tangent", "hessian_product", "value", "adjoint", "term", "update", "expectation", "run")


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows of one engine in one unit that name the same link. `row` stands for them; `own`: one of them is that
    link's own, so that it is the step that is off, and not only what came of it."""

    row: Row
    rows: int = 1
    own: bool = False


def entries(rows: Iterable[Row]) -> list[Entry]:
    """The rows by the link that they name, in order of appearance. A gradient stands for the others where one is off by
    anything: it may have inherited its verdict and be right by luck."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = (row.case, row.point, row.dtype, row.engine, row.verdict, row.node or row.reason, row.accepted)
        groups.setdefault(key, []).append(row)
    return [
        Entry(
            min(group, key=lambda row: (row.error == 0, QUANTITIES.index(row.quantity))),
            len(group),
            any(map(_own, group)),
        )
        for group in groups.values()
    ]


def _own(row: Row) -> bool:
    return not isinstance(row.node, str) and row.node[:3] == (row.quantity, row.name, row.use)


@dataclass(frozen=True, slots=True)
class Split:
    """Engines at one kink: what was chosen, in words, and by whom."""

    row: Row
    choices: Mapping[str, str]


def split(same: Sequence[Entry]) -> Split:
    """The choices of engines at one link of a case at a point."""
    said: dict[str, dict[str, dict[str, None]]] = {}
    for entry in same:
        said.setdefault(entry.row.reason, {}).setdefault(entry.row.engine, {})[entry.row.dtype] = None
    return Split(same[0].row, {reason: _listed(engines) for reason, engines in said.items()})


def at_point(case: str, point: int) -> str:
    """A case, and which of its points it is about if that is not the first."""
    return f"{case} point {point}" if point else case


def partings_by_unit(partings: Iterable[Parting]) -> dict[tuple[str, int, str], list[Parting]]:
    """The pairs of engines that part, of each case, point and dtype; before all others those that rounding does not
    explain, and early ones before late ones."""
    units: dict[tuple[str, int, str], list[Parting]] = {}
    for parting in sorted(partings, key=lambda parting: (not parting.unexplained, parting.step)):
        units.setdefault((parting.case, parting.point, parting.dtype), []).append(parting)
    return units


def _listed(engines: Mapping[str, Mapping[str, None]]) -> str:
    """Such as `torch, jax (float64, float32)`."""
    by_dtypes: dict[str, list[str]] = {}
    for engine, dtypes in engines.items():
        by_dtypes.setdefault(", ".join(dtypes), []).append(engine)
    return "; ".join(f"{', '.join(names)} ({dtypes})" for dtypes, names in by_dtypes.items())


def engines_first(by_engine: Mapping[str, T]) -> dict[str, T]:
    """What is told by engine: first of the engines, and at the end of the truth and of ledgers."""
    return dict(sorted(by_engine.items(), key=lambda item: item[0] in NOT_ENGINES))


def again(asked: Asked, case: str, engine: str = "", dtype: str = "") -> str:
    """A command that shows the same again, of one engine in one dtype or as this run was."""
    return asked.settings.again(asked.addresses.get(case, case), engine, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is to say of a finding, whoever lays it out.

    `who` is an engine and a dtype, empty where engines differ; `what` is the number that stands for it, with its
    component, empty where an engine is silent, and `also` how many others are off with it; `link` is the first link
    that is off; `reasons` are sentences; `row` has the numbers, if there are any; `nodes` says what inner nodes are
    that were mentioned; `again` is a command that shows the same.
    """

    row: Row
    where: str
    again: str
    who: str = ""
    what: str = ""
    also: int = 0
    link: str = ""
    reasons: tuple[str, ...] = ()
    nodes: str = ""


def told(finding: Entry | Split, asked: Asked) -> Told:
    """A finding as all there is to say of it."""
    row, link = finding.row, str(finding.row.node)
    named = f"{row.name} in {row.use}" if row.use is not None else row.name
    what = "" if row.quantity == "run" else f"{row.quantity} of {named}" if named else row.quantity
    where = at_point(row.case, row.point)
    if isinstance(finding, Split):
        reasons = tuple(f"{engines}: {reason}" for reason, engines in finding.choices.items())
        nodes = inner(asked, row.case, named, link)
        return Told(
            row=row, where=where, what=what, link=link, reasons=reasons, nodes=nodes, again=again(asked, row.case)
        )
    return Told(
        row=row,
        where=where,
        who=" ".join(filter(None, (row.engine, row.dtype))),
        what=what + component(row.index),
        also=finding.rows - 1,
        link=link,
        reasons=tuple(filter(None, (row.place, row.reason))),
        nodes=inner(asked, row.case, named, link, row.reason),
        again=again(asked, row.case, row.engine, row.dtype),
    )


def numbers(row: Row) -> str:
    """The engine's number beside the truth; empty where the row is not about a number."""
    if row.engine_value is None or row.reference is None:
        return ""
    text = f"engine {row.engine_value!r}, truth {row.reference!r}, error {row.error:.3g}"
    if row.digits is not None:
        text += f", {counted(float(f'{row.digits:.3g}') + 0.0, 'digit')} agree"
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
