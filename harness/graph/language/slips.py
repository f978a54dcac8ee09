"""Slips that leave no expression at all, in plain words: what stands where, what is due there, what to write instead.

Python's parser calls most of them invalid syntax. This reads the signs from left to right, knows at each whether an
operand or an operator is due, and stops at the first that is neither.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
    "?": "a choice is written `where(p, x, y)`", "!": "swap the branches: `where(p, y, x)`",
}  # fmt: skip
# Two operators in a row that are meant as one.
TOGETHER: Mapping[str, str] = {
    "**": "a power is written `a ** b`", "//": "write `floor(a / b)`", "<=": "write `<=`", ">=": "write `>=`",
    "=<": "write `<=`", "=>": "write `>=`", "<>": "write `!=`", "===": "write `==`", "!==": "write `!=`",
    "==": "write `==`", "&&": OPERATORS[ast.BitAnd][1], "||": OPERATORS[ast.BitOr][1],
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
    levels = [Level()]
    before, start = "", 0  # the sign before, and where it begins
    first, due = True, "operand"  # whether a statement or an argument begins here; what is due: operand or operator
    for match in TOKEN.finditer(text):
        sign, at = match[0], match.start()
        here, begins = levels[-1], False
        match match.lastgroup:
            case "space":
                if "\n" in sign and not here.sign:
                    raise _OtherError
                continue
            case "operand":
                _operand(sign, at, before if due == "operator" else "", inside=bool(here.sign))
                due = "operator"
            case "open":
                if sign == "{":
                    raise _OtherError
                levels.append(Level(sign, at))
                begins, due = True, "operand"
            case "close":
                _close(sign, at, here, before, start, due)
                if before != OPENING[sign]:
                    here.argument_ends()
                levels.pop()
                due = "operator"
            case "operator" if sign == "=":
                if due == "operand":
                    raise _SlipError(_no_operand(sign, before), at)
                if not first or not (before.isidentifier() and here.sign in ("", "(")):
                    raise _SlipError(
                        GraphError("`=` inside an expression", LANGUAGE, "a comparison is written `==`"), at
                    )
                here.equals, due = at, "operand"
            case "operator":
                if due == "operand" and sign not in ("+", "-"):
                    raise _SlipError(_no_operand(sign, before), at)
                due = "operand"
            case _:
                due, begins = _mark(sign, at, here, before, due)
        # An `=` may stand behind the first sign of a statement or an argument alone.
        first = begins or (first and not before) or (before in ("(", ",", ";") and match.lastgroup == "operand")
        before, start = sign, at
    if levels[-1].sign:
        sign = levels[-1].sign
        raise _SlipError(GraphError(f"`{sign}` is never closed", f"`{CLOSING[sign]}`"), levels[-1].start)
    if due == "operand" and before not in ("", ",", ";"):
        raise _SlipError(GraphError(f"`{before}` with nothing behind it", BOTH_SIDES), start)


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
