"""A step of many, of whose digits few are left, held against R of all that it is made of.

The ball of such a step is what its inner balls add up to, each as if the others did their worst: behind a softmax in
half precision it may be many times as wide as what rounding does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.known import NOTHING, Formula, Knowledge, is_of
from ..records.rows import Row
from ..records.verdicts import FINDINGS
from ..truth.links import step_of
from .classify import Judgement, place
from .defects import Reach, reach
from .known import as_run
from .matter import Matter
from .subject import Asked
from .unseen import unseen

MOST = 20_000  # numbers that a step goes through, up to which it is looked at
SWEPT = 64  # numbers, those that are off the most, that what is known of the engine may explain
# torch's fused attention has sum(dO O), of its output, for the sum(P dP) of the usual formula: the same number, made of
# larger ones, of which R in full precision knows nothing.
OTHERWISE = frozenset(("scaled_dot_product_attention",))
BLANK = Row(case="", point=0, dtype="", engine="")


def held(judgement: Judgement, matter: Matter, knowledge: Knowledge, form: Format) -> Judgement:
    """The judgement of a lossy link of a composite or a user's own definition, or what its numbers alone say where they
    are off by R, and by more than what is known of the engine carries there."""
    step = step_of(matter.graph, matter.node)
    if step.operation.primitive or step.elementwise or step.size > MOST:
        return judgement
    if form.inside is None and any(node.op in OTHERWISE for node in (matter.node, *matter.parts.operations)):
        return judgement
    knowledge = (knowledge if knowledge.shipped else NOTHING).of(form.name, matter.quantity)  # a claim excuses nothing
    run = _run(matter, expanded(step.graph, stable=True), knowledge)
    own = step_of(as_run(matter.graph, run), matter.node)
    asked = matter.among(expanded(own.graph, stable=True), form)
    row = unseen(BLANK, asked, matter.shown) if asked is not None else BLANK
    if asked is None or row.verdict not in FINDINGS:
        return judgement
    flushed = form.underflow if form.gradual else form.smallest / form.unit  # inside, times what it is multiplied by
    if row.error is not None and abs(row.error) <= flushed:
        return judgement
    inside, times = reach(matter, knowledge, form), max((formula.rounding for formula in run), default=1.0)
    if _explained(asked, matter, inside, times):
        return judgement
    return replace(
        judgement, verdict=row.verdict, score=row.score or np.inf, index=row.index, off=row.off,
        reason=f"{row.reason}, by all that it is made of",
    )  # fmt: skip


def _run(matter: Matter, whole: Graph, knowledge: Knowledge) -> list[Formula]:
    """What the engine computes operations by that the step is made of, as long as it is all of that name there."""
    nodes = (*matter.parts.operations, *whole.operations)
    return [
        formula
        for formula in knowledge.formulas
        if (named := [node for node in nodes if node.op == formula.operation])
        and all(is_of(formula, node) for node in named)
    ]


def _explained(asked: Asked, matter: Matter, inside: Reach | None, times: float) -> bool:
    """Whether all numbers are within so many times R, and what defects of what is inside carry."""
    if inside is None and times == 1:
        return False
    error = np.abs(asked.truth.error(matter.shown))
    return all(
        error[index] <= times * asked.probe(index).bound + (0.0 if inside is None else inside.far(index))
        for index in _furthest(error)
    )


def _furthest(error: Array) -> list[tuple[int, ...]]:
    order = np.argsort(-error, axis=None, kind="stable")[:SWEPT]
    return [place(flat, error.shape) for flat in order if error.flat[flat] > 0]
