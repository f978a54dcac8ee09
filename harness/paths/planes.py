"""The paths of a case that moves two numbers, and the output around them: what a picture of the plane is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from math import isfinite

import numpy as np

from ..arithmetic import arrays
from ..graph.emit import emit
from ..graph.expand import Expander
from ..graph.graph import Graph
from ..judging.subject import Subject
from ..records.evaluation import Array, Inputs
from ..records.paths import Plane
from ..records.rows import element
from ..rules.update import Update
from .horizon import Places
from .trajectory import Path

ACROSS, UP = 49, 37  # numbers of the output that are looked at
SHOWN = 400  # places of a path
MARGIN = 0.15  # around all paths, of what they take


def plane(start: Subject, update: Update, paths: Mapping[str, Path]) -> Plane | None:
    """None where other than two numbers move, or no engine has walked."""
    moving = [(node.name, index) for node in start.graph.wanted for index in np.ndindex(node.shape)]
    own = {name for name, _ in moving}
    trails = {engine: _trail(path.places, own) for engine, path in paths.items() if path.places}
    trails = {engine: trail for engine, trail in trails.items() if trail}
    if len(moving) != 2 or not trails:
        return None
    low, high = _corners([place for trail in trails.values() for place in trail])
    others = update.data is not None or update.reaches_output(start.graph)
    values = [] if others else _around(start, moving, low, high)
    first, second = (element(*one) for one in moving)
    return Plane(
        case=start.case, point=start.point, dtype=start.dtype, rule=update.rule, steps=update.steps,
        names=(first, second), low=low, high=high, values=tuple(values), trails=trails,
    )  # fmt: skip


def _trail(places: Places, moving: Container[str]) -> tuple[tuple[float, float], ...]:
    """The finite places of a path, some of many, with the first and the last."""
    both = np.concatenate([x for name, x in places.items() if name in moving], axis=1)
    if both.shape[1] != 2:
        return ()
    every = -(-len(both) // SHOWN)
    kept = [*range(0, len(both), every), len(both) - 1]
    return tuple((float(x), float(y)) for x, y in both[list(dict.fromkeys(kept))] if isfinite(x) and isfinite(y))


def _corners(places: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The lowest and the highest corner of what is looked at; what stands still has room beside it, too."""
    both = np.array(places)
    least, most = both.min(axis=0), both.max(axis=0)
    span = np.maximum(most - least, 0.05 * max(float((most - least).max()), float(np.abs(both).max()), 1e-6))
    low, high = least - MARGIN * span, most + MARGIN * span
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def _around(
    start: Subject,
    moving: Sequence[tuple[str, tuple[int, ...]]],
    low: tuple[float, float],
    high: tuple[float, float],
) -> list[tuple[float, ...]]:
    output = _output(start)
    inputs = {name: x if x.dtype.kind in "bi" else x.astype(np.float64) for name, x in start.inputs.items()}
    across, up = (np.linspace(low[k], high[k], count) for k, count in enumerate((ACROSS, UP)))
    return [tuple(output(_put(inputs, moving, (float(x), float(y)))) for x in across) for y in up]


def _put(inputs: Inputs, moving: Sequence[tuple[str, tuple[int, ...]]], place: tuple[float, float]) -> Inputs:
    moved: dict[str, Array] = dict(inputs)
    for (name, index), number in zip(moving, place, strict=True):
        moved[name] = moved[name].copy()
        moved[name][index] = number
    return moved


def _output(start: Subject) -> Callable[[Inputs], float]:
    """The contracted output in float64; NaN where it is not finite."""
    expander = Expander(stable=True)
    name = start.graph.output.name
    expander.add_graph(start.graph.pruned([name]))
    graph = Graph(tuple(expander.order), (name,))
    program = emit(graph, arrays.namespace("float64"), [name])
    cotangent = start.cotangent.astype(np.float64)

    def output(inputs: Inputs) -> float:
        with np.errstate(all="ignore"):
            value = float(np.sum(program(*(inputs[node.name][()] for node in graph.inputs))[0] * cotangent))
        return value if isfinite(value) else float("nan")

    return output
