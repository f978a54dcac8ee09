"""What a comparison says: where two runs part, why, and how that is proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..hearing.heard import Place

Kind: TypeAlias = Literal["value", "gradient", "output"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first step that is another, on either side. `a` and `b` are where it stands, `call_a` and `call_b` what it
    is; `reason` is empty where none is proved. `times`: how many steps of the run part here, of a loop each round."""

    kind: Kind
    a: Place
    b: Place
    call_a: str
    call_b: str
    reason: str
    proof: str
    times: int = 1

    def __str__(self) -> str:
        return self.reason or f"{_step(self.call_a, self.a)} and {_step(self.call_b, self.b)} differ"


def _step(call: str, place: Place) -> str:
    return f"{call or 'a step'} at {place}" if str(place) else call or "a step"
