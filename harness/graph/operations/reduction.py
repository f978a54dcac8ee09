"""Reductions.

A sum of n terms may lose (n - 1) u sum|terms|, which the judge adds by itself; cost 1 for each addition. (In half
precisions u is that of float32, and the result is rounded once more.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ..node import GraphError, Param, Shape
from ..shapes import axes_of, same
from ..symbol import Symbol, f, repeated, reshaped
from .operation import Bound, Definition, along, row


def reduction(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axes = axes_of(p["axis"], len(shapes[0]))
    if p["keepdims"]:
        return tuple(1 if i in axes else n for i, n in enumerate(shapes[0]))
    return tuple(n for i, n in enumerate(shapes[0]) if i not in axes)


def extremum(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """A reduction that has no value over an empty axis."""
    empty = [axis for axis in axes_of(p["axis"], len(shapes[0])) if not shapes[0][axis]]
    if empty:
        problem = f"axis {empty[0]} of shape {shapes[0]} is empty"
        raise GraphError(problem, "at least one element to choose from", parameter="axis")
    return reduction(shapes, p)


def less_the_largest(definition: str, stable: str) -> Definition:
    """The stable formula, which takes the largest away; of no elements there is none."""

    def chosen(p: Bound) -> str:
        x = cast(Shape, p["x"])
        return stable if all(x[axis] for axis in axes_of(p["axis"], len(x))) else definition

    return chosen


def halved_product(p: Bound) -> str:
    """The product along each axis by halves: no division, so its derivative holds where a factor is zero."""
    shape = list(cast(Shape, p["x"]))
    axes = axes_of(p["axis"], len(shape))
    lines = ["y = x"]
    for axis in axes:
        before = ":, " * axis
        while shape[axis] > 1:
            half, odd = divmod(shape[axis], 2)
            product = f"y[{before}:{half}] * y[{before}{half}:{2 * half}]"
            lines.append(f"y = concat([{product}, y[{before}{2 * half}:]], axis={axis})" if odd else f"y = {product}")
            shape[axis] = half + odd
        if shape[axis] == 0:
            shape[axis] = 1
            lines.append(f"y = broadcast_to(1, shape={shape})")
    lines.append("y" if p["keepdims"] or not axes else f"squeeze(y, axis={list(axes)})")
    return "; ".join(lines)


def running_product(p: Bound) -> str:
    """Each product from the one before it: no division, so its derivative holds where a factor is zero."""
    x, axis = cast(Shape, p["x"]), cast(int, p["axis"])
    before = ":, " * (axis % len(x))
    lines = [f"p0 = x[{before}0:1]" if x[axis] else "p0 = x"]
    lines += [f"p{k} = p{k - 1} * x[{before}{k}:{k + 1}]" for k in range(1, x[axis])]
    return "; ".join([*lines, f"concat([{', '.join(f'p{k}' for k in range(max(x[axis], 1)))}], axis=axis)"])


def summed(x: Shape, *, axis: object, keepdims: bool) -> int:
    return max(prod(x[a] for a in axes_of(axis, len(x))) - 1, 0)


def scanned(x: Shape, *, axis: int) -> int:
    """By halves: JAX's scan. Twice that many at worst; at most 8 of 12 were seen at 4,096."""
    return max(x[axis] - 1, 0).bit_length()


def of_sum(g: Symbol, y: Symbol, x: Symbol, axis: object, keepdims: bool) -> list[Symbol]:
    """The adjoint repeated over the axes that were removed."""
    if not keepdims and x.shape:
        kept = tuple(1 if i in axes_of(axis, len(x.shape)) else n for i, n in enumerate(x.shape))
        g = reshaped(g, kept)
    return [repeated(g, x.shape)]


def of_max(g: Symbol, y: Symbol, x: Symbol, axis: object, keepdims: bool) -> list[Symbol]:
    (repeated,) = of_sum(g, y, x, axis, keepdims)
    return [repeated * f.max_share(x, axis=axis)]


# fmt: off
row("sum", "x, *, axis=None, keepdims=False", reduction, cost=1, meaning="sum over the axes", of_two="the sum of two is `a + b`",
    derivative=of_sum, linear=True, sums=summed, analytic=True)
row("mean", "x, *, axis=None, keepdims=False", reduction,
    definition="sum(x, axis=axis, keepdims=keepdims) / size(x, axis=axis)")
row("prod", "x, *, axis=None, keepdims=False", reduction, definition=halved_product, of_two="the product of two is `a * b`")
row("max", "x, *, axis=None, keepdims=False", extremum, meaning="the largest over the axes", of_two="the larger of two is `maximum(a, b)`",
    derivative=of_max, shares="largest")
row("min", "x, *, axis=None, keepdims=False", extremum, definition="-max(-x, axis=axis, keepdims=keepdims)",
    of_two="the smaller of two is `minimum(a, b)`", shares="smallest")
row("max_share", "x, *, axis=None", same, cost=1, differentiable=False, selects=True,
    meaning="1 / (number of largest) at each largest element over the axes, else 0")
row("var", "x, *, axis=None, correction=0, keepdims=False", reduction,
    definition="sum(square(x - mean(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims) / (size(x, axis=axis) - correction)")
row("std", "x, *, axis=None, correction=0, keepdims=False", reduction,
    definition="sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))")
row("norm", "x, *, axis=None, keepdims=False", reduction, of_two="the length of (a, b) is `hypot(a, b)`",
    definition="sqrt(sum(square(x), axis=axis, keepdims=keepdims))")
LARGEST = "stop_gradient(max(x, axis=axis, keepdims=True))"
LOGSUMEXP = "log(sum(exp(x), axis=axis, keepdims=keepdims))"
row("logsumexp", "x, *, axis=None, keepdims=False", reduction, definition=LOGSUMEXP, reads_log=True, stable=less_the_largest(LOGSUMEXP,
    f"log(sum(exp(x - {LARGEST}), axis=axis, keepdims=keepdims)) + stop_gradient(max(x, axis=axis, keepdims=keepdims))"))
SOFTMAX = "exp(x) / sum(exp(x), axis=axis, keepdims=True)"
row("softmax", "x, *, axis=-1", same, definition=SOFTMAX,
    stable=less_the_largest(SOFTMAX, f"e = exp(x - {LARGEST}); e / sum(e, axis=axis, keepdims=True)"))
LOG_SOFTMAX = "x - log(sum(exp(x), axis=axis, keepdims=True))"
row("log_softmax", "x, *, axis=-1", same, definition=LOG_SOFTMAX, reads_log=True,
    stable=less_the_largest(LOG_SOFTMAX, f"c = x - {LARGEST}; c - log(sum(exp(c), axis=axis, keepdims=True))"))
row("cumsum", "x, *, axis", same, cost=1, meaning="running sum along the axis",
    derivative="flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis)", linear=True, sums=along, joints=scanned, analytic=True)
row("cumprod", "x, *, axis", same, definition=running_product)
