"""Sums of products in float64, with a rigorous bound of what float64 loses: large products without balls.

What stands here is the arithmetic of `rounding.py` on whole arrays. A step's numbers go in as plain float64
arrays, each meant as x(1 ± u); what comes out are balls of which float64 knows the middle to within `error`. The
error is so far below what the judged format may lose that it seldom decides whether a number is sound. Where it
does, or where an exponent is extreme or anything not finite, nothing is claimed and the step is left to FLINT.

Bounds hold in any order of summation, with and without fused multiply-add (Jeannerod & Rump 2013, "Improved error
bounds for inner products in floating-point arithmetic"), not for algorithms of fewer products (Strassen's). For
float64 the leading part of every factor is split off so that products and sums of leading parts are exact (Ozaki,
Ogita, Oishi & Rump 2012, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication and its applications").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Params, Shape, Use
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..graph.shapes import axes_of, einsum_terms
from ..records.formats import Format
from .arrays import structural

Floats: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[..., Any]
Along: TypeAlias = "tuple[int, int] | tuple[tuple[()], tuple[()]] | None"  # the axes of each operand; None: all

SMALLEST = 32  # numbers that a step reads: with fewer, balls are as fast
HALF = 2.0**-53  # float64's own unit roundoff
COARSE = 2.0**-30  # formats of fewer digits need no leading parts
MOST_PARTS = 3
ENOUGH = 2.0**-12  # of a radius: how well a score is known
KNOWN = 2.0**-10  # of a middle that is told as the exact number
SLACK = 2.0**-20  # the rounding of bounds themselves, sums of up to 2^30 numbers
LONGEST = 2**30
LEAST, MOST = 2.0**-400, 2.0**400  # between them no product and no sum of products leaves the normal range


@dataclass(frozen=True, slots=True)
class Estimate:
    """Balls in float64: their middles lie within `error` of the unevaluated sum high + low; their radii."""

    high: Floats
    low: Floats
    error: Floats
    radius: Floats

    def widened(self, factor: float, noise: Any) -> Estimate:
        """Times (1 ± factor), ± noise."""
        spread = factor * (np.abs(self.high + self.low) + self.radius)
        return Estimate(self.high, self.low, self.error, self.radius + spread + noise)

    def rounded(self, units: float, form: Format) -> Estimate:
        """Times (1 ± so many units), and what underflow may add (`rounding.underflow`)."""
        noise: Any = form.smallest
        if form.gradual:
            least = np.abs(self.high + self.low) - self.radius
            noise = np.where(least * form.unit >= form.smallest, 0.0, form.smallest)
        return self.widened(units * form.step, noise)

    def rounded_out(self, form: Format) -> Estimate:
        """A sum on its way out of an operation that kept it in a finer format."""
        return self if form.inside is None else self.rounded(1, form)

    def deviation(self, engine: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
        """How far an engine's numbers are from the middles, and which are in balls of known middles beyond doubt."""
        with np.errstate(all="ignore"):
            apart = engine.astype(np.float64, copy=False) - self.high
            distance = np.abs(apart - self.low)
            doubt = self.error + HALF * (np.abs(apart) + distance)
            known = (distance == 0) | (self.error <= KNOWN * np.abs(self.high + self.low))
            return distance, known & (distance + doubt * (1 + SLACK) <= self.radius * (1 - SLACK))


def in_floats(operation: Operation, params: Params) -> bool:
    """Whether float64 may stand in for balls: a sum of products of two numbers, none of them a sum itself."""
    subscripts = dict(params).get("subscripts")
    if not operation.products or subscripts is None:
        return operation.products
    terms, output = einsum_terms(str(subscripts))
    return len(terms) == 2 and set(terms[0]) ^ set(terms[1]) <= set(output)


def suits(arrays: Sequence[NDArray[Any]], form: Format) -> bool:
    """Whether the numbers that a step reads are many enough, and may be multiplied in float64."""
    if sum(array.size for array in arrays) < SMALLEST:
        return False
    return all(map(_ordinary, arrays)) and faithful()


def _ordinary(array: NDArray[Any]) -> bool:
    if array.dtype.kind in "bi" or not 0 < array.size < LONGEST:
        return False
    sizes = np.abs(array.astype(np.float64, copy=False))
    return bool(np.max(sizes) < MOST and np.min(np.where(sizes == 0, 1.0, sizes)) > LEAST)


