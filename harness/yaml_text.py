"""YAML text -> a tree of located values, and the list of everything that is wrong with a file.

Reads ruamel.yaml's events (YAML 1.2) without recursion, resolves no tag and runs nothing. Every value
knows its line and column; a place inside a scalar, however it is quoted or folded, is found again in the
file. Files, nesting and aliases have limits. Imports `graph/nearest.py` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from .graph.nearest import nearest

MAX_BYTES = 8_000_000
MAX_DEPTH = 50
MAX_NODES = 2_000_000

ESCAPES = {"x": 2, "u": 4, "U": 8}  # in a double-quoted scalar: how many digits follow


@dataclass(slots=True, eq=False)
class Scalar:
    """Text with its place; lines and columns count from 0.

    `style` is empty for a plain scalar, else one of `'`, `"`, `|`, `>`.
    """

    text: str
    style: str
    line: int
    column: int
    size: ClassVar[int] = 1


@dataclass(slots=True)
class List:
    items: list[Value]
    line: int
    column: int
    size: int = 1


@dataclass(slots=True)
class Map:
    """Pairs in the order of the file; a key may come twice here."""

    pairs: list[tuple[Scalar, Value]]
    line: int
    column: int
    size: int = 1


Value: TypeAlias = Scalar | List | Map


@dataclass(frozen=True, slots=True)
class CaseError:
    """One mistake in a case file: where, what was found, what was expected, what to do.

    Lines and columns count from 1.
    """

    path: Path
    line: int
    column: int
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        parts = [f"Expected {self.expected}." if self.expected else "", sentence(self.remedy)]
        advice = " ".join(part for part in parts if part)
        return f"{self.path}:{self.line}:{self.column}: {self.found}." + (f"\n  {advice}" if advice else "")


class CaseErrors(Exception):
    """Everything that is wrong with one or several case files, in the order of the text."""

    def __init__(self, errors: list[CaseError] | tuple[CaseError, ...]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class Stop(Exception):
    """Nothing more can be read; the errors so far say why."""


def sentence(text: str) -> str:
    """The text as a sentence: a capital letter unless it begins with code, and a full stop."""
    if not text:
        return ""
    text = text[0].upper() + text[1:] if text[0].isalpha() else text
    return text if text[-1] in ".?!`" and not text.endswith("`") else text + "."


def shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def kind_of(value: Value) -> str:
    """What a value is, in words."""
    if isinstance(value, Map):
        return "a mapping"
    if isinstance(value, List):
        return "a list"
    return "nothing" if not value.text and not value.style else f"`{shortened(value.text)}`"


class Source:
    """A file's text and the errors found in it so far."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")
        self.errors: list[CaseError] = []
        self.key = ""  # the key whose value is being read

    def error(self, place: Value, found: str, expected: str, remedy: str = "", offset: int | None = None) -> None:
        """Note a mistake at a value; `offset` counts characters into the stripped text of a scalar."""
        line, column = place.line, place.column
        if offset is not None and isinstance(place, Scalar):
            line, column = self.locate(place, offset)
        self.errors.append(CaseError(self.path, line + 1, column + 1, found, expected, remedy))

    def error_at(self, line: int, column: int, found: str, expected: str, remedy: str = "") -> None:
        self.errors.append(CaseError(self.path, line + 1, column + 1, found, expected, remedy))

    def locate(self, scalar: Scalar, offset: int) -> tuple[int, int]:
        """Line and column of a character of a scalar's stripped text.

        Quoting, folding and indentation change white space and escapes only: so the character is found
        by counting those that are not white space.
        """
        text = scalar.text.strip()
        wanted = sum(not c.isspace() for c in text[:offset])
        line, column = scalar.line, scalar.column + (scalar.style in ("'", '"') and scalar.style != "")
        if scalar.style in ("|", ">"):
            line, column = line + 1, 0
        last = (line, column)
        while line < len(self.lines):
            row = self.lines[line]
            if column >= len(row):
                line, column = line + 1, 0
                continue
            width = _width(row, column, scalar.style)
            if not row[column].isspace() and not (
                width > 1 and row[column + 1 : column + width] in ("n", "t", " ", "")
            ):
                if wanted == 0 and offset < len(text):
                    return line, column
                wanted -= 1
                last = (line, column + width)
                if wanted == 0 and offset >= len(text):
                    return last
            column += width
        return last


def _width(row: str, column: int, style: str) -> int:
    """How many characters of the file stand for one of the text: 1, or more for an escape."""
    if style == "'" and row.startswith("''", column):
        return 2
    if style == '"' and row[column] == "\\":
        return 2 + ESCAPES.get(row[column + 1 : column + 2], 0)
    return 1


