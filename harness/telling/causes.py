"""Findings by their cause, over cases, points and dtypes: an operation that an engine gets wrong is one entry.

The cause comes from records alone: the first link that is off and the graph of the case say which operation it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..judging import choices
from ..judging.begins import WORDS, began, only
from ..records.outcome import Asked
from ..records.paths import Summary
from ..records.rows import NOT_ENGINES, Row
from ..records.verdicts import GRAVITY, VERDICTS, Verdict
from .findings import Entry, Split, entries, split

# What a step of an engine's own may be. Whatever else is found is a property of the graph as it is written, which
# any engine may run into: there all engines share an entry.
STEP = "a step is off"
DERIVATIVES = ("gradient", "tangent", "hessian_product")
SUSPECTS = 3  # that a table names
RUN: tuple[Verdict, ...] = ("unstable", "failed", "timed out")


class Key(NamedTuple):
    """What makes two findings one: equal keys."""

    operation: str
    what: str
    kind: str
    family: str
    known: bool
    apart: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is off, wherever it shows.

    `operation`: where it begins; of a step of a path its update rule; empty where nothing names it. `what` of it is
    off: its value, its derivative, ...; empty where an engine gave no numbers. `verdicts`: gravest first. `cases`:
    those with the fewest nodes first, and `smallest` the finding in the first of them. `rows`: how many numbers are
    off. `accepted`: the reasons of ledgers; none where it is new. `chosen`: of a convention, who took which derivative
    there. `suspects`: where no link names the operation, those that occur in the cases that are off, in all of them if
    there are such, and in none that is sound.
    """

    key: Key
    verdicts: tuple[Verdict, ...]
    engines: tuple[str, ...]
    dtypes: tuple[str, ...]
    cases: tuple[str, ...]
    rows: int
    smallest: Entry | Split
    accepted: tuple[str, ...]
    chosen: str
    suspects: tuple[str, ...] = ()

    @property
    def operation(self) -> str:
        return self.key.operation

    @property
    def where(self) -> str:
        """The operation, or those that are suspected; empty where nothing is known of it."""
        some = ", ".join(self.suspects[:SUSPECTS]) + (", ..." if len(self.suspects) > SUSPECTS else "")
        return self.operation or (f"{some}?" if some else "")

    @property
    def what(self) -> str:
        return self.key.what

    @property
    def known(self) -> bool:
        return self.key.known

    @property
    def how(self) -> str:
        """The verdicts, such as `wrong, imprecise`."""
        return ", ".join(self.verdicts) + (f" ({self.chosen})" if self.chosen else "")

    @property
    def off(self) -> str:
        """What is off, such as `value: wrong, imprecise`."""
        return ": ".join(filter(None, (self.what, self.how)))


def causes(rows: Iterable[Row], asked: Asked, paths: Iterable[Summary] = ()) -> list[Cause]:
    """The causes of rows, and of the paths among `paths` that have a step that is off.

    New ones come before known ones, and those in the most cases first. Rows that are no findings are gathered too.
    """
    rows, groups = list(rows), dict[Key, list[Entry]]()
    for entry in entries(rows):
        groups.setdefault(_key(entry, asked), []).append(entry)
    for path in paths:
        if path.first is not None:
            groups.setdefault(_key_of_path(path, asked), []).append(Entry(row_of(path)))
    found = [_suspected(_cause(key, group, asked), rows, asked) for key, group in groups.items()]
    return sorted(found, key=lambda cause: (cause.known, -len(cause.cases), not cause.operation, cause.operation))


def _cause(key: Key, group: Sequence[Entry], asked: Asked) -> Cause:
    sizes = {entry.row.case: _size(entry.row.case, asked) for entry in group}
    first = min(group, key=lambda entry: (sizes[entry.row.case], -GRAVITY[entry.row.verdict])).row
    smallest: Entry | Split = Entry(first, sum(entry.rows for entry in group if _unit(entry.row) == _unit(first)))
    chosen = ""
    if first.verdict == "convention":
        place = (first.case, first.point, first.node)
        there = [entry for entry in group if (entry.row.case, entry.row.point, entry.row.node) == place]
        chosen = _chosen(there)
        if first.finding:
            smallest = split(there)
    ordered = [entry.row for entry in group]
    return Cause(
        key=key,
        verdicts=tuple(sorted({row.verdict for row in ordered}, key=lambda verdict: -GRAVITY[verdict])),
        engines=tuple(dict.fromkeys(row.engine for row in ordered)),
        dtypes=tuple(dict.fromkeys(row.dtype for row in ordered if row.dtype)),
        cases=tuple(sorted(sizes, key=lambda case: sizes[case])),
        rows=sum(entry.rows for entry in group),
        smallest=smallest,
        accepted=tuple(dict.fromkeys(row.accepted for row in ordered if row.accepted)),
        chosen=chosen,
    )


