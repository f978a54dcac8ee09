"""Numbers of truth without a ball for each: pairs of float64, whose sum is a number to within a rigorous radius.

A large graph runs on whole arrays of them. What they do not hold for certain (an infinity, a tie, a comparison that
overlapping numbers cannot decide, exponents beyond 2^±400) is `UnsettledError`, and then the graph runs on balls. An
operation that has no formula here runs on balls by itself, element by element.

Sums and products of pairs lose at most 3, 7 and, for quotients, 16 units of 2^-106 of their result (Joldes, Muller &
Popescu 2017, "Tight and rigorous error bounds for basic building blocks of double-word arithmetic", algorithms 6, 10
and 17). Sums of many go by leading parts, whose sums are exact (`products.py`).
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.operations import OPERATIONS
from ..graph.shapes import axes_of
from .arrays import array, structural
from .numbers import balls, constant, to_balls
from .products import HALF, LEAST, MOST, SLACK, faithful, in_floats, middle_of_products, split, two_sum

Floats: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[..., Any]

LOST = 2.0**-106  # of a result: the unit of what an operation on pairs may lose
UP = 1 + 2.0**-40  # the rounding of radii themselves
DOWN = 1 - 2.0**-40
ENOUGH = 2.0**-61  # of a number: what proves it, and a 256th of float64's rounding
FINE = 2.0**-80  # of one that others may cancel
SHIFT = 2.0**27 + 1


class UnsettledError(Exception):
    """Pairs do not tell; balls do."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Numbers high + low to within `radius`; |low| is at most half a unit in the last place of high."""

    high: Floats
    low: Floats
    radius: Floats

    @property
    def size(self) -> Floats:
        """No less than what each number may be."""
        return (np.abs(self.high) + self.radius) * UP

    @property
    def first(self) -> Pairs:
        """The first of these numbers, if there is one."""
        return Pairs(*(np.ravel(part)[:1] for part in (self.high, self.low, self.radius)))

    def sure(self, bits: float = ENOUGH, size: Any = 0.0) -> bool:
        """Whether each radius is so small a part of its number, or of a `size` beside it; or is nothing at all."""
        narrow = self.radius <= np.maximum(np.abs(self.high) * DOWN, size) * bits
        return bool(np.all(narrow & np.isfinite(self.high)))


def of_floats(x: NDArray[Any]) -> Pairs:
    """Exact numbers. Raises UnsettledError where one is not finite."""
    high = np.asarray(x, dtype=np.float64)
    if not np.isfinite(high).all():
        raise UnsettledError
    nothing = np.broadcast_to(0.0, high.shape)
    return Pairs(high, nothing, nothing)


def of_balls(x: Any) -> Pairs:
    """An array of balls. Raises UnsettledError where one is not finite."""
    return Pairs(*(np.asarray(part, dtype=np.float64) for part in _parts(array(x))))


def _parts_of(ball: arb) -> tuple[float, float, float]:
    if not ball.is_finite():
        raise UnsettledError
    high = float(ball.mid())
    rest = ball - high
    low = float(rest.mid())
    rest = rest - low
    return high, low, 0.0 if rest.is_zero() else float(rest.abs_upper()) * UP + 2.0**-1000


_parts = np.frompyfunc(_parts_of, 1, 3)


def as_balls(x: Any) -> Any:
    """Balls around the same numbers; what is no pair as it is."""
    if not isinstance(x, Pairs):
        return x
    if not (x.low.any() or x.radius.any()):
        return to_balls(x.high)
    return array(_ball(x.high, x.low, x.radius))


_ball = np.frompyfunc(lambda high, low, radius: arb(high, radius) + arb(low), 3, 1)


# --- element by element ------------------------------------------------------------------------------------------


def _two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """a b in float64, and what that lost, exactly (Dekker)."""
    product = a * b
    (a, below_a), (b, below_b) = _halves(a), _halves(b)
    return product, ((a * b - product) + a * below_b + below_a * b) + below_a * below_b


def _halves(x: Floats) -> tuple[Floats, Floats]:
    shifted = SHIFT * x
    upper = shifted - (shifted - x)
    return upper, x - upper


def _fast_two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    total = a + b
    return total, b - (total - a)


def add(a: Pairs, b: Pairs) -> Pairs:
    high, lost = two_sum(a.high, b.high)
    lows, lost_below = two_sum(a.low, b.low)
    high, lost = _fast_two_sum(high, lost + lows)
    high, low = _fast_two_sum(high, lost_below + lost)
    return Pairs(high, low, (a.radius + b.radius + 4 * LOST * np.abs(high)) * UP)


def negative(a: Pairs) -> Pairs:
    return Pairs(-a.high, -a.low, a.radius)


def subtract(a: Pairs, b: Pairs) -> Pairs:
    return add(a, negative(b))


