"""What a comparison did not see: steps of one side alone that change no number here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..graph.node import Constant, Node
from . import wording
from .content import LEAST
from .matching import Match
from .side import Side

# What a user calls to bound, to choose or to add; what stands inside of other calls is theirs.
CHOICES = frozenset(
    ("clip", "clamp", "clamp_min", "clamp_max", "hardtanh", "relu6", "where", "masked_fill", "maximum", "minimum",
     "max", "min", "add", "sub", "subtract", "select_n")
)  # fmt: skip


def not_exercised(match: Match) -> Iterator[str]:
    """Bounds that nothing reaches, choices that never fall otherwise, what is added and too small to matter: on one
    side, where the other has no such step."""
    for one in (match, match.back):
        for node in one.here.graph.operations:
            kept = _idle(one.here, node)
            place = one.here.place(node.name)
            if (
                kept is None
                or not place.file
                or wording.what(one.here, node.name) not in CHOICES
                or _shared(one, node, kept)
            ):
                continue
            yield f"{_words(one.here, node)} at {place.spot} changes nothing here"


def _idle(side: Side, node: Node) -> str | None:
    """The operand that a choice or an addition gives back as it is."""
    if node.op not in ("where", "maximum", "minimum", "add", "subtract") or node.name not in side.live:
        return None
    y = side.numbers[node.name]
    for arg in node.args:
        if not isinstance(arg, str) or arg not in side.live:
            continue
        x = side.numbers[arg]
        if x.dtype.kind != "f" or x.shape != y.shape or not x.size:
            continue
        others = [one for one in node.args if one != arg]
        small = all(_small(side, one) for one in others)
        with np.errstate(all="ignore"):
            near = (x == y) | (np.abs(x - y) <= (LEAST * np.abs(x) if small else 0.0))
        if bool(np.all(near)) and (node.op not in ("add", "subtract") or small):
            return arg
    return None


def _small(side: Side, arg: str | Constant) -> bool:
    if isinstance(arg, Constant):
        return arg.exact is not None and 0 < abs(arg.exact) <= wording.SMALL
    x = side.numbers[arg]
    return arg not in side.live and x.dtype.kind == "f" and x.size == 1 and 0 < abs(float(x.flat[0])) <= wording.SMALL


def _words(side: Side, node: Node) -> str:
    bounds = [arg.text for arg in node.args if isinstance(arg, Constant)]
    what = wording.what(side, node.name)
    if node.op in ("maximum", "minimum"):
        return f"the bound {bounds[0]} of `{what}`" if bounds else f"`{what}`"
    if node.op == "where":
        return f"the choice of `{what}`"
    return f"what `{what}` adds ({bounds[0]})" if bounds else f"`{what}`"


def _shared(match: Match, node: Node, kept: str) -> bool:
    """Whether the other side makes the same step of the same number."""
    mine = [arg.text for arg in node.args if isinstance(arg, Constant)]
    like = match.counterpart(match.here.source(kept))
    users = match.there.users.get(like, ())
    for user in users:
        other = match.there.graph[user]
        theirs = [arg.text for arg in other.args if isinstance(arg, Constant)]
        if other.op == node.op and [float(x) for x in mine if x] == [float(x) for x in theirs if x]:
            return True
    return False
