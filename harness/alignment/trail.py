"""The calls that both sides made alike before they part, side by side, and either run as a picture of it needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..graph.graph import Graph
from ..hearing.heard import Place
from . import wording
from .matching import Match


@dataclass(frozen=True, slots=True)
class Pair:
    """A call of `a`, that of `b` with the same numbers, and the first of these; `b` is nowhere where it has none."""

    a: Place
    b: Place
    call_a: str
    call_b: str
    value: str


@dataclass(frozen=True, slots=True)
class Run:
    """One side's calls as its user made them. By node: what its user calls an input, where it stands, and its first
    numbers; `alike` are those whose numbers the other side has too."""

    graph: Graph
    names: Mapping[str, str]
    places: Mapping[str, Place]
    numbers: Mapping[str, str]
    alike: frozenset[str]


def run(match: Match) -> Run:
    """This side beside the other."""
    heard, here = match.here.heard, match.here
    there = [node.name for node in heard.graph.nodes if node.name in here.numbers]
    return Run(
        heard.graph,
        heard.names,
        heard.places,
        {name: first_of(here.numbers[name]) for name in there},
        frozenset(name for name in there if match.known(name)),
    )


def trail(match: Match, until: str = "") -> Iterator[Pair]:
    """The calls of this side, in the order of its run, that the other side made too; up to one of its calls."""
    seen = set[str]()
    for node in match.here.heard.graph.operations:
        if node.name == match.here.owner(until):
            return
        place = match.here.place(node.name)
        if not place.file or node.name not in match.here.live or node.name not in match.here.order:
            continue
        found = match.counterpart(node.name)
        if not found or found in seen or found not in match.there.order:
            continue
        seen.add(found)
        other = match.there.place(found)
        if other.file:
            yield Pair(
                place, other, wording.what(match.here, node.name), wording.what(match.there, found),
                first_of(match.here.numbers[node.name]),
            )  # fmt: skip


def first_of(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """The first numbers of an array, and its shape."""
    numbers = ", ".join(f"{float(one):.4g}" for one in x.ravel()[:2])
    return f"{'x'.join(map(str, x.shape))}: {numbers}{', ...' if x.size > 2 else ''}" if x.ndim else numbers
