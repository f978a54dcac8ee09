"""A setting of the rule that an optimiser reads otherwise: an eps of 1e-5 where the case says 1e-8.

Where moves are off, each setting in turn is solved for, all others as they are, by the secant method (Dahlquist &
Björck 2008, Numerical Methods in Scientific Computing, section 6.2) from the first component that is off. It is named
if with it, rounded to the fewest digits that do, all moves are sound, and with no other setting.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from decimal import Decimal
from math import isfinite

from ..records.verdicts import FINDINGS
from ..rules.definition import Definition
from ..rules.definition import definition as rule_definition
from ..rules.rule import Setting
from ..rules.schedules import Schedule, moved
from .move import Judged, Move, explains
from .moves import judge_moves

DIGITS = (1, 2, 3, 4, 6, 9, 17)
MOST = 64  # moves that a setting must explain
TURNS, CLOSE = 12, 1e-12
COUNTED = 9  # how far beyond a whole number another one is looked for


def otherwise(moves: Sequence[Move], judged: Sequence[Judged], definition: Definition) -> str:
    """The one setting with which alone all moves are sound, as `eps: 1e-05`; empty where none is off, or none is known.

    One number alone tells nothing: it can be had by any setting.
    """
    off = [k for k, one in enumerate(judged) if _cause(one) is not None]
    if not off or sum(moves[k].x.size for k in off) < 2:
        return ""
    which = list(dict.fromkeys([*off[:MOST], *range(min(len(moves), MOST))]))
    some, own = [moves[k] for k in which], [judged[k] for k in which]
    numbers = _numbers(definition, moves[0].new_state)
    named = [f"{name}: {text}" for name in numbers if (text := _solved(name, moves[off[0]], some, own, definition))]
    named += [*_late(some, own, definition), *_counted(some, own, definition)]
    return named[0] if len(named) == 1 else ""


def _numbers(definition: Definition, state: Container[str]) -> list[str]:
    """The settings that are solved for; left out is one that brings state with it which is not shown."""
    allowed = {name: definition.row.allowed(name) for name in definition.constants}
    numbers = [name for name, one in allowed.items() if isinstance(one, Setting) and not one.whole]
    return [name for name in numbers if all(v in state for v in definition.with_(name, "0.125").state)]


def _cause(judged: Judged) -> tuple[str, tuple[int, ...]] | None:
    """The first cause that is off, and where."""
    return next(((one.cause, one.index) for one in judged.findings if one.verdict in FINDINGS), None)


def _solved(name: str, first: Move, moves: Sequence[Move], own: Sequence[Judged], definition: Definition) -> str:
    """The decimal of a setting with which the moves are sound; empty where there is none."""
    at = _cause(judge_moves([first], definition)[0])
    assert at is not None, "a move that is off"
    cause, index = at

    def apart(number: float) -> float:
        return judge_moves([first], definition.with_(name, repr(number)))[0].measured(cause, index).error

    allowed, begin = definition.row.allowed(name), float(definition.constants[name])
    assert isinstance(allowed, Setting)
    root = _root(apart, begin, lambda number: allowed.holds(Decimal(repr(number))))

    def holds(text: str) -> bool:
        if not allowed.holds(Decimal(text)) or float(text) == begin:
            return False
        return _explained(moves, own, definition.with_(name, text))

    return next(filter(holds, dict.fromkeys(["0", *(f"{root:.{digits}g}" for digits in DIGITS)])), "")


def _counted(moves: Sequence[Move], own: Sequence[Judged], definition: Definition) -> Iterator[str]:
    """A setting that is another whole number."""
    for name, text in definition.constants.items():
        allowed = definition.row.allowed(name)
        if isinstance(allowed, Setting) and allowed.whole:
            for count in range(int(allowed.least), int(text) + COUNTED):
                other = rule_definition(definition.rule, {**definition.chosen, name: str(count)})
                if count != int(text) and _explained(moves, own, other):
                    yield f"{name}: {count}"


def _late(moves: Sequence[Move], own: Sequence[Judged], definition: Definition) -> Iterator[str]:
    """A setting that changes from step to step and is read at another step than the case says."""
    for name, text in definition.formulas.items():
        for by in (1, -1):
            other = definition.with_(name, moved(text, by))
            try:
                Schedule(other.chosen[name])(1)
            except (ArithmeticError, ValueError):  # 0.1 / t has no step before the first
                continue
            if _explained(moves, own, other):
                yield f"{name}: {text} at t {'+' if by > 0 else '-'} 1"


def _explained(moves: Sequence[Move], own: Sequence[Judged], definition: Definition) -> bool:
    """Whether another definition explains all moves. The first is asked alone: there most of them fail."""
    parts = (slice(1), slice(1, None))
    return all(all(map(explains, own[part], judge_moves(moves[part], definition))) for part in parts)


def _root(function: Callable[[float], float], begin: float, allowed: Callable[[float], bool]) -> float:
    """A number at which a function is about 0, or the last that was tried."""
    a, b = begin, 0.9 * begin + 1e-6
    of_a = function(a)
    for _ in range(TURNS):
        of_b = function(b)
        if of_b in (0, of_a) or not isfinite(of_b):
            break
        a, b, of_a = b, b - of_b * (b - a) / (of_b - of_a), of_b
        if not allowed(b):
            b = a / 2 if b < a else (a + 1) / 2  # halfway to the end that it went beyond
        if abs(a - b) <= CLOSE * abs(b):
            break
    return b
