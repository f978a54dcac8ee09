"""From two heard runs to the list of where they part: find the first, repair it, go on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..hearing.heard import Heard, Place
from . import outputs, wording
from .difference import Divergence
from .matching import Match
from .proofs import proof
from .proposals import Proposal, Question
from .search import chosen
from .side import Side
from .trail import Pair, trail

ROUNDS = 24  # divergences that are repaired one after another


@dataclass(frozen=True)
class Alignment:
    """Two runs as they are after every repair, where they part, and how the outputs of one lie in the other's. `match`
    is that of both as they were before any repair."""

    a: Side
    b: Side
    match: Match
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
    match = first = Match(here, there)
    odd = outputs.other_outputs(here, there)
    if odd is not None:
        return Alignment(here, there, first, (odd,))
    for k in range(ROUNDS):
        apart = list(outputs.apart(here, there))
        if not apart:
            break
        blamed = match.blamed([x for x, _ in apart])
        others = match.back.blamed([y for _, y in apart])
        question = Question(match, tuple(blamed), tuple(others))
        if not blamed and not others:
            found.append(outputs.other_order(question, apart))
            break
        change, turned = chosen(question, k)
        divergence = _told(question, change, turned=turned)
        before = before or tuple(trail(match, question.turned.first_there))
        _add(found, divergence)
        if change is None:
            break
        if turned:
            there = there.repaired(change.changes)
        else:
            here = here.repaired(change.changes)
        match = Match(here, there)
    return Alignment(here, there, first, tuple(found), tuple(outputs.layouts(here, there)), before)


def _add(found: list[Divergence], new: Divergence) -> None:
    """One more, or the same once more, as in each round of a loop."""
    for k, old in enumerate(found):
        if (old.a, old.b, old.reason, old.kind) == (new.a, new.b, new.reason, new.kind):
            found[k] = replace(old, times=old.times + 1)
            return
    found.append(new)


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
    """Where a step stands; of one that has no line of the user's, the next that has, or else the call that it is."""
    waiting = [name] if name else []
    for at in waiting:
        if side.place(at).file:
            return side.place(at)
        waiting += [user for user in side.users.get(at, ()) if user not in waiting]
    return side.place(name) if name else Place()
