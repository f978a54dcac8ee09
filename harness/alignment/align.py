"""From two heard runs to the list of where they part: find the first, repair it, go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import TypeAlias

import numpy as np

from ..hearing.heard import Heard, Place
from ..records.evaluation import Array
from . import calls, operands, orders, relations, steps, wording
from .calls import FITS
from .content import Content, content
from .difference import Divergence
from .matching import Match, in_place, laid_out
from .proofs import proof
from .proposals import Proposal, Question
from .side import Side
from .trail import Pair, trail

Kind: TypeAlias = Callable[[Question], Iterator[Proposal]]

ROUNDS = 24  # divergences that are repaired one after another
AHEAD = 12  # steps behind a repair that say whether it helped
TRIED = 4000  # proposals in a round

# The most telling first: the first that makes the outputs agree is the reason.
KINDS: tuple[Kind, ...] = (
    steps.same_step,
    calls.other_call,
    operands.other_tables,
    steps.swapped,
    calls.recognised,
    steps.other_operation,
    orders.parts_in_order,
    steps.left_out,
    operands.transposed,
    calls.other_argument,
    operands.other_operand,
    calls.other_statistics,
    steps.exchanged,
    orders.other_layout,
    orders.by_elimination,
    steps.other_constants,
    relations.related,
)


@dataclass(frozen=True)
class Alignment:
    """Two runs as they are after every repair, where they part, and how the outputs of one lie in the other's."""

    a: Side
    b: Side
    divergences: tuple[Divergence, ...]
    layouts: tuple[str, ...] = ()
    trail: tuple[Pair, ...] = ()

    @property
    def same(self) -> bool:
        return not self.divergences


def align(a: Heard, b: Heard) -> Alignment:
    """Where the run of `b` parts from that of `a`."""
    here, there = Side.of(a), Side.of(b)
    found: list[Divergence] = []
    before: tuple[Pair, ...] = ()
    odd = _other_outputs(here, there)
    if odd is not None:
        return Alignment(here, there, (odd,))
    for _ in range(ROUNDS):
        match = Match(here, there)
        apart = [
            (x, y)
            for x, y in zip(a.outputs, b.outputs, strict=True)
            if not agree(here.numbers[x], there.numbers[y], here.content(x), there.content(y))
        ]
        if not apart:
            break
        blamed = match.blamed([x for x, _ in apart])
        others = match.back.blamed([y for _, y in apart])
        question = Question(match, tuple(blamed), tuple(others))
        if not blamed and not others:
            found.append(_order(question, apart))
            break
        chosen, turned = _chosen(question)
        divergence = _told(question, chosen, turned=turned)
        before = before or tuple(trail(match, question.turned.first_there))
        _add(found, divergence)
        if chosen is None:
            break
        if turned:
            there = there.repaired(chosen.changes)
        else:
            here = here.repaired(chosen.changes)
    return Alignment(here, there, tuple(found), tuple(_layouts(here, there)), before)


def _add(found: list[Divergence], new: Divergence) -> None:
    """One more, or the same once more, as in each round of a loop."""
    for k, old in enumerate(found):
        if (old.a, old.b, old.reason, old.kind) == (new.a, new.b, new.reason, new.kind):
            found[k] = replace(old, times=old.times + 1)
            return
    found.append(new)


# --- outputs --------------------------------------------------------------------------------------------------


def agree(x: Array, y: Array, *contents: Content) -> bool:
    """Whether outputs agree one by one; those of another shape, in some order of their axes."""
    if x.shape == y.shape:
        return in_place(x, y, *contents)
    if tuple(n for n in x.shape if n != 1) == tuple(n for n in y.shape if n != 1):
        return in_place(x.reshape(y.shape), y, *contents)
    return any(in_place(laid, y, *contents) for laid in laid_out(x, y.shape)[1:])


def _layouts(here: Side, there: Side) -> Iterator[str]:
    """The outputs whose axes are in another order."""
    for k, (name, other) in enumerate(zip(here.heard.outputs, there.heard.outputs, strict=True)):
        x, y = here.numbers[name].squeeze(), there.numbers[other].squeeze()
        if x.shape != y.shape and agree(x, y, here.content(name), there.content(other)):
            yield f"output {k} is {x.shape} there and {y.shape} here: the same numbers with their axes in another order"


