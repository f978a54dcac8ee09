"""Garbage where rounding, range and kinks make it hard to tell: does any pass?

`POINTS` are singular points, range ends, masks and dead branches with their derivative worked out by hand, so that what
is true here is not the judge's own word. At each a liar returns something else, shown in several ways: of gradients,
and where a point has them, of the value of the output, of tangents and of Hessian-vector products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, nan
from typing import Any

import numpy as np

from gradaccord.engines import backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.second_order import Question, judge_along
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import DTYPES, Array, Evaluation
from gradaccord.harness.records.formats import Format
from gradaccord.harness.records.rows import Quantity, Row
from gradaccord.harness.records.verdicts import Verdict

Numbers = Any
RANDOM = np.random.default_rng(0)
WIDE = RANDOM.normal(size=200)
LAYER = RANDOM.normal(size=300)
MIDDLE = int(np.argmin(np.abs(LAYER - LAYER.mean())))  # there no component of a layer norm's gradient cancels


def _softmax(x: Array) -> Array:
    return np.exp(x) / np.exp(x).sum()


def _one(size: int, index: int) -> Array:
    return np.eye(size)[index]


def _normed(x: Array) -> Array:
    """The gradient of the middle component of a layer norm (Ba et al. 2016, eps = 1e-5)."""
    deviation = np.sqrt(x.var() + 1e-5)
    y = (x - x.mean()) / deviation
    return (_one(x.size, MIDDLE) - 1 / x.size - y[MIDDLE] * y / x.size) / deviation


@dataclass(frozen=True, slots=True)
class Point:
    """A graph, its inputs and the derivative of its last statement, a scalar, with respect to `x`.

    `slope` is a function of `x` as rounded where that matters; `product` is the Hessian times a direction of ones.
    `others` have gradients too, and right ones, where they are `moving`.
    """

    statements: Mapping[str, str] | str
    slope: Numbers | Callable[[Array], Array]
    x: Numbers
    others: Mapping[str, Numbers] | None = None
    dtypes: tuple[str, ...] = ("float64", "float32", "bfloat16", "float16")
    value: float | None = None
    product: Numbers = None
    moving: bool = False

    def true(self, x: Array) -> Array:
        slope: Any = self.slope
        return np.asarray(slope(x.astype(np.float64)) if callable(slope) else slope, np.float64)


ONLY_64 = ("float64",)
SINGLES = ("float64", "float32")
POINTS: tuple[Point, ...] = (
    # removable singularities
    Point("sin(x) / x", 0, 0, product=-1 / 3),
    Point("where(x == 0, 1, sin(x) / x)", 0, 0, value=1, product=-1 / 3),
    Point("(1 - cos(x)) / x", 0.5, 0, product=0),
    Point("(exp(x) - 1) / x", 0.5, 0, product=1 / 3),
    Point("log1p(x) / x", -0.5, 0, product=2 / 3),
    Point("tanh(x) / x", 0, 0, product=-2 / 3),
    Point("x * minimum(1 / abs(x), 3)", 3, 0),
    Point("0 ** x", 0, 2),
    Point("(a * 0) ** x", 0, 2.5, {"a": 3.0}),
    Point("where(x == 0, 0, expm1(x))", 1, 0, value=0, product=1),
    # smooth functions with a kink inside
    Point("abs(x) ** 2", 0, 0, value=0, product=2),
    Point("norm(x) ** 2", [0, 0], [0, 0], value=0, product=[2, 2]),
    Point("hypot(x, 2 * x) ** 2", 0, 0, value=0, product=10),
    Point("sqrt(x ** 4)", 0, 0, value=0, product=2),
    Point("abs(x) ** 3", 0, 0, value=0, product=0),
    Point("relu(x) - relu(-x)", 1, 0, value=0, product=0),
    Point("maximum(x, 0) + minimum(x, 0)", 1, 0, value=0, product=0),
    Point("x * abs(x)", 0, 0),
    Point("x * sign(x) * x", 0, 0),
    # what is infinite inside
    Point("sqrt(x) ** 2 + x", 2, 0),
    Point("tanh(1 / abs(x))", 0, 0),
    Point("exp(-1 / x ** 2)", 0, 0, value=0, product=0),
    Point("1 / (1 + 1 / x ** 2)", 0, 0, value=0, product=2),
    Point("where(x > 0, log(x), x)", 1, -1, value=-1, product=0),
    Point("where(x >= 0, sqrt(x), -x)", -1, -4),
    Point("sqrt(square(0 * x)) + x", 1, 1),
    Point("where(x <= 0, exp(x), 1 + x)", 1, 1000, value=1001, product=0),
    Point("where(x > 100, 1 + x, exp(x) * x)", 1, 1000),
    # range ends
    Point("log(sigmoid(x))", 1, -800, value=-800, product=0),
    Point("log(sigmoid(x))", 1, -120, dtypes=("float32", "bfloat16")),
    Point("log(softmax(x)[1])", [-1, 1], [0, -800], value=-800, product=[0, 0]),
    Point("log(sum(exp(x)))", [0, 1], [0, 1000], value=1000, product=[0, 0]),
    Point("sqrt(x ** 2)", 1, 1e-170, dtypes=ONLY_64, value=1e-170, product=0),
    Point("sqrt(x ** 2)", 1, 1e-25, dtypes=("float32", "bfloat16")),
    Point("sqrt(x ** 2)", 1, 1e200, dtypes=ONLY_64),
    Point("norm(x)", [0.6, 0.8], [3e-200, 4e-200], dtypes=ONLY_64, value=5e-200),
    Point("atan2(x, y)", 5e199, 1e-200, {"y": 1e-200}, ONLY_64),
    Point("x ** 2 / x", 1, 1e-200, dtypes=ONLY_64),
    Point("exp(x) / exp(x + 1) + x", 1, 1000),
    Point("log(cosh(x))", 1, 1000, value=1000, product=0),
    Point("log(prod(x))", [1e200, 1e200], [1e-200, 1e-200], dtypes=ONLY_64),
    Point("softplus(x) - x", 0, 1000, dtypes=SINGLES),
    Point("log(1 + exp(x))", 1, 1000),
    Point("1 / (1 / x)", 1, 1e-310, dtypes=ONLY_64, product=0),
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
    Point("prod(x)", [0, 0, 6], [2, 3, 0], product=[3, 2, 5], value=0),
    Point("prod(x)", [0, 0, 0], [0, 0, 5], product=[5, 5, 0], value=0),
    Point("prod(x)", [3e200, 3e-200, 1], [1e-200, 1e200, 3], dtypes=ONLY_64),
    # layers of ordinary width, in half precision too
    Point("softmax(x)[7]", lambda x: _softmax(x)[7] * (_one(300, 7) - _softmax(x)), LAYER),
    Point("log_softmax(x)[7]", lambda x: _one(300, 7) - _softmax(x), LAYER),
    Point("logsumexp(x)", _softmax, LAYER),
    Point("cross_entropy(x, k)", lambda x: _softmax(x) - _one(300, 7), LAYER, {"k": np.asarray(7)}),
    Point(f"layer_norm(x)[{MIDDLE}]", _normed, LAYER),
    # among many inputs
    Point(
        {"f": " + ".join([*(f"sin(p{k})" for k in range(12)), "exp(x)"])},
        np.e, 1, {f"p{k}": k / 8 for k in range(12)}, moving=True,
    ),
    Point(
        {"f": " * ".join([*(f"p{k}" for k in range(12)), "x"])},
        2, 3, {f"p{k}": 2.0 if k == 5 else 1.0 for k in range(12)}, moving=True, value=6,
    ),
    # one infinite slope beside ordinary ones
    Point("sum(sqrt(x))", [inf, 0.5], [0, 1]),
    Point("sum(log(x))", [inf, 0.5], [0, 2]),
    # more components than are looked at one by one; holes that all inputs must move to leave
    Point("sum(where(x == 0, 1, sin(x) / x))", np.zeros(700), np.zeros(700), dtypes=ONLY_64),
    Point("sum(sin(x) / x)", [0, 0, 0], [0, 0, 0]),
    # the edge of a domain inside, numbers beyond float64 inside, one of which half precision has no digit
    Point("logaddexp(acosh(1 - a), relu(a - x))", -1 / (1 + np.exp(-2)), -2, {"a": 0.0}, value=np.log1p(np.exp(2))),
    Point("log(cosh(x))", -1, -65536, dtypes=("float32", "bfloat16"), value=65536 - np.log(2)),
    Point("expm1(logaddexp(3 * x, 1 - x))", lambda x: -np.exp(1 - x), -40, dtypes=("float32", "bfloat16")),
    # far out, where a rounding of x is no small number
    Point("silu(x)", 1, 2.0**60, dtypes=("float64", "float32", "bfloat16"), value=2.0**60, product=0),
    Point("mish(x)", 1, 2.0**60, dtypes=("float64", "float32", "bfloat16"), value=2.0**60, product=0),
    Point("x * tanh(x)", 1, 1024, dtypes=("bfloat16", "float16"), value=1024, product=0),
    Point("sum(silu(x))", [1, -49 * exp(-50)], [50, -50], dtypes=("bfloat16", "float16")),
    # a loose formula, sums that cancel
    Point("(x + 1e20) - 1e20", 1, 1, product=0),
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
    """What the judge said of one lie: its verdict on what is lied about, and whether anything was found."""

    point: str
    dtype: str
    kind: Quantity
    lie: str
    shown: str
    verdict: Verdict
    found: bool


def subject(point: Point, dtype: str) -> Subject:
    """The question of a point in one precision."""
    kind, builder = DTYPES[dtype], Builder()
    given = {**(point.others or {}), "x": point.x}
    arrays = {
        name: x if isinstance(x, np.ndarray) and x.dtype.kind == "i" else np.asarray(x, np.float64).astype(kind)
        for name, x in given.items()
    }
    for name, array in arrays.items():
        if array.dtype.kind == "i":
            builder.input(name, array.shape, "int")
        else:
            builder.input(name, array.shape, constant=name != "x" and not point.moving)
    parser = Parser(builder)
    statements = {"f": point.statements} if isinstance(point.statements, str) else point.statements
    for name, text in statements.items():
        parser.define(name, text)
    graph = builder.graph([list(statements)[-1]])
    return Subject(f"{list(statements.values())[-1]}", 0, dtype, graph, arrays, np.ones((), kind))


def lies(true: Array, form: Format) -> Iterator[tuple[str, Array]]:
    """What is said instead of the truth; what is within half of it everywhere is no lie, nor what is off by no more
    numbers next to 0 than the steps of a layer may lose."""
    truth = true.astype(np.float64)
    nothing = 64 * form.smallest if form.gradual else 0.0
    for name, lie in LIES.items():
        wrong = np.asarray(lie(true)).astype(true.dtype)
        near = np.abs(wrong.astype(np.float64) - truth) <= np.maximum(np.abs(truth) / 2, nothing)
        if not bool(np.all(near | (wrong == true))):
            yield name, wrong


def gradients(about: Subject, sound: Evaluation, true: Array) -> Iterator[tuple[str, str, Evaluation]]:
    """Every lie about the gradient of `x`, in each way that it may be shown."""
    output = about.graph.output.name
    for name, wrong in lies(true, about.form):
        changed = {**sound.gradients, "x": wrong}
        yield name, "alone", Evaluation("ok", values={output: sound.values[output]}, gradients=changed)
        yield name, "beside links", replace(sound, gradients=changed)
        adjoints = {**(sound.adjoints or {}), "x": wrong}
        yield name, "as adjoint", replace(sound, gradients=changed, terms=None, adjoints=adjoints)


def values(about: Subject, sound: Evaluation, value: Array, true: Array) -> Iterator[tuple[str, str, Evaluation]]:
    """Every lie about the value of the output, beside a gradient that is right."""
    output, right = about.graph.output.name, {**sound.gradients, "x": true}
    exists = about.exists
    for name, wrong in lies(value, about.form):
        if name == "NaN" and not exists:  # of 1 / 0 it is no lie
            continue
        yield name, "alone", Evaluation("ok", values={output: wrong}, gradients=right)
        yield name, "beside links", replace(sound, values={**sound.values, output: wrong}, gradients=right)


def told(points: Sequence[Point] = POINTS) -> Iterator[Told]:
    """The judge's word on every lie."""
    for point in points:
        for dtype in point.dtypes:
            with np.errstate(all="ignore"):
                yield from _of_first_order(point, dtype)
                if point.product is not None:
                    yield from _of_second_order(point, dtype)


