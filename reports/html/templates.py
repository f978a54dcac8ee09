"""The templates of this room, and what they all may call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path

import jinja2
from markupsafe import Markup

from ...harness.records.verdicts import Verdict
from ...harness.words import counted

ROOM = Path(__file__).parent


def template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    filters: dict[str, Callable[..., str]] = {"coded": coded, "slug": _slug, "svg": Markup}
    environment.filters.update(filters)
    functions: dict[str, Callable[..., str]] = {"counted": counted, "text_of": _file}
    environment.globals.update(functions)
    return environment


def coded(text: str) -> Markup:
    """Plain text as HTML; what stands in back quotes is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts)))


def _slug(verdict: Verdict) -> str:
    return verdict.replace(" ", "-")


def _file(name: str) -> Markup:
    """A file of this room, as it is: style and scripts stand in the page itself."""
    return Markup((ROOM / name).read_text(encoding="utf-8"))
