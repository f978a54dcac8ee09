"""Pooling over windows of the last one or two axes of x (batch, channels, length) or (batch, channels, height, width).

A setting is a pair, one number for each axis; along one axis both are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import cast

from ..node import GraphError, Param, Shape
from .convolution import one_number
from .operation import Bound, row

Settings = Mapping[str, object]


def each(p: Settings, name: str, rank: int) -> tuple[int, ...]:
    """A setting along each spatial axis; the stride is that of windows side by side unless given."""
    pair = p[name] if p[name] is not None else p["kernel"]
    return cast("tuple[int, int]", pair)[2 - rank :]


def windows(x: Shape, p: Settings) -> tuple[int, ...]:
    """How many windows there are along each spatial axis."""
    rank = len(x) - 2
    sides = zip(x[2:], *(each(p, name, rank) for name in ("kernel", "stride", "padding", "dilation")), strict=True)
    return tuple((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k, stride, padding, dilation in sides)


def pooled(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    (x,), p = shapes, {"dilation": (1, 1), **p}
    if len(x) not in (3, 4):
        raise GraphError(f"x of shape {x}", "x (batch, channels, length) or (batch, channels, height, width)")
    if len(x) == 3:
        one_number(p, [name for name in ("kernel", "stride", "padding", "dilation") if p[name] is not None])
    for padding, kernel in zip(each(p, "padding", len(x) - 2), each(p, "kernel", len(x) - 2), strict=True):
        if 2 * padding > kernel:
            raise GraphError(f"padding={padding} of windows of {kernel}", "at most half a window", parameter="padding")
    if min(windows(x, p)) < 1:
        raise GraphError(
            f"windows of {each(p, 'kernel', len(x) - 2)} on {x[2:]}", "windows no larger than what is padded"
        )
    return (*x[:2], *windows(x, p))


def over_windows(p: Bound, x: str) -> str:
    """For each place in a window the element there of all windows, stacked along a new first axis."""
    shape, p = cast(Shape, p["x"]), {"dilation": (1, 1), **p}
    rank, counts = len(shape) - 2, windows(shape, p)
    kernel, stride, dilation = (each(p, name, rank) for name in ("kernel", "stride", "dilation"))
    places = [
        ", ".join(
            f"{k * d}:{k * d + s * (n - 1) + 1}:{s}" for k, d, s, n in zip(place, dilation, stride, counts, strict=True)
        )
        for place in product(*map(range, kernel))
    ]
    return "stack([" + ", ".join(f"{x}[:, :, {place}]" for place in places) + "])"


def padded(p: Bound, x: str = "x") -> str:
    widths = [[0, 0], [0, 0], *([n, n] for n in each(p, "padding", len(cast(Shape, p["x"])) - 2))]
    return f"pad({x}, widths={widths})"


def largest(p: Bound) -> str:
    if not any(cast("tuple[int, int]", p["padding"])):
        return f"max({over_windows(p, 'x')}, axis=0)"
    inside = padded(p, f"broadcast_to(1, shape={list(cast(Shape, p['x']))})")
    return f"w = where({inside} > 0.5, {padded(p)}, -inf); max({over_windows(p, 'w')}, axis=0)"


def average(p: Bound) -> str:
    if not any(cast("tuple[int, int]", p["padding"])):
        return f"mean({over_windows(p, 'x')}, axis=0)"
    total = f"w = {padded(p)}; "
    if p["count_include_pad"]:
        return f"{total}mean({over_windows(p, 'w')}, axis=0)"
    ones = padded(p, f"broadcast_to(1, shape={list(cast(Shape, p['x']))})")
    return f"{total}n = {ones}; sum({over_windows(p, 'w')}, axis=0) / sum({over_windows(p, 'n')}, axis=0)"


def adaptive(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    (x,) = shapes
    if len(x) not in (3, 4):
        raise GraphError(f"x of shape {x}", "x (batch, channels, length) or (batch, channels, height, width)")
    sizes = each(p, "output_size", len(x) - 2)
    if any(n % size for n, size in zip(x[2:], sizes, strict=True)):
        raise GraphError(f"output_size={sizes} of {x[2:]}", "sizes that divide the axes", parameter="output_size")
    if len(x) == 3:
        one_number(p, ["output_size"])
    return (*x[:2], *sizes)


def of_tiles(p: Bound) -> str:
    x = cast(Shape, p["x"])
    sizes = each(p, "output_size", len(x) - 2)
    tiles = [n for length, size in zip(x[2:], sizes, strict=True) for n in (size, length // size)]
    return f"mean(reshape(x, shape={[*x[:2], *tiles]}), axis={[3, 5][: len(sizes)]})"


def unfolded(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if len(shapes[0]) != 4:
        raise GraphError(f"x of shape {shapes[0]}", "x (batch, channels, height, width)")
    batch, channels, *counts = pooled(shapes, p)
    return (batch, channels * prod(each(p, "kernel", 2)), prod(counts))


def side_by_side(p: Bound) -> str:
    x = cast(Shape, p["x"])
    shape = list(unfolded([x], cast("Mapping[str, Param]", p)))
    return f"w = {padded(p)}; reshape(permute_dims({over_windows(p, 'w')}, axes=[1, 2, 0, 3, 4]), shape={shape})"


# fmt: off
row("max_pool", "x, *, kernel, stride=None, padding=(0, 0), dilation=(1, 1)", pooled, definition=largest)
row("avg_pool", "x, *, kernel, stride=None, padding=(0, 0), count_include_pad=True", pooled, definition=average)
row("adaptive_avg_pool", "x, *, output_size", adaptive, definition=of_tiles)
row("unfold", "x, *, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1)", unfolded, definition=side_by_side)
