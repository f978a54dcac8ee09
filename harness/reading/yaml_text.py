"""The text of a case file: values that know their place, and the list of everything that is wrong with the file.

A place inside a scalar, however it is quoted or folded, is found again in the file. `yaml_tree.py` makes the values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from ..words import visible

# What can be read within seconds.
MAX_BYTES = 2_000_000
MAX_LINES = 100_000
MAX_ERRORS = 100  # what is told of one file

WORD = re.compile(r"[^\W\d]\w*")
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
        return visible(f"{self.path}:{self.line}:{self.column}: {self.found}." + (f"\n  {advice}" if advice else ""))


class CaseErrors(Exception):
    """Everything that is wrong with one or several case files, in the order of the text."""

    def __init__(self, errors: list[CaseError] | tuple[CaseError, ...]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class Stop(Exception):
    """Nothing more is read; the errors so far say why."""


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
        self.made = 0  # numbers that were drawn or computed
        self.key = ""  # the key whose value is being read
        self.twice: set[Scalar] = set()  # keys that are given again further down
        self.lost: set[str] = set()  # words of what stands there, which nothing reads

    def error(self, place: Value, found: str, expected: str, remedy: str = "", offset: int | None = None) -> None:
        """Note a mistake at a value; `offset` counts characters into the stripped text of a scalar."""
        line, column = place.line, place.column
        if offset is not None and isinstance(place, Scalar):
            line, column = self.locate(place, offset)
        self.error_at(line, column, found, expected, remedy)

    def lose(self, first: Scalar, value: Value) -> None:
        """Remember what a second value of a key mentions: what it defines or uses causes no error elsewhere."""
        self.twice.add(first)
        waiting = [value]
        while waiting:
            match waiting.pop():
                case Scalar(text):
                    self.lost.update(WORD.findall(text))
                case List(items):
                    waiting += items
                case Map(pairs):
                    waiting += (part for pair in pairs for part in pair)

    def error_at(self, line: int, column: int, found: str, expected: str, remedy: str = "") -> None:
        self.errors.append(CaseError(self.path, line + 1, column + 1, found, expected, remedy))
        if len(self.errors) == MAX_ERRORS:
            last = max(error.line for error in self.errors)
            found = f"{MAX_ERRORS} mistakes so far, the rest is not looked at"
            self.errors.append(CaseError(self.path, last, len(self.lines[last - 1]) + 1, found, "", "mend these first"))
            raise Stop

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
    text = text.replace("\r\n", "\n")
    if (lines := text.count("\n")) > MAX_LINES:
        raise failure(f"the file has {lines:,} lines", f"at most {MAX_LINES:,}", "split it into several cases")
    return Source(path, text)
