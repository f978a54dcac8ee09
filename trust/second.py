"""The reference of second order against differences of the first, at kinks, singular points and range ends.

A Hessian-vector product H v is what (g(x + h v) - g(x)) / h tends to from both sides, g the gradient. Random graphs
of a few pieces, most with a kink or the end of a domain, are asked at points of which about half lie on those. g comes
from reverse mode of the graph alone, a hair of 2^-1200 and one of 2^-1600 beside the point; the reference's product is
the gradient of another graph, that of <g, v>, and of its one-sided derivatives. What those leave open it asks by germs
of g along v, a derivation of its own, and only where germs do not know by such hairs too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isclose, isinf, isnan, nan
from typing import Any

import flint
import numpy as np
from flint import arb

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.second_order import Question
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Array
from gradaccord.harness.truth.beside import Beside, beside, contracted, limit
from gradaccord.harness.truth.poles import BITS
from gradaccord.harness.truth.reference import Number
from gradaccord.harness.truth.sides import Index, Sides

HAIR, THINNER = arb(2) ** -1200, arb(2) ** -1600  # below every float64; what cancels to third order has bits left
INPUTS = {"a": (), "b": (), "x": (2,)}
LEAVES = ("a", "b", "x[0]", "x[1]", "(a - b)", "(x[0] + x[1])", "(a * b)", "(1 - a)")
KINKED = (
    "abs({u})", "relu({u})", "leaky_relu({u})", "elu({u})", "maximum({u}, {v})", "minimum({u}, {v})", "sign({u})",
    "where({u} > 0, {u}, {v})", "where({u} <= {v}, {u}, {v})", "where({u} == 0, 1, sin({u}) / {u})", "max(x)", "min(x)",
    "norm(x)", "norm(stack([{u}, {v}]))", "hypot({u}, {v})", "clip({u}, -1, 1)", "sqrt({u} ** 2)", "atan2({u}, {v})",
    "max(stack([{u}, {v}]))",
)  # fmt: skip
SMOOTH = (
    "({u}) ** 2", "({u}) ** 3", "({u}) * ({v})", "({u} + {v})", "({u} - {v})", "sin({u})", "cos({u})", "exp({u})",
    "tanh({u})", "expm1({u})", "sigmoid({u})", "softplus({u})", "gelu({u})", "logaddexp({u}, {v})", "prod(x)", "var(x)",
    "softmax(x)[0]", "logsumexp(stack([{u}, {v}]))",
)  # fmt: skip
ENDING = (
    "sqrt({u})", "log({u})", "log1p({u})", "({u}) ** 1.5", "({u}) ** 2.5", "({u}) / ({v})", "1 / ({u})", "acos({u})",
    "atanh({u})", "acosh({u})", "({u}) ** ({v})", "exp(-1 / ({u}) ** 2)",
)  # fmt: skip
SPECIAL = (0.0, 0.0, 1.0, -1.0, 0.5, 2.0)
FAR = (1e-200, -1e-200, 1e200, 5e-324, 1e-30)
PER_GRAPH, SMALLEST = 5, 1e-290
# Of a component of a product: the reference has none where there is one, or it is off.
OPEN = "open, though it exists"
RAISED = "an exception"
OFF = ("another number", "a number where there is none", "a hull without it", RAISED)


@dataclass
class Tally:
    """What was met; by what may be said, the shortest example of each graph."""

    points: int = 0
    graphs: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict[str, dict[str, str]](dict))


def expression(random: np.random.Generator, depth: int) -> str:
    if not depth:
        return str(random.choice(LEAVES))
    pieces = (KINKED, KINKED, SMOOTH, ENDING)[random.integers(4)]
    u, v = (expression(random, depth - 1 - less) for less in (0, int(random.integers(depth))))
    return str(random.choice(pieces)).format(u=u, v=v)


def graph_of(text: str) -> Graph:
    builder = Builder()
    for name, shape in INPUTS.items():
        if re.search(rf"\b{name}\b", text):
            builder.input(name, shape)
    Parser(builder).define("f", text)
    return builder.graph(["f"])


def question(graph: Graph, text: str, random: np.random.Generator) -> Question:
    """The graph at a random point, on kinks exactly or beside them, and a direction of whole numbers."""

    def numbers(shape: tuple[int, ...]) -> Array:
        kind = random.choice(3, p=(0.45, 0.05, 0.5))
        drawn = random.normal(size=shape) if kind == 2 else random.choice((SPECIAL, FAR)[kind], shape)
        return np.asarray(drawn)

    inputs = {node.name: numbers(node.shape) for node in graph.inputs}
    direction = {node.name: np.asarray(random.choice((-2.0, -1.0, 1.0, 2.0), node.shape)) for node in graph.wanted}
    return Question(Subject(text, 0, "float64", graph, inputs, np.ones(())), direction)


def slope(there: Beside, v: Mapping[str, Array], onto: Any) -> float:
    """What the gradient, seen by `onto`, changes by along v: its one-sided derivative, NaN if that is not known."""

    with flint.ctx.workprec(BITS):
        at = [[onto(there(v, step * hair)[1]) for step in (1, 2)] for hair in (HAIR, THINNER)]
        return limit(*((far - near) / hair for (near, far), hair in zip(at, (HAIR, THINNER), strict=True)))


def backwards(v: Mapping[str, Array]) -> dict[str, Array]:
    return {name: -array for name, array in v.items()}


def both(there: Beside, v: Mapping[str, Array], onto: Any) -> Sides:
    return Sides(0.0 - slope(there, backwards(v), onto), slope(there, v, onto))


def same(a: float, b: float) -> bool:
    return isclose(a, b, rel_tol=1e-12, abs_tol=SMALLEST)


def single(pair: Sides) -> float:
    """The number of both sides, or of the only one that there is."""
    if same(pair.left, pair.right):
        return pair.right
    return pair.right if isnan(pair.left) else pair.left if isnan(pair.right) else nan


def differentiable(there: Beside, v: Mapping[str, Array], subject: Subject) -> bool:
    """Whether there is a gradient: one number by the reference of first order, from both sides, without a jump."""
    if not all(np.all(number.tight & np.isfinite(number.high)) for number in subject.gradients.values()):
        return False
    sides = [[there(way, hair) for hair in (HAIR, THINNER)] for way in (backwards(v), v)]

    def goes_on(of: Callable[[tuple[Any, dict[str, Array]]], Any]) -> bool:
        left, right = (limit(of(near), of(nearer)) for near, nearer in sides)
        return isnan(left) or isnan(right) or same(left, right)

    places = [(name, index) for name in v for index in np.ndindex(v[name].shape)]
    return goes_on(lambda seen: seen[0]) and all(goes_on(lambda seen, at=at: seen[1][at[0]][at[1]]) for at in places)


def told(asked: Question, there: Beside, name: str, index: Index, product: Number) -> tuple[str, str]:
    """How the reference's product does beside the differences in one component, and their numbers."""
    v, claimed, radius = asked.direction, float(product.high[index]), float(product.radius[index])
    along = both(there, v, lambda slopes: slopes[name][index])
    number, known = single(along), [side for side in (along.left, along.right) if not isnan(side)]
    numbers = f"reference {claimed:.17g} ± {radius:.2g}, differences {along.left:.17g} and {along.right:.17g}"
    if isnan(claimed) or not (product.tight[index] and np.isfinite(radius)):
        if isnan(number) or isinf(number) or not differentiable(there, v, asked.subject):
            return "open, and so it is", numbers
        if not np.isfinite(radius):
            return OPEN, numbers
        return f"a hull {'that holds' if abs(number - claimed) <= radius * (1 + 1e-9) else 'without'} it", numbers
    if same(claimed, number):
        return "same", numbers
    axis = {other: np.zeros_like(array) for other, array in v.items()}
    axis[name][index] = 1

    def tangent(slopes: Mapping[str, Array]) -> Any:
        return sum((contracted(slopes[other], v[other]) for other in v), start=arb(0))

    if same(claimed, single(both(there, axis, tangent))):  # no second derivative, or one that is not symmetric
        return "along the axes alone", numbers
    if not known:
        return "the differences do not tell", numbers
    if not differentiable(there, v, asked.subject):  # then there is no product, and no number is the right one
        return "a choice where there is no gradient", numbers
    return ("a number where there is none" if isnan(number) else "another number"), numbers


