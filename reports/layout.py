"""How Markdown is written: tables, plain text made safe, folded parts, places in other pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: bool = False) -> str:
    """A table of cells in Markdown; `right` aligns all columns but the first to the right."""
    rule = ["---", *["---:" if right else "---"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in [head, rule, *rows])


def told_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose last column is plain text."""
    return table(head, [[*row[:-1], escaped(row[-1])] for row in rows])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) if "\\|" not in text else text


def escaped(text: str) -> str:
    """Plain text for Markdown: what stands in back quotes stays; elsewhere its signs lose their meaning."""
    parts = " ".join(text.split()).split("`")
    for k in range(0, len(parts), 2):
        for sign in "\\*_<[|":
            parts[k] = parts[k].replace(sign, "\\" + sign)
    return "`".join(parts)


def paragraph(text: str) -> str:
    """Plain text of a finding; lines, as of a traceback, stay lines."""
    return f"<pre>{escape(text)}</pre>" if "\n" in text else escaped(text)


def shortened(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def folded(summary: str, text: str) -> str:
    """A part that is closed until it is asked for."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def listed(names: Iterable[str]) -> str:
    """Names as code."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def case_link(case: str) -> str:
    """A case by its name, linked to its graph: code hosts make a heading's anchor of its letters, digits, - and _."""
    return f"[`{case}`](cases.md#{case.lower().replace('.', '')})"
