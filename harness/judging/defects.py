"""What an engine does wrongly by no formula: how far numbers may be off by it, at its links and behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Node, Params, Use
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import operation
from ..records.formats import Format
from ..records.known import Defect, Knowledge, is_of
from ..truth.residuals import Residual
from ..truth.sensitivity import Index, Sensitivity
from ..truth.sweeps import Key
from .matter import Matter
from .subject import Asked

Marks = NDArray[np.bool_]
Floats = NDArray[np.float64]
REDUCED: Mapping[object, Callable[[Floats], Any]] = {"sum": np.sum, "mean": np.mean}
CARRIED = 2.0  # times as far: what is carried is of first order


def of_link(matter: Matter, parts: Sequence[Node], knowledge: Knowledge) -> Sequence[Defect]:
    """Those of a link's number, whose node is one operation."""
    return [
        d for d in knowledge.defects
        if d.quantity == matter.quantity and d.operand in (None, matter.position)
        and any(is_of(d, part) for part in parts)
    ]  # fmt: skip


def within(defect: Defect, params: Params, matter: Matter, residual: Residual, form: Format) -> Marks:
    """Where a link is off by no more than a defect explains."""
    g = residual.exact if matter.g is None else matter.g.array.astype(np.float64)
    read = [x.array if x.array.dtype.kind in "bi" else x.array.astype(np.float64) for x in matter.operands]
    far = _most(defect, params, g, residual.exact, read, form)
    if far is None:
        return np.zeros(residual.engine.shape, dtype=bool)
    with np.errstate(all="ignore"):
        near = residual.off <= far
    return near if defect.finite else np.where(np.isfinite(residual.engine.astype(np.float64)), near, far > 0)


def _most(defect: Defect, params: Params, g: Floats, exact: Floats, read: Sequence[Any], form: Format) -> Floats | None:
    """How far the numbers that are `exact` may be off, of a loss that is reduced the sum or the mean of how far each
    may; nothing is known where operands have other shapes."""
    reduction = dict(params).get("reduction", "mean") if exact.shape == () else "none"
    name, shape = defect.operation, np.broadcast_shapes(exact.shape, g.shape, *(x.shape for x in read))
    if shape != exact.shape and reduction not in REDUCED:
        return None
    with np.errstate(all="ignore"):
        left_out = len(OPERATIONS[name].operands) - len(read)  # of the last ones, which are 0 there
        (of,) = _size(name, params, defect.of)(g, exact, *read, *[np.zeros(())] * left_out)
        size = np.abs(np.broadcast_to(of, shape))
        return (size if shape == exact.shape else REDUCED[reduction](size)) * (defect.within * form.unit)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far defects of what a step of many is made of carry, and why. `asked`: its number, of a graph of its own."""

    asked: Asked
    apart: Mapping[Key, Floats]
    reason: str

    def far(self, index: Index) -> float:
        """How far they move one number of the link, to first order and twice."""
        return CARRIED * self.asked.sensitivity.carried(self.asked.name, index, self.asked.moved, self.apart)


def reach(matter: Matter, knowledge: Knowledge, form: Format) -> Reach | None:
    """That of a step of many, at the engine's own numbers. None where nothing is known of its parts."""
    quantities = ("value",) if matter.g is None else ("value", "term", "plain")
    inside = [
        (node, defect)
        for node in matter.parts.operations
        for defect in knowledge.defects
        if defect.quantity in quantities and is_of(defect, node)
    ]
    asked = matter.among(matter.parts, form) if inside else None
    if asked is None or asked.sensitivity.too_large:
        return None
    about, apart, reasons = asked.sensitivity, dict[Key, Floats](), dict[str, None]()
    for node, defect in inside:
        read = [about.truth.values[arg].high for arg in node.args if isinstance(arg, str)]
        for key, g, exact in _numbers(about, node, defect):
            far = _most(defect, node.params, g, exact, read, form)
            if far is not None and np.isfinite(far).all() and far.any():
                apart[key] = np.maximum(apart.get(key, 0.0), far)
                reasons[defect.reason] = None
    return Reach(asked, apart, "; ".join(reasons)) if apart else None


def _numbers(about: Sensitivity, node: Node, defect: Defect) -> Iterator[tuple[Key, Floats, Floats]]:
    """The links of a node that a defect is of: their adjoint and their number."""
    if defect.quantity == "value":
        exact = about.truth.values[node.name].high
        yield ("value", node.name), exact, exact
    elif node.name in about.truth.adjoints:
        for use in about.graph.uses_in[node.name]:
            beside = defect.quantity != "plain" or _beside(about.graph, use)
            if beside and defect.operand in (None, use.position) and use in about.truth.terms:
                yield ("term", use), about.truth.adjoints[node.name].high, about.truth.terms[use].high


def in_plain(about: Sensitivity, knowledge: Knowledge) -> tuple[Mapping[Key, Floats], str]:
    """How far terms of a plain program may be off that the one that shows its links does not add up in parts, at the
    true numbers; and why."""
    defects = {d.operation: d for d in knowledge.defects if d.quantity == "plain" and knowledge.shipped}
    graph, truth = about.graph, about.truth
    apart, reasons = dict[Key, Floats](), dict[str, None]()
    for node in graph.operations if defects else ():
        defect = defects.get(node.op)
        if defect is None or node.name not in truth.adjoints or graph.operation(node) is not OPERATIONS.get(node.op):
            continue
        read = [truth.values[arg].high for arg in node.args if isinstance(arg, str)]
        for use in graph.uses_in[node.name]:
            if not _beside(graph, use):
                continue
            size = _size(node.op, node.params, defect.of)(truth.adjoints[node.name].high, truth.terms[use].high, *read)
            far = np.abs(np.asarray(size[0])) * (defect.within * about.form.unit)
            apart["term", use] = np.where(np.isfinite(far), far, 0.0)  # what leaves the range has a cause of its own
            reasons[defect.reason] = None
    return apart, "; ".join(reasons)


def _beside(graph: Graph, use: Use) -> bool:
    """Whether there is anything beside a term that is added up in parts, which may be lost."""
    return len(graph.uses_of[graph.argument(use)]) > 1


@lru_cache(maxsize=256)
def _size(op: str, params: Any, text: str) -> Program:
    """`program(g, exact, operands...) -> (size,)`, element by element in float64."""
    row = OPERATIONS[op]
    whole = operation("size", f"g, exact, {row.signature}", row.shape, definition=text)
    builder = Builder((whole,))
    names = [builder.input(name, ()) for name in ("g", "exact", *(operand.name for operand in row.operands))]
    builder.apply("size", names, dict(params), "result")
    graph = expanded(builder.graph(["result"]), stable=True)
    return emit(graph, arrays.namespace("float64"), ["result"])