def survey(points: int, seed: int) -> Tally:
    """As many points or a few more, five for each graph."""
    random, tally = np.random.default_rng(seed), Tally()
    while tally.points < points:
        text = expression(random, int(random.integers(2, 4)))
        graph = graph_of(text)
        tally.graphs += 1
        for _ in range(PER_GRAPH):
            tally.points += 1
            for what, said in met(asked := question(graph, text, random)):
                tally.counts[what] += 1
                if what in (*OFF, OPEN):
                    inputs, v = asked.subject.inputs, asked.direction
                    where = "; ".join(f"{name} = {x.tolist()} by {v[name].tolist()}" for name, x in inputs.items())
                    tally.examples[what].setdefault(text, f"{where}: {said}")
    return tally


def met(asked: Question) -> Iterator[tuple[str, str]]:
    """What is said of each component at one point, with the numbers."""
    there = beside(asked.subject.graph, asked.subject.inputs, asked.subject.cotangent)
    try:
        products = asked.along.gradients
    except Exception as error:  # noqa: BLE001 - whatever it raises, it is an error of the reference
        yield RAISED, repr(error)
        return
    for name, product in products.items():
        for index in np.ndindex(product.high.shape):
            what, numbers = told(asked, there, name, index, product)
            yield what, f"product of {name}{list(index) or ''}: {numbers}"
