"""Where nothing is known of a derivative because a choice was made of what is no number.

The larger of NaN and 2 is NaN, and no book says how it would move: engines hand on none, half or all of an adjoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.emit import emit
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Node, Shape

Places = NDArray[np.bool_]


def chosen_of_nothing(graph: Graph, values: Mapping[str, NDArray[np.float64]]) -> dict[str, Places]:
    """Of each wanted input the components that a choice of no number depends on; `values` are those of all nodes."""
    found: dict[str, Places] = {}
    for node in graph.operations:
        if graph.operation(node).shares:
            for name, places in _read(graph, node, values):
                for reached, where in _depends(graph.pruned([name]), values, places):
                    found[reached] = found[reached] | where if reached in found else where
    return found


def _read(graph: Graph, node: Node, values: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, Places]]:
    """The operands of a choice, with the components that are beside one that is no number."""
    read = [arg for arg in node.args if isinstance(arg, str) and graph[arg].kind == "float"]
    lost = [np.isnan(values[arg]) for arg in read]
    if not any(places.any() for places in lost):
        return
    if graph.operation(node).elementwise:
        at = np.any([np.broadcast_to(places, node.shape) for places in lost], axis=0)
        yield from ((arg, _folded(at, graph[arg].shape)) for arg in read)
    else:  # of an array, the whole of it
        yield from ((arg, np.full(graph[arg].shape, True)) for arg in read)


def _folded(places: Places, shape: Shape) -> Places:
    """What of an operand of this shape was broadcast to any of the places."""
    ahead = places.ndim - len(shape)
    kept = tuple(ahead + axis for axis, size in enumerate(shape) if size == 1)
    return np.any(places, axis=(*range(ahead), *kept), keepdims=True).reshape(shape)


def _depends(graph: Graph, values: Mapping[str, NDArray[np.float64]], places: Places) -> Iterator[tuple[str, Places]]:
    """The components of each wanted input that these of the output depend on: whither NaN goes in a reverse sweep."""
    if graph.output.op == "input":
        if not graph.output.constant:
            yield graph.output.name, places
        return
    derived = gradient(graph, seeded=True)
    names = {n.name: arg for n in graph.wanted if isinstance(arg := derived.adjoints.get(n.name), str)}
    program = emit(derived.graph, arrays.namespace("float64"), list(names.values()))
    operands = {**values, derived.seed: np.where(places, np.nan, 0.0)}
    with np.errstate(all="ignore"):
        made = program(*(operands[node.name][()] for node in derived.graph.inputs))
    for name, adjoint in zip(names, made, strict=True):
        yield name, np.isnan(np.broadcast_to(adjoint, graph[name].shape))
