"""Words for every message and page: numbers with their nouns, and the right name that is most like a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice


def counted(number: float, noun: str, plural: str = "") -> str:
    """The number with its noun; `plural` where it is not the noun with an s. A number that is not whole has at most
    six digits."""
    shown = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{shown} {noun if shown == '1' else plural or noun + 's'}"


MANY = 250  # names, beyond which only those that begin alike are compared letter by letter, which is slow


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or nothing where no name is near; swapped letters come first (`tahn`: `tanh`, not `tan`)."""
    known = list(known)
    letters = sorted(name)
    swapped = [other for other in known if len(other) == len(name) and sorted(other) == letters]
    if len(known) > MANY:
        alike = (other for other in known if abs(len(other) - len(name)) < 3 and other[:1] == name[:1])
        known = [*islice(alike, MANY)]
    near = swapped or get_close_matches(name, known, 1)
    return f"Did you mean `{near[0]}`?" if near else ""


# What a terminal or an editor obeys and nobody sees: control characters but for tab and line break, marks that turn the
# direction of writing, halves of surrogate pairs, which no file can hold.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """Text of others in which nothing is hidden: such a character becomes its escape, as in `\\x1b`."""
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
