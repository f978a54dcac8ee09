"""A link that is off, held against what is known of its engine: formulas that it runs, defects that it has.

A formula excuses what is sound by it, where balls prove it equal to the operation, and no further than the digits that
its entry names: the link is `lossy`. A defect keeps the verdict and says that it is known, up to its ceiling. Neither
counts where a stranger claims it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..records.formats import Format
from ..records.known import Formula, Knowledge, is_of
from ..records.verdicts import FINDINGS
from ..truth.links import Step, step_of
from ..truth.precision import is_loose, refined
from ..truth.residuals import Residual
from .classify import Judgement, place, show
from .defects import of_link, reach, within
from .matter import Matter

Marks = NDArray[np.bool_]
SWEPT = 64  # numbers of a step of many, those that are off the most, of which is measured what defects inside carry
MOST = 100_000  # numbers of a formula that balls go through to prove it equal, of what is not told number by number


def explained(judgement: Judgement, matter: Matter, knowledge: Knowledge, form: Format) -> Judgement:
    """The judgement of a link that is off, as what is known of the engine leaves it."""
    node, graph = matter.node, matter.graph
    inside = graph.defines(node)
    if judgement.verdict not in FINDINGS or not (inside or graph.operation(node) is OPERATIONS.get(node.op)):
        return judgement
    parts, knowledge = matter.parts.operations if inside else (node,), knowledge.of(form.name, matter.quantity)
    alone = _alone(parts, matter)
    formulas = _formulas(parts, knowledge)
    if not formulas and knowledge.formulas:
        formulas = _formulas(expanded(step_of(graph, node).graph, stable=True).operations, knowledge)
    defects = of_link(matter, parts, knowledge) if alone else ()
    if alone and not formulas and not defects:
        return judgement
    residual = matter.measure(step_of(graph, node), form)
    off = np.asarray(residual.enclosed & ~(residual.score <= 1))
    digits, formula = np.zeros_like(off), _together(formulas) if formulas else None
    if formula:
        digits = _by_formula(formulas, matter, knowledge, off, form) & _digits_left(formula, residual, form)
    if formula and digits[off].all() and residual.enclosed.all() and not residual.kink.any():
        return _lossy(judgement, formula, residual, off, form) if knowledge.shipped else _claimed(judgement, formula)
    left, reasons = off & ~digits, list[str]()
    if not alone:
        carried = _carried(matter, knowledge, residual, left, form) if left.any() else ""
        reasons, left = [carried] if carried else [], left & (not carried)
    for defect in defects:
        covered = left & within(defect, parts[0].params, matter, residual, form)
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


# --- formulas ---------------------------------------------------------------------------------------------


def _formulas(parts: Sequence[Node], knowledge: Knowledge) -> Sequence[Formula]:
    """What the engine computes operations by, of each the first that has its parameters."""
    found = dict[str, Formula]()
    for part in parts if knowledge.formulas else ():
        formula = next((f for f in knowledge.formulas if is_of(f, part)), None)
        if formula is not None:
            found.setdefault(part.op, formula)
    return tuple(found.values())


def _together(formulas: Sequence[Formula]) -> Formula:
    """They as one, that lets as much pass as the loosest."""
    if len(formulas) == 1:
        return formulas[0]
    text, digits = "`, `".join(f.text for f in formulas), max(f.digits for f in formulas)
    return replace(formulas[0], text=text, digits=digits, rounding=max(f.rounding for f in formulas))


def as_run(graph: Graph, formulas: Sequence[Formula]) -> Graph:
    """The graph with operations as an engine runs them: their meaning as it is, their usual formula another."""
    return replace(graph, definitions=(*graph.definitions, *_rewritten(tuple(formulas))))


@lru_cache(maxsize=64)
def _rewritten(formulas: tuple[Formula, ...]) -> tuple[Operation, ...]:
    def one(formula: Formula) -> Operation:
        name = formula.operation
        row = OPERATIONS[name]
        return (
            replace(row, derivative=formula.text)
            if row.primitive
            else replace(row, stable=formula.stable or formula.text)
        )

    return tuple(map(one, formulas))


def _by_formula(formulas: Sequence[Formula], matter: Matter, knowledge: Knowledge, off: Marks, form: Format) -> Marks:
    """Where a link that is off is sound by formulas, which balls prove to be the operation."""
    read = [*matter.operands, *([] if matter.g is None else [matter.g])]
    usual = step_of(matter.graph, matter.node)
    apart = usual.elementwise and all(x.array.shape == off.shape and x.array.dtype.kind not in "bi" for x in read)
    if not apart and usual.size > MOST:
        return np.zeros_like(off)
    others = {f.operation for f in formulas}
    chosen = (*formulas, *(f for f in knowledge.formulas if f.operation not in others))
    own = step_of(as_run(matter.graph, chosen), matter.node)
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


# --- what a step of many is made of ----------------------------------------------------------------------------------


def _carried(matter: Matter, knowledge: Knowledge, residual: Residual, off: Marks, form: Format) -> str:
    """Why the number of a step of many is as far off as it is, where defects of what is inside carry that far; empty
    where they do not."""
    known = reach(matter, knowledge, form)
    if known is None:
        return ""
    score = np.where(off, np.nan_to_num(residual.score, nan=np.inf), -1.0)
    order = np.argsort(-score, axis=None, kind="stable")[: min(SWEPT, int(off.sum()))]
    places = [place(flat, off.shape) for flat in order]
    within_reach = all(residual.off[i] <= known.far(i) + known.asked.probe(i).bound for i in places)
    return known.reason if within_reach else ""