def multiply(a: Pairs, b: Pairs) -> Pairs:
    ordinary(a, b)
    high, lost = _two_product(a.high, b.high)
    high, low = _fast_two_sum(high, lost + (a.high * b.low + a.low * b.high))
    return Pairs(high, low, (a.size * b.radius + a.radius * b.size + 8 * LOST * np.abs(high)) * UP)


def divide(a: Pairs, b: Pairs) -> Pairs:
    ordinary(a, b)
    least = np.abs(b.high) * DOWN - b.radius
    if not (least > 0).all():
        raise UnsettledError
    quotient = a.high / b.high
    product, lost = _two_product(b.high, quotient)
    product, lost = _fast_two_sum(product, lost + b.low * quotient)
    high, low = _fast_two_sum(quotient, ((a.high - product) + (a.low - lost)) / b.high)
    return Pairs(high, low, ((a.radius + np.abs(high) * UP * b.radius) / least + 20 * LOST * np.abs(high)) * UP)


def square_root(x: Pairs) -> Pairs:
    """By one step of Newton's (Lefevre et al. 2022, "Accurate calculation of Euclidean norms using double-word
    arithmetic", algorithm 8: 25/8 units)."""
    ordinary(x)
    least = x.high * DOWN - x.radius
    if not (least > 0).all():
        raise UnsettledError
    root = np.sqrt(x.high)
    square, lost = _two_product(root, root)
    high, low = _fast_two_sum(root, (((x.high - square) - lost) + x.low) / (2 * root))
    return Pairs(high, low, (x.radius / np.sqrt(least) + 8 * LOST * high) * UP)


def ordinary(*operands: Pairs) -> None:
    """Raises UnsettledError where products of such numbers might leave the normal range, or lose digits at its end."""
    for x in operands:
        sizes = np.abs(x.high)
        if not (sizes.size == 0 or (sizes.max() < MOST and np.where(sizes == 0, 1.0, sizes).min() > LEAST)):
            raise UnsettledError


def signs(x: Pairs) -> Floats:
    """1 or -1 for each. Raises UnsettledError where a number may be 0."""
    if not (np.abs(x.high) * DOWN > x.radius).all():
        raise UnsettledError
    return np.sign(x.high)


def where(condition: Any, a: Pairs, b: Pairs) -> Pairs:
    return Pairs(*(np.where(condition, x, y) for x, y in zip(_all(a), _all(b), strict=True)))


def _all(x: Pairs) -> tuple[Floats, Floats, Floats]:
    return x.high, x.low, x.radius


# --- sums ----------------------------------------------------------------------------------------------------------


def total(x: Pairs, axis: Any = None, *, keepdims: bool = False) -> Pairs:
    axes = axes_of(axis, x.high.ndim)
    n = prod(x.high.shape[i] for i in axes)
    if not n or not axes:
        return x if n else of_floats(np.sum(x.high, axis=axes, keepdims=keepdims))

    def summed(part: Floats) -> Floats:
        return np.sum(part, axis=axes, keepdims=keepdims)

    high, low, error = of_floats(np.zeros_like(summed(x.high))), 0.0, summed(x.radius) * (1 + n * HALF)
    for numbers, parts in ((x.high, 3), (x.low, 2)):
        if not numbers.any():
            continue
        leading, rests, _ = split(numbers, parts, 52 - n.bit_length(), axes)
        for part in leading:
            high = add(high, of_floats(summed(part)))
        last = rests[parts]
        low, error = low + summed(last), error + 2 * n * HALF * summed(np.abs(last))
    high = add(high, of_floats(low)) if np.any(low) else high
    return Pairs(high.high, high.low, (high.radius + error) * (UP + SLACK))


def products_of(name: str, parts: Sequence[int] = (3, 4)) -> Function:
    """A bilinear operation on pairs. So many leading parts are split off, the next number where its own error shows."""
    times, length = structural(np.matmul)[name], OPERATIONS[name].sums
    along = (-1, -2) if name == "matmul" else None
    assert length is not None

    def product(a: Pairs, b: Pairs, **params: Any) -> Pairs:
        ordinary(a, b)

        def exactly(x: Floats, y: Floats) -> Floats:
            return times(x, y, **params)

        n = length(np.shape(a.high), np.shape(b.high), **params)
        size = exactly(np.abs(a.high), np.abs(b.high)) * (1 + (n + 1) * HALF)
        below, beside, spread = 0.0, 0.0, 0.0
        for x, y in ((a.low, b.high), (a.high, b.low)):
            if x.any() and y.any():  # and the product of both lows, which is left out
                high, low, error = middle_of_products(exactly, x, y, n, HALF * size, 1, along)
                below = below + (high + low)
                beside = beside + error + HALF * (np.abs(high) + HALF * size)
        if a.radius.any():
            spread = spread + exactly(a.radius, b.size)
        if b.radius.any():
            spread = spread + exactly(a.size, b.radius)
        spread = spread * (1 + (n + 2) * HALF)
        for count in parts:
            high, low, error = middle_of_products(exactly, a.high, b.high, n, size, count, along)
            low = low + below
            error = error + beside + 2 * HALF * (np.abs(low) + np.abs(below))
            found = Pairs(*two_sum(high, low), (error + spread) * (UP + SLACK))
            if count == parts[-1] or found.sure(FINE) or np.all(error <= spread):
                return found
        raise UnsettledError

    return product


