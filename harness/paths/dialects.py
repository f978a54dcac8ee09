"""Another known definition that an optimiser is sound by, where it is not by the case's.

The answers of the rule's choices are changed one at a time, and then two. One is told where by it every move is sound,
those too that are sound by the case's own: so it is not found by chance, and a fault is no dialect of nobody.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product

from ..records.verdicts import FINDINGS
from ..rules.definition import Definition, definition
from .move import Judged, Move, explains
from .moves import judge_moves

FEW = 8  # moves that are off, on which most definitions fail at once


def dialects(found: Definition) -> Iterator[Definition]:
    """The other known definitions of a rule with the same settings, those that differ in one answer first."""
    choices = {name: choice for name, choice in found.row.choices.items() if name in found.read}
    seen = {found}
    for count in (1, 2):
        for names in combinations(choices, count):
            for answers in product(*(choices[name].answers for name in names)):
                other = definition(found.rule, {**found.chosen, **dict(zip(names, answers, strict=True))})
                if other not in seen:
                    seen.add(other)
                    yield other


def shown(state: Container[str], found: Definition) -> bool:
    """Whether an optimiser shows all state that a definition has."""
    return all(variable in state for variable in found.state)


def judge(moves: Sequence[Move], found: Definition) -> tuple[list[Judged], Definition | None]:
    """What the definition says of moves. Where they are off by it and sound by another known one, that, and then what
    is off is a `convention`."""
    own = judge_moves(moves, found) if all(shown(move.new_state, found) for move in moves) else None
    if own is not None and not any(map(off, own)):
        return own, None
    some = [move for move, judged in zip(moves, own, strict=True) if off(judged)] if own else [*moves]
    for other in dialects(found):
        if not all(shown(move.new_state, other) for move in moves):
            continue
        if any(map(off, judge_moves(some[:FEW], other))):
            continue
        judged = judge_moves(moves, other)
        if all(map(explains, own or judged, judged)):
            return [*map(_by_another, own or judged, judged)], other
    return own or judge_moves(moves, _shown_by(moves, found)), None


def _shown_by(moves: Sequence[Move], found: Definition) -> Definition:
    """The first other definition whose state an optimiser shows, where it does not show that of the case's."""
    return next(one for one in dialects(found) if all(shown(move.new_state, one) for move in moves))


def off(judged: Judged) -> bool:
    return any(finding.verdict in FINDINGS for finding in judged.findings)


def differing(found: Definition, other: Definition) -> Mapping[str, str]:
    """The answers of another definition that the first does not give."""
    choices = found.row.choices
    return {name: text for name, text in other.chosen.items() if name in choices and found.chosen.get(name) != text}


def _by_another(own: Judged, other: Judged) -> Judged:
    """A move by the case's definition, what is off by it being another's."""
    hidden = own is other  # it shows too little state for its own
    findings = [
        replace(one, verdict="convention", dialect=True)
        if one.verdict in FINDINGS or (hidden and one.cause == "update")
        else one
        for one in own.findings
    ]
    return Judged(findings, own.measured)
