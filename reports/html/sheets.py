"""What the page tells of one case, gathered as outcomes come: counts, what is notable, numbers at its nodes, paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from ...harness.graph.language.printing import text_of
from ...harness.records.outcome import Asked, CaseSummary, Outcome
from ...harness.records.paths import Parting, Plane, Summary
from ...harness.records.rows import NOT_ENGINES, LinkName, PairRow, Row, component
from ...harness.records.verdicts import GRAVITY, SEVERITY, Verdict
from ...harness.telling.findings import Entry, Told, at_point, entries, numbers, told
from ...harness.telling.mermaid import boxes
from ..pictures import pictures
from .drawing import Drawing, draw
from .plotting import Plot, plot

ROWS = 400  # that are no agreement, of one case
PAIRS = 12
STATEMENTS = 60
PICTURES = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off or worth a word in a case."""

    verdict: Verdict
    new: bool
    account: Told
    accepted: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that the page tells of a case."""

    case: CaseSummary
    verdicts: tuple[Verdict, ...]  # that occur, gravest first
    counts: Mapping[str, Mapping[Verdict, int]]
    numbers: int
    state: str  # "new", "known" or "sound"
    findings: tuple[Finding, ...]
    more: int
    text: tuple[str, ...]
    drawing: Drawing | None
    plots: tuple[tuple[str, Plot], ...]
    pictures: tuple[str, ...]  # SVG
    paths: tuple[Summary, ...]
    pairs: tuple[PairRow, ...]
    again: str


@dataclass(slots=True)
class Gathered:
    """A case while outcomes still come."""

    counts: dict[str, Counter[Verdict]] = field(default_factory=dict[str, Counter[Verdict]])
    notable: list[Row] = field(default_factory=list[Row])
    more: int = 0
    at: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])  # of quantity and name
    there: tuple[int, str] | None = None  # the point and dtype that `at` is of
    worst: dict[str, Verdict] = field(default_factory=dict[str, Verdict])
    guilty: set[str] = field(default_factory=set[str])
    paths: list[Summary] = field(default_factory=list[Summary])
    outputs: dict[str, dict[str, list[float]]] = field(default_factory=dict[str, dict[str, list[float]]])
    planes: list[Plane] = field(default_factory=list[Plane])
    partings: list[Parting] = field(default_factory=list[Parting])
    pairs: dict[tuple[str, str], PairRow] = field(default_factory=dict[tuple[str, str], PairRow])

    def add(self, outcome: Outcome) -> None:
        self.there = self.there or (outcome.point, outcome.dtype)
        for row in outcome.rows:
            self._add(row)
        for pair in outcome.pairs:
            known = self.pairs.get((pair.engine_a, pair.engine_b))
            if known is None or pair.ulps > known.ulps:
                self.pairs[pair.engine_a, pair.engine_b] = pair
        self.paths += outcome.summaries
        self.partings += outcome.partings
        self.planes += [] if outcome.plane is None else [outcome.plane]
        ends = {row.name for row in outcome.trajectories if row.step == 0}  # outputs: no input has moved yet
        for row in outcome.trajectories:
            if row.name in ends:
                title = at_point(row.dtype, row.point)
                self.outputs.setdefault(title, {}).setdefault(row.engine, []).append(row.value)

    def _add(self, row: Row) -> None:
        self.counts.setdefault(row.engine, Counter())[row.verdict] += 1
        if row.verdict != "agree" or row.finding:
            if len(self.notable) < ROWS:
                self.notable.append(row)
            else:
                self.more += 1
        if row.engine in NOT_ENGINES:
            return
        if (row.point, row.dtype) == self.there and row.engine_value is not None and not row.index:
            self.at.setdefault((row.quantity, row.name), row.engine_value)
        for name in filter(None, (row.name, row.use.consumer if row.use is not None else "")):
            if SEVERITY.get(row.verdict, 0) >= SEVERITY.get(self.worst.get(name, "agree"), 0):
                self.worst[name] = row.verdict
        if row.finding and isinstance(row.node, LinkName):
            self.guilty.add(row.node.use.consumer if row.node.use is not None else row.node.name)

    def sheet(self, case: CaseSummary, asked: Asked) -> Sheet:
        counts = {engine: count for engine, count in self.counts.items() if engine not in NOT_ENGINES}
        occurring: set[Verdict] = {verdict for count in self.counts.values() for verdict in count}
        findings = [_finding(entry, asked) for entry in entries(self.notable)]
        findings.sort(key=lambda finding: (not finding.new, not finding.accepted, -GRAVITY[finding.verdict]))
        state = "new" if any(f.new for f in findings) or any(path.first for path in self.paths) else ""
        drawing = None if case.code else self._drawing(case)
        statements = [f"{name}: {text}" for name, text in text_of(case.graph).items()]
        cut = [f"# and {len(statements) - STATEMENTS:,} more"] * (len(statements) > STATEMENTS)
        return Sheet(
            case=case,
            verdicts=tuple(sorted(occurring, key=lambda verdict: -GRAVITY[verdict])),
            counts=counts,
            numbers=sum(count.total() for count in counts.values()),
            state=state or ("known" if any(f.accepted for f in findings) else "sound"),
            findings=tuple(findings),
            more=self.more,
            text=(*statements[:STATEMENTS], *cut),
            drawing=drawing,
            plots=tuple((title, drawn) for title, paths in self.outputs.items() if (drawn := plot(paths)) is not None),
            pictures=tuple(one.svg for one in islice(pictures(self.planes, self.partings), PICTURES)),
            paths=tuple(self.paths),
            pairs=tuple(sorted(self.pairs.values(), key=lambda pair: -pair.ulps)[:PAIRS]),
            again=asked.settings.again(case.address),
        )

    def _drawing(self, case: CaseSummary) -> Drawing:
        return draw(boxes(case.graph), self._beside(case), self.worst, self.guilty, case.graph.output.name)

    def _beside(self, case: CaseSummary) -> dict[str, str]:
        """Of each number its value and its adjoint, where there is one number alone."""
        beside: dict[str, str] = {}
        for node in case.graph.nodes:
            value, adjoint = self.at.get(("value", node.name)), self._adjoint(node.name)
            if value is not None and not node.shape:
                beside[node.name] = f"= {value:.6g}" + (f", adjoint {adjoint:.6g}" if adjoint is not None else "")
        return beside

    def _adjoint(self, name: str) -> float | None:
        return self.at.get(("adjoint", name), self.at.get(("gradient", name)))


def _finding(entry: Entry, asked: Asked) -> Finding:
    row = entry.row
    return Finding(row.verdict, row.unexplained, told(entry, asked), row.accepted, numbers(row))


def where(pair: PairRow) -> str:
    """The number in which two engines differ most."""
    return f"{pair.quantity} of {pair.name}{component(pair.index)}, {at_point(pair.dtype, pair.point)}"


def gathered(cases: Iterable[CaseSummary], found: Mapping[str, Gathered], asked: Asked) -> list[Sheet]:
    """The sheets of all cases that had an outcome: new findings first, then known ones, then what is sound."""
    order = {"new": 0, "known": 1, "sound": 2}
    sheets = [found[case.name].sheet(case, asked) for case in cases if case.name in found]
    return sorted(sheets, key=lambda sheet: order[sheet.state])
