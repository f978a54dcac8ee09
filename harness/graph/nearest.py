"""The right name that is most like a wrong one. Imports nothing of the project."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or nothing where no name is near; swapped letters come first (`tahn`: `tanh`, not `tan`)."""
    known = list(known)
    letters = sorted(name)
    swapped = [other for other in known if len(other) == len(name) and sorted(other) == letters]
    near = swapped or get_close_matches(name, known, 1)
    return f"Did you mean `{near[0]}`?" if near else ""
