"""Derivatives along a direction: what engines are asked, the subject that has the truth of it, and its rows.

The tangent of a case is the value of its gradient graph contracted with the direction, its Hessian-vector
product the gradient of that graph (`graph/directional.py`). So truth, proof, links and bounds are those of any
other graph.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..graph.directional import Directional, directional
from ..records.evaluation import Array, Derivative, Evaluation, Inputs
from ..records.rows import FINDINGS, Quantity, Row, blank_row
from ..truth.proof import Proof, prove_second
from .judge import judge
from .subject import Subject
from .unseen import unseen

SECOND = "second order: "  # before the name of a link, which is one of the contracted gradient graph


@dataclass(frozen=True)
class Question:
    """A subject and a direction for each of its wanted inputs."""

    subject: Subject
    direction: Inputs

    @cached_property
    def along(self) -> Subject:
        """The contracted gradient graph as a subject: its value is the tangent, its gradient the Hessian product."""
        subject = self.subject
        found = directional(subject.graph)
        inputs = given(found, subject.inputs, subject.cotangent, self.direction)
        one = np.ones((), subject.cotangent.dtype)
        return Subject(subject.case, subject.point, subject.dtype, found.graph, inputs, one)

    @cached_property
    def proof(self) -> Proof:
        """That of the gradient graph, and of its being the gradient graph."""
        subject, along = self.subject, self.along
        tangent = along.truth.values[along.graph.output.name].balls[()]
        products = {name: along.truth.adjoints[name].balls for name in self.direction}
        inputs, cotangent, v = subject.inputs, subject.cotangent, self.direction
        return prove_second(along.proof, subject.graph, inputs, cotangent, v, tangent, products)


def given(found: Directional, inputs: Inputs, cotangent: Array, direction: Inputs) -> Inputs:
    """The inputs of the contracted gradient graph."""
    seed = {found.seed: cotangent} if found.seed else {}
    return {**inputs, **seed, **{found.directions[name]: v for name, v in direction.items()}}


def judge_along(
    question: Question,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None,
    seconds: float,
    asked: Collection[Derivative],
) -> list[Row]:
    """The rows of one engine's evaluation of `question.along`, as far as it goes: its links where it shows them,
    and else the tangent and the Hessian product against what rounding alone may do."""
    subject, s = question.along, question.along.graph.output.name
    shown = evaluation.adjoints is not None
    quantities: set[Quantity] = {"value"} if shown else set()
    if evaluation.gradients:
        quantities.add("gradient")
    rows = judge(subject, engine, evaluation, again, seconds, frozenset(quantities))
    if any(row.quantity == "run" for row in rows):
        return rows
    rows = [row for row in rows if row.quantity == "gradient" or row.name == s]
    if s in evaluation.values and not shown:
        rows.append(_value(subject, engine, seconds, evaluation))
    if shown and any(_kinked(subject, row) for row in rows):
        # A choice at a kink is told as every other engine's, by the number that came of it. The links do not tell it:
        # those of the gradient graph read comparisons, which an engine makes as it likes.
        bare = Evaluation("ok", values={s: evaluation.values[s]}, gradients=evaluation.gradients)
        told = {row.name: row for row in judge(subject, engine, bare, None, seconds, frozenset({"gradient"}))}
        told[s] = _value(subject, engine, seconds, evaluation)
        rows = [told[row.name] if _kinked(subject, row) else row for row in rows]
    named = [_named(row, s, question.subject.graph.output.name) for row in rows]
    return [row for row in named if row.quantity in asked]


def _kinked(subject: Subject, row: Row) -> bool:
    """Whether the truth of a row that is no finding is a set."""
    truth = (subject.truth.values if row.quantity == "value" else subject.truth.adjoints)[row.name]
    return row.verdict not in FINDINGS and bool(np.any(~truth.tight & np.isfinite(truth.radius)))


def _value(subject: Subject, engine: str, seconds: float, evaluation: Evaluation) -> Row:
    s, blank = subject.graph.output.name, blank_row(subject.case, subject.point, subject.dtype, engine, seconds)
    row = unseen(blank, s, evaluation.values[s], subject.truth.values[s], subject.sensitivity_of_value, subject.form)
    return replace(row, quantity="value")


def _named(row: Row, s: str, output: str) -> Row:
    """The row under the quantity and the name that the user knows."""
    quantity, name = ("tangent", output) if row.name == s else ("hessian_product", row.name)
    old, new = f"gradient of {row.name}", f"{quantity} of {name}"
    reason = row.reason.replace(f"gradient of `{row.name}`", f"{quantity} of `{name}`").replace(
        f"a projection of `{row.name}`", f"a projection of the {quantity} of `{name}`"
    )
    node = new if row.node == old else row.node and SECOND + row.node
    return replace(row, quantity=quantity, name=name, reason=reason, node=node)


def numbers(
    question: Question, evaluation: Evaluation, asked: Sequence[Derivative]
) -> dict[tuple[Quantity, str], Array]:
    """What an engine found, by quantity and name."""
    s, output = question.along.graph.output.name, question.subject.graph.output.name
    found: dict[tuple[Quantity, str], Array] = {}
    if "tangent" in asked and s in evaluation.values:
        found["tangent", output] = evaluation.values[s]
    if "hessian_product" in asked:
        found |= {("hessian_product", name): array for name, array in evaluation.gradients.items()}
    return found
