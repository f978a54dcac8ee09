"""What a sound step may give, on whole arrays: a middle in pairs of float64, and the radius that rounding adds.

The arithmetic of `rounding.py` for steps of sums, products, quotients, roots and choices of many numbers. A step is
settled only where each of its numbers is plainly sound, by more than what this arithmetic and that of balls may
differ in: those of balls are never narrower than 15/16 of these. All else goes to balls.
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.graph import Graph
from ..graph.operations import OPERATIONS
from ..graph.shapes import axes_of
from ..records.formats import Format
from .next_to_one import units
from .numbers import constant
from .pairs import UP, Pairs, UnsettledError, of_balls, of_floats, pairs, subtract, total
from .precision import working
from .residuals import Numerals, Residual
from .rounding import exact_in

Floats: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[..., Any]

LARGE = 1024  # numbers of a step: with fewer, balls are as fast
COARSEST = 2.0**-24  # unit roundoff: of a larger one squares show beside it
PLAIN = 15 / 16  # of a radius
KNOWN = 2.0**-60  # of an exact number: how well it is known where digits are counted


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers within `radius` of their middles."""

    middle: Pairs
    radius: Floats

    @property
    def size(self) -> Floats:
        return np.abs(self.middle.high) + self.radius

    @property
    def away_from_zero(self) -> bool:
        """Whether none of them reaches 0 but what is 0."""
        return bool(np.all((np.abs(self.middle.high) > self.radius) | (self.radius == 0)))

    def widened(self, units: float, form: Format) -> Interval:
        """Times (1 ± so many units), and what underflow may add."""
        return Interval(self.middle, self.radius + units * form.step * self.size + form.smallest) if units else self


def widened(x: NDArray[Any], form: Format, units: float = 1, off: Floats | None = None) -> Any:
    """x (1 ± u); integers and conditions as they are. Raises UnsettledError where a number is not finite.

    `off`: no further than that, where it is a number.
    """
    if x.dtype.kind in "bi":
        return x
    middle = of_floats(x)
    radius = units * form.unit * np.abs(middle.high)
    return Interval(middle, radius if off is None else np.where(np.isnan(off), radius, off))


def exactly(x: NDArray[Any]) -> Any:
    """The same without a radius, as pairs."""
    return x if x.dtype.kind in "bi" else of_floats(x)


def _still(x: Pairs) -> Interval:
    return Interval(x, np.zeros(x.high.shape))


def _middle(x: Any) -> Any:
    return x.middle if isinstance(x, Interval) else x