@cache
def faithful() -> bool:
    """Whether float64 products have 53 bits here: one is asked for whose every bit is known from integers."""
    numbers = np.arange(96 * 96, dtype=np.int64).reshape(96, 96) * 7919 % 2**24 - 2**23
    expected = numbers @ numbers.T
    return bool(np.array_equal(numbers.astype(np.float64) @ numbers.T.astype(np.float64), expected))


def value_estimate(graph: Graph, form: Format, *, middles: bool = True) -> Callable[..., Sequence[Estimate]]:
    """What computes the ball of a step's value from the arrays that it reads. Without `middles`, its radius alone."""
    return _on_floats(expanded(graph, stable=True), ["y"], form, middles=middles)


def term_estimates(
    graph: Graph, active: Sequence[int], form: Format, *, middles: bool = True
) -> Callable[..., Sequence[Estimate]]:
    """What computes the balls of the terms of a step's active operands from what it reads and its adjoint; the same."""
    derivative = gradient(graph, stable=True, seeded=True)
    names = [str(derivative.terms[Use("y", position)]) for position in active]
    program = _on_floats(derivative.graph, names, form, middles=middles)
    return lambda *arrays: [term.rounded(2, form) for term in program(*arrays)]


def _on_floats(graph: Graph, names: Sequence[str], form: Format, *, middles: bool) -> Callable[..., Sequence[Estimate]]:
    program = emit(graph, _namespace(form, middles=middles), names, operators=False)

    def run(*arrays: NDArray[Any]) -> list[Estimate]:
        results = program(*(array.astype(np.float64, copy=False) for array in arrays))
        return [_meant(result, form) for result in results]

    return run


def _meant(x: Any, form: Format) -> Estimate:
    if isinstance(x, Estimate):
        return x
    nothing = np.zeros_like(x)
    return Estimate(x, nothing, nothing, _entered(x, form))


def _entered(x: Floats, form: Format) -> Floats:
    """The radius of x (1 ± u), and near zero, where subnormals are kept, ± eta / 2."""
    radius, half = form.unit * np.abs(x), form.smallest / 2
    return radius + np.where(radius < half, half, 0.0) if form.gradual else radius


def _namespace(form: Format, *, middles: bool) -> Mapping[str, Function]:
    """What an emitted step runs on: plain arrays, each number meant as x(1 ± u), and estimates."""
    plain = structural(np.matmul)

    def moved(move: Function) -> Function:
        def moving(x: Any, **params: Any) -> Any:
            if not isinstance(x, Estimate):
                return move(x, **params)
            return Estimate(*(move(part, **params) for part in (x.high, x.low, x.error, x.radius)))

        return moving

    def added(a: Any, b: Any) -> Estimate:
        a, b = _meant(a, form), _meant(b, form)
        high, lost = two_sum(a.high, b.high)
        rest = a.low + b.low
        low = lost + rest
        error = a.error + b.error + HALF * (np.abs(rest) + np.abs(low))
        return Estimate(high, low, error, a.radius + b.radius).rounded(OPERATIONS["add"].cost, form)

    def summed(x: Any, *, axis: Any, keepdims: bool) -> Estimate:
        x = _meant(x, form)
        axes = axes_of(axis, x.high.ndim)
        n = prod(x.high.shape[i] for i in axes)

        def total(part: Floats) -> Any:
            return np.sum(part, axis=axes, keepdims=keepdims)

        (first,), (_, rest), _ = split(x.high, 1, 52 - n.bit_length(), axes)
        error = total(x.error) + (n + 2) * HALF * (total(np.abs(rest)) + total(np.abs(x.low)))
        bound = (n - 1) * (form.sums.step * total(np.abs(x.high + x.low) + x.radius) + form.sums.smallest)
        return Estimate(total(first), total(rest) + total(x.low), error, total(x.radius) + bound).rounded_out(form)

    return {
        **{name: moved(plain[name]) for name, operation in OPERATIONS.items() if operation.moves},
        "add": added,
        "sum": summed,
        "multiply": _multiplied(np.multiply, _one, form, ((), ()), middles=middles),
        **{
            name: _multiplied(
                plain[name], operation.sums, form, (-1, -2) if name == "matmul" else None, middles=middles
            )
            for name, operation in OPERATIONS.items()
            if operation.products and operation.sums is not None
        },
    }