def _suspected(cause: Cause, rows: Sequence[Row], asked: Asked) -> Cause:
    """The cause with its suspects."""
    if cause.operation or cause.known or cause.key.kind not in (STEP, "not finite", "out of range"):
        return cause
    own = [row for row in rows if row.engine in cause.engines and row.quantity in DERIVATIVES]
    off = {row.case for row in own if row.finding}
    sound = {row.case for row in own if VERDICTS[row.verdict].sound} - off
    in_sound = {op for case in sound for op in _operations(case, asked)}
    of_each = [_operations(case, asked) - in_sound for case in cause.cases]
    some = {op for ops in of_each for op in ops}
    in_all = {op for op in some if all(op in ops for ops in of_each)}
    return replace(cause, suspects=tuple(sorted(in_all or some)))


def _operations(case: str, asked: Asked) -> set[str]:
    graph = asked.graphs.get(case)
    return set() if graph is None else {node.op for node in graph.operations}


def _chosen(there: Sequence[Entry]) -> str:
    """Such as `torch: the middle; jax: the right one`, or `took the middle` where all chose alike. Many kinks in one
    array are too much for a few words."""
    engines: dict[str, dict[str, None]] = {}
    for entry in there:
        if len(entry.row.choice) != 1:
            return ""
        engines.setdefault(choices.told(entry.row.choice), {})[entry.row.engine] = None
    if len(engines) == 1:
        return f"took {next(iter(engines))}"
    return "; ".join(f"{', '.join(names)}: {choice}" for choice, names in engines.items())


def _unit(row: Row) -> tuple[object, ...]:
    return row.case, row.point, row.dtype, row.engine


def _size(case: str, asked: Asked) -> float:
    graph = asked.graphs.get(case)
    return float("inf") if graph is None else len(graph.nodes)


def _key(entry: Entry, asked: Asked) -> Key:
    row, graph = entry.row, asked.graphs.get(entry.row.case)
    known, quantity = bool(row.finding and row.accepted), WORDS.get(row.quantity, row.quantity)
    if row.engine in NOT_ENGINES:
        # A mistake in the case or a doubt about its reference: each is mended by itself.
        apart = (row.case,) if row.verdict == "reference unreliable" else (row.case, row.node or row.reason)
        return Key("", quantity, row.verdict, row.engine, known, apart)
    if row.verdict in RUN:
        apart = () if row.verdict in ("unstable", "timed out") else (row.reason,)
        return Key(only(graph), quantity, row.verdict, family_of(row.engine), known, apart)
    operation, what = began(row, graph)
    apart = (row.node,) if isinstance(row.node, str) else ()
    if not row.finding:
        # What passes is told by operation alone, or by its reason where that is about the engine.
        return Key(operation, "", row.verdict, "", known, (row.reason,) if VERDICTS[row.verdict].general else apart)
    if _is_step(row.verdict, entry.own):
        return Key(operation, what or quantity, STEP, family_of(row.engine), known, apart)
    if not entry.own and row.verdict != "convention":
        what = quantity
    return Key(operation, what or quantity, row.verdict, "", known, apart)


def _is_step(verdict: Verdict, own: bool) -> bool:
    """Whether an engine's own step is off. NaN may also be born of sound steps: then no row is that of the link."""
    return verdict in ("wrong", "imprecise") or (verdict == "not finite" and own)


def _key_of_path(path: Summary, asked: Asked) -> Key:
    assert path.first is not None
    first, family = path.first, family_of(path.engine)
    if first.verdict in RUN:
        return Key(only(asked.graphs.get(path.case)), "path", first.verdict, family, False, (first.cause,))
    if first.node:
        return _key(Entry(row_of(path)), asked)
    if first.verdict in ("wrong", "imprecise"):
        return Key(path.rule, first.cause, STEP, family, False, ())
    return Key(path.rule, first.cause, first.verdict, "", False, ())


def row_of(path: Summary) -> Row:
    """The first step of a path that is off, told as any other finding."""
    first = path.first
    assert first is not None
    return Row(
        case=path.case, point=path.point, dtype=path.dtype, engine=path.engine,
        verdict=first.verdict, node=first.node, reason=str(path), finding=True,
    )  # fmt: skip


def family_of(engine: str) -> str:
    """Whose code it is: `jax` of `jax` and `jax:jit`; an engine from a file is its own."""
    return engine if ".py:" in engine else engine.partition(":")[0]