# --- the namespace ---------------------------------------------------------------------------------------------------


def _on_balls(name: str, function: Function) -> Function:
    """An operation that has no formula here, by balls."""
    operation = OPERATIONS[name]

    def by_balls(*operands: Any, **params: Any) -> Any:
        result = array(function(*map(as_balls, operands), **params))
        if result.dtype.kind in "bi":
            return result
        found = of_balls(to_balls(result) if result.dtype != object else result)
        if operation.selects and found.radius.any():  # a choice that balls cannot make
            raise UnsettledError
        return found.high != 0 if operation.kind == "bool" else found

    return by_balls


def moved(move: Function) -> Function:
    """An operation that only moves numbers."""

    def moving(*operands: Any, **params: Any) -> Any:
        if not isinstance(operands[0], Pairs):
            return move(*operands, **params)
        some = [_all(x) if isinstance(x, Pairs) else (x, x, x) for x in operands]
        return Pairs(*(np.asarray(move(*parts, **params), dtype=np.float64) for parts in zip(*some, strict=True)))

    return moving


def _compared(function: Function, holds: Callable[[Floats], Any]) -> Function:
    return lambda a, b: holds(signs(subtract(a, b))) if isinstance(a, Pairs) else function(a, b)


def _einsum(function: Function) -> Function:
    of_two = products_of("einsum")

    def einsum(*xs: Any, subscripts: str) -> Any:
        simple = in_floats(OPERATIONS["einsum"], (("subscripts", subscripts),))
        return (of_two if simple else function)(*xs, subscripts=subscripts)

    return einsum


@cache
def pairs() -> Mapping[str, Function]:
    """Every primitive operation, and `constant`."""
    plain, one = structural(np.matmul), of_floats(np.array(1.0))
    exact = {name: _on_balls(name, f) for name, f in balls(ties="hull").items() if name in OPERATIONS}
    return {
        **exact,
        **{name: moved(plain[name]) for name, operation in OPERATIONS.items() if operation.moves},
        **{name: moved(plain[name]) for name in ("concat", "stack", "take", "take_along_axis")},
        "constant": lambda text: of_balls(constant(text)),
        "stop_gradient": lambda x: x,
        "astype": lambda x: x if isinstance(x, Pairs) else of_floats(x),
        "one_hot": lambda indices, *, size: of_floats(np.asarray(indices)[..., None] == np.arange(size)),
        "add": add,
        "subtract": subtract,
        "negative": negative,
        "multiply": multiply,
        "square": lambda x: multiply(x, x),
        "divide": divide,
        "reciprocal": lambda x: divide(one, x),
        "sign": lambda x: of_floats(signs(x)),
        "abs": lambda x: where(signs(x) > 0, x, negative(x)),
        "maximum": lambda a, b: where(signs(subtract(a, b)) > 0, a, b),
        "minimum": lambda a, b: where(signs(subtract(a, b)) < 0, a, b),
        **{name: _compared(exact[name], lambda sign: sign < 0) for name in ("less", "less_equal")},
        **{name: _compared(exact[name], lambda sign: sign > 0) for name in ("greater", "greater_equal")},
        "equal": _compared(exact["equal"], lambda sign: sign == 0),
        "not_equal": _compared(exact["not_equal"], lambda sign: sign != 0),
        "sqrt": square_root,
        "where": where,
        "sum": lambda x, *, axis, keepdims: total(x, axis, keepdims=keepdims),
        **{
            name: products_of(name)
            for name, operation in OPERATIONS.items()
            if operation.products and operation.primitive
        },
        "einsum": _einsum(exact["einsum"]),
    }


# Of so many numbers, and so many for each operation, pairs are quicker than balls.
MANY, MANY_EACH = 4096, 64


def worth_pairs(graph: Graph, arrays: Sequence[NDArray[Any]]) -> bool:
    """Whether a graph is large enough for pairs, and what it reads plain numbers."""
    count = sum(prod(node.shape) for node in graph.nodes)
    large = count >= max(MANY, MANY_EACH * len(graph.nodes))
    return large and faithful() and all(x.dtype != object for x in arrays)