def _one(a: Shape, b: Shape) -> int:
    return 1


def split(x: Floats, parts: int, bits: int, axes: Any) -> tuple[list[Floats], list[Floats], Floats]:
    """The leading parts of every number, what is left over before, between and after them, and the first unit.

    The k-th part is a whole number of units, at most 2^bits of them; what is left over is exact in float64 and at
    most half a unit. A unit is 2^(-k bits) of a power of two above the largest number along the axes, which it keeps.
    """
    _, exponents = np.frexp(np.max(np.abs(x), axis=axes, keepdims=True))
    leading, rests = list[Floats](), [x]
    for k in range(1, parts + 1):
        unit = np.ldexp(1.0, exponents - k * bits)
        leading.append(np.rint(rests[-1] / unit) * unit)
        rests.append(rests[-1] - leading[-1])
    return leading, rests, np.ldexp(1.0, exponents - bits)


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """a + b in float64, and what that lost, exactly (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _multiplied(
    multiply: Function, length: Callable[..., int], form: Format, along: Along, *, middles: bool
) -> Function:
    """A bilinear operation whose results are sums of `length` products; `along`: the axes that are summed over.

    More leading parts are split off until the error is far below what one sound step may lose.
    """

    def product(a: Floats, b: Floats, **params: Any) -> Estimate:
        def times(x: Floats, y: Floats) -> Floats:
            return multiply(x, y, **params)

        n = length(np.shape(a), np.shape(b), **params)
        size = times(np.abs(a), np.abs(b))
        if form.gradual:
            radius_a, radius_b = _entered(a, form), _entered(b, form)
            spread = times(np.abs(a), radius_b) + times(radius_a, np.abs(b) + radius_b)
            radius = spread + n * form.sums.step * (size + spread) + n * form.sums.smallest
        else:
            entered = form.unit * (2 + form.unit)
            radius = size * (entered + n * form.sums.step * (1 + form.unit) ** 2) + n * form.sums.smallest
        if not middles:
            nothing = np.zeros_like(size)
            return Estimate(times(a, b), nothing, nothing, radius).rounded_out(form)
        parts = 0 if form.step > COARSE else 1
        middle = middle_of_products(times, a, b, n, size, parts, along)
        while parts < MOST_PARTS and not np.all(middle[2] <= ENOUGH * radius):
            parts += 1
            middle = middle_of_products(times, a, b, n, size, parts, along)
        return Estimate(*middle, radius).rounded_out(form)

    return product


def middle_of_products(
    times: Function, a: Floats, b: Floats, n: int, size: Floats, parts: int, along: Along
) -> tuple[Floats, Floats, Floats]:
    """The high and the low part of a sum of n products, and a bound of the error, with `parts` leading parts each.

    Those of b bits have sums of at most n 2^2b units: exact up to 2^53. A_i B_j is exact for i + j <= parts + 1.
    """
    bits = (53 - (n - 1).bit_length()) // 2
    first, rest_a, unit_a = split(a, parts, bits, _axes(along, 0, a))
    second, rest_b, unit_b = split(b, parts, bits, _axes(along, 1, b))
    nothing = np.zeros_like(size)

    def product(x: Floats, y: Floats) -> Floats:
        return times(x, y) if x.any() and y.any() else nothing

    high, low = product(first[0], second[0]) if parts else nothing, product(rest_a[parts], b)
    rounded = nothing  # the sizes of `low` after each addition
    for i in range(parts):
        low = low + product(first[i], rest_b[parts - i])
        rounded = rounded + np.abs(low)
        for j in range(0 if i else 1, parts - i):
            high, lost = two_sum(high, product(first[i], second[j]))
            low = low + lost
            rounded = rounded + np.abs(low)
    # Each of the parts + 1 inexact products has n addends, of at most half of 2^bits last units, and 2 |a||b|.
    inexact = (parts + 1) * 2 * size if parts else size
    if parts:
        units = unit_a.item() * unit_b.item() if along is None else times(unit_a, unit_b)
        inexact = np.minimum(inexact, (parts + 1) / 2 * n * 2.0 ** (bits * (2 - parts)) * units)
    return high, low, HALF * ((n + 4) * inexact + rounded * (1 + SLACK))


def _axes(along: Along, operand: int, x: Floats) -> Any:
    axis = None if along is None else along[operand]
    return max(axis, -x.ndim) if isinstance(axis, int) else axis
