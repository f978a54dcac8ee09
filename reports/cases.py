"""`cases.md`: every case of a run with its graph, as text and as a diagram. `report.md` links to it."""

from __future__ import annotations

from pathlib import Path

from ..harness.graph.language.printing import text_of
from ..harness.records.outcome import About, CaseSummary, Outcome
from ..harness.telling.mermaid import LARGEST, count, mermaid
from ..harness.words import counted
from .layout import escaped, listed
from .whole import put

STATEMENTS = 200  # lines of a graph's text; the case file has them all


class CasesReport:
    """Knows the cases as the run begins; no outcome adds to it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cases.md"

    def begin(self, about: About) -> None:
        head = f"# {counted(len(about.cases), 'case')}\n\nWhat became of them: [report.md](report.md)."
        put(self._path, "\n\n".join([head, *map(_case, about.cases)]) + "\n")

    def add(self, outcome: Outcome) -> None:
        pass

    def close(self, about: About) -> None:
        pass


def _case(case: CaseSummary) -> str:
    lines = [f"## {case.name}", "", escaped(case.about) or "", ""]
    if case.source:
        lines += [f"Source: {escaped(case.source)}", ""]
    if case.code:
        return "\n".join([*lines, f"Computed by code: {listed(case.code)}."])
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
    if count(case.graph) <= LARGEST:
        lines += ["```mermaid", mermaid(case.graph), "```", ""]
    else:
        lines += [f"No diagram: more than {LARGEST} boxes say less than the text.", ""]
    lines.append("</details>")
    return "\n".join(lines)


write = CasesReport
