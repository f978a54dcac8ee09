"""A step of many, of whose digits few are left, held against R of all that it is made of.

The ball of such a step is what its inner balls add up to, each as if the others did their worst: behind a softmax in
half precision it may be many times as wide as what rounding does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.expand import expanded
from ..records.formats import Format
from ..records.known import Knowledge
from ..records.rows import Row
from ..records.verdicts import FINDINGS
from ..truth.links import step_of
from .classify import Judgement
from .matter import Matter
from .unseen import unseen

MOST = 20_000  # numbers that a step goes through, up to which it is looked at
BLANK = Row(case="", point=0, dtype="", engine="")


def held(judgement: Judgement, matter: Matter, knowledge: Knowledge, form: Format) -> Judgement:
    """The judgement of a lossy link of a user's own definition, or what its numbers alone say where they are off by R.

    Of operations of the vocabulary engines run formulas of their own, which R does not know; so it is inside a
    definition where something is known of an operation.
    """
    step = step_of(matter.graph, matter.node)
    if not matter.graph.defines(matter.node) or step.elementwise or step.size > MOST:
        return judgement
    graph = expanded(step.graph, stable=True)
    known = {entry.operation for entry in (*knowledge.formulas, *knowledge.defects)}
    if any(node.op in known for node in (*graph.operations, *matter.parts.operations)):
        return judgement
    asked = matter.among(graph, form)
    if asked is None:
        return judgement
    row = unseen(BLANK, asked, matter.shown)
    if row.verdict not in FINDINGS:
        return judgement
    return replace(
        judgement, verdict=row.verdict, score=row.score or np.inf, index=row.index, off=row.off,
        reason=f"{row.reason}, by all that it is made of",
    )  # fmt: skip
