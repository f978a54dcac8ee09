"""Numbers with their nouns, for every message and page: `1 case`, `3,000 cases`. Imports nothing."""

from __future__ import annotations


def counted(number: float, noun: str, plural: str = "") -> str:
    """The number with its noun; `plural` where it is not the noun with an s. A number that is not whole has at most
    six digits."""
    shown = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{shown} {noun if shown == '1' else plural or noun + 's'}"
