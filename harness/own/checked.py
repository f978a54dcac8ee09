"""What a check found: rows, a text that reads well in a test log, a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ..graph.expand import Expander
from ..graph.graph import Graph
from ..graph.node import Use
from ..hearing.heard import Heard, Place
from ..judging.agreement import same_bits
from ..records.rows import LinkName, Row, component, shown
from ..records.verdicts import VERDICTS, Verdict
from ..telling.findings import Entry, entries
from ..words import counted
from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20  # findings in a text
VOUCHED_FOR_BY_NOBODY: frozenset[Verdict] = frozenset(("not judged", "undefined"))
LONGEST = 200  # characters of a reason in a table


@dataclass(frozen=True)
class Checked(Shown):
    """A run that was heard and judged. `rows` are verdicts on values and gradients, inputs under the user's own names;
    `links` counts the verdicts of all links; `seconds` by stage. `certified`: the links alone prove all of it, and
    neither a truth nor what rounding may do to the whole was computed, unless a reference was asked for."""

    name: str
    version: str
    heard: Heard
    rows: tuple[Row, ...]
    links: Mapping[Verdict, int]
    seconds: Mapping[str, float]
    certified: bool = False

    @cached_property
    def findings(self) -> tuple[Row, ...]:
        """One row for each link that is off and not known of the framework."""
        return tuple(entry.row for entry in self._entries)

    @cached_property
    def not_judged(self) -> tuple[Row, ...]:
        """The wanted gradients and the output that nobody can vouch for: not judged, or undefined, as where an input
        is NaN."""
        output = self.heard.graph.output.name

        def told(row: Row) -> bool:
            return row.quantity == "gradient" or (row.quantity, row.name) == ("value", output)

        open_ones = (row for row in self.rows if row.verdict in VOUCHED_FOR_BY_NOBODY and told(row))
        return tuple(row for row in open_ones if row.quantity == "gradient" or row.verdict == "undefined")

    @property
    def sound(self) -> bool:
        """Whether every gradient exists and is judged, and none is off."""
        return not self.findings and not self.not_judged

    @cached_property
    def _entries(self) -> list[Entry]:
        return entries(row for row in self.rows if row.unexplained)

    def place(self, row: Row) -> Place:
        """Where the link stands that a row names, in the user's own code."""
        return self.heard.place_of(row)

    def frame(self) -> pd.DataFrame:
        """The rows as a table, with the user's file and line."""
        import pandas as pd

        def record(row: Row) -> dict[str, Any]:
            place = self.place(row)
            kept = shown(row) | {"file": place.file, "line": place.line or None}
            return {name: value for name, value in kept.items() if name != "point"}

        return pd.DataFrame([record(row) for row in self.rows])

    # --- as people see it ---------------------------------------------------------------------------------------

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._headline(), style="bold")
        for entry in self._entries[:SHOWN]:
            yield from self._finding(entry)
        if len(self._entries) > SHOWN:
            yield Text(f"\n... and {counted(len(self._entries) - SHOWN, 'finding')} more: `.findings` has them all")
        for row in self.not_judged[:SHOWN]:
            told = f"\n{row.verdict}  {row.quantity} of `{row.name}`: {row.reason}"
            yield Text(told, style=VERDICTS["not judged"].style)
        if table := self._passing():
            yield Group(Text(""), table)
        yield from (Text(f"note: {note}", style="dim") for note in self.heard.notes)

    def _headline(self) -> str:
        heard = self.heard
        gradients = sum(row.quantity == "gradient" for row in self.rows)
        total, how = sum(self.links.values()), f", {heard.plain}" if heard.plain else ""
        judged = f"{counted(gradients, 'gradient')}, {total:,} links of {counted(len(heard.graph.operations), 'call')}"
        found = counted(len(self._entries), "finding") if self._entries else "nothing is off"
        left = f", {len(self.not_judged)} not judged" if self.not_judged else ""
        proved = ", certified by its links" if self.certified else ""
        return f"{self.name} ({self.version}, {heard.dtype}{how}): {found}{left} in {judged}{proved}"

    def _finding(self, entry: Entry) -> Iterator[Text]:
        row, place = entry.row, self.place(entry.row)
        what = f"{row.quantity} of `{row.name}`{component(row.index)}" if row.name else row.quantity
        line = Text("\n")
        line.append(row.verdict, style=VERDICTS[row.verdict].style).append(f"  {what}")
        yield line
        if str(place):
            yield Text(f"  {place}")
        if place.rule and isinstance(row.node, LinkName) and row.node.quantity == "term":
            yield Text("  the rule's backward is not the derivative of its forward")
            use = row.node.use
            if use is not None and _is_flat(self.heard.graph, use):
                name = place.rule.partition(" ")[0]
                yield Text(f"  which is 0: a rule that is meant to be none says so, as in intended={{{name}: 'x'}}")
        if self._of_compilation(row):
            yield Text(
                f"  compiled gives another {row.quantity} than eager{component(row.index)}, more than rounding explains"
            )
        if row.reason:
            yield Text(f"  {row.reason}")
        if place.file:
            yield Text(
                f'  File "{place.file}", line {place.line}' + (f", in {place.function}" if place.function else "")
            )
        if entry.rows > 1:
            yield Text(f"  also off: {counted(entry.rows - 1, 'number')} more")

    def _of_compilation(self, row: Row) -> bool:
        """Whether a compiled program is off where the same program, heard call by call, has other numbers."""
        heard, run = self.heard, self.heard.evaluation
        if not heard.plain or row.node != LinkName(row.quantity, row.name):
            return False
        if row.quantity == "value":
            output = heard.graph.output.name
            return row.name == output and run.output is not None and not same_bits(run.output, run.values[output])
        node = next((node for node, name in heard.names.items() if name == row.name), row.name)
        shown = (run.adjoints or {}).get(node)
        return node in run.gradients and shown is not None and not same_bits(run.gradients[node], shown)

    def _passing(self) -> RenderableType | None:
        """The gradients that pass and are worth a word, those that inherit the same together."""
        gradients = [row for row in self.rows if row.quantity == "gradient" and not row.unexplained]
        told = [row for row in gradients if row.verdict not in ("agree", *VOUCHED_FOR_BY_NOBODY)]
        if not told:
            return None
        alike: dict[tuple[Verdict, str], list[str]] = {}
        for row in told:
            alike.setdefault((row.verdict, row.accepted or row.reason), []).append(row.name)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("gradient", "verdict", "reason"):
            table.add_column(column, overflow="fold")
        for (verdict, reason), names in list(alike.items())[:SHOWN]:
            who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
            reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST].rpartition(' ')[0]} ..."
            table.add_row(Text(who), Text(verdict, style=VERDICTS[verdict].style), Text(reason))
        return table


def _is_flat(graph: Graph, use: Use) -> bool:
    """Whether what a node of a definition means is piecewise constant in one operand: its derivative is 0 everywhere
    that there is one."""
    node, inside = graph.by_name[use.consumer], Expander(graph.definitions, stable=False)
    for name in dict.fromkeys(arg for arg in node.args if isinstance(arg, str)):
        inside.add(replace(graph.by_name[name], op="input", args=(), params=()))
    inside.apply(node.op, node.args, dict(node.params), node.name)
    body, written = inside.bodies[node.name], inside.graph([node.name])
    reached = {body.operands[use.position]}
    for step in body.nodes:
        if step.kind == "float" and written.operation(step).differentiable and not reached.isdisjoint(step.args):
            reached.add(step.name)
    return node.name not in reached
