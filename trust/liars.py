"""Gradients of garbage where rounding, range and kinks make it hard to tell: does any pass?

`POINTS` are singular points, range ends, masks and dead branches with their derivative worked out by hand, so that what
is true here is not the judge's own word. At each a liar returns something else, shown in several ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any

import numpy as np

from gradaccord.engines import backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import DTYPES, Array, Evaluation
from gradaccord.harness.records.verdicts import Verdict

Numbers = Any
RANDOM = np.random.default_rng(0)
WIDE = RANDOM.normal(size=200)


@dataclass(frozen=True, slots=True)
class Point:
    """A graph, its inputs and the derivative of its last statement, a scalar, with respect to `x`."""

    statements: Mapping[str, str] | str
    slope: Numbers
    x: Numbers
    others: Mapping[str, Numbers] | None = None
    dtypes: tuple[str, ...] = ("float64", "float32", "bfloat16", "float16")


ONLY_64 = ("float64",)
SINGLES = ("float64", "float32")
POINTS: tuple[Point, ...] = (
    # removable singularities
    Point("sin(x) / x", 0, 0),
    Point("where(x == 0, 1, sin(x) / x)", 0, 0),
    Point("(1 - cos(x)) / x", 0.5, 0),
    Point("(exp(x) - 1) / x", 0.5, 0),
    Point("log1p(x) / x", -0.5, 0),
    Point("tanh(x) / x", 0, 0),
    Point("x * minimum(1 / abs(x), 3)", 3, 0),
    Point("0 ** x", 0, 2),
    Point("(a * 0) ** x", 0, 2.5, {"a": 3.0}),
    Point("where(x == 0, 0, expm1(x))", 1, 0),
    # smooth functions with a kink inside
    Point("abs(x) ** 2", 0, 0),
    Point("norm(x) ** 2", [0, 0], [0, 0]),
    Point("hypot(x, 2 * x) ** 2", 0, 0),
    Point("sqrt(x ** 4)", 0, 0),
    Point("abs(x) ** 3", 0, 0),
    Point("relu(x) - relu(-x)", 1, 0),
    Point("maximum(x, 0) + minimum(x, 0)", 1, 0),
    Point("x * abs(x)", 0, 0),
    Point("x * sign(x) * x", 0, 0),
    # what is infinite inside
    Point("sqrt(x) ** 2 + x", 2, 0),
    Point("tanh(1 / abs(x))", 0, 0),
    Point("exp(-1 / x ** 2)", 0, 0),
    Point("1 / (1 + 1 / x ** 2)", 0, 0),
    Point("where(x > 0, log(x), x)", 1, -1),
    Point("where(x >= 0, sqrt(x), -x)", -1, -4),
    Point("sqrt(square(0 * x)) + x", 1, 1),
    Point("where(x <= 0, exp(x), 1 + x)", 1, 1000),
    Point("where(x > 100, 1 + x, exp(x) * x)", 1, 1000),
    # range ends
    Point("log(sigmoid(x))", 1, -800),
    Point("log(sigmoid(x))", 1, -120, dtypes=("float32", "bfloat16")),
    Point("log(softmax(x)[1])", [-1, 1], [0, -800]),
    Point("log(sum(exp(x)))", [0, 1], [0, 1000]),
    Point("sqrt(x ** 2)", 1, 1e-170, dtypes=ONLY_64),
    Point("sqrt(x ** 2)", 1, 1e-25, dtypes=("float32", "bfloat16")),
    Point("sqrt(x ** 2)", 1, 1e200, dtypes=ONLY_64),
    Point("norm(x)", [0.6, 0.8], [3e-200, 4e-200], dtypes=ONLY_64),
    Point("atan2(x, y)", 5e199, 1e-200, {"y": 1e-200}, ONLY_64),
    Point("x ** 2 / x", 1, 1e-200, dtypes=ONLY_64),
    Point("exp(x) / exp(x + 1) + x", 1, 1000),
    Point("log(cosh(x))", 1, 1000),
    Point("log(prod(x))", [1e200, 1e200], [1e-200, 1e-200], dtypes=ONLY_64),
    Point("softplus(x) - x", 0, 1000, dtypes=SINGLES),
    Point("log(1 + exp(x))", 1, 1000),
    Point("1 / (1 / x)", 1, 1e-310, dtypes=ONLY_64),
    # masks
    Point({"p": "softmax(x + m)", "f": "p[0]"}, [0.25, -0.25, 0], [1, 1, 3], {"m": [0, 0, -inf]}),
    Point({"p": "log_softmax(x + m)", "f": "-p[1]"}, [0, -0.5, 0.5], [0, 1, 1], {"m": [-inf, 0, 0]}),
    Point(
        {"p": "softmax(x * w + m)", "o": "p @ w", "f": "o[0, 0]"},
        [-0.25, 0.5], [0, 0], {"w": [[1, 2], [3, 4]], "m": [[0, 0], [-inf, -inf]]}, (),
    ),
    Point({"s": "where(k > 0, x, -inf)", "f": "logsumexp(s)"}, [0.5, 0.5, 0], [1, 1, 9], {"k": [1, 1, -1]}),
    # many components
    Point({"y": "sin(x)", "f": "sum(y)"}, np.cos(WIDE), WIDE, dtypes=SINGLES),
    Point({"y": "x ** 3", "f": "sum(y)"}, 3 * WIDE**2, WIDE, dtypes=SINGLES),
    Point({"y": "abs(x)", "f": "sum(y * y)"}, np.zeros(100), np.zeros(100), dtypes=SINGLES),
    Point("logsumexp(x) * 7", 7 * np.exp(6 * WIDE) / np.exp(6 * WIDE).sum(), 6 * WIDE, dtypes=ONLY_64),
    # one infinite slope beside ordinary ones
    Point("sum(sqrt(x))", [inf, 0.5], [0, 1]),
    Point("sum(log(x))", [inf, 0.5], [0, 2]),
    # a loose formula, sums that cancel
    Point("(x + 1e20) - 1e20", 1, 1),
    Point("sum(x * w)", [1e20, 1, -1e20], [1, 1, 1], {"w": [1e20, 1, -1e20]}, SINGLES),
)  # fmt: skip


def _one_flipped(true: Array) -> Array:
    """The smallest component that is not 0, its sign turned."""
    lie = true.copy()
    size = np.where(np.isfinite(true) & (true != 0), np.abs(true), np.inf)
    lie.flat[np.argmin(size)] *= -1
    return lie


LIES: Mapping[str, Callable[[Array], Array]] = {
    "NaN": lambda true: np.full_like(true, nan),
    "zeros": np.zeros_like,
    "sevens": lambda true: np.full_like(true, 7),
    "negated": lambda true: -true,
    "tripled": lambda true: 3 * true,
    "infinite": lambda true: np.full_like(true, inf),
    "one flipped": _one_flipped,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the judge said of one lie: its verdict on the gradient, and whether anything was found."""

    point: str
    dtype: str
    lie: str
    shown: str
    verdict: Verdict
    found: bool


