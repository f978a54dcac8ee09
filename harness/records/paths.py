"""What is known of paths once they are walked: each in a line, and where two of them part."""

from __future__ import annotations

from dataclasses import dataclass

from ..words import counted
from .rows import Index, TrajectoryRow, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One path: from where to where the output went in how many steps, and the first step that is off.

    `against` counts the steps on which the output moved the other way than the rule promises; `kept` says
    whether from start to end it moved as promised (None: it stood still, or is not known).
    """

    case: str
    point: int
    dtype: str
    engine: str
    rule: str
    promise: str
    steps: int
    start: float | None
    end: float | None
    against: int
    kept: bool | None
    first: TrajectoryRow | None
    known: int = 0
    unjudged: int = 0

    def __str__(self) -> str:
        went = f"{self.engine}: {self.rule}, {counted(self.steps, 'step')}"
        if self.start is not None and self.end is not None:
            kept = f"{self.promise} as promised"
            moved = {True: kept, False: f"not {kept}", None: "and did not move"}[self.kept]
            went += f", output from {self.start:.6g} to {self.end:.6g}, {moved}"
            went += f" ({self.against} of {self.steps} steps the other way)" if self.against else ""
        if self.first is None:
            if self.unjudged:
                return f"{went}; no step is known to be off, {self.unjudged} could not be judged"
            known = f", but for {counted(self.known, 'known disagreement')}" if self.known else ""
            return f"{went}; every step is sound{known}"
        row = self.first
        where = element(row.name, row.index)
        return f"{went}; first off at step {row.step} in {where}: {row.cause}, {row.verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first step after which two engines agree in fewer than half of the dtype's digits, beside the input's size.

    `horizon` is the first step after which rounding alone may have done so (None: not on this path), `before` what
    was not sound on either path up to the parting.
    """

    case: str
    point: int
    dtype: str
    engine_a: str
    engine_b: str
    step: int
    name: str
    index: Index
    value_a: float
    value_b: float
    horizon: int | None
    before: str

    @property
    def unexplained(self) -> bool:
        """Neither a step that is not sound nor rounding has parted them."""
        return not self.before and (self.horizon is None or self.horizon > self.step)

    @property
    def there(self) -> str:
        return f"{element(self.name, self.index)} is {self.value_a:.6g} and {self.value_b - self.value_a:+.2g}"

    @property
    def why(self) -> str:
        told = self.before or "every step is sound"
        told += ", yet" if self.unexplained else ";"
        if self.horizon is None:
            return f"{told} rounding alone may part them on no step of this path"
        return f"{told} rounding alone may part them {'only ' if self.unexplained else ''}from step {self.horizon} on"

    def __str__(self) -> str:
        return f"{self.engine_a} and {self.engine_b} part at step {self.step}: {self.there}; {self.why}"
