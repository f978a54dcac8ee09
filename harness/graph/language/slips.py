"""Slips that leave no expression at all, in plain words: what stands where, what is due there, what to write instead.

Python's parser calls most of them invalid syntax. This reads the signs from left to right, knows at each whether an
operand or an operator is due, and stops at the first that is neither.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword

from ..node import GraphError
from ..operations import OPERATIONS
from .habits import LANGUAGE, OPERATORS

TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<operand>\.\.\.|(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][+-]?\d+)?[^\W²³]*|[^\W\d²³][^\W²³]*)"
    r"|(?P<operator>\*\*|//|<<|>>|<=|>=|==|!=|:=|[-+*/%@<>&|^=])|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<mark>.)"
)
PRODUCT = re.compile(r"(\d[\d_.]*)([^\W\d]\w*)")
CLOSING: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}
OPENING = {closing: opening for opening, closing in CLOSING.items()}
BOTH_SIDES = "an operand on either side of it"

# Signs of print and of other languages, each with what is meant.
ELSEWHERE: Mapping[str, str] = {
    "×": "write `*`", "·": "write `*`", "⋅": "write `*`", "÷": "write `/`", "−": "write `-`", "–": "write `-`",
    "≤": "write `<=`", "≥": "write `>=`", "≠": "write `!=`", "²": "write `** 2`", "³": "write `** 3`",
    "?": "a choice is written `where(p, x, y)`", "!": "write `not p`",
}  # fmt: skip
# Two operators in a row that are meant as one.
TOGETHER: Mapping[str, str] = {
    "**": "a power is written `a ** b`", "//": "write `floor(a / b)`", "<=": "write `<=`", ">=": "write `>=`",
    "=<": "write `<=`", "=>": "write `>=`", "<>": "write `!=`", "===": "write `==`", "!==": "write `!=`",
    "==": "write `==`", "&&": "where both hold: `p and q`", "||": "where either holds: `p or q`",
}  # fmt: skip


@dataclass(slots=True)
class Level:
    """What is open: a bracket, or nothing for the text itself. `equals` is the `=` of the argument that is being read,
    `earlier` that of one before it."""

    sign: str = ""
    start: int = 0
    equals: int | None = None
    earlier: int | None = None

    def argument_ends(self) -> None:
        if self.sign == "(" and self.earlier is not None and self.equals is None:
            raise _SlipError(
                GraphError(
                    "an operand behind a parameter",
                    "operands first, then parameters",
                    "a comparison is written `a == b`",
                ),
                self.earlier,
            )
        self.earlier, self.equals = self.equals if self.earlier is None else self.earlier, None


class _SlipError(Exception):
    def __init__(self, error: GraphError, offset: int) -> None:
        super().__init__()
        self.error, self.offset = error, offset


class _OtherError(Exception):
    """Something that this does not read: the parser's own words have to do."""


def slip(text: str) -> tuple[GraphError, int, int] | None:
    """What is wrong with a text that is no expression, with line and column from 0; None where it is another matter."""
    try:
        _read(text)
    except _SlipError as found:
        line_start = text.rfind("\n", 0, found.offset) + 1
        return found.error, text.count("\n", 0, found.offset), found.offset - line_start
    except _OtherError:
        pass
    return None


def _read(text: str) -> None:
    reader = _Reader()
    for match in TOKEN.finditer(text):
        reader.read(match.lastgroup or "", match[0], match.start())
    reader.end()


