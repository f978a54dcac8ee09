"""A run that was heard, as a case file: every engine runs it, `show` writes it out.

Definitions are carried along, large tables stand beside the file, and each statement says where it was called.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..errors import CommandError
from ..graph.define import in_order, written
from ..graph.graph import Graph
from ..graph.language.printing import readable_names, text_of
from ..graph.node import NAMED_CONSTANTS, Node
from ..hearing.heard import Heard
from ..reading.statements import RESERVED
from ..records.cotangent import default_cotangent
from ..records.evaluation import Array

INLINE = 64  # numbers of an input that stand in the file itself


def write(heard: Heard, path: Path, about: str) -> list[Path]:
    """Write the case, and beside it a `.npy` file for each large input. Returns all files, the case first.

    Raises CommandError where a file cannot be written.
    """
    name = path.stem.lower().replace("_", "-").replace(" ", "-")
    tables: dict[Path, Array] = {}
    lines = list(_lines(heard, name, about, path, tables))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for table, array in tables.items():
            np.save(table, array, allow_pickle=False)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {error.filename or path}: {error.strerror or error}") from None
    return [path, *tables]


def _lines(heard: Heard, name: str, about: str, path: Path, tables: dict[Path, Array]) -> Iterator[str]:
    graph, names = heard.graph, _names(heard.graph)
    yield f"name: {_quoted(name)}"
    yield f"about: {_quoted(about)}"
    read = {graph.output.name, *(arg for node in graph.operations for arg in node.args)}
    yield "inputs:"
    for node in (node for node in graph.inputs if node.name in read):  # a case has no input that nothing reads
        theirs = heard.names.get(node.name, node.name)
        comment = f"  # {theirs}" if theirs != names[node.name] else ""
        table = path.with_name(f"{path.stem}-{names[node.name]}.npy")
        yield f"  {names[node.name]}: {_input(node, heard.inputs[node.name], table, tables)}{comment}"
    if graph.definitions:
        yield "define:"
        for operation in in_order(graph.definitions):
            yield f"  {_quoted(written(operation))}: {_quoted(str(operation.definition))}"
    yield "graph:"
    by_name = {names[node.name]: node.name for node in graph.operations}
    for shown, text in text_of(graph, names).items():
        place = heard.places.get(by_name[shown])
        yield f"  {shown}: {_quoted(text)}" + (f"  # {place}" if place is not None and str(place) else "")
    shape = graph.output.shape
    if not np.array_equal(heard.cotangent, default_cotangent(shape)):
        table = path.with_name(f"{path.stem}-cotangent.npy")
        yield f"cotangent: {_numbers(heard.cotangent, table, tables)}"
    yield f"dtypes: [{heard.dtype}]"


def _names(graph: Graph) -> Mapping[str, str]:
    """A name of the language for every node: none of its words."""
    words = {*RESERVED, *NAMED_CONSTANTS, *keyword.kwlist, *keyword.softkwlist, *graph.vocabulary}
    taken = set(graph.by_name)
    fixed: dict[str, str] = {}
    for node in graph.nodes:
        name = node.name
        while name in words or (name != node.name and name in taken):
            name += "_"
        fixed[node.name] = name
        taken.add(name)
    return readable_names(graph, fixed)


def _input(node: Node, array: Array, table: Path, tables: dict[Path, Array]) -> str:
    """An input as the file describes it."""
    numbers = _numbers(array, table, tables)
    keys = {"float": "", "int": "dtype: int64, ", "bool": "dtype: bool, "}[node.kind]
    constant = ", constant: true" if node.constant and node.kind == "float" else ""
    if numbers.startswith("{"):
        return f"{{{keys}{numbers[1:-1]}{constant}}}"
    return f"{{{keys}values: {numbers}{constant}}}" if keys or constant else numbers


def _numbers(array: Array, table: Path, tables: dict[Path, Array]) -> str:
    """Numbers in full, or the name of the file that has them."""
    floats = array.dtype.kind not in "bi"
    plain = array.astype(np.float64) if floats else array
    if 0 < array.size <= INLINE and (not floats or bool(np.isfinite(plain).all())):
        return json.dumps(plain.tolist())
    tables[table] = plain
    return f"{{file: {json.dumps(table.name)}}}"


def _quoted(text: str) -> str:
    """A text as YAML reads it back, plain where it can be."""
    plain = text and text[0].isalpha() and not any(mark in text for mark in ":#{}[]&*!|>'\"%@`,\n")
    return text if plain else json.dumps(text, ensure_ascii=False)
