"""`report.html`: gathers a run and writes it as one page."""

from __future__ import annotations

from pathlib import Path

from ...harness.records.outcome import About, Outcome
from ...harness.records.paths import Summary
from ...harness.records.rows import NOT_ENGINES, Row
from ...harness.records.tally import Tally
from ...harness.records.verdicts import VERDICTS
from ...harness.telling.causes import Cause, causes
from ...harness.telling.findings import engines_first, told
from ...harness.words import visible
from ..agreement import HEAD, Agreement
from ..whole import put
from .sheets import Gathered, gathered, where
from .templates import template


class HtmlReport:
    """Keeps what the page tells; of rows that agree only their number and what stands at the nodes of small graphs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "report.html"
        self._tally = Tally()
        self._found: list[Row] = []
        self._agreement = Agreement()
        self._paths: list[Summary] = []
        self._cases: dict[str, Gathered] = {}

    def begin(self, about: About) -> None:
        """In place of the page of an earlier run, which this one's tables no longer belong to."""
        put(self._path, visible(self._page(about, finished=False)))

    def add(self, outcome: Outcome) -> None:
        self._tally.add(outcome)
        self._agreement.add(outcome)
        self._found += [row for row in outcome.rows if row.finding]
        self._paths += outcome.summaries
        self._cases.setdefault(outcome.case, Gathered()).add(outcome)

    def close(self, about: About) -> None:
        put(self._path, visible(self._page(about)))

    def _page(self, about: About, *, finished: bool = True) -> str:
        found = causes(self._found, about, self._paths)
        counts = engines_first(self._tally.verdicts)
        engines = [engine for engine in counts if engine not in NOT_ENGINES]
        return template("page.html").render(
            about=about,
            where=where,
            engines_of=_engines,
            finished=finished,
            causes=[(cause, told(cause.smallest, about)) for cause in found],
            new=sum(not cause.known for cause in found),
            engines=engines,
            numbers=sum(counts[engine].total() for engine in engines),
            counts=counts,
            present=[verdict for verdict in VERDICTS if any(count[verdict] for count in counts.values())],
            verdicts=VERDICTS,
            agreement_head=HEAD,
            agreement=self._agreement.tables(),
            sheets=gathered(about.cases, self._cases, about),
        )


def _engines(cause: Cause) -> str:
    names = (Path(engine).name if ".py" in engine else engine for engine in cause.engines)
    return ", ".join(name for name in names if name not in NOT_ENGINES)


write = HtmlReport
