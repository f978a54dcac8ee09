"""A link that is off, held against what is known of its engine: formulas that it runs, defects that it has.

A formula excuses what is sound by it, where balls prove it equal to the operation, and no further than the digits that
its entry names: the link is `lossy`. A defect keeps the verdict and says that it is known, up to its ceiling. Neither
counts where a stranger claims it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.build import Builder
from ..graph.emit import Program, emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Node, Params
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation, operation
from ..records.formats import Format
from ..records.known import Defect, Formula, Knowledge
from ..records.verdicts import FINDINGS
from ..truth.links import Step, step_of
from ..truth.precision import is_loose, refined
from ..truth.residuals import Numerals, Residual
from ..truth.sensitivity import Sensitivity
from ..truth.sweeps import Key
from .classify import Judgement, place, show

Marks = NDArray[np.bool_]
Floats = NDArray[np.float64]
MOST = 100_000  # numbers of a formula that balls go through to prove it equal, of what is not told number by number


@dataclass(frozen=True, slots=True)
class Matter:
    """What a link is about: a node, of a term the place of its operand (`which` of the terms it is), and the numbers
    that it reads and that are `shown` of it.

    `measure` is the link's residual by any step that stands for the node's, and as a format rounds.
    """

    graph: Graph
    node: Node
    operands: Sequence[Numerals]
    shown: NDArray[Any]
    measure: Callable[[Step, Format], Residual]
    g: Numerals | None = None
    position: int | None = None
    which: int = 0


def explained(judgement: Judgement, matter: Matter, knowledge: Knowledge, form: Format) -> Judgement:
    """The judgement of a link that is off, as what is known of the engine leaves it."""
    node, graph = matter.node, matter.graph
    inside = graph.defines(node)
    if judgement.verdict not in FINDINGS or not (inside or graph.operation(node) is OPERATIONS.get(node.op)):
        return judgement
    parts = expanded(step_of(graph, node).graph, stable=True, own=True).operations if inside else (node,)
    alone = _alone(parts, matter)
    formulas, defects = _formulas(parts, knowledge), _defects(parts, alone, matter, knowledge, form)
    if not formulas and knowledge.formulas:
        formulas = _formulas(expanded(step_of(graph, node).graph, stable=True).operations, knowledge)
    if not formulas and not (alone and defects):
        return judgement
    residual = matter.measure(step_of(graph, node), form)
    off = np.asarray(residual.enclosed & ~(residual.score <= 1))
    by_formula, digits = np.zeros_like(off), np.zeros_like(off)
    formula = _together(formulas) if formulas else None
    if formula:
        by_formula = off & _by_formula(formulas, matter, knowledge, off, form)
        digits = by_formula & _digits_left(formula, residual, form)
    if formula and digits[off].all() and residual.enclosed.all() and not residual.kink.any():
        return _lossy(judgement, formula, residual, off, form) if knowledge.shipped else _claimed(judgement, formula)
    left, reasons = off & ~digits, list[str]()
    for defect in defects:
        covered = left & (_within(defect, parts[0].params, matter, residual, form) if alone else by_formula)
        if covered.any():
            reasons.append(defect.reason)
            left = left & ~covered
    if left.any() or not off.any():
        return judgement
    reason = "; ".join(reasons) or f"it runs `{formula.text}`" if formula else "; ".join(reasons)
    return replace(judgement, known=reason) if knowledge.shipped else _claimed(judgement, reason)


def _alone(parts: Sequence[Node], matter: Matter) -> bool:
    """Whether a node is one operation of the vocabulary, or a definition that is: of just what it reads."""
    if len(parts) != 1 or parts[0] is matter.node:
        return len(parts) == 1
    return parts[0].args == tuple(node.name for node in step_of(matter.graph, matter.node).graph.inputs)


def _defects(
    parts: Sequence[Node], alone: bool, matter: Matter, knowledge: Knowledge, form: Format
) -> Sequence[Defect]:
    """Those of a link's number; of a definition of the graph's own those of all that it is made of, which may be off by
    as much as the engine's formula there explains."""
    quantities = ("value",) if matter.g is None else ("term",) if alone else ("term", "value")
    return [
        d for d in knowledge.defects
        if d.quantity in quantities and any(d.operation == part.op and _with(d, part) for part in parts)
        and (not alone or d.operand in (None, matter.position)) and (not d.dtypes or form.name in d.dtypes)
    ]  # fmt: skip


def _with(entry: Formula | Defect, node: Node) -> bool:
    return all(dict(node.params).get(name) == value for name, value in entry.params)


# --- formulas ---------------------------------------------------------------------------------------------


def _formulas(parts: Sequence[Node], knowledge: Knowledge) -> Sequence[Formula]:
    """What the engine computes operations by, of each the first that has its parameters."""
    found = dict[str, Formula]()
    for part in parts if knowledge.formulas else ():
        formula = next((f for f in knowledge.formulas if f.operation == part.op and _with(f, part)), None)
        if formula is not None:
            found.setdefault(part.op, formula)
    return tuple(found.values())


def _together(formulas: Sequence[Formula]) -> Formula:
    """They as one, that lets as much pass as the loosest."""
    if len(formulas) == 1:
        return formulas[0]
    text, digits = "`, `".join(f.text for f in formulas), max(f.digits for f in formulas)
    return replace(formulas[0], text=text, digits=digits, rounding=max(f.rounding for f in formulas))


