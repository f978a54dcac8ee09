"""What YAML's parser complains about, told to somebody who writes a case: place, found, expected, remedy.

ruamel.yaml's errors come from `yaml_tree.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from .yaml_text import Source, shortened

QUOTE = "quote an expression that begins with one of [ { * & ! \" '"
COLON = "write a colon and a space after the name; indent a text that goes on deeper than its name"
ALIGN = "indent all keys of a mapping, and all items of a list, by the same number of spaces"
CLOSING = {"[": "]", "{": "}", "]": "[", "}": "{"}
KEY = re.compile(r"[^\s#][^#]*?:(?:\s|$)")  # at the beginning of a row's text


class Mark(NamedTuple):
    """A place, counted from 0, with the row that it is in."""

    line: int
    column: int
    row: str

    @property
    def first(self) -> bool:
        """Whether nothing stands before it in its row."""
        return not self.row[: self.column].strip()

    @property
    def item(self) -> bool:
        """Whether its row is an item of a list."""
        return self.row.lstrip().startswith("- ")

    @property
    def rest(self) -> str:
        return shortened(self.row[self.column :])


class Complaint(NamedTuple):
    """An error of the parser: where it noticed it, and where what it was reading then began."""

    source: Source
    problem: str
    at: Mark
    begun: Mark

    def note(self, place: Mark, found: str, expected: str, remedy: str) -> None:
        self.source.error_at(place.line, place.column, found, expected, remedy)

    def mark(self, line: int, column: int | None = None) -> Mark:
        """A place; without a column where the text of its row begins."""
        row = self.source.lines[line] if line < len(self.source.lines) else ""
        return Mark(line, _indent(row) if column is None else column, row)

    @property
    def above(self) -> list[Mark]:
        """The rows above that have text, the nearest first."""
        lines = (self.mark(line) for line in range(self.at.line - 1, -1, -1))
        return [mark for mark in lines if mark.row.strip() and not mark.row.lstrip().startswith("#")]


def explain(source: Source, error: Any) -> None:
    """Note an error of ruamel.yaml (a MarkedYAMLError) at the place where it is to be mended."""
    problem = str(error.problem or error.context or "it ends too early")
    places = Complaint(source, problem, Mark(0, 0, ""), Mark(0, 0, ""))
    at, begun = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    if at is not None:
        places = places._replace(at=places.mark(at.line, at.column), begun=places.mark(begun.line, begun.column))
    if "'\\t'" in problem or (places.at.first and "\t" in places.at.row[: places.at.column]):
        places.note(places.at, "a tab", "spaces", "indent with spaces: YAML allows no tab there")
        return
    for words, tell in COMPLAINTS:
        if re.search(words, problem):
            tell(places)
            return
    places.note(places.at, f"a YAML syntax error: {problem}", "YAML 1.2", QUOTE if _quotable(places.at.row) else "")


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())


def _spaces(counts: list[int]) -> str:
    return f"{' or '.join(map(str, counts))} space{'s' * (counts != [1])}"


def _quotable(row: str) -> bool:
    """Whether a value of the row begins with a sign that YAML takes for its own."""
    return any(f": {opening}" in row for opening in "[{*&!\"'")


def _no_colon(places: Complaint, line: int) -> None:
    mark = places.mark(line)
    text, remedy = mark.row.strip(), COLON
    if touching := re.fullmatch(r"(\w+):(\S.*)", text):
        remedy = f"put a space after the colon: `{shortened(': '.join(touching.groups()))}`"
    elif assigned := re.fullmatch(r"(\w+)\s*=\s*([^=].*)", text):
        remedy = f"write `{shortened(': '.join(assigned.groups()))}`"
    places.note(mark, f"`{shortened(text)}` without a colon and a space", "`name: value`", remedy)


def _key(places: Complaint) -> None:
    _no_colon(places, places.begun.line)


def _second_colon(places: Complaint) -> None:
    at = places.at
    above = next(iter(places.above), None)
    if KEY.match(at.row[: at.column].lstrip()) or above is None:
        remedy = "put quotes around a text that has `: ` in it"
        places.note(at, f"a second `: ` in `{shortened(at.row)}`", "one `name: value` in a row", remedy)
    elif KEY.match(above.row.lstrip().removeprefix("- ")):
        _misplaced(places, [_indent(above.row)])
    else:
        _no_colon(places, above.line)


def _misplaced(places: Complaint, expected: list[int]) -> None:
    mark = places.mark(places.at.line)
    text = f"`{mark.rest}` is indented by {_spaces([mark.column])}"
    places.note(mark, text, f"{_spaces(expected)}, as above", ALIGN)


def _block(places: Complaint) -> None:
    """Something where the next key, the next item or the end was expected."""
    at = places.at
    if at.row[at.column : at.column + 1] in ("}", "]"):
        closing = at.row[at.column]
        places.note(at, f"`{closing}` closes nothing", f"a `{CLOSING[closing]}` before it", "remove it")
    elif not at.first:
        _after_the_end(places, at)
    else:
        levels: list[int] = []  # the indentations that are open here
        for mark in places.above:
            if not levels or mark.column < levels[-1]:
                levels.append(mark.column)
        if at.column not in levels:
            _misplaced(places, levels[::-1])
        elif at.item and places.above[0].item:
            _misplaced(places, [places.above[0].column])
        else:
            found, expected = ("a list item", "a key") if at.item else ("a key", "a list item")
            places.note(at, f"{found}, `{at.rest}`", f"{expected}, as above", ALIGN)


def _after_the_end(places: Complaint, mark: Mark) -> None:
    remedy = f"quote the whole text; inside single quotes a quote is written twice; {QUOTE}"
    places.note(mark, f"`{mark.rest}` after the end of a value", "one value", remedy)


def _entry(places: Complaint) -> None:
    """Something in brackets where a comma or their end was expected."""
    opening = places.begun.row[places.begun.column : places.begun.column + 1]
    if places.begun.line == places.at.line:
        at = places.at
        if at.row[at.column : at.column + 1] == ":":  # the name before it is where the entry begins
            at = at._replace(column=at.column - len(re.split(r"[\s,\[{]", at.row[: at.column].rstrip())[-1]))
        remedy = "put a comma between entries; quote a text that has one of : , [ ] { } in it"
        places.note(at, f"`{at.rest}` without a comma before it", "a comma", remedy)
    else:
        places.note(places.begun, f"`{opening}` is never closed", f"`{CLOSING.get(opening, opening)}`", QUOTE)


def _open(places: Complaint) -> None:
    quote = places.begun.row[places.begun.column : places.begun.column + 1]
    remedy = f"close it; {QUOTE}"
    places.note(places.begun, f"`{quote}` is never closed", f"`{CLOSING.get(quote, quote)}` at the end", remedy)


def _first_sign(places: Complaint) -> None:
    place = places.begun if places.begun.line == places.at.line and "token" not in places.problem else places.at
    if place.row[: place.column].rstrip().endswith(("]", "}", "'", '"')):
        _after_the_end(places, place)
        return
    sign = place.row[place.column : place.column + 1]
    places.note(place, f"`{sign}` at the beginning of a text", "quotes around such a text", f"write '{place.rest}'")


def _escape(places: Complaint) -> None:
    escape = f"the escape `\\{places.at.row[places.at.column : places.at.column + 1]}` in double quotes"
    places.note(places.at, escape, r"one that YAML has, such as `\n` or `\\`", "use single quotes: they escape nothing")


def _nothing(places: Complaint) -> None:
    places.note(places.at, "a comma with nothing before it", "a value", "remove one of the commas")


# What the parser says -> who tells it.
COMPLAINTS: tuple[tuple[str, Callable[[Complaint], None]], ...] = (
    (r"could not find expected ':'", _key),
    (r"mapping values are not allowed", _second_colon),
    (r"end of stream|<stream end>", _open),
    (r"expected <block end>", _block),
    (r"expected ',' or", _entry),
    (r"cannot start any token|a comment or a line break|alphabetic or numeric", _first_sign),
    (r"unknown escape character", _escape),
    (r"expected the node content, but found ','", _nothing),
)
