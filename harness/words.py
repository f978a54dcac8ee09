"""Words for every message and page: numbers with their nouns, and the right name that is most like a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(number: float, noun: str, plural: str = "") -> str:
    """The number with its noun; `plural` where it is not the noun with an s. A number that is not whole has at most
    six digits."""
    shown = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{shown} {noun if shown == '1' else plural or noun + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or nothing where no name is near; swapped letters come first (`tahn`: `tanh`, not `tan`)."""
    known = list(known)
    letters = sorted(name)
    swapped = [other for other in known if len(other) == len(name) and sorted(other) == letters]
    near = swapped or get_close_matches(name, known, 1)
    return f"Did you mean `{near[0]}`?" if near else ""
