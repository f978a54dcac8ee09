"""What a comparison found: a text that reads well in a test log, a table in a notebook, data for a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import isinf
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..alignment.compare import Comparison
from ..alignment.difference import Divergence
from ..alignment.parameters import Matching
from ..hearing.heard import Place
from ..running.offered import PAGES, entries
from ..words import counted
from .checked import Checked
from .shown import Shown

SHOWN = 8  # names in a line
BEFORE = 6  # calls that are shown before the first divergence


@dataclass(frozen=True)
class Compared(Shown):
    """Two functions, run at the same points: `divergences` in the order of `a`'s run, none where they are the same.

    `checked` are the verdicts on either run, link by link, where both are the same computation: what is left of a
    difference is rounding, a convention or a defect that a finding names. `parameters` says what those of `b` are made
    of; `guessed`, that no conversion was given; `parameter_names` are either side's own.
    """

    a: str
    b: str
    comparison: Comparison
    parameters: Matching | None = None
    guessed: bool = False
    checked: tuple[Checked, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    parameter_names: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    @property
    def same(self) -> bool:
        return self.comparison.same

    @property
    def divergences(self) -> tuple[Divergence, ...]:
        return self.comparison.divergences

    @property
    def not_exercised(self) -> tuple[str, ...]:
        return self.comparison.not_exercised

    def markdown(self) -> str:
        """The comparison as a page."""
        lines = [f"# {self.a} and {self.b}", "", self.headline, ""]
        if not self.same:
            lines += [f"| {_cell(self.a)} | {_cell(self.b)} | numbers |", "|---|---|---|"]
            for pair in self.comparison.trail[-BEFORE:]:
                cells = (f"{pair.a.spot} {pair.call_a}", f"{pair.b.spot} {pair.call_b}", pair.value)
                lines.append(f"| {' | '.join(map(_cell, cells))} |")
            first = self.divergences[0]
            cells = (f"{first.a.spot} {first.call_a}", f"{first.b.spot} {first.call_b}", "they part here")
            lines += [f"| {' | '.join(f'**{_cell(cell)}**' for cell in cells)} |", ""]
        for number, one in enumerate(self.divergences, 1):
            lines += [f"{number}. **{_cell(str(one))}**" + (f" ({one.times} times)" if one.times > 1 else "")]
            lines += [f"   - proof: {_cell(one.proof)}"] if one.proof else []
            lines += [f"   - {name}: {_cell(str(place))}" for name, place in (("a", one.a), ("b", one.b)) if place.file]
        lines += [f"- {_cell(text)}" for text in self.left]
        if self.parameters and self.parameters.counterparts:
            lines += ["", f"| {_cell(self.b)} | {_cell(self.a)} |", "|---|---|"]
            lines += [f"| {_cell(one.name)} | {_cell(one.words)} |" for one in self.parameters.counterparts]
        return "\n".join(lines).rstrip() + "\n"

    def html(self) -> str:
        """The comparison as a page for a browser, with both graphs side by side up to where they part."""
        page: Callable[[Compared], str] = entries(PAGES)["html"].load()
        return page(self)

    @property
    def sound(self) -> bool:
        """Whether both are the same computation, and neither run has a finding of its own."""
        return self.same and all(not one.findings for one in self.checked)

    def assert_same(self) -> Self:
        """This, if both are the same computation. Raises AssertionError, which says where they part and why."""
        __tracebackhide__ = True
        if not self.same:
            raise AssertionError(str(self))
        return self

    def record(self) -> dict[str, Any]:
        """The comparison as plain data, for JSON."""
        said = self.comparison
        return {
            "a": self.a,
            "b": self.b,
            "same": self.same,
            "point": said.point,
            "divergences": [
                {**asdict(one), "a": _plain(one.a), "b": _plain(one.b)} for one in said.divergences
            ],
            "digits": None if isinf(said.digits) else round(said.digits, 1),
            "layouts": list(said.layouts),
            "not_exercised": list(said.not_exercised),
            "not_compared": list(said.not_compared),
            "parameters": {one.name: one.words for one in self.parameters.counterparts} if self.parameters else {},
            "missing": list(self.parameters.missing) if self.parameters else [],
            "unused": list(self.parameters.unused) if self.parameters else [],
            "twice": list(self.parameters.twice) if self.parameters else [],
            "findings": [row.reason for one in self.checked for row in one.findings],
        }  # fmt: skip

    # --- as people see it ---------------------------------------------------------------------------------------

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.headline, style="bold")
        if not self.same:
            yield Text("")
            yield self._columns()
            for number, one in enumerate(self.divergences, 1):
                yield from _told(number, one)
        yield from self._left()
        if self.guessed and self.parameters:
            yield Text("\nparameters, matched by their numbers:", style="bold")
            yield self.table()

    @property
    def left(self) -> tuple[str, ...]:
        """What else is to be known, a line each: parameters that went astray, what was not exercised, findings."""
        return tuple(map(str, self._left()))

    @property
    def headline(self) -> str:
        """What is found, in one line."""
        said = self.comparison
        if not said.same:
            found = counted(len(said.divergences), "divergence")
            return f"{self.a} and {self.b} are not the same computation: {found}, at {said.point}"
        points = "your own numbers and random ones"
        return f"{self.a} and {self.b} are the same computation: at {points}, to {int(said.digits)} digits in float64"

    def _columns(self) -> Table:
        """The calls before the first divergence, and that."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in (self.a, self.b, "numbers"):
            table.add_column(column, overflow="fold")
        pairs = self.comparison.trail
        if len(pairs) > BEFORE:
            table.add_row(f"... {counted(len(pairs) - BEFORE, 'call')} alike", "", "")
        for pair in pairs[-BEFORE:]:
            table.add_row(f"{pair.a.spot} {pair.call_a}", f"{pair.b.spot} {pair.call_b}", Text(pair.value))
        first = self.divergences[0]
        table.add_row(
            Text(f"{first.a.spot} {first.call_a}", style="bold red"),
            Text(f"{first.b.spot} {first.call_b}", style="bold red"),
            Text("they part here", style="bold red"),
        )
        return table

    def _parameters(self) -> Iterator[Text]:
        """Parameters that went astray, or nowhere."""
        found = self.parameters
        for names, said in (
            (found.missing if found else (), "missing at `{b}`: {names} of `{a}`"),
            (found.partly if found else (), "missing at `{b}` in part: {names} of `{a}`"),
            (found.unused if found else (), "without a counterpart at `{a}`: {names} of `{b}`"),
            (found.twice if found else (), "used twice at `{b}`: {names} of `{a}`"),
        ):
            if names:
                told = ", ".join(f"`{name}`" for name in names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
                yield Text("parameters " + said.format(a=self.a, b=self.b, names=told), style="yellow")

    def table(self) -> Table:
        """What each parameter of `b` is made of: a start for a conversion."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in (self.b, self.a):
            table.add_column(column, overflow="fold")
        for one in self.parameters.counterparts if self.parameters else ():
            table.add_row(Text(one.name), Text(one.words))
        return table

    def _left(self) -> Iterator[Text]:
        said = self.comparison
        yield from self._parameters()
        for one in said.layouts:
            yield Text(f"layout: {one}")
        for one in said.not_exercised:
            yield Text(f"not exercised: {one}", style="yellow")
        if said.not_compared:
            names = ", ".join(f"`{name}`" for name in said.not_compared)
            yield Text(f"gradients not compared: {names}: their numbers are not found one by one on the other side")
        for one in self.checked:
            for row in one.findings:
                yield Text(
                    f"finding in {one.name}: {row.verdict}, {row.quantity} of `{row.name}`: {row.reason}", style="red"
                )
        if self.same and self.checked and not any(one.findings for one in self.checked):
            yield Text("every link of both runs is sound: what their numbers differ by is rounding", style="green")


def _told(number: int, one: Divergence) -> Iterator[Text]:
    yield Text("")
    line = Text(f"{number}. ", style="bold")
    line.append(str(one), style="bold red")
    if one.times > 1:
        line.append(f" ({one.times} times)")
    yield line
    if one.proof:
        yield Text(f"   proof: {one.proof}")
    for name, place in (("a", one.a), ("b", one.b)):
        if place.file:
            yield Text(
                f'   {name}: File "{place.file}", line {place.line}'
                + (f", in {place.function}" if place.function else "")
            )
            if len(place.chain) > 1:
                yield Text(f"      called from {', '.join(_short(step) for step in place.chain[:-1])}", style="dim")


def _cell(text: str) -> str:
    """A text inside of Markdown: nothing in it is markup."""
    for sign in "\\|<>*_[]#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _short(step: str) -> str:
    return step.replace("\\", "/").rpartition("/")[2]


def _plain(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "function": place.function, "module": place.module}
