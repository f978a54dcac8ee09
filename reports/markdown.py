"""`report.md`: a run to be read, on a code host or in an editor. The one report that rounds numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..harness.graph.language.printing import text_of
from ..harness.records.outcome import About, CaseSummary, Outcome
from ..harness.records.paths import Parting, Summary
from ..harness.records.rows import NOT_ENGINES, Row, component
from ..harness.records.tally import Tally
from ..harness.records.verdicts import VERDICTS, Verdict
from ..harness.telling.findings import Told, engines_first, entries, inner, silences, splits, told
from ..harness.telling.mermaid import LARGEST, boxes, mermaid
from ..harness.words import counted
from .agreement import HEAD, Agreement
from .allowance import Allowance
from .trajectories import PARTED, WALKED, parted, walked
from .whole import Whole

SIDE_BY_SIDE = (
    "Of the values and gradients that both engines gave, how many are the same bit for bit and, of the others, the "
    "median distance in units in the last place (ulp), each at the component where it is largest. Many ulps are no "
    "fault by themselves: the verdicts say whether each is sound."
)
STATEMENTS = 200  # lines of a graph's text; the case file has them all


class MarkdownReport:
    """Keeps what it will tell: of rows that agree only their number."""

    def __init__(self, folder: Path) -> None:
        self._file = Whole(folder, "report.md")
        self._tally = Tally()
        self._notable: list[Row] = []
        self._agreement = Agreement()
        self._allowance = Allowance()
        self._paths: list[Summary] = []
        self._partings: list[Parting] = []
        self._seconds: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        self._tally.add(outcome)
        for row in outcome.rows:
            if row.verdict != "agree" or row.finding:
                self._notable.append(row)
        self._agreement.add(outcome)
        self._allowance.add(outcome)
        self._paths += outcome.summaries
        self._partings += outcome.partings

    def close(self, about: About) -> None:
        for section in self._sections(about):
            self._file.write(section.rstrip() + "\n\n")
        self._file.close()

    # --- sections, in order -------------------------------------------------------------------------------

    def _sections(self, about: About) -> Iterable[str]:
        open_rows = [row for row in self._notable if row.unexplained]
        accepted = [row for row in self._notable if row.finding and row.accepted]
        passing = [row for row in self._notable if not row.finding]
        paths = [path for path in self._paths if path.first is not None]
        quiet, rest = silences(open_rows)
        kinks, others = splits(entries(rest))
        yield self._opening(about, len(quiet) + len(kinks) + len(others) + len(paths))
        yield "## What was run\n\n" + _run_table(about)
        yield "## Verdicts\n\n" + self._verdicts()
        yield "## Engine by engine\n\n" + self._pairs()
        yield "## Disagreements\n\n" + _disagreements(open_rows, about)
        if accepted:
            explained = _disagreements(accepted, about)
            yield "## Known disagreements\n\nExplained by an `accept` entry of the case.\n\n" + explained
        yield "## Reported, and no disagreement\n\n" + _passing(passing, about)
        if self._paths:
            yield "## Trajectories\n\n" + self._trajectories()
        yield "## Allowances\n\n" + self._allowances()
        yield "## Cases\n\n" + "\n\n".join(map(_case, about.cases))
        yield "## To repeat this\n\n" + _repeat(about)

    def _opening(self, about: About, total: int) -> str:
        engines = [engine for engine in self._tally.verdicts if engine not in NOT_ENGINES]
        numbers = sum(self._tally.verdicts[engine].total() for engine in engines)
        lines = ["# Do these engines compute the same gradient?", ""]
        lines += [f"> **Incomplete.** {message}" for message in about.messages]
        lines += [""] * bool(about.messages)
        size = f"{counted(len(about.cases), 'small computation')} went through {counted(len(engines), 'engine')}"
        lines.append(
            f"{size}: {_listed(engines)}. Every number that an engine showed on its way to the gradient "
            f"({counted(numbers, 'row')} in `results.csv`) was held against certified ball arithmetic on the engine's "
            "own numbers. So each difference is known to be rounding, a choice at a kink, or a defect, and in which "
            "operation it began."
        )
        lines.append("")
        if total:
            lines.append(f"**{counted(total, 'disagreement')} without an explanation**: [here](#disagreements).")
        elif not about.messages:
            lines.append("**No disagreement that is not explained.**")
        return "\n".join(lines)

    def _verdicts(self) -> str:
        present: list[Verdict] = [
            verdict for verdict in VERDICTS if any(counts[verdict] for counts in self._tally.verdicts.values())
        ]
        rows = [
            [f"`{engine}`", *(f"{counts[verdict]:,}" if counts[verdict] else "" for verdict in present)]
            for engine, counts in engines_first(self._tally.verdicts).items()
        ]
        legend = [[f"**{verdict}**", VERDICTS[verdict].means] for verdict in present]
        text = "How many numbers (values, gradients, adjoints, terms) got which verdict.\n\n"
        return text + _table(["engine", *present], rows, right=True) + "\n\n" + _table(["verdict", "means"], legend)

    def _pairs(self) -> str:
        tables = self._agreement.tables()
        if not tables:
            return "No two engines gave the same quantity, so there is nothing to put side by side."
        parts = [SIDE_BY_SIDE]
        for title, rows in tables.items():
            table = _table(HEAD, rows)
            parts.append(_folded(f"{title}: {counted(len(rows), 'pair')}", table) if title else table)
        return "\n\n".join(parts)

    def _trajectories(self) -> str:
        parts = [WALKED + _told(*walked(self._paths))]
        if self._partings:
            parts.append(PARTED + _told(*parted(self._partings)))
        return "\n\n".join(parts)

    def _allowances(self) -> str:
        head, rows = self._allowance.table()
        exact = f"Exact on every engine: {_listed(self._allowance.exact)}."
        if not rows:
            return exact
        return (
            "How much of what its rounding may move it a sound step really uses: of all links of an operation the "
            "median and the worst score, and whose. A bound that no engine comes near is wider than it need be; a "
            f"score of 1 is the edge. {exact}\n\n" + _folded(counted(len(rows), "operation"), _table(head, rows))
        )


# --- pieces -----------------------------------------------------------------------------------------------


def _run_table(about: About) -> str:
    points = sum(case.points for case in about.cases)
    rows = [
        ["command", f"`{about.command}`"],
        ["cases", f"{len(about.cases):,}, at {counted(points, 'point')}"],
        ["engines", ", ".join(f"`{engine}`" + _version(about, engine) for engine in about.settings.engines)],
        ["units of work", f"{about.units - about.left} of {about.units} (a case at one point in one dtype)"],
        ["time", f"{about.seconds:.1f} s, begun {about.started}"],
    ]
    return _table(["", ""], rows)


def _version(about: About, engine: str) -> str:
    return f" ({about.versions[engine]})" if about.versions.get(engine) else ""


def _disagreements(rows: Sequence[Row], about: About) -> str:
    if not rows:
        return "None."
    quiet, rest = silences(rows)
    by_case: dict[str, list[Row]] = {}
    for row in rest:
        by_case.setdefault(row.case, []).append(row)
    parts = [_finding(told(silence, about)) for silence in quiet]
    for case, group in by_case.items():
        parts.append(f"### {case}")
        kinks, others = splits(entries(group))
        parts += [_finding(told(entry, about)) for entry in (*kinks, *others)]
    return "\n\n".join(parts)


def _finding(account: Told) -> str:
    row = account.row
    point = f", point {row.point}" if row.point else ""
    if not account.affected:
        lines = [f"- **{row.engine}: {row.verdict}** {account.where}"]
    elif not account.who:
        lines = [f"- **engines chose differently{point}: convention**: {_escaped(account.affected)}"]
    else:
        lines = [
            f"- **{row.engine}, {row.dtype or 'every dtype'}{point}: {row.verdict}**: {_escaped(account.affected)}"
        ]
        lines += [f"first link that is off: {_escaped(account.link)}"] if account.link else []
    lines += map(_escaped, account.reasons)
    if account.who and account.affected and row.engine_value is not None and row.reference is not None:
        digits = f", {counted(float(f'{abs(row.digits):.0f}'), 'digit')} agree" if row.digits is not None else ""
        what = f"{row.quantity} of `{row.name}`{component(row.index)}"
        lines.append(f"{what} is {row.engine_value:.9g}, the truth is {row.reference:.9g}{digits}")
    lines += [f"there {_escaped(account.nodes)}"] if account.nodes else []
    lines += [f"accepted: {_escaped(row.accepted)}"] if row.accepted and account.affected and account.who else []
    lines.append(f"repeat: `{account.again}`")
    return "<br>\n  ".join(lines)


def _passing(rows: Sequence[Row], about: About) -> str:
    if not rows:
        return "Nothing."
    groups: dict[tuple[Verdict, str], tuple[dict[str, None], dict[str, None]]] = {}
    for entry in entries(rows):
        row = entry.row
        general = VERDICTS[row.verdict].general
        reason = row.reason if general else f"{row.case}\0{row.reason}"
        engines, cases = groups.setdefault((row.verdict, reason), ({}, {}))
        engines[row.engine] = cases[row.case] = None
    ordered = sorted(groups.items(), key=lambda item: list(VERDICTS).index(item[0][0]))
    table: list[list[str]] = []
    for (verdict, key), (engines, cases) in ordered:
        case, _, reason = key.rpartition("\0")
        text = "; ".join(filter(None, [_shortened(reason), inner(about, case, reason)]))
        table.append([verdict, _listed(list(engines)), _cases(list(cases)), _escaped(text)])
    return _table(["verdict", "engines", "cases", "reason"], table)


def _cases(names: Sequence[str], limit: int = 4) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _case(case: CaseSummary) -> str:
    lines = [f"### {case.name}", "", _escaped(case.about) or "", ""]
    if case.source:
        lines += [f"Source: {_escaped(case.source)}", ""]
    statements = text_of(case.graph)
    shown = [f"{name}: {text}" for name, text in list(statements.items())[:STATEMENTS]]
    if len(statements) > STATEMENTS:
        shown.append(f"# and {len(statements) - STATEMENTS:,} more")
    size = f"{counted(len(case.graph.inputs), 'input')}, {counted(len(case.graph.operations), 'operation')}"
    lines += [
        f"<details><summary>The graph: {size}</summary>",
        "",
        "```yaml",
        *shown,
        "```",
        "",
    ]
    if boxes(case.graph) <= LARGEST:
        lines += ["```mermaid", mermaid(case.graph), "```", ""]
    else:
        lines += [f"No diagram: more than {LARGEST} boxes say less than the text.", ""]
    lines.append("</details>")
    return "\n".join(lines)


def _repeat(about: About) -> str:
    rows = [[key, value] for key, value in about.platform.items()]
    rows += [[f"`{engine}`", version] for engine, version in about.versions.items()]
    return f"```\n{about.command}\n```\n\n" + _table(["", ""], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: bool = False) -> str:
    rule = ["---", *["---:" if right else "---"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in [head, rule, *rows])


def _told(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose last column is plain text."""
    return _table(head, [[*row[:-1], _escaped(row[-1])] for row in rows])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) if "\\|" not in text else text


def _escaped(text: str) -> str:
    """Plain text for Markdown: what stands in back quotes stays; elsewhere its signs lose their meaning."""
    parts = " ".join(text.split()).split("`")
    for k in range(0, len(parts), 2):
        for sign in "\\*_<[|":
            parts[k] = parts[k].replace(sign, "\\" + sign)
    return "`".join(parts)


def _shortened(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


write = MarkdownReport
