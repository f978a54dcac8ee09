"""One engine's answer to one question: evaluated twice, on copies, and checked for sense.

Whatever an engine does, what leaves this room is an Evaluation: an exception, a missing gradient, a
wrong shape, a changed input become the status `failed` with a reason of one line. Imports no engine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .engine_loading import LoadingError, load, one_line, version
from .evaluation import DTYPES, Evaluate, Evaluation, Inputs, Status, Unsupported
from .graph.graph import Graph, Use

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said, and said again; `seconds` is the time of one evaluation, preparation left out."""

    evaluation: Evaluation
    again: Evaluation | None = None
    seconds: float = 0.0
    version: str = ""


def answer(engine: str, graph: Graph, dtype: str, inputs: Inputs, cotangent: Array) -> Answer:
    """Load the engine, prepare the graph, evaluate it twice. Never raises for anything that an engine does."""
    try:
        prepare = load(engine).prepare
    except Unsupported as reason:
        return Answer(Evaluation("unsupported", str(reason)))
    except LoadingError as reason:
        return Answer(Evaluation("failed", str(reason)))
    running = version(engine)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a division by zero is a number here, and the judge looks at it
        try:
            evaluate = prepare(graph, dtype)
        except Unsupported as reason:
            return Answer(Evaluation("unsupported", str(reason)), version=running)
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever an engine raises is its answer
            return Answer(Evaluation("failed", f"prepare raised {one_line(error)}"), version=running)
        if not callable(evaluate):
            reason = f"prepare returned {type(evaluate).__name__}, expected a function evaluate(inputs, cotangent)"
            return Answer(Evaluation("failed", reason), version=running)
        start = perf_counter()
        first = _once(evaluate, graph, dtype, inputs, cotangent)
        seconds = perf_counter() - start
        again = _once(evaluate, graph, dtype, inputs, cotangent) if first.status == "ok" else None
    return Answer(first, again, seconds, running)


def _once(evaluate: Evaluate, graph: Graph, dtype: str, inputs: Inputs, cotangent: Array) -> Evaluation:
    given = {name: array.copy() for name, array in inputs.items()}
    seed = cotangent.copy()
    try:
        evaluation = evaluate(given, seed)
        for name, array in given.items():
            if not _equal(array, inputs[name]):
                return Evaluation("failed", f"it changed its input `{name}`")
        if not _equal(seed, cotangent):
            return Evaluation("failed", "it changed its cotangent")
        return sensible(evaluation, graph, dtype)
    except Unsupported as reason:
        return Evaluation("unsupported", str(reason))
    except (Exception, SystemExit) as error:  # noqa: BLE001 whatever an engine raises is its answer
        return Evaluation("failed", one_line(error))


def _equal(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def sensible(evaluation: object, graph: Graph, dtype: str) -> Evaluation:
    """The evaluation, its numbers as NumPy arrays; or `failed`, saying what in it makes no sense.

    A gradient of every wanted input, and where terms or adjoints are shown one for every use or active
    node; each in the shape of its node and the dtype of the run.
    """
    if not isinstance(evaluation, Evaluation):
        return Evaluation("failed", f"it returned {type(evaluation).__name__}, expected an Evaluation")
    if evaluation.status not in get_args(Status):
        return Evaluation("failed", f"its status is {evaluation.status!r}, expected one of: {', '.join(get_args(Status))}")
    if evaluation.status != "ok":
        return Evaluation(evaluation.status, " ".join(str(evaluation.reason).split())[:500])
    wanted = [node.name for node in graph.wanted]
    try:
        return replace(
            evaluation,
            values=_arrays("value", evaluation.values, (), graph, dtype, _itself),
            gradients=_arrays("gradient", evaluation.gradients, wanted, graph, dtype, _itself),
            terms=None
            if evaluation.terms is None
            else _arrays("term", evaluation.terms, graph.uses, graph, dtype, graph.argument),
            adjoints=None
            if evaluation.adjoints is None
            else _arrays("adjoint", evaluation.adjoints, sorted(graph.active), graph, dtype, _itself),
            errors=None
            if evaluation.errors is None
            else _arrays("error", evaluation.errors, wanted, graph, dtype, _itself, exact=False),
        )
    except _NonsenseError as nonsense:
        return Evaluation("failed", str(nonsense))


class _NonsenseError(Exception):
    pass


def _itself(name: str) -> str:
    return name


def _arrays(
    what: str,
    given: object,
    needed: Any,
    graph: Graph,
    dtype: str,
    node_of: Callable[[Any], str],
    *,
    exact: bool = True,
) -> dict[Any, Array]:
    if not isinstance(given, Mapping):
        raise _NonsenseError(f"its {what}s are {type(given).__name__}, expected a mapping from names to arrays")
    mapping = cast("Mapping[Any, object]", given)
    for key in needed:
        if key not in mapping:
            raise _NonsenseError(f"it gave no {what} of `{key}`")
    arrays: dict[Any, Array] = {}
    for key, value in mapping.items():
        if not needed and key not in graph.by_name:
            continue  # a node of the engine's own making
        if needed and key not in needed:
            raise _NonsenseError(f"it gave a {what} of `{key}`, which has none")
        node = graph[node_of(Use(*key) if isinstance(key, tuple) else key)]
        array: Array = np.asarray(value)
        if array.shape != node.shape:
            raise _NonsenseError(f"its {what} of `{key}` has shape {array.shape}, expected {node.shape}")
        kind = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}[node.kind]
        if array.dtype != kind if exact else array.dtype.kind not in "fiu":
            raise _NonsenseError(f"its {what} of `{key}` is {array.dtype}, expected {kind}")
        arrays[key] = array
    return arrays
