"""Moves of an optimiser held against the rule: what intervals settle, and the rest in ball arithmetic.

Most rules move each component by itself, so moves of equal shape are stacked, like links in `truth/batches.py`; those
of a rule that reads a whole parameter are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..graph.node import Shape
from ..records.rows import Index
from ..rules.definition import Definition
from ..truth.batches import LARGEST
from ..truth.precision import working
from .inner import Unknown
from .move import Judged, Measured, Move
from .settled import Settled
from .stacked import Norms, together


def judge_moves(moves: Sequence[Move], definition: Definition) -> list[Judged]:
    """Each move as it would be judged alone. Parameters must not be empty."""
    norms = Norms()
    with working():
        settled = {k: one for k, move in enumerate(moves) if (one := _settled(move, definition, norms)) is not None}
        judged = dict[int, Judged]()
        waiting = dict(settled)
        while waiting:
            parts = {k: one.part() for k, one in waiting.items()}
            judged |= _by_balls(parts, definition, moves, norms)
            waiting = {k: one for k, one in waiting.items() if _more(settled, k, judged[k])}
        by_parts = {k: one.whole(judged[k], _measure(moves[k], definition)) for k, one in settled.items()}
        wholes = {k: move for k, move in enumerate(moves) if k not in settled}
        by_parts |= _by_balls(wholes, definition, moves, norms)
    return [by_parts[k] for k in range(len(moves))]


def _settled(move: Move, definition: Definition, norms: Norms) -> Settled | None:
    try:
        return Settled(move, definition.at(move.x.shape), norms)
    except Unknown:
        return None


def _more(settled: dict[int, Settled], k: int, judged: Judged) -> bool:
    """Whether more of a move is left to balls; all of it is no longer among those settled."""
    try:
        return settled[k].more(judged)
    except Unknown:
        del settled[k]
        return False


def _by_balls(
    moves: Mapping[int, Move], definition: Definition, of: Sequence[Move], norms: Norms
) -> Mapping[int, Judged]:
    """Moves, or parts of them that are moved by the definition of the whole."""
    groups: dict[tuple[Definition, Shape], list[int]] = {}
    for k, move in moves.items():
        groups.setdefault((definition.at(of[k].x.shape), move.x.shape), []).append(k)
    judged: dict[int, Judged] = {}
    for (own, _), which in groups.items():
        size = 1 if own.whole else max(LARGEST // moves[which[0]].x.size, 1)
        for start in range(0, len(which), size):
            part = which[start : start + size]
            judged.update(zip(part, together([moves[k] for k in part], own, norms), strict=True))
    return judged


def _measure(move: Move, definition: Definition) -> Callable[[Move], Callable[[str, Index], Measured]]:
    own = definition.at(move.x.shape)

    def measure(part: Move) -> Callable[[str, Index], Measured]:
        with working():
            return next(together([part], own, Norms())).measured

    return measure
