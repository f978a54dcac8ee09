"""Convolution, as deep learning means it, with its two transposes: sums of products, cost 1 for each.

x is (batch, channels, height, width), weight (out, channels / groups, height, width).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import given
from ..symbol import Symbol, f
from .operation import row


def conv2d(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, weight, *bias = shapes
    groups = cast(int, p["groups"])
    if len(x) != 4 or len(weight) != 4:
        raise GraphError(
            f"x {x} and weight {weight} in conv2d",
            "x (batch, channels, height, width) and weight (out, channels, height, width)",
        )
    if groups < 1 or x[1] != weight[1] * groups or weight[0] % groups:
        raise GraphError(
            f"{counted(x[1], 'channel')}, weight {weight}, groups={groups}",
            "channels = weight's second axis times groups, and outputs in equal groups",
        )
    if bias and bias[0] != weight[:1]:
        raise GraphError(f"bias {bias[0]} in conv2d", f"{weight[:1]}")
    stride, padding, dilation = (cast("tuple[int, int]", p[name]) for name in ("stride", "padding", "dilation"))
    spatial = tuple(
        (x[2 + i] + 2 * padding[i] - dilation[i] * (weight[2 + i] - 1) - 1) // stride[i] + 1 for i in range(2)
    )
    if min(spatial) < 1:
        raise GraphError(f"a kernel of {weight[2:]} on an image of {x[2:]}", "a kernel no larger than the padded image")
    return (x[0], weight[0], *spatial)


def window(x: Shape, weight: Shape, **_: object) -> int:
    return prod(weight[1:])


def window_of_input(g: Shape, weight: Shape, *, groups: int, **_: object) -> int:
    return weight[0] // groups * prod(weight[2:])


def window_of_weight(g: Shape, x: Shape, **_: object) -> int:
    return g[0] * prod(g[2:])


def of_correlate2d(g: Symbol, y: Symbol, x: Symbol, weight: Symbol, **p: object) -> list[Symbol]:
    return [f.correlate2d_input(g, weight, shape=x.shape, **p), f.correlate2d_weight(g, x, shape=weight.shape, **p)]


def of_input(g: Symbol, y: Symbol, h: Symbol, weight: Symbol, shape: Shape, **p: object) -> list[Symbol]:
    return [f.correlate2d(g, weight, **p), f.correlate2d_weight(h, g, shape=weight.shape, **p)]


def of_weight(g: Symbol, y: Symbol, h: Symbol, x: Symbol, shape: Shape, **p: object) -> list[Symbol]:
    return [f.correlate2d(x, g, **p), f.correlate2d_input(h, g, shape=x.shape, **p)]


GEOMETRY = "stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1"

# fmt: off
row("conv2d", f"x, weight, bias=None, *, {GEOMETRY}", conv2d, products=True, bias_axis=-3,
    definition=lambda p: "correlate2d(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)"
    + ("" if p["bias"] is None else " + reshape(bias, shape=[size(bias), 1, 1])"))
row("correlate2d", f"x, weight, *, {GEOMETRY}", conv2d, cost=1,
    meaning="y[n, o, i, j] = sum over c, k, l of x[n, c, i s + k d - p, j s + l d - p] weight[o, c, k, l]",
    derivative=of_correlate2d,
    linear=True, sums=window, products=True, analytic=True)
row("correlate2d_input", f"g, weight, *, shape, {GEOMETRY}", given, cost=1,
    meaning="the transpose of correlate2d in its input, of the given shape",
    derivative=of_input,
    linear=True, sums=window_of_input, products=True, analytic=True)
row("correlate2d_weight", f"g, x, *, shape, {GEOMETRY}", given, cost=1,
    meaning="the transpose of correlate2d in its weight, of the given shape",
    derivative=of_weight,
    linear=True, sums=window_of_weight, products=True, analytic=True)