@lru_cache(maxsize=64)
def _rewritten(formulas: tuple[Formula, ...]) -> tuple[Operation, ...]:
    """The operations as an engine runs them: their meaning as it is, their usual formula another."""

    def one(formula: Formula) -> Operation:
        name = formula.operation
        row = OPERATIONS[name]
        return replace(row, derivative=formula.text) if row.primitive else replace(row, stable=formula.text)

    return tuple(map(one, formulas))


def _by_formula(formulas: Sequence[Formula], matter: Matter, knowledge: Knowledge, off: Marks, form: Format) -> Marks:
    """Where a link that is off is sound by formulas, which balls prove to be the operation."""
    read = [*matter.operands, *([] if matter.g is None else [matter.g])]
    apart = all(x.array.shape == off.shape and x.array.dtype.kind not in "bi" for x in read)  # element by element
    usual = step_of(matter.graph, matter.node)
    if not apart and usual.size > MOST:
        return np.zeros_like(off)
    others = {f.operation for f in formulas}
    chosen = (*formulas, *(f for f in knowledge.formulas if f.operation not in others))
    graph = replace(matter.graph, definitions=(*matter.graph.definitions, *_rewritten(chosen)))
    own = step_of(graph, matter.node)
    by_own = matter.measure(own, _looser(form, _together(formulas).rounding))
    sound = np.asarray(off & by_own.enclosed & (by_own.score <= 1))
    if sound.any():
        balls = [x.exact[sound] if apart else x.exact for x in read]
        sound[sound] = _equal(usual, own, matter, balls) if apart else _equal(usual, own, matter, balls)[sound]
    return sound


def _looser(form: Format, times: float) -> Format:
    """The format of operations that round so many times as far: what computes in a finer format does so there, and
    rounds on its way out as ever."""
    return replace(form, result=form.step + (times - 1) * form.sums.step)


def _digits_left(formula: Formula, residual: Residual, form: Format) -> Marks:
    """Where no more digits went than a formula says; at half of the number nothing of it is right any more."""
    with np.errstate(all="ignore"):
        most = min(10.0**formula.digits * form.unit, 0.5)
        return np.asarray(residual.off <= most * np.abs(residual.exact))


def _equal(usual: Step, own: Step, matter: Matter, balls: Sequence[Any]) -> Marks:
    """Where balls prove that a formula gives what the operation's definition gives, to 80 bits."""
    if matter.g is None:
        a = refined(lambda: usual.value_program(None)(*balls))[0]
        b = refined(lambda: own.value_program(None, True)(*balls))[0]
    else:
        a = refined(lambda: usual.term_program(None)(*balls))[matter.which]
        b = refined(lambda: own.term_program(None, "hull", True)(*balls))[matter.which]
    return np.asarray(_overlap(a, b), dtype=bool) & ~np.asarray(is_loose(a, 80) | is_loose(b, 80), dtype=bool)


_overlap = np.frompyfunc(lambda a, b: bool(a.is_finite() and b.is_finite() and a.overlaps(b)), 2, 1)


def _lossy(judgement: Judgement, formula: Formula, residual: Residual, off: Marks, form: Format) -> Judgement:
    with np.errstate(all="ignore"):
        units = np.where(off, residual.off / (np.abs(residual.exact) * form.unit), 0.0)
    index = place(np.argmax(units), units.shape)
    went, of = np.log10(max(float(units[index]), 1.0)), -np.log10(form.unit)
    reason = (
        f"the engine gave {show(residual.engine[index])}, exactly {show(residual.exact[index])}: it runs "
        f"`{formula.text}`, which cancels here; {went:.0f} of {of:.0f} digits went"
    )
    return Judgement("lossy", 1.0, index, reason, known=reason, apart=np.where(off, residual.off, 0.0))


def _claimed(judgement: Judgement, what: Formula | str) -> Judgement:
    said = f"it runs `{what.text}`" if isinstance(what, Formula) else what
    return replace(judgement, reason=f"{judgement.reason}; its author says that {said}, which excuses nothing")


# --- defects ------------------------------------------------------------------------------------------------


def _within(defect: Defect, params: Params, matter: Matter, residual: Residual, form: Format) -> Marks:
    """Where a link is off by no more than a defect explains."""
    shape = residual.engine.shape
    exact = residual.exact
    g = exact if matter.g is None else matter.g.array.astype(np.float64)
    read = [x.array if x.array.dtype.kind in "bi" else x.array.astype(np.float64) for x in matter.operands]
    if np.broadcast_shapes(shape, g.shape, *(x.shape for x in read)) != shape:
        return np.zeros(shape, dtype=bool)
    with np.errstate(all="ignore"):
        (of,) = _size(defect.operation, params, defect.of)(g, exact, *read)
        size = np.abs(np.broadcast_to(of, shape))
        finite = np.isfinite(residual.engine.astype(np.float64))
        near = residual.off <= defect.within * form.unit * size
    return near if defect.finite else np.where(finite, near, size > 0)


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
            if len(graph.uses_of[graph.argument(use)]) == 1:
                continue  # nothing is beside it to be lost
            size = _size(node.op, node.params, defect.of)(truth.adjoints[node.name].high, truth.terms[use].high, *read)
            far = np.abs(np.asarray(size[0])) * (defect.within * about.form.unit)
            apart["term", use] = np.where(np.isfinite(far), far, 0.0)  # what leaves the range has a cause of its own
            reasons[defect.reason] = None
    return apart, "; ".join(reasons)


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
