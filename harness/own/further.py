"""Where two runs that are the same may part: what was heard of both, run on more random numbers.

That is quickly done, and no proof: a number that Python read is a constant of what was heard. It only says that it is
worth hearing both once more.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..alignment.gradients import matched
from ..alignment.parameters import Matching
from ..arithmetic import arrays
from ..graph.emit import emit
from ..graph.expand import expanded
from ..hearing.heard import Heard
from ..records.evaluation import Array
from .drawn import SPREAD, drawn
from .take import Take

SPREADS = (SPREAD, 10 * SPREAD)
DRAWS = 8  # of each
APART = 1e-6  # of the largest number of an output: by more than rounding


def may_part(first: Take, second: Take) -> float | None:
    """How far out the outputs of what was heard are others, the least of SPREADS; None where they are the same."""
    a, b = first.points[-1].heard, second.points[-1].heard
    same = matched(a, b)
    if any(not one.terms for one in same.counterparts):
        return None
    held = {name for name in a.names if a.names[name] in first.points[-1].state}
    here, there = _Run(a), _Run(b)
    draws = [np.random.default_rng(seed) for seed in range(1, DRAWS + 1)]
    return next(
        (spread for spread in SPREADS if any(_apart(here, there, same, held, spread, one) for one in draws)), None
    )


class _Run:
    """What was heard, as a program of its inputs."""

    def __init__(self, heard: Heard) -> None:
        self.heard, graph = heard, expanded(heard.graph, stable=True)
        self._program = emit(graph, arrays.namespace("float64"), heard.outputs, operators=False)
        self._inputs = [node.name for node in graph.inputs]
        self.numbers = {node.name: heard.inputs[node.name] for node in heard.graph.wanted}

    def outputs(self, numbers: Mapping[str, Array]) -> list[Array]:
        given = {**self.heard.inputs, **numbers}
        with np.errstate(all="ignore"):
            wide = (
                x.astype(np.float64) if x.dtype.kind not in "biu" else x for x in map(given.__getitem__, self._inputs)
            )
            return [np.asarray(made) for made in self._program(*(x[()] for x in wide))]


def _apart(
    here: _Run, there: _Run, same: Matching, held: set[str], spread: float, generator: np.random.Generator
) -> bool:
    mine = {name: drawn(name, x, generator, spread, far=name not in held) for name, x in here.numbers.items()}
    pairs = zip(here.outputs(mine), there.outputs(same.carry(mine)), strict=True)
    return any(_differ(np.sort(x, axis=None), np.sort(y, axis=None)) for x, y in pairs)


def _differ(x: Array, y: Array) -> bool:
    finite = np.isfinite(x) & np.isfinite(y) if x.shape == y.shape else np.zeros(1, bool)
    if not finite.all():
        return False
    return bool(np.any(np.abs(x - y) > APART * np.max(np.abs(x), initial=0.0)))
