"""What a run produces: typed records, one class for each CSV. The order of fields is the order of columns.

Everything is a value: a link, an index, a choice. Whoever shows it to people makes the sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

from ..graph.node import Use
from .verdicts import Verdict

Quantity: TypeAlias = Literal[
    "value", "gradient", "adjoint", "term", "tangent", "hessian_product", "expectation", "run", "update"
]
Index: TypeAlias = "tuple[int, ...]"  # of one component; empty for a number alone


class LinkName(NamedTuple):
    """Which link: a quantity of a node or input; of a term the use that hands it on. `second`: of the second order,
    where the graph is that of a contracted gradient."""

    quantity: Quantity
    name: str
    use: Use | None = None
    second: bool = False

    def __str__(self) -> str:
        """As in `term of x in y[0]`."""
        of = f" of {self.name}" if self.name else ""
        where = f" in {self.use}" if self.use is not None else ""
        return f"{'second order: ' if self.second else ''}{self.quantity}{of}{where}"


NOT_ENGINES = ("", "truth", "ledger")  # names in the engine column that are not an engine's

# Which derivatives an engine took at its kinks, one after another, with how many in a row took the same.
Choice: TypeAlias = "tuple[tuple[str, int], ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine's verdict on one quantity of one case, at one point, in one dtype.

    `name` is the node or input; `use`, of a term, its consumer and position; `index` the worst
    component; `engine_value`, `reference` and `error` (engine minus reference) belong to that
    component; `score` is the worst link upstream, sound up to 1; `digits` those in agreement with
    the truth; `node` the first link that is off, or for what is no link its place as text; `finding` whether it
    counts as a disagreement and `accepted` why it is one that is known; `place` where in a person's own code the link
    stands, as in `model.py:57, blocks.0.attn, torch.nn.functional.linear`. `choice` is no column; nor is `off`: how far
    the link that is off is off at most, as a part of what its own numbers give; nor `begins`: of a person's own code
    the operation that the link belongs to, and what of it the link is.
    """

    case: str
    point: int
    dtype: str
    engine: str
    quantity: Quantity = "run"
    name: str = ""
    use: Use | None = None
    index: Index = ()
    engine_value: float | None = None
    reference: float | None = None
    error: float | None = None
    score: float | None = None
    digits: float | None = None
    verdict: Verdict = "agree"
    node: LinkName | str = ""
    reason: str = ""
    seconds: float = 0.0
    finding: bool = False
    accepted: str = ""
    place: str = ""
    choice: Choice = field(default=(), metadata={"column": False})
    off: float = field(default=inf, metadata={"column": False})
    begins: tuple[str, str] = field(default=("", ""), metadata={"column": False})

    @property
    def unexplained(self) -> bool:
        """Whether it is a finding that no ledger entry explains: what makes exit status 1."""
        return self.finding and not self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Two engines on one quantity: the component in which they differ most, in units in the last place."""

    case: str
    point: int
    dtype: str
    quantity: Quantity
    name: str
    engine_a: str
    engine_b: str
    index: Index
    value_a: float
    value_b: float
    ulps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryRow:
    """One input after one step of one engine: its worst component.

    `cause` is gradient, state, update or value, and `node` the link of the graph that is off; `off` as in a `Row`.
    `setting` is the one of the rule, and its number, with which alone all steps would be sound, if there is one; where
    the verdict of a state or update is `convention`, the answers to the rule's choices that are another definition.
    `behind` has what else is off there, for where that is known which this row tells.
    """

    case: str
    point: int
    dtype: str
    engine: str
    step: int
    name: str
    index: Index = ()
    value: float = float("nan")
    reference: float | None = None
    error: float | None = None
    score: float | None = None
    verdict: Verdict = "agree"
    cause: str = ""
    node: LinkName | str = ""
    finding: bool = False
    accepted: str = ""
    setting: str = ""
    off: float = field(default=inf, metadata={"column": False})
    behind: tuple[TrajectoryRow, ...] = field(default=(), metadata={"column": False})

    @property
    def unexplained(self) -> bool:
        """Whether it is a finding that no ledger entry explains."""
        return self.finding and not self.accepted


# In a CSV, what stands for no text, and for the index of a number alone: of a column whose fields are empty for some
# 30,000 rows pandas, which reads by parts, would make numbers. `accepted` stays empty, which readers ask for.
NO_TEXT, NO_INDEX = "-", "[]"
NUMBERS = {"float": "float64", "float | None": "float64", "int": "int64", "bool": "bool"}  # all else is text


def shown(row: Row) -> dict[str, Any]:
    """A row by its columns, as a frame has it: uses and nodes as text."""
    return {name: getattr(row, name) for name in columns(Row)} | {"use": str(row.use or ""), "node": str(row.node)}


def columns(record: type[Any]) -> dict[str, str]:
    """The columns of the CSV of a record, in order, each with its dtype; of text `str`."""
    return {one.name: NUMBERS.get(str(one.type), "str") for one in fields(record) if one.metadata.get("column", True)}


def component(index: Index) -> str:
    """Where, in a sentence: nothing of a single number."""
    return f" at {list(index)}" if index else ""


def element(name: str, index: Index) -> str:
    """A component of a node, as in `w[2, 1]`."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
