"""A step of many, of whose digits few are left, held against R of all that it is made of.

The ball of such a step is what its inner balls add up to, each as if the others did their worst: behind a softmax in
half precision it may be many times as wide as what rounding does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.expand import expanded
from ..records.formats import Format
from ..records.known import Defect, Knowledge
from ..records.rows import Row
from ..records.verdicts import FINDINGS
from ..truth.links import step_of
from .classify import Judgement
from .known import Matter
from .subject import Subject
from .unseen import unseen

MOST = 20_000  # numbers that a step goes through, up to which it is looked at
BLANK = Row(case="", point=0, dtype="", engine="")


def held(judgement: Judgement, matter: Matter, knowledge: Knowledge, form: Format) -> Judgement:
    """The judgement of a lossy link of a user's own definition, or what its numbers alone say where they are off by R.

    Of operations of the vocabulary engines run formulas of their own, which R does not know; so it is inside a
    definition where something is known of an operation in its precision.
    """
    step = step_of(matter.graph, matter.node)
    if not matter.graph.defines(matter.node) or step.elementwise or step.size > MOST:
        return judgement
    graph = expanded(step.graph, stable=True)
    known = {entry.operation for entry in knowledge.formulas} | {d.operation for d in knowledge.defects if _at(d, form)}
    if any(node.op in known for node in (*graph.operations, *expanded(step.graph, stable=True, own=True).operations)):
        return judgement
    inputs = {node.name: x.array for node, x in zip(step.graph.inputs, matter.operands, strict=True)}
    shown = [x for x in (matter.shown, *inputs.values()) if x.dtype.kind not in "bi"]
    if any(x.dtype != form.dtype for x in shown):
        return judgement  # what computes in several precisions is bounded by its ball alone
    g = np.ones(matter.shown.shape, form.dtype) if matter.g is None else matter.g.array
    about = Subject("", 0, form.name, graph, inputs, g)
    asked = about.asked("value", "y") if matter.g is None else about.asked("gradient", f"x{matter.position}")
    row = unseen(BLANK, asked, matter.shown)
    if row.verdict not in FINDINGS:
        return judgement
    return replace(
        judgement, verdict=row.verdict, score=row.score or np.inf, index=row.index, off=row.off,
        reason=f"{row.reason}, by all that it is made of",
    )  # fmt: skip


def _at(defect: Defect, form: Format) -> bool:
    """Whether a defect is one of links, and of this precision."""
    return defect.quantity in ("value", "term") and (not defect.dtypes or form.name in defect.dtypes)
