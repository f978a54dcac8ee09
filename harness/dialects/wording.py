"""What a comparison of two optimisers says: its sentences, for the terminal, for Markdown and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..own.shown import Shown
from .dialect import Compared, Difference, Likeness, Remedy
from .following import Apart
from .sides import Side

POINTS = 4  # probing points in a table
STYLES = {"equal": "bold green", "settings": "bold yellow", "definition": "bold red"}


@dataclass(frozen=True)
class Dialect(Shown):
    """A comparison that shows itself."""

    found: Compared

    @property
    def sound(self) -> bool:
        return self.found.equal

    @property
    def headline(self) -> str:
        return headline(self.found)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found = self.found
        yield Text(headline(found), style=STYLES[found.verdict])
        for sentence in sentences(found):
            yield _bullet(sentence)
        if found.lines:
            yield Text("\nThe lines that differ")
            table = Table(box=None, padding=(0, 2), pad_edge=True, show_header=False)
            for a, b in found.lines:
                for which, line in (("a", a), ("b", b)):
                    table.add_row(which, Text(line or "-"))
            yield table
        if found.shows:
            yield Text("\nWhere it shows most" + _with_what(found))
            yield _table(found.shows)
        if found.verdict != "equal":
            yield Text("\nWhat to set", style="bold")
            for sentence in remedies(found):
                yield _bullet(sentence)
        for sentence in notes(found):
            yield Text(f"note: {sentence}", style="dim")

    def markdown(self, level: int = 1) -> str:
        """The comparison as a page, or as a section of one."""
        found = self.found
        parts = [f"{'#' * level} `{found.a.text}` and `{found.b.text}`", f"**{headline(found)}**"]
        if said := [*sentences(found)]:
            parts.append("\n".join(f"- {sentence}" for sentence in said))
        if found.lines:
            rows = "\n".join(f"| {_code(a)} | {_code(b)} |" for a, b in found.lines)
            parts.append(f"| {name(found.a)} | {name(found.b)} |\n|---|---|\n{rows}")
        if found.shows:
            rows = "\n".join(
                f"| {one.label} | {one.step} | {one.a:.3g} | {one.b:.3g} | {apart_in_words(one)} |"
                for one in found.shows[:POINTS]
            )
            head = "| probing point | step | a | b | apart |\n|---|---|---|---|---|"
            parts.append(f"Where it shows most{_with_what(found)}\n\n{head}\n{rows}")
        if found.verdict != "equal":
            parts.append("What to set:\n\n" + "\n".join(f"- {sentence}" for sentence in remedies(found)))
        if said := [*notes(found)]:
            parts.append("\n".join(f"- {sentence}" for sentence in said))
        return "\n\n".join(parts) + "\n"

    def record(self) -> dict[str, Any]:
        """The comparison as data, for `--json`."""
        found = self.found
        return {
            "a": found.a.text,
            "b": found.b.text,
            "verdict": found.verdict,
            "equal": found.equal,
            "digits": round(min(found.likeness.digits, 15.9), 1),
            "bit_for_bit": found.likeness.bits,
            "headline": headline(found),
            "definitions": [_definition(side) for side in (found.a, found.b)],
            "differences": [
                {"name": one.name, "a": one.a, "b": one.b, "a_words": one.a_words, "b_words": one.b_words}
                for one in found.differences
            ],
            "lines": [list(pair) for pair in found.lines],
            "shows": [
                {"point": one.label, "step": one.step, "a": one.a, "b": one.b, "relative": one.relative}
                for one in found.shows
            ],
            "remedies": [{"a": one.a, "b": one.b, "change": one.change} for one in found.remedies],
            "says": [*sentences(found), *(remedies(found) if found.verdict != "equal" else ()), *notes(found)],
        }


def _bullet(sentence: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row("-", Text(sentence))
    return grid


def name(side: Side) -> str:
    return side.path


def _definition(side: Side) -> dict[str, Any] | None:
    found = side.definition
    return None if found is None else {"rule": found.rule, **found.chosen}


def headline(found: Compared) -> str:
    """The verdict in one sentence."""
    pair = f"{name(found.a)} and {name(found.b)}"
    if found.equal:
        return f"{pair} step alike, {alike(found.likeness)}."
    if found.turned:
        return f"{pair} move in opposite directions: one descends, the other ascends."
    if found.verdict == "settings":
        numbers = ", ".join(f"{one.name} {one.a} and {one.b}" for one in found.differences)
        return f"{pair} are the same definition with other settings: {numbers}."
    if _is_choice(found):
        return f"{pair} are two definitions."
    return f"{pair} step differently{_from(found)}."


def _is_choice(found: Compared) -> bool:
    return any(one.is_choice for one in found.differences)


def _from(found: Compared) -> str:
    return f", from step {found.first} on" if found.first > 1 else ""


def alike(found: Likeness) -> str:
    """How many digits agree, in words."""
    return "bit for bit" if found.bits else f"to {min(int(min(found.digits, 15)), 15)} digits"


def sentences(found: Compared) -> Iterator[str]:
    """What differs, one sentence each."""
    for one in found.differences:
        yield _difference(one, found)
    yield from found.why


def _difference(one: Difference, found: Compared) -> str:
    if one.name == "rule":
        return f"a steps by the rule `{one.a}`, b by `{one.b}`"
    if one.a_words and one.b_words and one.a_words != one.b_words:
        return f"{one.name}: in {name(found.a)} {one.a_words}; in {name(found.b)} {one.b_words}"
    if one.a_words or one.b_words:
        side = found.a if one.a_words else found.b
        value = one.b if one.a_words else one.a
        return f"{one.name}: {one.a_words or one.b_words} in {name(side)}; the other has {value}"
    of_a, of_b = (_with_argument(side, one.name, text) for side, text in ((found.a, one.a), (found.b, one.b)))
    return f"{one.name}: {of_a} in {name(found.a)}, {of_b} in {name(found.b)}"


def _with_argument(side: Side, setting: str, text: str) -> str:
    argument = side.argument(setting)
    return f"{argument} {text}" if argument not in ("", setting) else text


def remedies(found: Compared) -> Iterator[str]:
    """What makes them equal, and how well: or that nothing does."""
    for one in found.remedies:
        yield _remedy(one, found)
    if not found.remedies:
        yield found.never or "no setting makes them equal" + _because(found)


def _remedy(one: Remedy, found: Compared) -> str:
    end = f"Stepped again: equal {alike(one.likeness)}."
    if one.whole:
        moved, kept = (one.b, one.a) if one.a == found.a.text else (one.a, one.b)
        return f"{moved} steps as {kept} does. {end}"
    return f"no setting of one alone; equal are {one.a} and {one.b} ({one.change}). {end}"


def _because(found: Compared) -> str:
    if any(one.name == "rule" for one in found.differences):
        return ": they are two rules"
    told = [one.name for one in found.differences if one.is_choice]
    return f": no argument says `{told[0]}`" if told else ""


def notes(found: Compared) -> Iterator[str]:
    yield from found.caveats
    yield from found.assumed
    if found.skipped:
        yield f"some probing points were left out: {found.skipped}"


def apart_in_words(one: Apart) -> str:
    """How far apart, of the larger move: in percent, or as a power of ten."""
    if isinf(one.relative):
        return "no number"
    return f"{100 * one.relative:.3g} %" if one.relative >= 1e-3 else f"{one.relative:.1e}"


def _with_what(found: Compared) -> str:
    same = found.verdict == "definition" and any(not one.is_choice for one in found.differences)
    return ", with the same numbers on both sides" if same else ""


def _table(shows: tuple[Apart, ...]) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=True)
    table.add_column("probing point")
    for head in ("step", "a", "b", "apart"):
        table.add_column(head, justify="right")
    for one in shows[:POINTS]:
        table.add_row(one.label, str(one.step), f"{one.a:.3g}", f"{one.b:.3g}", apart_in_words(one))
    return table


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
