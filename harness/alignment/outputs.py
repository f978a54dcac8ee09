"""Whether the outputs of two runs agree one by one, and in what order they lie where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..records.evaluation import Array
from . import orders, wording
from .content import Content
from .difference import Divergence
from .matching import in_place, laid_out
from .proposals import Question
from .side import Side

NONE: Mapping[str, Array] = {}


def agree(x: Array, y: Array, *contents: Content) -> bool:
    """Whether outputs agree one by one; those of another shape, in some order of their axes."""
    if x.shape == y.shape:
        return in_place(x, y, *contents)
    if tuple(n for n in x.shape if n != 1) == tuple(n for n in y.shape if n != 1):
        return in_place(x.reshape(y.shape), y, *contents)
    return any(in_place(laid, y, *contents) for laid in laid_out(x, y.shape)[1:])


def apart(
    here: Side, there: Side, mine: Mapping[str, Array] = NONE, theirs: Mapping[str, Array] = NONE
) -> Iterator[tuple[str, str]]:
    """The outputs of either side that do not agree, with some numbers in place of those of the run."""
    for x, y in zip(here.heard.outputs, there.heard.outputs, strict=True):
        first, second = mine.get(x, here.numbers[x]), theirs.get(y, there.numbers[y])
        if not agree(first, second, here.content(x), there.content(y)):
            yield x, y


def layouts(here: Side, there: Side) -> Iterator[str]:
    """The outputs whose axes are in another order."""
    for k, (name, other) in enumerate(zip(here.heard.outputs, there.heard.outputs, strict=True)):
        x, y = here.numbers[name].squeeze(), there.numbers[other].squeeze()
        if x.shape != y.shape and agree(x, y, here.content(name), there.content(other)):
            yield f"output {k} is {x.shape} there and {y.shape} here: the same numbers with their axes in another order"


def other_outputs(here: Side, there: Side) -> Divergence | None:
    """Outputs that are more or fewer, or the same in another order."""
    first, second = here.heard.outputs, there.heard.outputs
    if len(first) != len(second):
        reason = f"{len(first)} outputs of floats on one side, {len(second)} on the other"
        return Divergence("output", here.place(first[-1]), there.place(second[-1]), "", "", reason, "")
    if len(first) > 1:
        order = [_like(here, there, name) for name in first]
        if sorted(order) == list(range(len(first))) and order != sorted(order):
            reason = f"the outputs are returned in another order: {', '.join(map(str, order))} on the other side"
            return Divergence("output", here.place(first[0]), there.place(second[order[0]]), "", "", reason, "")
    return None


def _like(here: Side, there: Side, name: str) -> int:
    """Which output of the other side has these numbers."""
    made = here.content(name)
    at = here.heard.outputs.index(name)
    places = [k for k, other in enumerate(there.heard.outputs) if there.content(other).same(made)]
    return at if at in places else next(iter(places), -1)


def other_order(question: Question, apart: Sequence[tuple[str, str]]) -> Divergence:
    """Outputs that hold the same numbers in another order."""
    name, other = apart[0]
    here, there = question.here, question.there
    x, y = here.numbers[name], there.numbers[other]
    at, found = orders.last_move(here, name), orders.last_move(there, other)
    reason = f"the output's numbers stand in another order: {_ordered(x, y, there, other)}"
    return Divergence(
        "output", here.place(at), there.place(found), wording.what(here, at), wording.what(there, found), reason, ""
    )


def _ordered(x: Array, y: Array, side: Side, name: str) -> str:
    made = side.content(name)
    if x.shape == y.shape:
        for axis in range(x.ndim):
            if in_place(np.flip(x, axis), y, made):
                return f"reversed along axis {axis}"
            for by in range(1, min(x.shape[axis], 64)):
                if in_place(np.roll(x, by, axis), y, made):
                    return f"rolled by {by} along axis {axis}"
        for laid in laid_out(x, y.shape)[1:]:
            if in_place(laid, y, made):
                return "its axes are transposed"
        for axis in range(x.ndim):
            if _permuted(x, y, axis):
                return f"permuted along axis {axis}"
    return "no order of its axes makes them agree"


def _permuted(x: Array, y: Array, axis: int) -> bool:
    mine = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    theirs = np.moveaxis(y, axis, 0).reshape(y.shape[axis], -1)
    if not mine.shape[1] or len(mine) > 4096:
        return False
    near = np.argsort(mine[:, 0]), np.argsort(theirs[:, 0])
    return bool(np.allclose(mine[near[0]], theirs[near[1]], rtol=1e-9, atol=1e-12))
