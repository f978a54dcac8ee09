"""What a run produces: typed records, one class for each CSV. The order of fields is the order of columns.

Reports and the judge share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal[
    "agree",
    "lossy",
    "ill-conditioned",
    "convention",
    "imprecise",
    "kink artefact",
    "wrong",
    "not finite",
    "overflow",
    "unstable",
    "failed",
    "timed out",
    "undefined",
    "unsupported",
    "not judged",
    "reference unreliable",
]
Quantity: TypeAlias = Literal[
    "value", "gradient", "adjoint", "term", "tangent", "hessian_product", "expectation", "run"
]

# Verdicts that make exit status 1 unless a ledger entry explains them. `convention` is one only
# where engines chose differently; the judge of a unit, which sees them all, decides that.
FINDINGS: frozenset[Verdict] = frozenset(
    (
        "imprecise",
        "kink artefact",
        "wrong",
        "not finite",
        "overflow",
        "unstable",
        "failed",
        "timed out",
        "reference unreliable",
    )
)


@dataclass(frozen=True, slots=True)
class Row:
    """One engine's verdict on one quantity of one case, at one point, in one dtype.

    `name` is the node or input; `use`, of a term, its consumer and position; `index` the worst
    component; `engine_value`, `reference` and `error` (engine minus reference) belong to that
    component; `score` is the worst link upstream, sound up to 1; `digits` those in agreement with
    the truth; `node` the first link that is off; `finding` whether it counts as a disagreement and
    `accepted` the ledger's reason for one that is explained.
    """

    case: str
    point: int
    dtype: str
    engine: str
    quantity: Quantity
    name: str
    use: str
    index: str
    engine_value: float | None
    reference: float | None
    error: float | None
    score: float | None
    digits: float | None
    verdict: Verdict
    node: str
    reason: str
    seconds: float
    finding: bool = False
    accepted: str = ""


def blank_row(case: str, point: int, dtype: str, engine: str, seconds: float = 0.0) -> Row:
    """A row about a whole run, which says nothing yet."""
    return Row(
        case, point, dtype, engine, "run", "", "", "", None, None, None, None, None, "agree", "", "", seconds,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two engines on one quantity: the component in which they differ most, in units in the last place."""

    case: str
    point: int
    dtype: str
    quantity: Quantity
    name: str
    engine_a: str
    engine_b: str
    index: str
    value_a: float
    value_b: float
    ulps: float


@dataclass(frozen=True, slots=True)
class TrajectoryRow:
    """One input after one step of one engine: its worst component.

    `cause` is gradient, state, update or value, and `node` the link of the graph that is off.
    """

    case: str
    point: int
    dtype: str
    engine: str
    step: int
    name: str
    index: str
    value: float
    reference: float | None
    error: float | None
    score: float | None
    verdict: Verdict
    cause: str
    node: str = ""
    finding: bool = False
    accepted: str = ""
