"""One engine's answer to one question: evaluated twice, on copies, and checked for sense.

Whatever an engine does, what leaves this room is an Evaluation: an exception, a missing gradient, a
wrong shape, a changed input become the status `failed` with a reason of one line. Imports no engine.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .engine_loading import LoadingError, load, one_line, version
from .evaluation import DTYPES, Evaluate, Evaluation, Inputs, Status, Unsupported
from .graph.graph import Graph, Use
from .rows import TrajectoryRow
from .subject import Subject
from .trajectory import trajectory
from .update import Update

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
        load(engine)
    except Unsupported as reason:
        return Answer(Evaluation("unsupported", str(reason)))
    except LoadingError as reason:
        return Answer(Evaluation("failed", str(reason)))
    running = version(engine)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a division by zero is a number here, and the judge looks at it
        try:
            evaluate = prepared(engine, graph, dtype)
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


@lru_cache(maxsize=32)
def prepared(engine: str, graph: Graph, dtype: str) -> Evaluate:
    """What the engine made of the graph, kept for further points and for the steps of a trajectory."""
    return load(engine).prepare(graph, dtype)


def walk(engine: str, start: Subject, update: Update) -> list[TrajectoryRow]:
    """The path that the engine takes from there, judged where it is taken."""
    loaded = load(engine)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        evaluate = prepared(engine, start.graph, start.dtype)

        def sensibly(inputs: Inputs, cotangent: Array) -> Evaluation:
            return _once(evaluate, start.graph, start.dtype, inputs, cotangent)

        return trajectory(start, engine, sensibly, update, loaded.optimiser)


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
    return np.array_equal(a, b, equal_nan=a.dtype.kind not in "bi")


def sensible(evaluation: object, graph: Graph, dtype: str) -> Evaluation:
    """The evaluation where it can be judged; else `failed`, saying what in it makes no sense.

    The value of the output, a gradient for every wanted input and, where terms or adjoints are shown, one
    for every use or active node; each an array in the shape of its node and the dtype of the run.
    """
    if not isinstance(evaluation, Evaluation):
        return Evaluation("failed", f"it returned {type(evaluation).__name__}, expected an Evaluation")
    statuses = get_args(Status)
    if evaluation.status not in statuses:
        return Evaluation("failed", f"its status is {evaluation.status!r}, expected one of: {', '.join(statuses)}")
    if evaluation.status != "ok":
        return Evaluation(evaluation.status, " ".join(str(evaluation.reason).split())[:500])
    wanted = [node.name for node in graph.wanted]
    active = [node.name for node in graph.nodes if node.name in graph.active]
    shown: list[tuple[str, object, Sequence[str | Use]]] = [
        ("value", evaluation.values, [graph.output.name]),
        ("gradient", evaluation.gradients, wanted),
        ("term", evaluation.terms, graph.uses),
        ("adjoint", evaluation.adjoints, active),
        ("error estimate", evaluation.errors, wanted),
    ]
    if evaluation.terms is not None and evaluation.adjoints is None:
        return Evaluation("failed", "it showed terms without adjoints")
    plain: list[dict[Any, Array] | None] = []
    for what, arrays, needed in shown:
        if arrays is None and what not in ("value", "gradient"):
            plain.append(None)
            continue
        problem = _problem(what, arrays, needed, graph, dtype)
        if problem:
            return Evaluation("failed", problem)
        plain.append({key: np.asarray(array) for key, array in cast("Mapping[Any, Array]", arrays).items()})
    values, gradients, terms, adjoints, errors = plain
    return Evaluation("ok", evaluation.reason, values or {}, gradients or {}, terms, adjoints, errors)


def _problem(what: str, arrays: object, needed: Sequence[str | Use], graph: Graph, dtype: str) -> str:
    """Why arrays cannot be judged; empty where they can."""
    if not isinstance(arrays, Mapping):
        return f"its {what}s are {type(arrays).__name__}, expected arrays by name"
    known = set(graph.uses) if what == "term" else set(graph.by_name)
    for key in needed:
        if key not in arrays:
            return f"it gave no {what} of `{key}`"
    for key, array in cast("Mapping[Any, object]", arrays).items():
        if key not in known:
            return f"it gave a {what} of `{key}`, which the graph does not have"
        if not isinstance(array, np.ndarray | np.generic):
            return f"its {what} of `{key}` is {type(array).__name__}, expected a NumPy array"
        node = graph[graph.argument(key) if isinstance(key, Use) else key]
        kind = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}[node.kind]
        found = cast("Array", array)
        if found.shape != node.shape:
            return f"its {what} of `{key}` has shape {found.shape}, expected {node.shape}"
        if found.dtype != kind and not (what == "error estimate" and found.dtype.kind == "f"):
            return f"its {what} of `{key}` is {found.dtype}, expected {kind}"
    return ""
