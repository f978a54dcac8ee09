"""What `gradaccord.compare` says of every change of a port, held against what is so."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from linecache import getline
from typing import Any, Literal

from ported import Mistake, Variant, changes, ready

from gradaccord.harness.hearing.heard import Ask
from gradaccord.harness.own.compare import compare, compared
from gradaccord.harness.own.compared import Compared
from gradaccord.harness.own.further import may_part
from gradaccord.harness.own.take import Take, take, take_like

ASK = Ask(dtype="float64")
PLACES = re.compile(r"\S+\.py:\d+")
Result = Literal["same", "different", "refused"]


@dataclass(frozen=True, slots=True)
class Score:
    """One change of one port. `result`: what was said; `pinned`: the first divergence names a line that is right to
    name, `both` such a line on either side, `reasoned` a right reason; `others`: how many more divergences it lists.

    `said` is the first divergence in words, or why nothing was said.
    """

    pair: str
    change: Variant | Mistake
    result: Result
    said: str = ""
    pinned: bool = False
    both: bool = False
    reasoned: bool = False
    others: int = 0

    @property
    def planted(self) -> bool:
        return isinstance(self.change, Mistake)

    @property
    def right(self) -> bool:
        """A variant called the same; a mistake found."""
        return self.result == ("different" if self.planted else "same")

    @property
    def missed(self) -> bool:
        """Whether anything is left to be better."""
        return not self.right or (self.planted and not (self.pinned and self.reasoned))


def scores(name: str) -> Iterator[Score]:
    """Every change of a pair."""
    for change in changes(name):
        yield score(name, change)


def score(name: str, change: Variant | Mistake) -> Score:
    """One change of a pair. What is raised is a refusal: a tool that says nothing of a port has missed it."""
    about = ready(name, change)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            port = take_like(_original(name), about.port, about.convert, ASK)
            found = compared(_original(name), port)
            if found.same and may_part(_original(name), port):
                found = compare(about.original, about.port, *about.inputs, parameters=about.convert, judge=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a refusal
        return Score(name, change, "refused", f"{type(error).__name__}: {error}".partition("\n")[0])
    return judged(name, change, found)


def judged(name: str, change: Variant | Mistake, found: Compared) -> Score:
    """What was said, held against what is so."""
    if found.same:
        return Score(name, change, "same")
    first = found.divergences[0]
    said = f"[{first.kind}] {first.reason or 'no reason'} | {_place(first.a)} | {_place(first.b)}"
    if not isinstance(change, Mistake):
        return Score(name, change, "different", said)
    right = [_right(change, place) for place in (first.a, first.b)]
    words = PLACES.sub("", first.reason)  # the number of a line is none of a reason
    reasoned = re.search(change.reason, words, re.IGNORECASE) is not None
    if change.kind == "gradient":
        reasoned = reasoned and first.kind == "gradient"
    others = len(found.divergences) - 1
    return Score(name, change, "different", said, any(right), all(right), reasoned, others)


@cache
def _original(name: str) -> Take:
    """The original, heard once for all changes of its port: from here on it is `gradaccord.compare`."""
    about = ready(name, Variant("as it is"))
    return take(about.original, about.inputs, {}, ASK)


def _right(change: Mistake, place: Any) -> bool:
    line = getline(place.file, place.line)
    return bool(line.strip()) and any(text in line for text in change.at)


def _place(place: Any) -> str:
    file = place.file.replace("\\", "/").rpartition("/")[2]
    return f"{file}:{place.line} `{getline(place.file, place.line).strip()}`" if place.line else "nowhere"
