"""False alarms: random graphs at random points, where every finding must be a known disagreement of an engine.

A finding is explained where the ledger of the shipped cases has the same engine off at the same quantity of the same
operation, or where all engines say the same of the mathematics itself: the truth leaves the format's range. So is a
quotient that is none where its truth is a number, if it is proved, element by element, that the engine's own divisor is
0 and the true one is not. Every other is looked at by hand: `smallest` lets Hypothesis shrink it to a case first.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, find, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import NoSuchExample
from random_graphs import SCALES, RandomGraph, random_graphs

from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.judging.judge import conventions, judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.evaluation import Evaluate, Evaluation, Prepare, Unsupported
from gradaccord.harness.records.rows import Choice, LinkName, Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.loading import knowledge
from gradaccord.harness.running.run import run, units

UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
DTYPES = ("float64", "float32")
EVERY = {"jax": 25}  # eager JAX takes ten times as long as all others together: every 25th point

ALL = ("backprop", "torch", "jax")

# Looked at by hand, in mpmath and in the framework's source: the engine is off there, rightly named.
CHECKED: dict[tuple[str, str, str], str] = {
    ("jax", "value", "layer_norm"): "jax.nn.standardize takes the variance as mean(x^2) - mean(x)^2, which cancels",
    ("jax", "term", "layer_norm"): "the same variance",
    ("jax", "value", "divide"): "XLA makes a / (b c) of (a / b) / c, and b c overflows",
    ("jax", "term", "divide"): "the same rewriting",
    ("jax", "term", "digamma"): "trigamma of a large x is 0, not 1 / x",
    **{
        ("jax", "term", op): "0 of an infinite adjoint is NaN: a mask is multiplied"
        for op in ("minimum", "maximum", "clip")
    },
    **{(engine, "term", "atan2"): "x^2 + y^2 overflows where its root does not" for engine in ALL},
    **{
        (engine, "term", "pow"): "a^(b - 1) overflows where its product with b and the adjoint does not"
        for engine in ALL
    },
}


class Kind(NamedTuple):
    """What a finding is about, whatever the graph: `jax, value, lgamma, imprecise`."""

    engine: str
    quantity: str
    op: str
    verdict: str


@dataclass
class Tally:
    graphs: int = 0
    points: int = 0
    evaluations: Counter[str] = field(default_factory=Counter[str])
    rows: int = 0
    verdicts: Counter[str] = field(default_factory=Counter[str])
    found: dict[str, Counter[Kind]] = field(default_factory=dict[str, Counter[Kind]])  # by what explains them
    examples: dict[Kind, str] = field(default_factory=dict[Kind, str])


@cache
def engines() -> Mapping[str, Prepare]:
    from gradaccord.engines import backprop
    from gradaccord.engines.jax import engine as jax
    from gradaccord.engines.pytorch import engine as pytorch

    return {"backprop": backprop.prepare, "torch": pytorch.prepare, "jax:jit": jax.prepare_jit, "jax": jax.prepare}


@cache
def ledger() -> frozenset[tuple[str, str, str]]:
    """(framework, quantity, operation) of every disagreement that is known of an engine or on the shipped cases."""
    found: set[tuple[str, str, str]] = set()
    for framework in ("torch", "jax"):
        what = knowledge(framework)
        found |= {(framework, defect.quantity, defect.operation) for defect in what.defects}
        found |= {(framework, of, formula.operation) for formula in what.formulas for of in ("value", "term")}
    for path in sorted(shipped().rglob("*.yaml")):
        case = load(path)
        for entry in case.accept:
            for node in case.graph.operations:
                if entry.name is None or entry.name == node.name or entry.name in node.args:
                    found.add((entry.engine.partition(":")[0], entry.quantity, node.op))
    return frozenset(found)


def kinds(
    graph: Graph, rows: list[Row], proved: Callable[[Row], bool] = lambda _: False
) -> Iterator[tuple[Kind, Row, str]]:
    """The findings at their own links, without what inherits them, each with what explains it, if anything does; first
    of all whether it is `proved` to be right."""
    values = {(row.engine, row.name): row for row in rows if row.quantity == "value"}
    adjoints = {(row.engine, row.name): row for row in rows if row.quantity == "adjoint"}
    choices = _choices(graph, rows)
    for row in rows:
        where = row.name if row.use is None else row.use.consumer
        own = row.node in ("", LinkName(row.quantity, row.name, row.use))
        if row.finding and (own or row.quantity == "run"):
            kind = Kind(row.engine, row.quantity, graph[where].op if where in graph.by_name else "", row.verdict)
            why = "fallen" if proved(row) else ""
            why = why or explanation(kind, values.get((row.engine, where)), adjoints.get((row.engine, where)))
            if not why and kind.verdict == "convention":
                taken, known = choices[row.quantity, row.name, row.use]
                why = "ledger" if known and len(taken) <= 1 else ""
            yield kind, row, why


def fallen(about: Subject, shown: Mapping[str, Evaluation]) -> Callable[[Row], bool]:
    """What proves of a row that its finding is right: each quotient that is no number, of a truth that is one, was
    divided by 0, and the enclosure of the true divisor has no 0; or it reads one of which that is so."""

    def fell(name: str, values: Mapping[str, Any]) -> Any:
        node = about.graph.by_name[name]
        there = np.zeros(node.shape, dtype=bool)
        if node.op == "divide":
            dividend, divisor = node.args
            if isinstance(divisor, str):
                there |= (values[divisor] == 0) & np.asarray(about.truth.values[divisor].balls != 0, dtype=bool)
            if isinstance(dividend, str):
                there |= fell(dividend, values)
        return there

    def proved(row: Row) -> bool:
        node = about.graph.by_name.get(row.name)
        if (row.quantity, row.verdict) != ("value", "not finite") or node is None or node.op != "divide":
            return False
        values = shown[row.engine].values
        lost = ~np.isfinite(values[row.name]) & np.isfinite(about.truth.values[row.name].high)
        return bool(lost.any() and fell(row.name, values)[lost].all())

    return proved


def _choices(graph: Graph, rows: list[Row]) -> dict[tuple[object, ...], tuple[set[Choice], bool]]:
    """For each quantity what was chosen at its kink, without engines that the ledger has; whether there are such."""
    found: dict[tuple[object, ...], tuple[set[Choice], bool]] = {}
    for row in rows:
        if row.verdict == "convention":
            taken, known = found.get((row.quantity, row.name, row.use), (set[Choice](), False))
            use = row.node.use if isinstance(row.node, LinkName) else None
            op = graph[use.consumer].op if use is not None else ""
            if (row.engine.partition(":")[0], "term", op) in ledger():
                known = True
            else:
                taken.add(row.choice)
            found[row.quantity, row.name, row.use] = taken, known
    return found


def explanation(kind: Kind, value: Row | None, adjoint: Row | None) -> str:
    """Why a finding is no false alarm: `range`, `ledger` or `checked`."""
    entry = (kind.engine.partition(":")[0], kind.quantity, kind.op)
    if "overflow" in (kind.verdict, value and value.verdict, adjoint and adjoint.verdict):
        return "range"  # the truth is beyond the format's largest number, or was on the way here
    if entry in ledger():
        return "ledger"
    if entry in CHECKED and kind.verdict != "convention":  # a defect that is known excuses no choice
        return "checked"
    return ""


def prepared(graph: Graph, dtype: str) -> dict[str, Evaluate]:
    found: dict[str, Evaluate] = {}
    for name, prepare in engines().items():
        try:
            found[name] = prepare(graph, dtype)
        except Unsupported:
            continue
    return found


def judged(
    made: RandomGraph, dtype: str, scale: float, seed: int, evaluates: Mapping[str, Evaluate]
) -> tuple[list[Row], Callable[[Row], bool]]:
    """The rows of all engines at one point, conventions settled between them, and what proves findings right."""
    about = made.subject(dtype, scale, seed)
    rows: list[Row] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        shown = {name: evaluate(about.inputs, about.cotangent) for name, evaluate in evaluates.items()}
        for name, evaluation in shown.items():
            rows += judge(about, name, evaluation)
    return conventions(rows), fallen(about, shown)


def survey(graphs: int, points: int, seed: int) -> Tally:
    """`points` in all, spread over random graphs, both precisions and the scales."""
    tally = Tally()
    each = max(points // (graphs * len(DTYPES)), 1)

    @seeded(seed)
    @settings(max_examples=graphs, deadline=None, database=None, suppress_health_check=UNHURRIED)
    @given(random_graphs())
    def walk(made: RandomGraph) -> None:
        if tally.points >= points:
            return
        tally.graphs += 1
        for dtype in DTYPES:
            evaluates = prepared(made.graph, dtype)
            for k in range(each):
                chosen = {name: e for name, e in evaluates.items() if k % EVERY.get(name, 1) == 0}
                _count(tally, made, dtype, SCALES[k % len(SCALES)], k, chosen)

    walk()
    return tally


def _count(
    tally: Tally, made: RandomGraph, dtype: str, scale: float, seed: int, evaluates: Mapping[str, Evaluate]
) -> None:
    rows, proved = judged(made, dtype, scale, seed, evaluates)
    tally.points += 1
    tally.rows += len(rows)
    tally.evaluations.update(list(evaluates))
    tally.verdicts.update(row.verdict for row in rows)
    for kind, row, why in kinds(made.graph, rows, proved):
        tally.found.setdefault(why, Counter())[kind] += 1
        text = f"{dtype}, scale {scale:g}, seed {seed}: {made}: {row.reason}"
        if not why and len(text) < len(tally.examples.get(kind, text + " ")):
            tally.examples[kind] = text


def smallest(kind: Kind, dtype: str, tries: int = 300) -> str:
    """The smallest graph with an unexplained finding of this kind that Hypothesis finds; empty where it finds none."""

    def has(made: RandomGraph) -> bool:
        evaluates = prepared(made.graph, dtype)
        return any(
            found == kind and not why
            for k in range(len(SCALES))
            for found, _, why in kinds(made.graph, *judged(made, dtype, SCALES[k], k, evaluates))
        )

    try:
        return str(find(random_graphs(), has, settings=settings(max_examples=tries, database=None, deadline=None)))
    except NoSuchExample:
        return ""


def shipped_cases() -> tuple[int, Counter[str], list[Row]]:
    """Every shipped case at every point: units, rows by engine, and the findings that no ledger entry explains."""
    work = units([load(path) for path in sorted(shipped().rglob("*.yaml"))])
    rows, left = Counter[str](), list[Row]()
    for outcome in run(work, Settings(("backprop", "torch", "jax", "jax:jit"))):
        rows.update(row.engine for row in outcome.rows)
        left += [row for row in outcome.rows if row.finding and not row.accepted]
    return len(work), rows, left
