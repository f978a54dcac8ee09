"""Derivatives along a direction: what engines are asked, the subject that has the truth of it, and its rows.

The tangent of a case is the value of its gradient graph contracted with the direction, its Hessian-vector
product the gradient of that graph (`graph/directional.py`). So truth, proof, links and bounds are those of any
other graph.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..graph.directional import Directional, directional
from ..records.evaluation import Array, Derivative, Evaluation, Inputs
from ..records.known import NOTHING, Knowledge
from ..records.rows import Index, Quantity, Row
from ..records.verdicts import FINDINGS
from ..truth.proof import Proof, prove_second
from ..truth.second import by_definition
from ..truth.sides import Sides, along
from .classify import Link
from .judge import judge
from .last_word import Given, last_word
from .subject import Subject, blank_row
from .unseen import unseen


@dataclass(frozen=True, kw_only=True)
class Contracted(Subject):
    """The gradient of a subject contracted with a direction."""

    of: Subject
    direction: Inputs

    @cached_property
    def sides(self) -> Mapping[str, Mapping[Index, Sides]]:
        """The one-sided second derivatives, where reverse mode leaves them open: along axes of so many components as
        are looked at, and of all others by their definition, which one direction tells."""
        of, axes, known = self.of, super().sides, self._open
        left = {name: set(known[name][1]) for name in axes}
        found = by_definition(of.graph, of.inputs, of.cotangent, self.direction, of.gradients, axes, left)
        return {
            name: {i: pair for i, pair in pairs.items() if pair.told or i not in left[name]}
            for name, pairs in found.items()
        }

    def overlooked(self, name: str) -> int:
        high, found = self.truth.adjoints[name].high, self.sides[name]
        return sum(bool(np.isnan(high[index])) and index not in found for index in self._open[name][1])


@dataclass(frozen=True)
class Question:
    """A subject and a direction for each of its wanted inputs."""

    subject: Subject
    direction: Inputs

    @cached_property
    def along(self) -> Subject:
        """The contracted gradient graph as a subject: its value is the tangent, its gradient the Hessian product."""
        subject = self.subject
        contraction = directional(subject.graph)
        inputs = given(contraction, subject.inputs, subject.cotangent, self.direction)
        one = np.ones((), subject.cotangent.dtype)
        output = subject.graph.output.name
        names = subject.case, subject.point, subject.dtype
        return Contracted(*names, contraction.graph, inputs, one, output, of=subject, direction=self.direction)

    @cached_property
    def sides(self) -> Mapping[Index, Sides]:
        """The one-sided derivatives of the case along the direction, where its contracted gradient is no number."""
        subject, output = self.subject, self.subject.graph.output.name
        number = self.along.truth.hulls[self.along.graph.output.name]
        if number.tight.all() and np.isfinite(number.high).all():
            return {}
        value = subject.truth.values[output]
        return {(): along(subject.graph, subject.inputs, subject.cotangent, value, self.direction)}

    @cached_property
    def proof(self) -> Proof:
        """That of the gradient graph, and of its being the gradient graph."""
        subject, along = self.subject, self.along
        tangent = along.truth.hulls[along.graph.output.name].balls[()]
        products = {name: along.truth.adjoints[name].balls for name in self.direction}
        inputs, cotangent, v = subject.inputs, subject.cotangent, self.direction
        return prove_second(along.proof, subject.graph, inputs, cotangent, v, tangent, products)


def given(contraction: Directional, inputs: Inputs, cotangent: Array, direction: Inputs) -> Inputs:
    """The inputs of the contracted gradient graph."""
    seed = {contraction.seed: cotangent} if contraction.seed else {}
    return {**inputs, **seed, **{contraction.directions[name]: v for name, v in direction.items()}}


def judge_along(
    question: Question,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None,
    seconds: float,
    asked: Collection[Derivative],
    knowledge: Knowledge = NOTHING,
) -> list[Row]:
    """The rows of one engine's evaluation of `question.along`, as far as it goes: its links where it shows them,
    and else the tangent and the Hessian product against what rounding alone may do."""
    subject, s = question.along, question.along.graph.output.name
    shown = evaluation.adjoints is not None
    quantities: set[Quantity] = {"value"} if shown else set()
    if evaluation.gradients:
        quantities.add("gradient")
    rows = judge(subject, engine, evaluation, again, seconds, frozenset(quantities), knowledge)
    if any(row.quantity == "run" for row in rows):
        return rows
    if s in evaluation.values and not shown:
        rows.append(_tangent(question, engine, seconds, evaluation))
    if shown and any(_kinked(subject, row) for row in rows):
        # A choice at a kink is told as every other engine's, by the number that came of it. The links do not tell it:
        # those of the gradient graph read comparisons, which an engine makes as it likes.
        bare = Evaluation("ok", values={s: evaluation.values[s]}, gradients=evaluation.gradients)
        alone = judge(subject, engine, bare, None, seconds, frozenset({"gradient"}))
        told = {(row.quantity, row.name): row for row in [*alone, _tangent(question, engine, seconds, evaluation)]}
        rows = [told[row.quantity, row.name] if _kinked(subject, row) else row for row in rows]
    return [_known(row, question, evaluation, knowledge) for row in rows if row.quantity in asked]


def _known(row: Row, question: Question, evaluation: Evaluation, knowledge: Knowledge) -> Row:
    """A variant's product that is off is known where an operation of the case has a defect along directions."""
    if not (knowledge.shipped and row.verdict in ("wrong", "imprecise") and row.quantity == "hessian_product"):
        return row
    truth, ops = question.along.truth.adjoints[row.name], {node.op for node in question.subject.graph.operations}
    with np.errstate(all="ignore"):
        off = float(np.max(np.abs(truth.error(evaluation.gradients[row.name]))) / np.max(np.abs(truth.high)))
    for defect in knowledge.defects:
        fits = defect.quantity == row.quantity and defect.operation in ops
        if fits and off <= defect.within:
            return replace(row, accepted=defect.reason)
    return row


def _kinked(subject: Subject, row: Row) -> bool:
    """Whether the truth of a tangent or product that is no finding is a set."""
    if row.quantity not in ("tangent", "hessian_product") or row.verdict in FINDINGS:
        return False
    whole = row.quantity == "tangent"
    truth = subject.truth.hulls[subject.graph.output.name] if whole else subject.truth.adjoints[row.name]
    return bool(np.any(~truth.tight & np.isfinite(truth.radius)))


def _tangent(question: Question, engine: str, seconds: float, evaluation: Evaluation) -> Row:
    """The value of the contracted gradient graph by itself, against what rounding alone may do, and the truth."""
    subject = question.along
    s, blank = subject.graph.output.name, blank_row(subject, engine, seconds)
    asked, number = subject.asked("value", s), evaluation.values[s]
    row = unseen(blank, asked, number)
    return last_word(row, number, Given(asked, question.sides), Link("agree", where=asked.what, order=0))


def numbers(
    question: Question, evaluation: Evaluation, asked: Sequence[Derivative]
) -> dict[tuple[Quantity, str], Array]:
    """What an engine found, by quantity and name."""
    s, output = question.along.graph.output.name, question.subject.graph.output.name
    arrays: dict[tuple[Quantity, str], Array] = {}
    if "tangent" in asked and s in evaluation.values:
        arrays["tangent", output] = evaluation.values[s]
    if "hessian_product" in asked:
        arrays |= {("hessian_product", name): array for name, array in evaluation.gradients.items()}
    return arrays
