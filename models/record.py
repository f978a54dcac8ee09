"""What is kept of one model in one precision: a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

# refused: by the listener, with its reason. crashed: an error of gradaccord's own. out of time, killed: the process of
# the model. broken: the model itself does not run here.
Outcome: TypeAlias = Literal["heard", "refused", "crashed", "out of time", "killed", "broken"]


@dataclass(frozen=True, slots=True)
class Record:
    """One model in one precision.

    `reason` says why it was not heard, `where` the user's call and place, or the place in gradaccord. `nodes` are calls
    of the graph, `numbers` its elements. `value_bits` and `gradient_bits`: how many of all gradients have the bits of
    the plain run; whether the value has. `hearing` and `judging` in seconds, `memory` in MiB: by how much the
    process grew at most. `findings` are told in a line each, `unjudged` counts gradients that nobody vouches for.
    """

    name: str
    dtype: str
    outcome: Outcome
    version: str = ""
    reason: str = ""
    where: str = ""
    nodes: int = 0
    numbers: int = 0
    value_bits: bool = False
    same: int = 0
    gradients: int = 0
    hearing: float = 0.0
    judging: float = 0.0
    memory: float = 0.0
    unjudged: int = 0
    findings: list[str] = field(default_factory=list[str])

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]


def read(path: Path) -> dict[tuple[str, str], Record]:
    """The last record of each model and precision."""
    if not path.exists():
        return {}
    found = (Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {(record.name, record.dtype): record for record in found}


def line(record: Record) -> str:
    return json.dumps(asdict(record))


def write(path: Path, records: Iterable[Record]) -> None:
    """The records in order, the older ones of the same model left out."""
    ordered = sorted(records, key=lambda record: (record.name, record.dtype))
    path.write_text("".join(f"{line(record)}\n" for record in ordered), encoding="utf-8")
