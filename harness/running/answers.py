"""One engine's answer to one question: evaluated twice, on copies, and checked for sense.

Whatever an engine does, what leaves this room is an Evaluation: an exception, a missing gradient, a
wrong shape, a changed input become the status `failed` with a reason of one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from time import perf_counter
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import LoadingError, raised
from ..graph.directional import Directional, directional
from ..graph.graph import Graph
from ..graph.node import Use
from ..judging.second_order import given
from ..judging.subject import Subject
from ..paths.horizon import Floats
from ..paths.swapped import swapped
from ..paths.trajectory import Taken, taken
from ..records.evaluation import (
    DTYPES,
    Advance,
    Along,
    Derivative,
    Evaluate,
    Evaluation,
    Inputs,
    KnownFailure,
    Status,
    Unsupported,
    Variant,
)
from ..records.known import NOTHING, Knowledge
from ..rules.optimiser import row_optimiser
from ..rules.update import Update
from .loading import knowledge, load, loaded, stated, version
from .offered import variants

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said, and said again; `seconds` is the time of one evaluation, preparation left out."""

    evaluation: Evaluation
    again: Evaluation | None = None
    seconds: float = 0.0
    version: str = ""
    knowledge: Knowledge = NOTHING


def answer(engine: str, graph: Graph, dtype: str, inputs: Inputs, cotangent: Array) -> Answer:
    """Load the engine, prepare the graph, evaluate it twice. Never raises for anything that an engine does."""
    try:
        load(engine)
    except Unsupported as reason:
        return Answer(Evaluation("unsupported", stated(reason)))
    except LoadingError as reason:
        return Answer(Evaluation("failed", stated(reason)))
    return _twice(
        engine,
        lambda: prepared(engine, graph, dtype),
        lambda evaluate: _once(evaluate, graph, dtype, inputs, cotangent),
    )


def answer_along(
    engine: str,
    graph: Graph,
    dtype: str,
    inputs: Inputs,
    cotangent: Array,
    direction: Inputs,
    asked: Collection[Derivative],
) -> Answer | None:
    """Ask the engine, as `answer` does, for derivatives along a direction, as an evaluation of the contracted gradient
    graph: a variant shows the one quantity that it is for. None where that is not asked for, or the engine has nothing
    to do with it."""
    try:
        chosen = loaded(engine)
    except (Unsupported, LoadingError) as reason:
        status = "unsupported" if isinstance(reason, Unsupported) else "failed"
        return Answer(Evaluation(status, stated(reason))) if engine in variants() else None
    contraction = directional(graph)
    if isinstance(chosen, Variant):
        if chosen.quantity not in asked:
            return None
        return _twice(
            engine,
            lambda: prepared_along(engine, graph, dtype),
            lambda along: _once_along(along, chosen.quantity, contraction, dtype, inputs, cotangent, direction),
        )
    if not chosen.again:
        return None
    one = np.ones((), DTYPES[dtype])
    return answer(engine, contraction.graph, dtype, given(contraction, inputs, cotangent, direction), one)


def _twice(engine: str, prepare: Callable[[], Any], ask: Callable[[Any], Evaluation]) -> Answer:
    return replace(_asked_twice(prepare, ask), version=version(engine), knowledge=knowledge(engine))


def _asked_twice(prepare: Callable[[], Any], ask: Callable[[Any], Evaluation]) -> Answer:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a division by zero is a number here, and the judge looks at it
        try:
            evaluate = prepare()
        except Unsupported as reason:
            return Answer(Evaluation("unsupported", stated(reason)))
        except BaseException as error:  # noqa: BLE001 whatever an engine raises is its answer
            return Answer(Evaluation("failed", f"prepare raised {raised(error)}"))
        if not callable(evaluate):
            reason = f"prepare returned {type(evaluate).__name__}, expected a function evaluate(inputs, cotangent)"
            return Answer(Evaluation("failed", reason))
        start = perf_counter()
        first = ask(evaluate)
        seconds = perf_counter() - start
        again = ask(evaluate) if first.status == "ok" else None
    return Answer(first, again, seconds)


