"""The truth of a whole graph at one point: values, adjoints and terms, as balls of textbook formulas.

Stands on `graph/` and `numbers.py`. The precision doubles until every number is tight; what stays wide
is a hull: a kink, where the truth is a set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.gradient import gradient
from ..graph.graph import Arg, Constant, Graph, Node, Use
from .links import refined, working
from .numbers import balls, to_balls
from .rounding import floats, radii


@dataclass(frozen=True, slots=True)
class Number:
    """An enclosed array: middle = high + low, an unevaluated pair of float64, and the radius around it."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    radius: NDArray[np.float64]

    def error(self, engine: NDArray[Any]) -> NDArray[np.float64]:
        """Engine minus truth."""
        with np.errstate(all="ignore"):
            error = (engine.astype(np.float64) - self.high) - self.low
            return np.where(engine == self.high, -self.low, error) + 0.0  # no -0.0

    @property
    def tight(self) -> NDArray[np.bool_]:
        """Where the truth is one number and not a set."""
        with np.errstate(all="ignore"):
            return np.asarray(self.radius <= np.abs(self.high) * 2.0**-70) | (self.radius < 1e-313)


@dataclass(frozen=True, slots=True)
class Reference:
    values: Mapping[str, Number]
    adjoints: Mapping[str, Number]
    terms: Mapping[Use, Number]


def reference(graph: Graph, inputs: Mapping[str, NDArray[Any]], cotangent: NDArray[Any]) -> Reference:
    """The truth at exactly these numbers: float, int or bool arrays, or object arrays of Fraction."""
    found = gradient(graph, stable=False, seeded=True)
    names = [node.name for node in graph.nodes]
    wanted: dict[Arg, None] = dict.fromkeys([*names, *found.adjoints.values(), *found.terms.values()])
    outputs = [arg for arg in wanted if isinstance(arg, str)]
    program = emit(found.graph, balls(ties="hull"), outputs, operators=False)
    given = {**inputs, found.seed: cotangent}

    def compute() -> tuple[Any, ...]:
        # Converted anew each time: a decimal is as exact as the precision.
        return program(*(_exact(given[node.name], node) for node in found.graph.inputs))

    with working():
        numbers = dict(zip(outputs, map(_number, refined(compute)), strict=True))

    def number(arg: Arg, name: str) -> Number:
        if isinstance(arg, Constant):
            constant = np.full(graph[name].shape, float(arg.text))
            return Number(constant, np.zeros_like(constant), np.zeros_like(constant))
        given = numbers[arg]
        shape = graph[name].shape
        return Number(*(np.broadcast_to(part, shape) for part in (given.high, given.low, given.radius)))

    return Reference(
        {name: numbers[name] for name in names},
        {name: number(arg, name) for name, arg in found.adjoints.items()},
        {use: number(arg, graph.argument(use)) for use, arg in found.terms.items()},
    )


def _exact(array: NDArray[Any], node: Node) -> Any:
    if node.kind == "float":
        return to_balls(array)
    return array.astype(np.int64 if node.kind == "int" else np.bool_)


def _number(result: Any) -> Number:
    array = np.asarray(result)
    if array.dtype != object:
        high = array.astype(np.float64)
        return Number(high, np.zeros_like(high), np.zeros_like(high))
    high = floats(array)
    finite = np.isfinite(high)
    low = np.where(finite, floats(array - to_balls(np.where(finite, high, 0.0))), 0.0)
    return Number(high, low, radii(array))
