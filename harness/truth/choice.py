"""Conditions in exact arithmetic, and the operations that choose by them.

A condition is a ball: 1, 0, or where balls cannot decide [0, 1]. `where` then gives the hull of both.
Conditions that come from outside are NumPy booleans, which are always decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb

from .arrays import ONE, ZERO, array, grouped, ungrouped

Ball: TypeAlias = Any

TRUE, FALSE, EITHER = ONE, ZERO, arb(0.5, 0.5)
ANY_SIGN = arb(0, 1)
NAN = arb.nan()  # nothing is known: its radius is infinite
NO_NUMBER = arb(nan, 1)  # it is known that there is none, as of log(-1): its radius is finite

# What a comparison of equal points says: what IEEE 754 does; anything, as at a kink; or what it would say with the
# first a little above the second, or below.
Ties: TypeAlias = Literal["decide", "hull", "above", "below"]


@dataclass(frozen=True, slots=True)
class Tie:
    """What a comparison says of equal points, and of balls that overlap."""

    equal: Ball
    overlapping: Ball


STRICTLY = Tie(FALSE, EITHER)
_AT_TIES: Mapping[Ties, Mapping[str, Ball]] = {
    "decide": {"less": FALSE, "less_equal": TRUE, "greater": FALSE, "greater_equal": TRUE, "equal": TRUE},
    "hull": dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "equal"), EITHER),
    "above": {"less": FALSE, "less_equal": FALSE, "greater": TRUE, "greater_equal": TRUE, "equal": FALSE},
    "below": {"less": TRUE, "less_equal": TRUE, "greater": FALSE, "greater_equal": FALSE, "equal": FALSE},
}


def ordered(a: Ball, b: Ball, at_tie: Tie) -> Ball:
    """Whether a < b."""
    if a < b:
        return TRUE
    if a > b:
        return FALSE
    return _tie(a, b, at_tie)


def same(a: Ball, b: Ball, at_tie: Tie) -> Ball:
    return FALSE if a != b else _tie(a, b, at_tie)


def _tie(a: Ball, b: Ball, at_tie: Tie) -> Ball:
    """What is known to be no number compares as IEEE 754 says."""
    if a == b:
        return at_tie.equal
    return FALSE if no_number(a) or no_number(b) else at_tie.overlapping


def no_number(x: Ball) -> bool:
    """Whether it is known that this is NaN, and not merely unknown what it is."""
    return bool(x.is_nan() and x.rad().is_finite())


def opposite(condition: Ball) -> Ball:
    return FALSE if condition is TRUE else TRUE if condition is FALSE else EITHER


def sign(x: Ball, ties: Ties) -> Ball:
    if x > 0:
        return ONE
    if x < 0:
        return -ONE
    if x.is_nan():
        return NAN
    side = {"above": ONE, "below": -ONE}.get(ties, ANY_SIGN)
    return ZERO if ties == "decide" and x.is_zero() else side


def shares(row: list[Ball], *, decide: bool) -> list[Ball]:
    """How the largest of a row share it: 1 for one alone, [0, 1] each where balls cannot tell which it is."""
    largest = row[0]
    for x in row[1:]:
        largest = largest.max(x)
    if largest.is_nan():
        return [NAN] * len(row)
    near = [not x < largest for x in row]
    count = sum(near)
    tied = [x for x, close in zip(row, near, strict=True) if close]
    if count == 1:
        share = ONE
    elif decide and all(x == tied[0] for x in tied):
        share = ONE / count
    else:
        share = EITHER
    return [share if close else ZERO for close in near]


def max_share(x: Any, axis: object, of_row: Callable[[list[Ball]], list[Ball]]) -> Any:
    groups = grouped(x, axis)
    result = np.empty(groups.shape, dtype=object)
    for place in np.ndindex(groups.shape[:-1]):
        if groups.shape[-1]:
            result[place] = of_row(groups[place].tolist())
    return ungrouped(result, axis, array(x).shape)


def chosen(condition: Ball, a: Ball, b: Ball) -> Ball:
    if condition is TRUE:
        return a
    if condition is FALSE:
        return b
    if condition.is_exact():
        return b if condition.is_zero() else a
    return a.union(b)


def choice(select: Callable[[Ball, Any, Any], Any]) -> Callable[..., Any]:
    """`where` by a function of single elements; a NumPy condition is decided."""
    elements = np.frompyfunc(select, 3, 1)

    def where(condition: Any, a: Any, b: Any) -> Any:
        condition = array(condition)
        if condition.dtype == object:
            return elements(condition, array(a), array(b))
        return np.where(condition.astype(bool), array(a), array(b))

    return where


def comparisons(
    less: Callable[[Any, Any, Tie], Ball], same: Callable[[Any, Any, Tie], Ball], ties: Ties
) -> dict[str, Callable[..., Any]]:
    """The six comparisons from a strict order and an equality, each told what it is at a tie."""
    at = {name: Tie(equal, EITHER if ties in ("decide", "hull") else equal) for name, equal in _AT_TIES[ties].items()}
    elements: dict[str, Callable[[Any, Any], Ball]] = {
        "less": lambda a, b: less(a, b, at["less"]),
        "less_equal": lambda a, b: less(a, b, at["less_equal"]),
        "greater": lambda a, b: less(b, a, at["greater"]),
        "greater_equal": lambda a, b: less(b, a, at["greater_equal"]),
        "equal": lambda a, b: same(a, b, at["equal"]),
        "not_equal": lambda a, b: opposite(same(a, b, at["equal"])),
    }
    return {name: np.frompyfunc(function, 2, 1) for name, function in elements.items()}
