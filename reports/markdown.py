"""`report.md`: a run to be read, on a code host or in an editor. The one report that rounds numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from ..harness.records.outcome import About, Outcome
from ..harness.records.paths import Parting, Plane, Summary
from ..harness.records.rows import NOT_ENGINES, Row
from ..harness.records.tally import Tally
from ..harness.records.verdicts import VERDICTS, Verdict
from ..harness.telling.causes import Cause, causes
from ..harness.telling.findings import engines_first
from ..harness.words import counted
from .agreement import HEAD, Agreement
from .allowance import Allowance
from .causes import in_full, in_short, overview, reported
from .layout import code, escaped, fenced, folded, listed, table
from .pictures import clear, pictures
from .trajectories import trajectories
from .whole import put

SIDE_BY_SIDE = (
    "Of the values and gradients that both engines gave, how many are the same bit for bit and, of the others, the "
    "median distance in units in the last place (ulp), each at the component where it is largest. Many ulps are no "
    "fault by themselves: the verdicts say whether each is sound."
)
TITLE = "# Do these engines compute the same gradient?"
UNFINISHED = (
    "> **Not finished.** What is found comes into `results.csv`, `pairs.csv` and `trajectories.csv` as soon as it is "
    "known; this page follows at the end. A run that stopped goes on by its command with `--resume`."
)
PICTURES = "pictures"  # the folder beside the report
DRAWN = 60  # pictures
SHOWN = 40  # new causes in full; the table at the top has them all


class MarkdownReport:
    """Keeps what it will tell: of rows that agree only their number."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder / PICTURES, folder / "report.md"
        self._tally = Tally()
        self._notable: list[Row] = []
        self._agreement = Agreement()
        self._allowance = Allowance()
        self._paths: list[Summary] = []
        self._partings: list[Parting] = []
        self._planes: list[Plane] = []

    def begin(self, about: About) -> None:
        """In place of the report of an earlier run, which this one's tables no longer belong to."""
        clear(self._folder)
        put(self._path, f"{TITLE}\n\n{UNFINISHED}\n\n## What is run\n\n{_run(about)}\n")

    def add(self, outcome: Outcome) -> None:
        self._tally.add(outcome)
        for row in outcome.rows:
            if row.verdict != "agree" or row.finding:
                self._notable.append(row)
        self._agreement.add(outcome)
        self._allowance.add(outcome)
        self._paths += outcome.summaries
        self._partings += outcome.partings
        self._planes += [] if outcome.plane is None else [outcome.plane]

    def close(self, about: About) -> None:
        put(self._path, "".join(f"{section.rstrip()}\n\n" for section in self._sections(about)))

    # --- sections, in order -------------------------------------------------------------------------------

    def _sections(self, about: About) -> Iterable[str]:
        found = causes([row for row in self._notable if row.finding], about, self._paths)
        passing = causes([row for row in self._notable if not row.finding], about)
        new, known = [cause for cause in found if not cause.known], [cause for cause in found if cause.known]
        yield self._opening(about, new, known)
        if found:
            yield "## What is off\n\n" + overview(found)
        yield "## Engine by engine\n\n" + self._pairs()
        if new:
            yield "## New findings\n\n" + _in_full(new, about)
        if self._paths:
            yield "## Paths\n\n" + trajectories(self._paths, self._partings) + self._drawn()
        if known:
            explained = "\n\n".join(in_short(cause, about) for cause in known)
            yield (
                "## Known findings\n\nExplained by an `accept` entry of the case, or known of the engine.\n\n"
                + explained
            )
        yield "## Verdicts\n\n" + self._verdicts()
        if passing:
            yield "## Reported, and no disagreement\n\n" + reported(passing, about)
        yield "## Allowances\n\n" + self._allowances()
        yield "## What was run\n\n" + _run(about)

    def _opening(self, about: About, new: Sequence[Cause], known: Sequence[Cause]) -> str:
        engines = [engine for engine in self._tally.verdicts if engine not in NOT_ENGINES]
        numbers = sum(self._tally.verdicts[engine].total() for engine in engines)
        lines = [TITLE, ""]
        lines += [f"> **Incomplete.** {message}" for message in about.messages]
        lines += [""] * bool(about.messages)
        explained = f" {counted(len(known), 'known one')}." if known else ""
        if new:
            lines.append(f"**{counted(len(new), 'disagreement')} without an explanation.**{explained}")
        elif not about.messages:
            lines.append(f"**No disagreement that is not explained.**{explained}")
        size = f"{counted(len(about.cases), 'small computation')} ([cases.md](cases.md))"
        lines.append("")
        lines.append(
            f"{size} went through {counted(len(engines), 'engine')}: {listed(engines)}. Every number that an engine "
            f"showed ({counted(numbers, 'row')} in `results.csv`) was held against certified ball arithmetic on the "
            "engine's own numbers, so each difference is known to be rounding, a choice at a kink, or a defect, and in "
            "which operation it began."
        )
        return "\n".join(lines)

    def _pairs(self) -> str:
        tables = self._agreement.tables()
        if not tables:
            return "No two engines gave the same quantity, so there is nothing to put side by side."
        parts = [SIDE_BY_SIDE]
        for title, rows in tables.items():
            text = table(HEAD, rows)
            parts.append(folded(f"{title}: {counted(len(rows), 'pair')}", text) if title else text)
        return "\n\n".join(parts)

    def _verdicts(self) -> str:
        present: list[Verdict] = [
            verdict for verdict in VERDICTS if any(counts[verdict] for counts in self._tally.verdicts.values())
        ]
        rows = [
            [code(engine), *(f"{counts[verdict]:,}" if counts[verdict] else "" for verdict in present)]
            for engine, counts in engines_first(self._tally.verdicts).items()
        ]
        legend = [[f"**{verdict}**", VERDICTS[verdict].means] for verdict in present]
        text = "How many numbers (values, gradients, adjoints, terms) got which verdict.\n\n"
        return text + table(["engine", *present], rows, right=True) + "\n\n" + table(["verdict", "means"], legend)

    def _drawn(self) -> str:
        """The pictures of paths, put into their folder."""
        drawn = list(islice(pictures(self._planes, self._partings), DRAWN))
        if not drawn:
            return ""
        self._folder.mkdir(exist_ok=True)
        for picture in drawn:
            put(self._folder / picture.name, picture.svg)
        shown = "\n\n".join(f"![{escaped(one.words)}]({PICTURES}/{quote(one.name)})" for one in drawn)
        return "\n\n" + folded(counted(len(drawn), "picture"), shown)

    def _allowances(self) -> str:
        head, rows = self._allowance.table()
        exact = f"Exact on every engine: {listed(self._allowance.exact)}."
        if not rows:
            return exact
        return (
            "How much of what its rounding may move it a sound step really uses: of all links of an operation the "
            "median and the worst score, and whose. A bound that no engine comes near is wider than it need be; a "
            f"score of 1 is the edge. {exact}\n\n" + folded(counted(len(rows), "operation"), table(head, rows))
        )


def _in_full(new: Sequence[Cause], about: About) -> str:
    parts = [in_full(cause, about) for cause in new[:SHOWN]]
    parts += [f"And {len(new) - SHOWN} more, which the table at the top names."] if len(new) > SHOWN else []
    return "\n\n".join(parts)


def _run(about: About) -> str:
    points = sum(case.points for case in about.cases)
    rows = [
        ["cases", f"{len(about.cases):,}, at {counted(points, 'point')}"],
        ["units of work", f"{about.units - about.left} of {about.units} (a case at one point in one dtype)"],
        ["time", f"{about.seconds:.1f} s, begun {about.started}"],
        *([key, value] for key, value in about.platform.items()),
        *([code(engine), escaped(about.versions.get(engine, ""))] for engine in about.settings.engines),
    ]
    return f"To repeat this:\n\n{fenced(about.command)}\n\n" + table(["", ""], rows)


write = MarkdownReport