@cache
def rounded_pairs(form: Format) -> Mapping[str, Function]:
    """The operations of which intervals know what rounding does to them, and `constant`."""
    still = pairs()

    def rounding(name: str, radius: Function, well: Function = lambda *xs: True) -> Function:
        """An operation on middles, with the radius that it hands on; `well`: where balls do nothing else."""
        off = units(name, form)

        def operation(*xs: Interval) -> Interval:
            if not well(*xs):
                raise UnsettledError
            middle = still[name](*map(_middle, xs))
            return Interval(middle, radius(middle, *xs)).widened(off, form)

        return operation

    def moving(name: str) -> Function:
        def operation(*xs: Any, **params: Any) -> Any:
            if not isinstance(xs[0], Interval):
                return still[name](*xs, **params)
            radii = (of_floats(x.radius) if isinstance(x, Interval) else x for x in xs)
            return Interval(still[name](*map(_middle, xs), **params), still[name](*radii, **params).high)

        return operation

    def summed(x: Interval, *, axis: Any, keepdims: bool) -> Interval:
        n = OPERATIONS["sum"].sums(x.radius.shape, axis=axis, keepdims=keepdims)  # pyright: ignore[reportOptionalCall]

        def added(part: Floats) -> Floats:
            return np.sum(part, axis=axes_of(axis, part.ndim), keepdims=keepdims)

        lost = n * form.step * added(x.size) + n * form.smallest
        return Interval(total(x.middle, axis, keepdims=keepdims), added(x.radius) + lost)

    def where(condition: Any, a: Interval, b: Interval) -> Interval:
        return Interval(still["where"](condition, a.middle, b.middle), np.where(condition, a.radius, b.radius))

    def chosen(a: Interval, b: Interval, first: Any) -> Floats:
        """Where it is open which one is taken, the wider radius. (Next to where it is not, balls may take that too.)"""
        certain = np.abs(subtract(a.middle, b.middle).high) * UP >= a.radius + b.radius
        return np.where(certain, np.where(first, a.radius, b.radius), np.maximum(a.radius, b.radius))

    def product(_: Pairs, a: Interval, b: Interval) -> Floats:
        return np.abs(a.middle.high) * b.radius + a.radius * b.size

    def quotient(q: Pairs, a: Interval, b: Interval) -> Floats:
        return (a.radius + np.abs(q.high) * b.radius) / (np.abs(b.middle.high) - b.radius)

    def root(q: Pairs, a: Interval) -> Floats:
        return a.radius / (q.high + np.sqrt(a.middle.high - a.radius))

    one = _still(of_floats(np.array(1.0)))
    choices = [name for name, row in OPERATIONS.items() if row.selects and row.elementwise and row.kind == "bool"]
    moves = [name for name, row in OPERATIONS.items() if row.moves]
    return {
        **{name: (lambda *xs, f=still[name]: f(*map(_middle, xs))) for name in choices},
        **{name: moving(name) for name in (*moves, "concat", "stack")},
        "constant": lambda text: _constant(text, form),
        "stop_gradient": lambda x: x,
        "astype": lambda x: x if isinstance(x, Interval) else _still(still["astype"](x)),
        "one_hot": lambda indices, *, size: _still(still["one_hot"](indices, size=size)),
        "add": rounding("add", lambda _, a, b: a.radius + b.radius),
        "subtract": rounding("subtract", lambda _, a, b: a.radius + b.radius),
        "negative": rounding("negative", lambda _, a: a.radius),
        "multiply": rounding("multiply", product),
        "square": rounding("square", lambda _, a: product(_, a, a), lambda a: a.away_from_zero and _not_one(a, form)),
        "divide": rounding("divide", quotient, lambda a, b: _narrow(b)),
        "reciprocal": rounding("reciprocal", lambda q, b: quotient(q, one, b), _narrow),
        "sqrt": rounding("sqrt", root, _narrow),
        "abs": rounding("abs", lambda _, a: a.radius, lambda a: a.away_from_zero),
        "sign": lambda x: _still(still["sign"](x.middle)),
        "maximum": rounding("maximum", lambda _, a, b: chosen(a, b, a.middle.high > b.middle.high)),
        "minimum": rounding("minimum", lambda _, a, b: chosen(a, b, a.middle.high < b.middle.high)),
        "where": where,
        "sum": summed,
    }


def _not_one(x: Interval, form: Format) -> bool:
    """The square of 1 is exact, and balls say so."""
    return bool(np.all(np.abs(np.abs(x.middle.high) - 1) >= form.unit))


def _narrow(x: Interval) -> bool:
    """Whether none is so wide that the ball of a quotient or root has another middle, or a radius that is not that of
    its ends."""
    return bool(np.all(x.radius < 2.0**-10 * np.abs(x.middle.high)))


def _constant(text: str, form: Format) -> Interval:
    middle = of_balls(constant(text))
    return Interval(middle, np.asarray(0.0 if exact_in(text, form) else form.unit * np.abs(middle.high)))


# --- steps -----------------------------------------------------------------------------------------------------------


KNOWN_OPERATIONS = frozenset(rounded_pairs(Format("", COARSEST, 0.0, 1.0)))


def known(graph: Graph) -> bool:
    """Whether intervals know every operation of a graph."""
    return all(node.op in KNOWN_OPERATIONS for node in graph.operations)


def suit(numerals: Sequence[Numerals], form: Format) -> bool:
    """Whether the numbers that a step reads and gives are many, and of a format that intervals serve."""
    many = max((x.array.size for x in numerals), default=0) >= LARGE
    return many and form.unit <= COARSEST and all(x.itself for x in numerals)


def on(graph: Graph, names: Sequence[str], namespace: Mapping[str, Function]) -> Function:
    """A step's program on intervals or on pairs."""
    program = emit(graph, namespace, names, operators=False)

    def run(*operands: Any) -> Any:
        with working(), np.errstate(all="ignore"):
            return program(*operands)

    return run


def settled(engine: Numerals, found: Interval, exact: Pairs) -> Residual:
    """The residual of a step of which each number is plainly sound, and its exact value known. Raises UnsettledError
    where that is not so."""
    numbers, shape = of_floats(engine.array), engine.array.shape
    apart, off = subtract(numbers, found.middle), subtract(numbers, exact)
    radius, high = np.broadcast_to(found.radius, shape), np.broadcast_to(exact.high, shape)
    if not (np.all(apart.size <= PLAIN * radius) and exact.sure(KNOWN)):
        raise UnsettledError
    no_kink = np.zeros(shape, dtype=bool)
    deviation, far = np.abs(apart.high), np.abs(off.high)
    return Residual(engine.array, deviation, radius, ~no_kink, high, far, no_kink, high, high)
