"""Which operations an engine lacks, and what each costs: it is handed every case, and of one that it refuses each
operation alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CommandError, LoadingError, raised
from ..graph.build import Builder
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Constant, Node
from ..reading.case import Case
from ..records.evaluation import Unsupported
from .loading import load, stated
from .workers import Host, StoppedError


@dataclass(frozen=True, slots=True)
class Lacking:
    """An operation that an engine lacks, the number of cases that need it, and of those that need no other one.

    Where no operation is to blame, `operation` is empty and `reason` is what the engine says.
    """

    operation: str
    cases: int
    alone: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the cases an engine prepares, and what it lacks, what costs most first."""

    prepared: int
    cases: int
    lacking: tuple[Lacking, ...]


def coverage(engine: str, cases: Sequence[Case], host: Host) -> Coverage:
    """What the engine lacks for the cases that are data, in the first precision of each.

    An engine that refuses no composite but those with a refused primitive in their formula is taken to write composites
    out: of it those primitives are lacking, of any other engine the composites. Raises CommandError where the engine
    itself cannot be used.
    """
    asked = [case for case in cases if case.call is None]
    probes = _Probes(engine, host)
    if reason := probes.ask(_unusable):
        raise CommandError(f"the engine {engine}: {reason}")
    refused = [
        (reason, probes.refused(case)) for case in asked if (reason := probes.refusal(case.graph, case.dtypes[0]))
    ]
    writes_out = all(inner for _, operations in refused for inner in operations.values())
    needs: list[set[tuple[str, str]]] = []
    for reason, operations in refused:
        names = {name for name, inner in operations.items() for name in (inner if writes_out else (name,))}
        needs.append({(name, "") for name in names} or {("", reason)})
    lacking = [
        Lacking(operation, sum((operation, said) in need for need in needs), needs.count({(operation, said)}), said)
        for operation, said in {item for need in needs for item in need}
    ]
    lacking.sort(key=lambda one: (-one.cases, -one.alone, one.operation, one.reason))
    return Coverage(len(asked) - len(refused), len(asked), tuple(lacking))


class _Probes:
    """Questions to one engine; the same one is asked once."""

    def __init__(self, engine: str, host: Host) -> None:
        self._engine, self._host = engine, host
        self._refused: dict[tuple[Graph, str], str] = {}

    def ask(self, question: Callable[..., str], *about: object) -> str:
        try:
            return self._host.call(self._engine, question, *about)
        except StoppedError as stopped:
            return str(stopped)

    def refusal(self, graph: Graph, dtype: str) -> str:
        key = graph, dtype
        if key not in self._refused:
            self._refused[key] = self.ask(refusal, graph, dtype)
        return self._refused[key]

    def refused(self, case: Case) -> dict[str, tuple[str, ...]]:
        """The operations of a case that are refused alone, each with those of its formula that are: a primitive with
        itself."""
        graph, dtype = expanded(case.graph, stable=True, own=True), case.dtypes[0]
        found: dict[str, tuple[str, ...]] = {}
        for node in graph.operations:
            alone = _alone(graph, node)
            if self.refusal(alone, dtype):
                formula = expanded(alone, stable=True)
                inner = (one.op for one in formula.operations if self.refusal(_alone(formula, one), dtype))
                found[node.op] = tuple(dict.fromkeys(inner))
        return found


def _alone(graph: Graph, node: Node) -> Graph:
    """One operation of inputs; where that has no gradient, beside an output that has one."""
    builder, names = Builder(graph.definitions), dict[str, str]()
    for arg in node.args:
        if isinstance(arg, str) and arg not in names:
            names[arg] = builder.input(f"x{len(names)}", graph[arg].shape, graph[arg].kind)
    args = [arg if isinstance(arg, Constant) else names[arg] for arg in node.args]
    result = builder.apply(node.op, args, dict(node.params), "y", dtype=node.dtype)
    whole = builder.graph([result])
    if whole.output.kind == "float" and not whole.output.constant and whole.wanted:
        return whole
    beside = builder.apply("add", [w := builder.input("w", ()), w], {}, "z")
    return builder.graph([beside, result])


def refusal(engine: str, graph: Graph, dtype: str) -> str:
    """Why the engine does not prepare a graph, in a line; empty where it does."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            load(engine).prepare(graph, dtype)
        except Unsupported as reason:
            return stated(reason)
        except BaseException as error:  # noqa: BLE001 an engine may raise anything
            return raised(error)
    return ""


def _unusable(engine: str) -> str:
    """Why the engine cannot be used at all; empty where it can."""
    try:
        load(engine)
    except (Unsupported, LoadingError) as reason:
        return stated(reason)
    return ""