def _other_outputs(here: Side, there: Side) -> Divergence | None:
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


def _order(question: Question, apart: Sequence[tuple[str, str]]) -> Divergence:
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


# --- one round ------------------------------------------------------------------------------------------------


def _chosen(question: Question) -> tuple[Proposal | None, bool]:
    """The first proposal that makes the outputs agree, else the one that makes most of what follows known, else what
    only says where; and whether it is of the other side."""
    found = _best(question, KINDS)
    return found if found[0] is not None else _best(question, (relations.transplanted,))


def _best(question: Question, kinds: Sequence[Kind]) -> tuple[Proposal | None, bool]:
    best: tuple[Proposal | None, bool] = (None, False)
    most = 0
    for proposal, turned in islice(_proposals(question, kinds), TRIED):
        asked = question.turned if turned else question
        try:
            made = asked.here.rerun(proposal.changes)
        except FITS:
            continue
        if _agrees(question, made, turned=turned):
            return proposal, turned
        score = 0 if proposal.whole else _gained(asked, proposal, made)
        if score > most:
            best, most = (proposal, turned), score
    return best


def _proposals(question: Question, kinds: Sequence[Kind]) -> Iterator[tuple[Proposal, bool]]:
    for kind in kinds:
        pairs = zip_longest(_safe(kind, question), _safe(kind, question.turned))
        for first, second in pairs:
            if first is not None:
                yield first, False
            if second is not None:
                yield second, True


def _safe(kind: Kind, question: Question) -> Iterator[Proposal]:
    """Proposals until one cannot even be made."""
    try:
        yield from kind(question)
    except FITS:
        return


def _agrees(question: Question, made: dict[str, Array], *, turned: bool) -> bool:
    here, there = question.here, question.there
    for x, y in zip(here.heard.outputs, there.heard.outputs, strict=True):
        first = made.get(x, here.numbers[x]) if not turned else here.numbers[x]
        second = made.get(y, there.numbers[y]) if turned else there.numbers[y]
        if not agree(first, second, here.content(x), there.content(y)):
            return False
    return True


def _gained(question: Question, proposal: Proposal, made: dict[str, Array]) -> int:
    """How many of the next steps the other side has, once this is changed."""
    here, gained = question.here, 0
    bad = set(question.blamed)
    behind = [name for name in made if name in bad and proposal.changes.keys().isdisjoint((name, here.source(name)))]
    for name in behind[:AHEAD]:
        x = made[name]
        if x.dtype.kind != "f" or name not in here.noise or x.shape != here.numbers[name].shape:
            continue
        if question.match.index.first(content(x, here.noise[name])):
            gained += 1
    return gained


def _told(question: Question, chosen: Proposal | None, *, turned: bool) -> Divergence:
    """A divergence in words, with `a` and `b` as they were given."""
    if chosen is None:
        chosen, turned = Proposal({}, "", question.turned.first_there, question.first_there), False
    asked = question.turned if turned else question
    there = chosen.there or asked.first_there or _like_operand(asked, chosen.here)
    spot = _place(asked.here, chosen.here), _place(asked.there, there)
    said = chosen.reason.format(here=wording.short(spot[0]), there=wording.short(spot[1])) if chosen.reason else ""
    call = wording.what(asked.here, chosen.here) if chosen.here else ""
    if said and call and not said.startswith((call, "`")):
        said = f"{call}: {said}"
    pair = call, wording.what(asked.there, there) if there else ""
    shown = proof(asked, replace(chosen, there=there))
    if turned:
        spot, pair = spot[::-1], pair[::-1]
    return Divergence("value", spot[0], spot[1], pair[0], pair[1], said, shown)


def _like_operand(question: Question, name: str) -> str:
    """Of a step whose like the other side lacks, where that has the first of its operands."""
    for arg in question.here.graph[name].args if name else ():
        if isinstance(arg, str) and arg in question.here.live:
            found = question.match.counterpart(question.here.source(arg))
            if found in question.there.order:
                return found
    return ""


def _place(side: Side, name: str) -> Place:
    """Where a step stands; of one that has no line of the user's, the next that has."""
    waiting = [name] if name else []
    for at in waiting:
        if side.place(at).file:
            return side.place(at)
        waiting += [user for user in side.users.get(at, ()) if user not in waiting]
    return Place()
