"""Which derivatives an engine took at its kinks: values that can be compared, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.rows import Choice, Index, Row

WORDS = {
    "lower": "the lower end",
    "middle": "the middle",
    "upper": "the upper end",
    "left": "the left one",
    "right": "the right one",
    "another": "another",
}


def in_turn(labels: Sequence[str]) -> Choice:
    """Choices in the order of their components, repeated ones counted; one alone where all are alike."""
    runs = tuple((label, len(list(same))) for label, same in groupby(labels))
    return ((runs[0][0], 1),) if len(runs) == 1 else runs


def told(choice: Choice) -> str:
    """A choice in words."""
    named = [(WORDS.get(label, f"{label} of the way"), count) for label, count in choice]
    return ", ".join(words if count == 1 else f"{words} ({count} times)" for words, count in named)


def taken(
    engine: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64], kink: NDArray[np.bool_], index: Index
) -> tuple[Choice, str]:
    """Which of all derivatives from `low` to `high` the engine took, at every kink; told for the one at `index`."""
    flat = np.flatnonzero(kink)
    shares = [
        _share(number, *hull(least, most))
        for number, least, most in zip(
            engine.ravel()[flat].astype(np.float64).tolist(),
            low.ravel()[flat].tolist(),
            high.ravel()[flat].tolist(),
            strict=True,
        )
    ]
    choice = in_turn(shares)
    least, most = hull(float(low[index]), float(high[index]))
    return choice, f"a kink: of all derivatives from {least:.6g} to {most:.6g} the engine took {told(choice)}"


def hull(low: float, high: float) -> tuple[float, float]:
    """The ends of a set of derivatives, as they are told."""
    # A ball's radius has 30 bits, rounded up: [0, 1] comes back a billionth wider.
    snapped = [0.0 if abs(end) < 1e-7 * (high - low) else end for end in (low, high)]
    return snapped[0], snapped[1]


def _share(number: float, low: float, high: float) -> str:
    share = (number - low) / (high - low) if high > low else 0.0
    named = {0.0: "lower", 0.5: "middle", 1.0: "upper"}
    # In float32 the ends are known to seven digits: a share to four.
    return named.get(round(share, 4) + 0.0, f"{share:.3f}")


def conventions(rows: Sequence[Row]) -> list[Row]:
    """Conventions, once all engines of a unit are in: where they chose differently each is a finding.

    Those that a ledger has explained are left out of the count, and as they are.
    """
    choices: dict[tuple[object, ...], set[Choice]] = {}
    for row in rows:
        if row.verdict == "convention" and not row.accepted:
            choices.setdefault((row.quantity, row.name, row.use), set()).add(row.choice)
    return [
        replace(row, finding=len(choices[row.quantity, row.name, row.use]) > 1)
        if row.verdict == "convention" and not row.accepted
        else row
        for row in rows
    ]
