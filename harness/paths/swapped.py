"""Whose fault it is that two paths part: the optimiser of each engine walked on the truth's gradients.

What is left of an engine there is its optimiser. Where two part there as well their optimisers part them; where they
stay together, it was the gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..judging.subject import Subject
from ..records.evaluation import Array, Evaluation, Inputs, Optimiser
from ..rules.update import Update
from ..truth.reference import reference
from .horizon import Floats, glance
from .trajectory import along, taken

STEPS, NUMBERS = 256, 20_000  # of a path, and of a graph, beyond which the truth of every step costs too much


def affordable(start: Subject, steps: int) -> bool:
    size = sum(int(np.prod(node.shape)) for node in start.graph.nodes)
    return steps <= STEPS and size <= NUMBERS


def swapped(start: Subject, update: Update, optimiser: Optimiser) -> Iterator[Mapping[str, Floats]]:
    """Where an optimiser goes by the true gradients at its own parameters, each rounded once, and by the true values of
    what is carried."""

    wanted = [node.name for node in start.graph.wanted]

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        truth = reference(start.graph, inputs, cotangent, ties="decide")
        kinds = {name: x.dtype for name, x in start.inputs.items()}
        slopes = {name: truth.adjoints[name].high.astype(kinds[name]) for name in wanted}
        if not all(np.isfinite(slope).all() for slope in slopes.values()):
            return Evaluation("undefined")
        values = {node: truth.values[node].high.astype(kinds[name]) for name, node in update.carry.items()}
        return Evaluation("ok", values=values, gradients=slopes)

    with np.errstate(all="ignore"):
        path = along(start, taken(start, evaluate, update, optimiser), update)
        for stand in path:
            yield glance({name: stand.here.inputs[name] for name in update.moving(start.graph)})
