"""The proof of a divergence: what either side's step makes of the same numbers, in balls that do not meet.

The step is all that lies between a number that the other side should have and numbers that both have. Numbers that were
only laid out otherwise are the same; where they differ by rounding, the other side's are balls that reach to this
side's. That two arrays hold other numbers, in whatever order, is proved by their order statistics: the k-th smallest of
an array of balls lies between the k-th smallest of the lower and of the upper ends.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.graph import Graph
from ..graph.node import Node
from ..records.evaluation import Array
from ..truth.numbers import balls, to_balls
from ..truth.precision import working
from ..truth.rounding import floats, radii
from .content import content
from .matching import Match, laid_out
from .proposals import Proposal, Question
from .side import Side

MOST = 2**17  # elements of a step that is done in balls
AHEAD = 32  # steps behind a change, at which both sides are compared


def proof(question: Question, chosen: Proposal) -> str:
    """What is proved, in words; empty where nothing is."""
    here, there = question.here, question.there
    name, other = _pair(question, chosen)
    if not name or here.numbers[name].size != there.numbers[other].size:
        return ""
    mine, theirs = _step(question.match, name), _step(question.match.back, other)
    if mine is None or theirs is None:
        return _in_floats(here, there, name, other)
    exact = _enclosed(
        mine, name, {node.name: to_balls(here.numbers[node.name]) for node in mine.inputs if node.kind == "float"}, here
    )
    reached = {node.name: _reaching(question.match.back, node.name) for node in theirs.inputs if node.kind == "float"}
    around = _enclosed(theirs, other, reached, there)
    return _apart(exact, around, name, other, question)


def _pair(question: Question, chosen: Proposal) -> tuple[str, str]:
    """A number of this side, and what the other has in its place: where the change makes them agree."""
    if not chosen.changes:
        return chosen.here, chosen.there
    here = question.here
    bad = set(question.blamed)
    rerun = here.rerun(chosen.changes).items()
    made = ((name, x) for name, x in rerun if name in bad and name in here.noise)
    for name, x in islice(made, AHEAD):
        if x.dtype.kind == "f" and x.shape == here.numbers[name].shape and not question.match.counterpart(name):
            found = next(
                (m for m in question.match.index.find(content(x, here.noise[name])) if m in question.there.order), ""
            )
            if found:
                return name, found
    return here.heard.outputs[0], question.there.heard.outputs[0]


def _step(match: Match, name: str) -> Graph | None:
    """The graph from what both sides have to this number; None for one too large to be done in balls."""
    side, needed, leaves = match.here, dict[str, Node](), dict[str, Node]()
    waiting, size = [name], 0
    while waiting:
        node = side.graph[waiting.pop()]
        if node.name in needed or node.name in leaves:
            continue
        known = node.name != name and (
            node.op == "input" or node.name not in side.live or bool(match.counterpart(node.name))
        )
        if known:
            leaves[node.name] = Node(node.name, "input", (), (), node.shape, node.kind)
            continue
        needed[node.name] = node
        size += max(side.numbers[arg].size for arg in node.args if isinstance(arg, str)) if node.args else 0
        waiting += [arg for arg in node.args if isinstance(arg, str)]
        if size > MOST:
            return None
    order = sorted([*leaves, *needed], key=side.order.__getitem__)
    return Graph(tuple(leaves.get(one) or needed[one] for one in order), (name,), side.graph.definitions)


def _enclosed(step: Graph, name: str, given: dict[str, NDArray[Any]], side: Side) -> NDArray[Any]:
    operands = [given[node.name] if node.kind == "float" else side.numbers[node.name] for node in step.inputs]
    with working(), np.errstate(all="ignore"):
        (made,) = emit(step, balls(ties="decide"), [name], operators=False)(*operands)
    return np.asarray(made, dtype=object).reshape(-1)


def _reaching(match: Match, name: str) -> NDArray[Any]:
    """Numbers of this side as balls that hold the other's, which differ by rounding and layout."""
    import flint

    x = match.here.numbers[name]
    found = match.counterpart(name)
    middle = to_balls(x)
    if not found or found not in match.there.order:
        return middle
    y = match.there.numbers[found]
    laid = min(laid_out(y, x.shape), key=lambda z: float(np.max(np.abs(z - x), initial=0.0)), default=None)
    gap = np.abs(laid - x) if laid is not None else np.zeros(x.shape)
    if laid is None or not np.all(gap <= 1e-6 * np.abs(x) + 1e-9):
        gap = np.zeros(x.shape)
        order, other = np.argsort(x, axis=None), np.sort(y, axis=None)
        if other.size == x.size:
            gap.ravel()[order] = np.abs(other - x.ravel()[order])
    if not np.any(gap):
        return middle
    widened = np.frompyfunc(lambda ball, by: ball + flint.arb(0, 1.01 * by), 2, 1)
    return np.asarray(widened(middle, np.where(np.isfinite(gap), gap, 0.0)), dtype=object)


def _apart(exact: NDArray[Any], around: NDArray[Any], name: str, other: str, question: Question) -> str:
    mine, theirs = _ends(exact), _ends(around)
    with np.errstate(all="ignore"):
        disjoint = (theirs[0] > mine[1]) | (mine[0] > theirs[1])
        gaps = np.where(disjoint, np.maximum(theirs[0] - mine[1], mine[0] - theirs[1]), -1.0)
    if not disjoint.any():
        return ""
    finite = np.where(np.isfinite(gaps), gaps, -1.0)
    worst = int(np.argmax(finite if (finite > 0).any() else disjoint))
    first = f"{_middle(mine, worst):.10g} at {_at(question.here, name)}"
    second = f"{_middle(theirs, worst):.10g} at {_at(question.there, other)}"
    count = f"{np.count_nonzero(disjoint)} of {len(mine[0])} numbers"
    return f"on the same numbers the step gives {first} and {second}: balls that do not meet, for {count}"


def _ends(made: NDArray[Any]) -> tuple[Array, Array]:
    """Lower and upper ends of order statistics, in float64, a little outside."""
    middle, radius = floats(made), radii(made)
    with np.errstate(all="ignore"):
        slack = np.where(np.isfinite(middle), radius + 2.0**-51 * np.abs(middle), 0.0)
        return np.sort(middle - slack), np.sort(middle + slack)


def _middle(ends: tuple[Array, Array], k: int) -> float:
    low, high = ends[0][k], ends[1][k]
    return float(low if low == high else (low + high) / 2)


def _in_floats(here: Side, there: Side, name: str, other: str) -> str:
    """Of a step too large for balls what float64 says, with the rounding that was measured."""
    mine, theirs = here.content(name), there.content(other)
    if mine.size != theirs.size or not len(mine.rest):
        return ""
    gaps = np.abs(mine.rest - theirs.rest) - mine.spare - theirs.spare
    k = int(np.argmax(gaps))
    if not gaps[k] > 0:
        return ""
    shown = f"{mine.rest[k]:.10g} at {_at(here, name)} and {theirs.rest[k]:.10g} at {_at(there, other)}"
    return (
        f"in float64 the step gives {shown}, where rounding moves them by {mine.spare[k] + theirs.spare[k]:.1g} at most"
    )


def _at(side: Side, name: str) -> str:
    place = side.place(name)
    return place.spot or place.call or side.label(name)
