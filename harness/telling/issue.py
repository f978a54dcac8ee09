"""What an engine gets wrong, as an upstream project wants it: a script to be pasted, with the engine's number, the
certified one and the link that is off, of a case or of the guilty operation alone, as small as it still fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from ..errors import CommandError
from ..graph.build import Builder
from ..graph.node import Constant, Node
from ..reading.case import Case, Point
from ..reading.inputs import Input
from ..records.evaluation import Array, Evaluation
from ..records.outcome import Asked
from ..records.rows import LinkName, Row
from ..records.settings import Settings
from ..running.answers import answer
from ..running.selection import Selected
from ..running.session import installed_version, summary_of
from ..running.unit import Unit, outcome
from ..running.workers import Beside
from .findings import entries, numbers, told
from .script import script

DIGITS = (1, 2, 3, 5, 8)  # significant ones that inputs are shortened to, as long as it still fails


def explained(case: Case, engine: str, point: int, dtype: str) -> str:
    """The script of a case that says besides what is off, if anything is."""
    plain = script(case, engine, point, dtype)  # raises for what cannot be written
    rows = _off(case, engine, point, dtype)
    return script(case, engine, point, dtype, _said(case, engine, dtype, rows)) if rows else plain


def issue(case: Case, engine: str, point: int, dtype: str) -> str:
    """The script of the operation where it begins, alone: at the engine's own numbers, of one element where that still
    fails, with as few digits as it still fails.

    Raises CommandError where nothing is off, or where it does not fail alone.
    """
    script(case, engine, point, dtype)
    rows = _off(case, engine, point, dtype)
    if not rows:
        where = f"{case.name}, point {point}, {dtype}"
        raise CommandError(f"nothing is off on {engine} in {where}: there is no issue to write")
    reply = answer(engine, case.graph, dtype, case.inputs(point, dtype), case.cotangent(dtype)).evaluation
    for row in rows:
        if isinstance(row.node, LinkName) and reply.status == "ok":
            whole = _alone(case, row, reply)
            if whole is not None and (failing := _off(whole, engine, 0, dtype)):
                small = _smaller(whole, failing[0], engine, dtype)
                return script(small, engine, 0, dtype, _said(small, engine, dtype, _off(small, engine, 0, dtype)))
    raise CommandError(f"what is off on {engine} in {case.name} does not fail alone: leave out `--issue`")


def _off(case: Case, engine: str, point: int, dtype: str) -> list[Row]:
    """The rows of the engine that are findings, explained or not, those of a link before all others."""
    host = Beside()
    try:
        found = outcome(Unit(case, point, dtype, expectations=False), [engine], host)
    finally:
        host.close()
    rows = [row for row in found.rows if row.engine == engine and row.finding]
    return sorted(rows, key=lambda row: not isinstance(row.node, LinkName))


def _said(case: Case, engine: str, dtype: str, rows: list[Row]) -> list[str]:
    asked = Asked(settings=Settings((engine,)), cases=(summary_of(Selected(case, case.name)),))
    lines = [f"held by gradaccord {installed_version('gradaccord')} against certified ball arithmetic:"]
    for entry in entries(rows)[:3]:
        account = told(entry, asked)
        shown = numbers(account.row)
        lines.append(f"{account.what or engine}: {account.row.verdict}" + (f"; {shown}" if shown else ""))
        lines += [f"first link that is off: {account.link}"] if account.link else []
        lines += [f"  {reason}" for reason in account.reasons]
    return lines if rows else []


def _alone(case: Case, row: Row, reply: Evaluation) -> Case | None:
    """The operation of a link as a case of its own, at what the engine fed into it; None where that is not known."""
    link = row.node
    assert isinstance(link, LinkName)
    name = link.use.consumer if link.use is not None else link.name
    node = case.graph.by_name.get(name)
    if node is None or node.op == "input" or link.second:
        return None
    arrays = {arg: reply.values.get(arg) for arg in node.args if isinstance(arg, str)}
    adjoint = (reply.adjoints or {}).get(name)
    if any(array is None for array in arrays.values()):
        return None
    return _case(case, node, {arg: array for arg, array in arrays.items() if array is not None}, adjoint)


def _case(case: Case, node: Node, arrays: Mapping[str, Array], adjoint: Array | None) -> Case | None:
    """One step `y = op(...)` whose inputs bear the names of the operands that they stand for."""
    builder, inputs = Builder(case.graph.definitions), dict[str, Input]()
    names: dict[str, str] = {}
    for arg, array in arrays.items():
        source = case.graph[arg]
        names[arg] = f"x{len(names)}" if len(arrays) > 1 else "x"
        floats = source.kind == "float"
        builder.input(names[arg], array.shape, source.kind, constant=False)
        inputs[names[arg]] = Input(array.astype(np.float64) if floats else array, source.kind, binary=True)
    args = [arg if isinstance(arg, Constant) else names[arg] for arg in node.args]
    builder.apply(node.op, args, dict(node.params), "y")
    graph = builder.graph(["y"])
    if graph.output.kind != "float" or not graph.wanted:
        return None
    shape = graph.output.shape
    weights = adjoint if adjoint is not None and adjoint.shape == shape else np.ones(shape)
    return replace(
        case, name=f"{node.op}-alone", about="", source="", tags=(), graph=graph, points=(Point(inputs, ()),),
        dtypes=(), update=None, accept=(), weights=Input(weights.astype(np.float64), binary=True), derivatives=(),
    )  # fmt: skip


def _smaller(case: Case, row: Row, engine: str, dtype: str) -> Case:
    """The case with one element where its step works by elements, and with fewer digits, as long as the engine still
    earns the same verdict."""

    def fails(other: Case) -> bool:
        return any(found.verdict == row.verdict for found in _off(other, engine, 0, dtype))

    for one in _elements(case, row):
        if fails(one):
            case = one
            break
    for digits in DIGITS:
        short = _shortened(case, digits)
        if fails(short):
            return short
    return case


def _elements(case: Case, row: Row) -> Iterator[Case]:
    """The step at one element: at the worst one, and at the first few."""
    node, point = case.graph.output, case.points[0]
    if not case.graph.operation(node).elementwise or not node.shape:
        return
    first = [np.unravel_index(k, node.shape) for k in range(min(prod(node.shape), 20))]
    for index in [row.index, *(tuple(int(i) for i in place) for place in first)]:
        if len(index) == len(node.shape):
            wide = {name: np.broadcast_to(value.array, node.shape)[index] for name, value in point.inputs.items()}
            renamed = {name: np.asarray(number) for name, number in wide.items()}
            made = _case(case, node, renamed, np.asarray(case.weights.array[index]))
            if made is not None:
                yield made


def _shortened(case: Case, digits: int) -> Case:
    def short(value: Input) -> Input:
        if value.kind != "float":
            return value
        flat = [float(f"{x:.{digits}g}") for x in value.array.ravel().tolist()]
        return Input(np.array(flat, dtype=np.float64).reshape(value.shape), constant=value.constant)

    (point,) = case.points
    inputs = {name: short(value) for name, value in point.inputs.items()}
    return replace(case, points=(Point(inputs, ()),), weights=short(case.weights))