def read(path: Path) -> Source:
    """The text of a file. Raises CaseErrors where there is none, it is too large or not UTF-8."""

    def failure(found: str, expected: str, remedy: str = "") -> CaseErrors:
        return CaseErrors([CaseError(path, 1, 1, found, expected, remedy)])

    try:
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            raise failure(f"the file {problem}", "a case file in YAML", "check the path")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise failure(f"the file cannot be read: {error.strerror or error}", "a case file that can be read") from None
    if len(data) > MAX_BYTES:
        raise failure(
            f"the file is larger than {MAX_BYTES / 1e6:g} MB",
            "a smaller one",
            "keep arrays as `{file: w.npy}` beside the case, or describe them by a formula or a seed",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace").split("\n")
        place = CaseError(
            path,
            len(before),
            len(before[-1]) + 1,
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            "UTF-8 text",
            "save the file as UTF-8",
        )
        raise CaseErrors([place]) from None
    return Source(path, text.replace("\r\n", "\n"))


def tree(source: Source) -> Map:
    """The one document of a file as a tree. Raises Stop after noting the error where there is none."""
    try:
        root = _Composer(source).compose()
    except ReaderError as error:
        _unreadable(source, error)
        raise Stop from None
    except MarkedYAMLError as error:
        _syntax(source, error)
        raise Stop from None
    if root is None:
        source.error_at(0, 0, "the file is empty", "a mapping with `name`, `inputs` and `graph`")
        raise Stop
    if not isinstance(root, Map):
        source.error(root, f"the file holds {kind_of(root)}", "a mapping with `name`, `inputs` and `graph`")
        raise Stop
    return root


def _unreadable(source: Source, error: Any) -> None:
    before = "\n".join(source.lines)[: error.position].split("\n")
    character = ascii(chr(error.character) if isinstance(error.character, int) else error.character)
    source.error_at(len(before) - 1, len(before[-1]), f"the character {character} is not allowed", "printable text")


def _syntax(source: Source, error: Any) -> None:
    ended = "end of stream" in str(error.problem) or "<stream end>" in str(error.problem)
    mark: Any = error.context_mark if ended and error.context_mark else error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    problem = str(error.problem or error.context or "a syntax error")
    row = source.lines[line] if line < len(source.lines) else ""
    remedy = ""
    if "\t" in row[: column + 1] or "'\\t'" in problem:
        remedy = "indent with spaces: YAML allows no tab there"
    elif "mapping values are not allowed" in problem:
        remedy = "put quotes around a text that has `: ` in it"
    elif row.lstrip().startswith(("@", "`", "%")) or "cannot start any token" in problem:
        remedy = "put quotes around a text that begins with this character"
    elif any(f": {opening}" in row for opening in "[{*&!\"'"):
        remedy = "close brackets and quotes; quote an expression that begins with one of [ { * & ! \" '"
    source.error_at(line, column, f"a YAML syntax error: {problem}", "YAML 1.2", remedy)


class _Composer:
    """Builds the tree from events, with a stack of its own instead of recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.anchors: dict[str, Value | None] = {}
        self.count = 0

    def compose(self) -> Value | None:
        yaml: Any = YAML(typ="safe", pure=True)
        stack: list[tuple[List | Map, str | None]] = []
        keys: list[Scalar | None] = []
        root: Value | None = None
        documents = 0
        events = cast("Iterator[Any]", yaml.parse("\n".join(self.source.lines)))
        for event in events:
            kind = type(event).__name__
            if kind == "ScalarEvent":
                mark = event.start_mark
                value: Value = Scalar(event.value, event.style or "", mark.line, mark.column)
                if event.anchor or event.tag:
                    self._properties(event, value)
                if event.style == '"' and any("\ud800" <= c <= "\udfff" for c in event.value):
                    self._refuse(value, "half of a surrogate pair in a text", "whole characters")
                self.count += 1
            elif kind == "MappingStartEvent" or kind == "SequenceStartEvent":
                mark = event.start_mark
                opened = (
                    Map([], mark.line, mark.column) if kind == "MappingStartEvent" else List([], mark.line, mark.column)
                )
                if event.anchor or event.tag:
                    self._properties(event, None)
                if len(stack) == MAX_DEPTH:
                    self._refuse(opened, f"nesting deeper than {MAX_DEPTH} levels", "a flatter file")
                stack.append((opened, event.anchor))
                keys.append(None)
                continue
            elif kind == "MappingEndEvent" or kind == "SequenceEndEvent":
                value, anchor = stack.pop()
                keys.pop()
                if anchor:
                    self.anchors[anchor] = value
                self.count += 1
            elif kind == "AliasEvent":
                value = self._alias(event)
            elif kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    mark = event.start_mark
                    self.source.error_at(
                        mark.line,
                        mark.column,
                        "a second document",
                        "one case in a file",
                        "move it to a file of its own",
                    )
                    break
                continue
            else:
                continue
            if self.count > MAX_NODES:
                self._refuse(value, f"more than {MAX_NODES:,} values, aliases written out", "a smaller file")
            if not stack:
                root = value
                continue
            holder = stack[-1][0]
            if isinstance(holder, List):
                holder.items.append(value)
            elif (key := keys[-1]) is not None:
                if isinstance(value, Scalar) and not value.text and not value.style and kind != "AliasEvent":
                    value.line = key.line  # nothing stands right after its key
                    value.column = min(key.column + len(key.text), len(self.source.lines[key.line]))
                holder.pairs.append((key, value))
                keys[-1] = None
            elif isinstance(value, Scalar):
                keys[-1] = value
            else:
                self._refuse(
                    value, f"{kind_of(value)} as a key", "a name", "quote an expression that begins with `[` or `{`"
                )
            holder.size += value.size
        return root

    def _properties(self, event: Any, value: Value | None) -> None:
        """The anchor and the tag of an event."""
        if event.tag and str(event.tag) != "!":
            mark = event.start_mark
            self.source.error_at(
                mark.line, mark.column, f"the tag `{event.tag}`", "no tag: a case is plain data", "remove it"
            )
        if event.anchor:
            self.anchors[event.anchor] = value

    def _alias(self, event: Any) -> Value:
        mark = event.start_mark
        place = Scalar("", "", mark.line, mark.column)
        if event.anchor not in self.anchors:
            self._refuse(
                place,
                f"the alias `*{event.anchor}` of no anchor",
                f"`&{event.anchor}` above it",
                nearest(event.anchor, list(self.anchors)),
            )
        value = self.anchors[event.anchor]
        if value is None:
            self._refuse(place, f"the alias `*{event.anchor}` inside its own anchor", "a finite value")
            raise AssertionError
        self.count += value.size
        return value

    def _refuse(self, place: Value, found: str, expected: str, remedy: str = "") -> None:
        self.source.error(place, found, expected, remedy)
        raise Stop
