"""One parameter in one step of an optimiser, and what the rule says of that."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Index, LinkName
from ..records.verdicts import FINDINGS, VERDICTS, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What one of the causes of a step's end came to: `gradient`, `state ...` or `update`, at its worst component.
    `dialect`: it is off by the case's definition, and sound by another known one. `form`: by which of the forms of its
    lines it is so."""

    cause: str
    verdict: Verdict
    score: float | None
    index: Index
    node: LinkName | str = ""
    known: str = ""
    off: float = inf
    dialect: bool = False
    form: int = 0

    @property
    def counts(self) -> bool:
        return self.dialect or self.verdict in FINDINGS


@dataclass(frozen=True, slots=True)
class Measured:
    """A component as it is, as the rule has it on the engine's own numbers, and how far it is off."""

    value: float
    reference: float
    error: float


@dataclass(frozen=True, slots=True)
class Move:
    """One parameter in one step, the first is 1: what the optimiser read, and what it made of that. `state` is None
    before the first step: then it is what the definition says."""

    step: int
    form: Format
    x: Array
    g: Array
    state: Mapping[str, Array] | None
    new_state: Mapping[str, Array]
    new_x: Array
    # Of all parameters in this step, where it reads their norm; and what has been added up of them before.
    gradients: Sequence[Array] = ()
    totals: Sequence[Array] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rule says of a move: of each state variable and, last, of the parameter, by its cause.

    `measured(cause, index)` is a component of it against exact arithmetic."""

    findings: Sequence[Finding]
    measured: Callable[[str, Index], Measured]

    @property
    def causes(self) -> Container[str]:
        return {finding.cause for finding in self.findings}


def cause_of(name: str) -> str:
    """What rows call a state variable of a rule, or its parameter."""
    return "update" if name == "x" else f"state {name}"


def explains(own: Judged, other: Judged) -> bool:
    """Whether a move is sound by another definition wherever it is off by one; what says nothing explains nothing, nor
    does one that has no such number."""
    before: dict[str, Verdict] = {finding.cause: finding.verdict for finding in own.findings}
    if any(one.verdict in FINDINGS and one.cause not in other.causes for one in own.findings):
        return False
    for finding in other.findings:
        was: Verdict = before.get(finding.cause, "agree")
        silent = not VERDICTS[finding.verdict].sound
        if finding.verdict in FINDINGS or (silent and (was in FINDINGS or VERDICTS[was].sound)):
            return False
    return True
