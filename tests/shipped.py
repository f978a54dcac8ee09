"""The shipped cases, loaded once, and few of them that stand for all where running all takes long."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from gradaccord.harness.reading.case import Case, find, load, shipped


@cache
def cases() -> tuple[Case, ...]:
    return tuple(map(load, find([shipped()])))


def operations(case: Case) -> set[str]:
    """Its operations, each with the parameters that are given."""
    return {" ".join([node.op, *(name for name, value in node.params if value)]) for node in case.graph.operations}


def themes(case: Case) -> set[str]:
    """Its folder, its tags, and the derivatives that it asks for."""
    return {case.path.parent.name, *case.tags, *case.derivatives}


@cache
def covering(features: Callable[[Case], set[str]]) -> tuple[Case, ...]:
    """Few and small cases that have all features: again and again the one with most new ones, beside its size."""
    chosen: list[Case] = []
    left = set[str]().union(*map(features, cases()))
    while left:
        best = max(cases(), key=lambda case: len(features(case) & left) / len(case.graph.nodes))
        chosen.append(best)
        left -= features(best)
    return tuple(chosen)