def honest(point: Point, dtype: str) -> list[Row]:
    """The rows of an engine that shows the right gradient alone."""
    with np.errstate(all="ignore"):
        about, sound, true = _asked(point, dtype)
        output = about.graph.output.name
        right = {**sound.gradients, "x": true}
        rows = judge(about, "honest", Evaluation("ok", values={output: sound.values[output]}, gradients=right))
    return [row for row in rows if row.quantity == "gradient"]


def _asked(point: Point, dtype: str) -> tuple[Subject, Evaluation, Array]:
    about = subject(point, dtype)
    sound = backprop.prepare(about.graph, dtype)(about.inputs, about.cotangent)
    return about, sound, np.asarray(point.true(about.inputs["x"])).astype(DTYPES[dtype])


def _of_first_order(point: Point, dtype: str) -> Iterator[Told]:
    about, sound, true = _asked(point, dtype)

    def said(kind: Quantity, told: Iterable[tuple[str, str, Evaluation]]) -> Iterator[Told]:
        for lie, shown, evaluation in told:
            rows = judge(about, "liar", evaluation)
            name = "x" if kind == "gradient" else about.graph.output.name
            meant = [row for row in rows if row.quantity in (kind, "run")]
            found = [row for row in meant if row.finding]
            (row, *_) = found or [row for row in meant if row.name == name]
            yield Told(about.case, dtype, kind, lie, shown, row.verdict, bool(found))

    yield from said("gradient", gradients(about, sound, true))
    if point.value is not None:
        value = np.asarray(point.value, np.float64).astype(DTYPES[dtype])
        yield from said("value", values(about, sound, value, true))


def _of_second_order(point: Point, dtype: str) -> Iterator[Told]:
    about, _, slope = _asked(point, dtype)
    asked = Question(about, {"x": np.ones_like(about.inputs["x"])})
    true: Mapping[Quantity, Array] = {
        "tangent": np.asarray(slope.astype(np.float64).sum()).astype(DTYPES[dtype]),
        "hessian_product": np.asarray(point.product, np.float64).astype(DTYPES[dtype]),
    }
    for kind in true:
        for name, wrong in lies(true[kind], about.form):
            said = {**true, kind: wrong}
            values, gradients = {asked.along.graph.output.name: said["tangent"]}, {"x": said["hessian_product"]}
            evaluation = Evaluation("ok", values=values, gradients=gradients)
            rows = judge_along(asked, "liar", evaluation, None, 0.0, ("tangent", "hessian_product"))
            (row,) = (row for row in rows if row.quantity == kind)
            yield Told(about.case, dtype, kind, name, "alone", row.verdict, row.finding)
