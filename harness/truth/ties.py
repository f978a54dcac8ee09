"""Ties that settle: components of a gradient at which reverse mode leaves a hull, though there is but one derivative.

A hull may reach anywhere (`where(x < x, sinh(x), x)`), and what is measured at its middle means nothing. Where both
sides agree, and reverse mode with them once ties are decided as IEEE 754 does, the numbers of that choice take the
hull's place as the truth for engines that show no links.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import isclose

from .reference import Number, Reference, replaced
from .sides import Index, Sides


def settling(
    sides: Mapping[str, Mapping[Index, Sides]], decided: Callable[[], Reference]
) -> dict[str, frozenset[Index]]:
    """Of each gradient the components that settle. `decided` gives the truth with ties decided, if it is needed."""

    def agree(name: str, index: Index, pair: Sides) -> bool:
        if pair.left != pair.right:
            return False
        number = decided().adjoints[name]
        return bool(number.tight[index]) and isclose(number.high[index], pair.left, rel_tol=1e-12)

    return {
        name: frozenset(index for index, pair in known.items() if agree(name, index, pair))
        for name, known in sides.items()
    }


def resolved(hull: Number, decided: Number, settled: Collection[Index]) -> Number:
    """A gradient with its settled components decided."""
    return replaced(hull, {index: decided.balls[index] for index in settled})
