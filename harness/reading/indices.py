"""Integer inputs that are indices, as they are or moved: what each may be is static, so one out of its range is a
mistake in the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from ..arithmetic.arrays import namespace
from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.shapes import one_axis
from ..records.rows import element
from ..words import counted
from .inputs import Input
from .yaml_text import Source, Value

Range = tuple[int, int]  # the least, and what it must be below


def index_ranges(graph: Graph) -> dict[str, Range]:
    """What each input, or what is made of one, may be that is an index. Negative ones count from the end, but for those
    of `one_hot`, such as the target of a cross entropy."""
    ranges: dict[str, Range] = {}
    names = {node.name for node in graph.nodes if node.kind == "int"}
    plain = expanded(graph, stable=False) if names else graph
    for node in plain.operations if names else ():
        parameters = dict(node.params)
        if node.op in ("take", "take_along_axis"):
            shape = plain[node.args[0]].shape if isinstance(node.args[0], str) else ()
            size = shape[one_axis(parameters["axis"], len(shape))] if shape else 1
        elif node.op in ("scatter_add", "scatter_add_along_axis", "one_hot"):
            size = cast(int, parameters["size"])
        else:
            continue
        index = node.args[-1]
        if isinstance(index, str) and index in names:
            least, below = ranges.get(index, (-size, size))
            ranges[index] = max(least, 0 if node.op == "one_hot" else -size), min(below, size)
    return ranges


def check_indices(source: Source, graph: Graph, inputs: Mapping[str, tuple[Value, Input]]) -> None:
    """Note each index among inputs with their places that is out of its range."""
    ignored = [(node.args[1], dict(node.params).get("ignore_index")) for node in graph.operations if len(node.args) > 1]
    for name, (least, below) in index_ranges(graph).items():
        made = graph.pruned([name])
        given = {
            node.name: inputs[node.name] for node in made.inputs if node.name in inputs and _feeds(made, node.name)
        }
        if not given:
            continue
        where, numbers = next(iter(given.values()))[0], next(iter(given.values()))[1].array
        if made[name].op != "input":
            program = emit(made, namespace("float64"), [name])
            kept = [inputs[node.name][1].array if node.name in given else None for node in made.inputs]
            (numbers,) = program(*kept)
        off = (numbers < least) | (numbers >= below)
        for one, index in ignored:
            if one == name and index is not None:  # a target that a loss leaves out
                off &= numbers != index
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            found = f"the index {numbers[index]} in `{element(name, index)}`"
            source.error(where, found, f"{least} to {below - 1}, for {counted(below, 'element')}")


def check_no_index(source: Source, graph: Graph, inputs: Mapping[str, Value]) -> None:
    """Note each of these inputs, with their places, that an index is made of: nobody knows what it will be."""
    for index in index_ranges(graph) if inputs else ():
        made = graph.pruned([index])
        for name, place in inputs.items():
            if _feeds(made, name):
                source.error(place, f"`{name}` is an index and in `carry`", "an index whose range is known beforehand")


def _feeds(graph: Graph, name: str) -> bool:
    """Whether the graph, pruned to an index, reads an input: it keeps every one."""
    return name == graph.output.name or any(name in node.args for node in graph.operations)
