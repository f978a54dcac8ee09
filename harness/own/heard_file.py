"""A function that was heard, as one file: for another environment, where what it needs is not installed.

A zip of `take.json` and of `.npy` members, one for each array that the JSON names. Nothing in it is ever executed or
unpickled. `docs/compare.md` describes it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..errors import CommandError
from ..graph.build import Builder
from ..graph.define import define, in_order, written
from ..graph.graph import Graph
from ..graph.language.expression import ExpressionError
from ..graph.node import Arg, Constant, Node, Use
from ..graph.operations.operation import Operation
from ..hearing.heard import Heard, Place
from ..hearing.structure import numpy_of
from ..records.evaluation import DTYPES, Array, Evaluation
from .take import Point, Take

FORMAT = 1
SUFFIX = ".heard"
MAIN = "take.json"
Json = Any
# What reading a file raises that is not as it was written.
DAMAGES = (LookupError, ValueError, TypeError, AttributeError, EOFError, OSError, NotImplementedError, SyntaxError,
           zlib.error, ExpressionError)  # fmt: skip


def write(take: Take, path: Path) -> None:
    """Write a file. Raises CommandError for an input that is no number, text, array, tuple, list or dict."""
    arrays = _Arrays()
    told = {
        "format": "gradaccord heard",
        "version": FORMAT,
        "gradaccord": version("gradaccord"),
        "name": take.name,
        "framework": take.framework,
        "framework_version": take.version,
        "points": [_point(point, arrays) for point in take.points],
    }
    stamp = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(MAIN, stamp), json.dumps(told, indent=1, allow_nan=False), zipfile.ZIP_DEFLATED)
        for name, data in arrays.members():
            file.writestr(zipfile.ZipInfo(name, stamp), data, zipfile.ZIP_DEFLATED)


def read(path: str | Path) -> Take:
    """What a file has. Raises CommandError for one that is not there, is damaged, or is of another version."""
    path = Path(path)
    again = f"Write it again: gradaccord hear ... -o {path}"
    if not path.is_file():
        raise CommandError(f"no file {path}: `gradaccord hear` writes one")
    try:
        with zipfile.ZipFile(path) as file:
            if MAIN not in file.namelist():
                raise CommandError(f"{path} is a zip without {MAIN}, no file that `gradaccord hear` wrote. {again}")
            told = json.loads(file.read(MAIN))
            _check_version(told, path)
            return _take(told, _Members(file))
    except CommandError:
        raise
    except zipfile.BadZipFile as error:
        raise CommandError(f"{path} is damaged, or no file that `gradaccord hear` wrote: {error}. {again}") from None
    except DAMAGES as error:
        raise CommandError(f"{path} is damaged: {type(error).__name__}: {error}. {again}") from None


def _check_version(told: Json, path: Path) -> None:
    keys = cast("dict[str, Json]", told) if isinstance(told, dict) else {}
    if keys.get("format") != "gradaccord heard":
        raise CommandError(f"{path}: its {MAIN} does not say `gradaccord heard`: no file that `gradaccord hear` wrote")
    if keys.get("version") != FORMAT:
        raise CommandError(
            f"{path} is of format {keys.get('version')}, written by gradaccord {keys.get('gradaccord')}; this is "
            f"gradaccord {version('gradaccord')}, which reads format {FORMAT}. Use the same version on both sides."
        )


class _Arrays:
    """Arrays of a file that is written; one that occurs twice is written once."""

    def __init__(self) -> None:
        self._names: dict[tuple[Any, ...], str] = {}
        self._arrays: list[Array] = []

    def name(self, array: Array) -> dict[str, str]:
        """What stands for an array in the JSON; NumPy's files have no word for bfloat16, whose bits are written."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = f"{len(self._arrays)}.npy"
            self._arrays.append(array.view(np.uint16) if array.dtype == DTYPES["bfloat16"] else array)
        return {"array": self._names[key], "dtype": array.dtype.name}

    def members(self) -> Sequence[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for k, array in enumerate(self._arrays):
            stream = BytesIO()
            np.save(stream, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            found.append((f"{k}.npy", stream.getvalue()))
        return found


class _Members:
    """Arrays of a file that is read."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._read: dict[tuple[str, str], Array] = {}

    def array(self, told: Json) -> Array:
        key = str(told["array"]), str(told["dtype"])
        if key not in self._read:
            found = np.load(BytesIO(self._file.read(key[0])), allow_pickle=False)
            found = found.view(DTYPES["bfloat16"]) if key[1] == "bfloat16" else found
            if found.dtype.name != key[1]:
                raise ValueError(f"{key[0]} holds {found.dtype.name}, where {key[1]} is expected")
            self._read[key] = found
        return self._read[key]

    def arrays(self, told: Json) -> dict[str, Array]:
        return {name: self.array(one) for name, one in told.items()}


# --- points ---------------------------------------------------------------------------------------------------------


def _point(point: Point, arrays: _Arrays) -> Json:
    heard, run = point.heard, point.heard.evaluation
    assert run.terms is not None and run.adjoints is not None and run.output is not None
    return {
        "inputs": _structure(list(point.inputs), arrays),
        "kwargs": _structure(point.kwargs, arrays),
        "state": _named(point.state, arrays),
        "holds": point.held is not None,
        "dtype": heard.dtype,
        "graph": _graph(heard.graph),
        "outputs": heard.outputs,
        "names": dict(heard.names),
        "places": {node: asdict(place) for node, place in heard.places.items()},
        "notes": heard.notes,
        "plain": heard.plain,
        "seconds": dict(heard.seconds),
        "cotangent": arrays.name(heard.cotangent),
        "values": _named(run.values, arrays),
        "gradients": _named(run.gradients, arrays),
        "adjoints": _named(run.adjoints, arrays),
        "terms": [[use.consumer, use.position, arrays.name(term)] for use, term in run.terms.items()],
        "output": arrays.name(run.output),
    }


def _take(told: Json, members: _Members) -> Take:
    points = tuple(_read_point(one, members) for one in told["points"])
    if not points:
        raise ValueError("no point")
    return Take(str(told["name"]), str(told["framework"]), str(told["framework_version"]), points)


def _read_point(told: Json, members: _Members) -> Point:
    graph, values = _read_graph(told["graph"]), members.arrays(told["values"])
    outputs = tuple(str(name) for name in told["outputs"])
    for node in graph.nodes:
        if values[node.name].shape != node.shape:
            raise ValueError(f"`{node.name}` has numbers of shape {values[node.name].shape}, not {node.shape}")
    if not {*outputs} <= {*graph.by_name}:
        raise ValueError("an output that is no node")
    evaluation = Evaluation(
        "ok",
        values=values,
        gradients=members.arrays(told["gradients"]),
        terms={Use(str(consumer), int(k)): members.array(term) for consumer, k, term in told["terms"]},
        adjoints=members.arrays(told["adjoints"]),
        output=members.array(told["output"]),
    )
    heard = Heard(
        graph,
        {node.name: values[node.name] for node in graph.inputs},
        members.array(told["cotangent"]),
        evaluation,
        str(told["dtype"]),
        {str(node): str(name) for node, name in told["names"].items()},
        {str(node): _read_place(place) for node, place in told["places"].items()},
        outputs,
        tuple(map(str, told["notes"])),
        {str(stage): float(seconds) for stage, seconds in told["seconds"].items()},
        str(told["plain"]),
    )
    state = members.arrays(told["state"])
    inputs, kwargs = _read_structure(told["inputs"], members), _read_structure(told["kwargs"], members)
    return Point(heard, tuple(inputs), kwargs, state, dict(state) if told["holds"] else None)


def _read_place(told: Json) -> Place:
    file, function, module, call, rule = (str(told[name]) for name in ("file", "function", "module", "call", "rule"))
    return Place(file, int(told["line"]), function, module, call, rule, tuple(map(str, told["chain"])))


def _named(found: Mapping[str, Array], arrays: _Arrays) -> Json:
    return {name: arrays.name(np.asarray(array)) for name, array in found.items()}


# --- inputs -----------------------------------------------------------------------------------------------------------


def _structure(thing: Any, arrays: _Arrays | None) -> Json:
    """Nested inputs: an array is `{"array": name}`; a tuple and a dict say so, since JSON has neither."""
    if arrays is not None and (array := numpy_of(thing)) is not None:
        return arrays.name(array)
    if isinstance(thing, np.generic):
        return _structure(thing.item(), arrays)
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, float):
        return {"float": thing.hex()}
    if isinstance(thing, list):
        return [_structure(one, arrays) for one in cast("list[Any]", thing)]
    if isinstance(thing, tuple):
        return {"tuple": [_structure(one, arrays) for one in cast("tuple[Any, ...]", thing)]}
    if isinstance(thing, Mapping):
        items = cast("Mapping[Any, Any]", thing).items()
        return {"dict": [[_structure(key, arrays), _structure(one, arrays)] for key, one in items]}
    raise CommandError(
        f"an input of type {type(thing).__name__} cannot be written: "
        "arrays, numbers, texts, tuples, lists and dicts of them can."
    )


def _read_structure(told: Json, members: _Members | None) -> Any:
    if isinstance(told, list):
        return [_read_structure(one, members) for one in cast("list[Any]", told)]
    if not isinstance(told, dict):
        return told
    kind: dict[str, Any] = cast("dict[str, Any]", told)
    if "array" in kind and members is not None:
        return members.array(kind)
    if "float" in kind:
        return float.fromhex(kind["float"])
    if "tuple" in kind:
        return tuple(_read_structure(one, members) for one in kind["tuple"])
    return {_read_structure(key, members): _read_structure(one, members) for key, one in kind["dict"]}


# --- graphs -----------------------------------------------------------------------------------------------------------


def _graph(graph: Graph) -> Json:
    return {
        "definitions": [_definition(operation) for operation in in_order(graph.definitions)],
        "defined": [operation.name for operation in graph.definitions],
        "nodes": [_node(node) for node in graph.nodes],
        "outputs": graph.outputs,
    }


def _definition(operation: Operation) -> Json:
    return {
        "signature": written(operation),
        "text": operation.definition,
        "stable": operation.stable or "",
        "within": [inner.name for inner in operation.within],
        "native": dict(operation.native),
    }


def _node(node: Node) -> Json:
    return {
        "name": node.name,
        "op": node.op,
        "args": [{"constant": arg.text} if isinstance(arg, Constant) else arg for arg in node.args],
        "params": [[name, _structure(value, None)] for name, value in node.params],
        "shape": node.shape,
        "kind": node.kind,
        "constant": node.constant,
        "dtype": node.dtype,
    }


def _read_graph(told: Json) -> Graph:
    known: dict[str, Operation] = {}
    for one in told["definitions"]:
        within = tuple(known[name] for name in one["within"])
        native = tuple((str(framework), str(text)) for framework, text in one["native"].items())
        operation = define(one["signature"], one["text"], stable=one["stable"], within=within, native=native)
        known[operation.name] = operation
    builder = Builder(tuple(known[name] for name in told["defined"]))
    for one in told["nodes"]:
        node = _read_node(one)
        if node.op == "input":
            builder.input(node.name, node.shape, node.kind, constant=node.constant, dtype=node.dtype)
        elif node.op in builder.vocabulary:
            builder.apply(node.op, node.args, dict(node.params), node.name, dtype=node.dtype)
        else:
            raise ValueError(f"`{node.name}` is a `{node.op}`, which is no operation")
        if builder.nodes[node.name] != node:
            raise ValueError(f"`{node.name}` is {node}, where its operation gives {builder.nodes[node.name]}")
    outputs = [str(name) for name in told["outputs"]]
    if not outputs or not set(outputs) <= {*builder.nodes}:
        raise ValueError("an output that is no node")
    return builder.graph(outputs)


def _read_node(told: Json) -> Node:
    args = tuple(_read_arg(arg) for arg in told["args"])
    params = tuple((str(name), _read_structure(value, None)) for name, value in told["params"])
    shape = tuple(map(int, told["shape"]))
    kind = told["kind"]
    if kind not in ("float", "int", "bool"):
        raise ValueError(f"`{told['name']}` is of kind {kind!r}")
    return Node(
        str(told["name"]), str(told["op"]), args, params, shape, kind, bool(told["constant"]), str(told["dtype"])
    )


def _read_arg(told: Json) -> Arg:
    return told if isinstance(told, str) else Constant(str(told["constant"]))
