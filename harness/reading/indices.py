"""Integer inputs that are indices: what each may be is static, so one out of its range is a mistake in the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.shapes import one_axis
from ..records.rows import element
from ..words import counted
from .inputs import Input
from .yaml_text import Source, Value

Range = tuple[int, int]  # the least, and what it must be below


def index_ranges(graph: Graph) -> dict[str, Range]:
    """What each input that is an index may be. Negative ones count from the end, but for those of `one_hot`, such as
    the target of a cross entropy."""
    ranges: dict[str, Range] = {}
    names = {node.name for node in graph.inputs if node.kind == "int"}
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
        if name not in inputs:
            continue
        where, made = inputs[name]
        off = (made.array < least) | (made.array >= below)
        for one, index in ignored:
            if one == name and index is not None:  # a target that a loss leaves out
                off &= made.array != index
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            found = f"the index {made.array[index]} in `{element(name, index)}`"
            source.error(where, found, f"{least} to {below - 1}, for {counted(below, 'element')}")
