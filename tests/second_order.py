"""What the tests of second order share: the shipped cases that ask for it, and what engines get for a case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gradaccord.harness.judging.second_order import Question
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import Case, find, shipped
from gradaccord.harness.records.rows import Row
from gradaccord.harness.running.ledger import Ledger
from gradaccord.harness.running.offered import variants
from gradaccord.harness.running.unit import Unit, outcome
from gradaccord.harness.running.workers import Here

PRODUCT = "name: product\ninputs: {a: 2, b: 3}\ngraph:\n  y: a * b\n"
ASKED = "derivatives: [gradient, tangent, hessian_product]\n"
ASKING = [path for path in find([shipped()]) if "\nderivatives:" in path.read_text(encoding="utf-8")]
SMOOTH = [path for path in ASKING if "kinks" not in path.parts]
BOTH = ("tangent", "hessian_product")
VARIANTS = ("backprop", *variants())


def name_of(path: Path) -> str:
    return path.stem


def question(case: Case, dtype: str = "float64", point: int = 0) -> Question:
    inputs, cotangent = case.inputs(point, dtype), case.cotangent(dtype)
    return Question(Subject(case.name, point, dtype, case.graph, inputs, cotangent), case.direction(dtype))


def rows_of(case: Case, engines: tuple[str, ...], dtype: str) -> list[Row]:
    """What the engines get for a case in one dtype, ledger and kinks settled."""
    found = outcome(Unit(replace(case, update=None), 0, dtype, expectations=False), engines, Here())
    return list(Ledger(case).explain(found).rows)


def second(rows: list[Row], engine: str) -> list[Row]:
    return [row for row in rows if row.engine == engine and row.quantity in BOTH]


def is_forward(variant: str) -> bool:
    return variant.endswith((":forward", ":jit-forward"))
