"""How Markdown is written: tables, plain text made safe, folded parts, places in other pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from ..harness.words import visible


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: bool = False) -> str:
    """A table of cells in Markdown; `right` aligns all columns but the first to the right."""
    rule = ["---", *["---:" if right else "---"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in [head, rule, *rows])


def told_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose last column is plain text."""
    return table(head, [[*row[:-1], escaped(row[-1])] for row in rows])


def _cell(text: str) -> str:
    return " ".join(re.sub(r"(?<!\\)\|", r"\\|", text).split())


# Of plain text what Markdown would read, outside of code: signs anywhere, and what makes a heading, a list or a rule at
# the beginning of a line; `//` makes a link of an address.
SIGNS = re.compile(r"[\\*_<\[|~#`]|[$&](?=[\w#])|^[-+=>]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=:)(?=//)")
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def escaped(text: str) -> str:
    """Plain text for Markdown: what stands in back quotes stays code; elsewhere its signs lose their meaning."""
    parts = CODE.split(visible(" ".join(text.split())))  # plain text and code by turns
    plain = [SIGNS.sub(lambda sign: "\\" + sign[0], part) for part in parts[::2]]
    return "".join(f"{before}{code(inside)}" for before, inside in zip(plain, parts[1::2], strict=False)) + plain[-1]


def code(text: str) -> str:
    """Text as code in a line: between more back quotes than it has in a row."""
    text = visible(" ".join(text.split()))
    fence = "`" * (longest(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Lines of text as code."""
    fence = "`" * max(3, longest(text) + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}"


def longest(text: str) -> int:
    """How many back quotes stand in a row."""
    return max(map(len, re.findall("`+", text)), default=0)


def paragraph(text: str) -> str:
    """Plain text of a finding; lines, as of a traceback, stay lines."""
    return f"<pre>{escape(visible(text))}</pre>" if "\n" in text else escaped(text)


def shortened(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def folded(summary: str, text: str) -> str:
    """A part that is closed until it is asked for."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def listed(names: Iterable[str]) -> str:
    """Names as code."""
    return ", ".join(map(code, names)) or "none"


def case_link(case: str) -> str:
    """A case by its name, linked to its graph: code hosts make a heading's anchor of its letters, digits, - and _."""
    return f"[`{case}`](cases.md#{case.lower().replace('.', '')})"