@lru_cache(maxsize=32)
def prepared(engine: str, graph: Graph, dtype: str) -> Evaluate:
    """What the engine made of the graph, kept for further points and for the steps of a trajectory."""
    return load(engine).prepare(graph, dtype)


@lru_cache(maxsize=32)
def prepared_along(engine: str, graph: Graph, dtype: str) -> Along:
    """What the variant of that name made of the graph, kept as by `prepared`."""
    chosen = loaded(engine)
    assert isinstance(chosen, Variant)
    return chosen.prepare(graph, dtype)


def walk(engine: str, start: Subject, update: Update) -> Iterator[Taken]:
    """The steps of the path that the engine takes from there, each as soon as it is taken."""
    loaded = load(engine)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        evaluate = prepared(engine, start.graph, start.dtype)

        def sensibly(inputs: Inputs, cotangent: Array) -> Evaluation:
            return _once(evaluate, start.graph, start.dtype, inputs, cotangent)

        own = loaded.optimiser
        optimiser = _without_groups if update.groups and own is not None and not loaded.groups else own
        yield from taken(start, sensibly, update, optimiser or row_optimiser)


def walk_by_truth(engine: str, start: Subject, update: Update) -> Iterator[Mapping[str, Floats]]:
    """Where the engine's optimiser goes by the truth's gradients, step by step."""
    loaded = load(engine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from swapped(start, update, loaded.optimiser or row_optimiser)


def _without_groups(rule: str, settings: Mapping[str, Any], start: Inputs) -> Advance:
    raise Unsupported("its optimiser has one group of parameters")


def _once(evaluate: Evaluate, graph: Graph, dtype: str, inputs: Inputs, cotangent: Array) -> Evaluation:
    def read(copies: Inputs, seed: Array, _: Inputs) -> Evaluation:
        return sensible(evaluate(copies, seed), graph, dtype)

    return _guarded(read, inputs, cotangent, {})


def _once_along(
    along: Along,
    quantity: Derivative,
    contraction: Directional,
    dtype: str,
    inputs: Inputs,
    cotangent: Array,
    direction: Inputs,
) -> Evaluation:
    def read(copies: Inputs, seed: Array, v: Inputs) -> Evaluation:
        shown: object = along(copies, seed, v)
        s, needed = contraction.graph.output.name, list(contraction.directions)
        if quantity == "tangent":
            shown, needed = {s: shown}, [s]
        problem = _problem(quantity, shown, needed, contraction.graph, dtype, alone=quantity == "tangent")
        if problem:
            return Evaluation("failed", problem)
        arrays = {name: np.array(array) for name, array in cast("Inputs", shown).items()}
        return Evaluation("ok", values=arrays) if quantity == "tangent" else Evaluation("ok", gradients=arrays)

    return _guarded(read, inputs, cotangent, direction)


def _guarded(
    read: Callable[[Inputs, Array, Inputs], Evaluation], inputs: Inputs, cotangent: Array, direction: Inputs
) -> Evaluation:
    """An evaluation of copies of what is given, which must stay as they are."""
    copies, seed, v = _copies(inputs), cotangent.copy(), _copies(direction)
    try:
        evaluation = read(copies, seed, v)
        for what, now, before in (("input", copies, inputs), ("direction of", v, direction)):
            for name, array in now.items():
                if not _equal(array, before[name]):
                    return Evaluation("failed", f"it changed its {what} `{name}`")
        if not _equal(seed, cotangent):
            return Evaluation("failed", "it changed its cotangent")
        return evaluation
    except Unsupported as reason:
        return Evaluation("unsupported", stated(reason))
    except KnownFailure as failure:
        return Evaluation("failed", stated(failure), known=failure.name)
    except BaseException as error:  # noqa: BLE001 whatever an engine raises is its answer
        return Evaluation("failed", raised(error))


def _copies(arrays: Inputs) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _equal(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind not in "bi")


def sensible(evaluation: object, graph: Graph, dtype: str) -> Evaluation:
    """The evaluation where it can be judged; else `failed`, saying what in it makes no sense.

    The value of the output, a gradient for every wanted input, and whatever terms and adjoints are shown; each an
    array in the shape of its node and the dtype of the run. Arrays are copied: the engine may use its own again for
    its second answer, which must not overwrite the first.
    """
    if not isinstance(evaluation, Evaluation):
        return Evaluation("failed", f"it returned {type(evaluation).__name__}, expected an Evaluation")
    statuses = get_args(Status)
    if evaluation.status not in statuses:
        return Evaluation("failed", f"its status is {evaluation.status!r}, expected one of: {', '.join(statuses)}")
    if evaluation.status != "ok":
        return Evaluation(evaluation.status, stated(evaluation.reason), known=evaluation.known)
    wanted = [node.name for node in graph.wanted]
    shown: list[tuple[str, object, Sequence[str | Use]]] = [
        ("value", evaluation.values, [graph.output.name]),
        ("gradient", evaluation.gradients, wanted),
        ("term", evaluation.terms, []),
        ("adjoint", evaluation.adjoints, []),
        ("error estimate", evaluation.errors, wanted),
        ("value", plain_output(evaluation, graph), []),
    ]
    told: list[dict[Any, Array] | None] = []
    for what, arrays, needed in shown:
        if arrays is None and what not in ("value", "gradient"):
            told.append(None)
            continue
        problem = _problem(what, arrays, needed, graph, dtype)
        if problem:
            return Evaluation("failed", problem)
        told.append({key: np.array(array) for key, array in cast("Mapping[Any, Array]", arrays).items()})
    values, gradients, terms, adjoints, errors, output = told
    if terms is not None or adjoints is not None:
        adjoints = {**(gradients or {}), **(adjoints or {})}  # an input's adjoint is its gradient
    plain = (output or {}).get(graph.output.name)
    return Evaluation(
        "ok", stated(evaluation.reason), values=values or {}, gradients=gradients or {}, terms=terms,
        adjoints=adjoints, errors=errors, output=plain,
    )  # fmt: skip


def plain_output(evaluation: Evaluation, graph: Graph) -> Mapping[str, Array]:
    """The output's value by the plain program, where that is another; by its name."""
    return {} if evaluation.output is None else {graph.output.name: evaluation.output}


def _problem(
    what: str, arrays: object, needed: Sequence[str | Use], graph: Graph, dtype: str, *, alone: bool = False
) -> str:
    """Why arrays cannot be judged; empty where they can. Of one `alone` no name is told."""

    def of(key: str | Use) -> str:
        return what if alone else f"{what} of `{key}`"

    if not isinstance(arrays, Mapping):
        return f"its {what}s are {type(arrays).__name__}, expected arrays by name"
    known = set(graph.uses) if what == "term" else graph.by_name.keys()
    kinds = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}
    for key in needed:
        if key not in arrays:
            return f"it gave no {of(key)}"
    for key, array in cast("Mapping[Any, object]", arrays).items():
        if key not in known:
            return f"it gave a {of(key)}, which the graph does not have"
        if not isinstance(array, np.ndarray | np.generic):
            return f"its {of(key)} is {type(array).__name__}, expected a NumPy array"
        node = graph[graph.argument(key) if isinstance(key, Use) else key]
        kind = kinds[node.kind]
        numbers = cast("Array", array)
        if numbers.shape != node.shape:
            return f"its {of(key)} has shape {numbers.shape}, expected {node.shape}"
        if numbers.dtype != kind and not (what == "error estimate" and numbers.dtype.kind == "f"):
            return f"its {of(key)} is {numbers.dtype}, expected {kind}"
    return ""
