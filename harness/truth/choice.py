"""Conditions in exact arithmetic, and the operations that choose by them.

A condition is a ball: 1, 0, or where balls cannot decide [0, 1]. `where` then gives the hull of both.
Conditions that come from outside are NumPy booleans, which are always decided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from flint import arb

from .arrays import ONE, ZERO, array, grouped, ungrouped

Ball: TypeAlias = Any

TRUE, FALSE, EITHER = ONE, ZERO, arb(0.5, 0.5)
ANY_SIGN = arb(0, 1)
NAN = arb.nan()


def ordered(a: Ball, b: Ball, when_equal: Ball) -> Ball:
    """Whether a < b."""
    if a < b:
        return TRUE
    if a > b:
        return FALSE
    return when_equal if a == b else _unordered(a, b, FALSE)


def same(a: Ball, b: Ball, when_equal: Ball) -> Ball:
    if a != b:
        return FALSE
    return when_equal if a == b else _unordered(a, b, FALSE)


def _unordered(a: Ball, b: Ball, ieee: Ball) -> Ball:
    """A NaN that was given, which is exact, compares as IEEE 754 says; anything else is undecided."""
    return ieee if any(x.is_nan() and x.is_exact() for x in (a, b)) else EITHER


def opposite(condition: Ball) -> Ball:
    return FALSE if condition is TRUE else TRUE if condition is FALSE else EITHER


def sign(x: Ball, at_zero: Ball) -> Ball:
    if x > 0:
        return ONE
    if x < 0:
        return -ONE
    return at_zero if x.is_zero() else NAN if x.is_nan() else ANY_SIGN


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
    less: Callable[[Any, Any, Ball], Ball], same: Callable[[Any, Any, Ball], Ball], *, decide: bool
) -> dict[str, Callable[..., Any]]:
    """The six comparisons from a strict order and an equality, each told what it is at equality."""
    at_tie, at_equal = (FALSE, TRUE) if decide else (EITHER, EITHER)
    elements: dict[str, Callable[[Any, Any], Ball]] = {
        "less": lambda a, b: less(a, b, at_tie),
        "less_equal": lambda a, b: less(a, b, at_equal),
        "greater": lambda a, b: less(b, a, at_tie),
        "greater_equal": lambda a, b: less(b, a, at_equal),
        "equal": lambda a, b: same(a, b, at_equal),
        "not_equal": lambda a, b: opposite(same(a, b, at_equal)),
    }
    return {name: np.frompyfunc(function, 2, 1) for name, function in elements.items()}