def subject(point: Point, dtype: str) -> Subject:
    """The question of a point in one precision; only `x` has a gradient."""
    kind, builder = DTYPES[dtype], Builder()
    inputs = {"x": point.x, **(point.others or {})}
    arrays = {name: np.asarray(numbers, np.float64).astype(kind) for name, numbers in inputs.items()}
    for name, array in arrays.items():
        builder.input(name, array.shape, constant=name != "x")
    parser = Parser(builder)
    statements = {"f": point.statements} if isinstance(point.statements, str) else point.statements
    for name, text in statements.items():
        parser.define(name, text)
    graph = builder.graph([list(statements)[-1]])
    return Subject(f"{list(statements.values())[-1]}", 0, dtype, graph, arrays, np.ones((), kind))


def ways(sound: Evaluation, lie: Array, graph_output: str) -> Iterator[tuple[str, Evaluation]]:
    """How a gradient may be shown."""
    changed = {"x": lie}
    yield "alone", Evaluation("ok", values={graph_output: sound.values[graph_output]}, gradients=changed)
    yield "beside links", replace(sound, gradients=changed)
    adjoints = {**(sound.adjoints or {}), "x": lie}
    yield "as adjoint", replace(sound, gradients=changed, terms=None, adjoints=adjoints)


def told() -> Iterator[Told]:
    """The judge's word on every lie that is one."""
    for point in POINTS:
        for dtype in point.dtypes:
            about = subject(point, dtype)
            with np.errstate(all="ignore"):
                true = np.asarray(point.slope, np.float64).astype(DTYPES[dtype])
                sound = backprop.prepare(about.graph, dtype)(about.inputs, about.cotangent)
                for name, lie in LIES.items():
                    wrong = np.asarray(lie(true)).astype(DTYPES[dtype])
                    near = (
                        np.abs(wrong.astype(np.float64) - true.astype(np.float64))
                        <= np.abs(true.astype(np.float64)) / 2
                    )
                    if bool(np.all(near | (wrong == true))):
                        continue
                    for shown, evaluation in ways(sound, wrong, about.graph.output.name):
                        rows = [row for row in judge(about, "liar", evaluation) if row.quantity == "gradient"]
                        found = any(row.finding for row in rows)
                        yield Told(about.case, dtype, name, shown, rows[0].verdict, found)
