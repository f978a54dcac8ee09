"""What passes from a run to its reports: the outcome of each unit of work, and what was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ..graph.graph import Graph
from .paths import Parting, Plane, Summary
from .rows import PairRow, Quantity, Row, TrajectoryRow
from .settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything found in one unit of work: a case at one point in one dtype, on every engine.

    `versions` says for each engine that was loaded what it ran on; `seconds` is the whole unit's time; `used` has
    for each engine, operation and quantity the scores of the sound links themselves.
    """

    case: str
    point: int
    dtype: str
    rows: tuple[Row, ...]
    pairs: tuple[PairRow, ...] = ()
    trajectories: tuple[TrajectoryRow, ...] = ()
    summaries: tuple[Summary, ...] = ()
    partings: tuple[Parting, ...] = ()
    plane: Plane | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    used: Mapping[tuple[str, str, Quantity], tuple[float, ...]] = field(
        default_factory=dict[tuple[str, str, Quantity], tuple[float, ...]]
    )
    unit: bool = True  # False: what was found once all units of a case were in

    @property
    def key(self) -> tuple[str, int, str, bool]:
        """What no two outcomes of a run share."""
        return self.case, self.point, self.dtype, self.unit

    @property
    def unexplained(self) -> bool:
        """Whether it has a finding that no ledger entry explains: what makes exit status 1."""
        return any(row.unexplained for row in self.rows) or any(path.first is not None for path in self.summaries)


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """What a report tells about a case: `address` is what a command names it by; `code` are the functions that compute
    it in place of a graph, which then has its inputs alone."""

    name: str
    address: str
    about: str
    source: str
    tags: tuple[str, ...]
    points: int
    graph: Graph
    code: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was to be run: as much as it takes to tell a finding."""

    settings: Settings
    cases: tuple[CaseSummary, ...]

    @cached_property
    def addresses(self) -> Mapping[str, str]:
        """What a command names each case by."""
        return {case.name: case.address for case in reversed(self.cases)}

    @cached_property
    def graphs(self) -> Mapping[str, Graph]:
        return {case.name: case.graph for case in reversed(self.cases)}


@dataclass(frozen=True, kw_only=True)
class About(Asked):
    """What was run, where and how. `left` counts the units that an interruption kept from running."""

    command: str
    versions: Mapping[str, str]
    platform: Mapping[str, str]
    seeds: Mapping[str, int]
    started: str
    seconds: float
    units: int
    left: int = 0
    messages: tuple[str, ...] = ()


class Report(Protocol):
    """A report in the making. An entry point of the group `gradaccord.reports` is called with the folder
    and gives one. A run that is killed calls nothing more: what stands in the folder must be readable at any time."""

    def begin(self, about: About) -> None:
        """What will be run; nothing is yet, all its units are left."""
        ...

    def add(self, outcome: Outcome) -> None:
        """One unit more, in the order of the run."""
        ...

    def close(self, about: About) -> None:
        """The run is over, or stopped with units left."""
        ...


class OpenReport(Protocol):
    def __call__(self, folder: Path) -> Report: ...