@dataclass(slots=True)
class _Reader:
    """Reads sign by sign. `before` is the last sign and `start` where it began; `first` says whether a statement or an
    argument begins here, `due` whether an operand or an operator is next."""

    levels: list[Level] = field(default_factory=lambda: [Level()])
    before: str = ""
    start: int = 0
    first: bool = True
    due: str = "operand"

    def read(self, kind: str, sign: str, at: int) -> None:
        if kind == "space":
            if "\n" in sign and not self.levels[-1].sign:
                raise _OtherError
            return
        begins = False
        match kind:
            case "operand":
                behind = self.before if self.due == "operator" else ""
                _operand(sign, at, behind, inside=bool(self.levels[-1].sign))
                self.due = "operator"
            case "open":
                begins = self._open(sign, at)
            case "close":
                self._close(sign, at)
            case "operator":
                self._operator(sign, at)
            case _:
                self.due, begins = _mark(sign, at, self.levels[-1], self.before, self.due)
        # An `=` may stand behind the first sign of a statement or an argument alone.
        opening = self.before in ("(", ",", ";") and kind == "operand"
        self.first = begins or (self.first and not self.before) or opening
        self.before, self.start = sign, at

    def end(self) -> None:
        here = self.levels[-1]
        if here.sign:
            raise _SlipError(GraphError(f"`{here.sign}` is never closed", f"`{CLOSING[here.sign]}`"), here.start)
        if self.due == "operand" and self.before not in ("", ",", ";"):
            raise _SlipError(GraphError(f"`{self.before}` with nothing behind it", BOTH_SIDES), self.start)

    def _open(self, sign: str, at: int) -> bool:
        if sign == "{":
            raise _OtherError
        self.levels.append(Level(sign, at))
        self.due = "operand"
        return True

    def _close(self, sign: str, at: int) -> None:
        here = self.levels[-1]
        _close(sign, at, here, self.before, self.start, self.due)
        if self.before != OPENING[sign]:
            here.argument_ends()
        self.levels.pop()
        self.due = "operator"

    def _operator(self, sign: str, at: int) -> None:
        here, before = self.levels[-1], self.before
        if self.due == "operand" and (sign == "=" or sign not in ("+", "-")):
            raise _SlipError(_no_operand(sign, before), at)
        if sign == "=":
            if not self.first or not (before.isidentifier() and here.sign in ("", "(")):
                raise _SlipError(GraphError("`=` inside an expression", LANGUAGE, "a comparison is written `==`"), at)
            here.equals = at
        self.due = "operand"


def _operand(sign: str, at: int, before: str, *, inside: bool) -> None:
    """A name or a number; `before` is the operand that it stands directly behind, if it does."""
    if iskeyword(sign) and sign not in ("True", "False", "None"):
        raise _OtherError
    if (two := PRODUCT.fullmatch(sign)) and not _is_number(sign):
        raise _SlipError(
            GraphError(
                f"`{two[2]}` directly behind `{two[1]}`", "an operator", f"a product is written `{two[1]} * {two[2]}`"
            ),
            at,
        )
    if before:
        left = "(...)" if before == ")" else "[...]" if before == "]" else before
        remedy = f"a product is written `{left} * {sign}`" + (", and a comma stands between operands" if inside else "")
        if before in OPERATIONS:
            remedy = f"write `{before}({sign})`"
        raise _SlipError(GraphError(f"`{sign}` directly behind `{before}`", "an operator", remedy), at)


def _is_number(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about `1if`, which is refused anyway
            return isinstance(ast.literal_eval(text), int | float | complex)
    except (SyntaxError, ValueError):
        return False


def _close(sign: str, at: int, here: Level, before: str, start: int, due: str) -> None:
    if not here.sign:
        raise _SlipError(GraphError(f"`{sign}` closes nothing", f"as many `{OPENING[sign]}` as `{sign}`"), at)
    if CLOSING[here.sign] != sign:
        raise _SlipError(GraphError(f"`{sign}`", f"`{CLOSING[here.sign]}`, which closes `{here.sign}`"), at)
    if due == "operand" and before not in (",", ":", "(") and not (before == "[" and sign == "]"):
        raise _SlipError(GraphError(f"`{before}` with nothing behind it", BOTH_SIDES), start)
    if before == "[" and sign == "]":
        raise _SlipError(GraphError("`[]` without an index", "an index, such as `a[0]` or `a[1:3]`"), start)


def _mark(sign: str, at: int, here: Level, before: str, due: str) -> tuple[str, bool]:
    """What is due behind a sign that is neither operator nor bracket, and whether an argument begins there."""
    match sign:
        case "," if due == "operator" or before == ":":
            here.argument_ends()
            return "operand", True
        case ",":
            raise _SlipError(GraphError("a comma with nothing before it", "an operand before each comma"), at)
        case ":" if here.sign == "[":
            return "operand", False
        case ":":
            raise _SlipError(GraphError("the sign `:`", LANGUAGE, "a slice stands in brackets: `a[1:3]`"), at)
        case ";" if due == "operator" and not here.sign:
            here.equals = here.earlier = None
            return "operand", True
        case "." if due == "operator":
            return "operand", False
        case _ if sign in ELSEWHERE or sign in "$~":
            raise _SlipError(GraphError(f"the sign `{sign}`", LANGUAGE, ELSEWHERE.get(sign, "")), at)
        case _:
            raise _OtherError


def _no_operand(sign: str, before: str) -> GraphError:
    """An operator where an operand is due."""
    if before in ("", "(", "[", ",", ";", ":"):
        return GraphError(f"`{sign}` with nothing before it", BOTH_SIDES)
    alone = dict(OPERATORS.values())
    remedy = TOGETHER.get(before + sign) or alone.get(sign) or alone.get(before, "take one of them away")
    return GraphError(f"`{sign}` directly behind `{before}`", "an operand between two operators", remedy)
