"""Convolution, as deep learning means it, with its two transposes: sums of products, cost 1 for each.

x is (batch, channels, height, width), weight (out, channels / groups, height, width); of a transposed convolution weight
is (channels, out / groups, height, width). `conv1d` and `conv_transpose` take one spatial axis as one of height 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import given
from ..symbol import Symbol, f
from .operation import Bound, row


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


def input_of(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """The given shape, whose correlation with weight has that of g."""
    g, weight = shapes
    x = given(shapes, p)
    fit(g, conv2d([x, weight], p))
    return x


def weight_of(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """The given shape, whose correlation with x has that of g."""
    g, x = shapes
    weight = given(shapes, p)
    fit(g, conv2d([x, weight], p))
    return weight


def fit(g: Shape, correlation: Shape) -> None:
    if g != correlation:
        raise GraphError(f"g {g}", f"{correlation}, the shape of that correlation")


def one_number(p: Mapping[str, Param], names: Sequence[str]) -> None:
    """Along one axis a setting is one number, which stands twice in its pair."""
    for name in names:
        first, second = cast("tuple[int, int]", p[name])
        if first != second:
            raise GraphError(f"{name}=[{first}, {second}] along one axis", "one number", parameter=name)


def flat(shape: Shape) -> Shape:
    """An image of height 1."""
    return (*shape[:-1], 1, shape[-1])


def along(pair: object, outside: int) -> list[int]:
    return [outside, cast("tuple[int, int]", pair)[1]]


def conv1d(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if len(shapes[0]) != 3 or len(shapes[1]) != 3:
        expected = "x (batch, channels, length) and weight (out, channels, length)"
        raise GraphError(f"x {shapes[0]} and weight {shapes[1]} in conv1d", expected)
    one_number(p, ("stride", "padding", "dilation"))
    image = conv2d([flat(shapes[0]), flat(shapes[1]), *shapes[2:]], {**p, "padding": (0, along(p["padding"], 0)[1])})
    return (*image[:2], image[3])


def of_length(p: Bound) -> str:
    stride, padding, dilation = along(p["stride"], 1), along(p["padding"], 0), along(p["dilation"], 1)
    settings = f"stride={stride}, padding={padding}, dilation={dilation}, groups=groups"
    y = f"correlate2d(expand_dims(x, axis=-2), expand_dims(weight, axis=-2), {settings})"
    return f"squeeze({y}, axis=-2)" + ("" if p["bias"] is None else " + reshape(bias, shape=[size(bias), 1])")


def conv_transpose(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, weight, *bias = shapes
    groups, rank = cast(int, p["groups"]), len(shapes[0]) - 2
    if rank not in (1, 2) or len(weight) != len(x):
        raise GraphError(
            f"x {x} and weight {weight} in conv_transpose",
            "x (batch, channels, length) or (batch, channels, height, width), weight (channels, out / groups, ...)",
        )
    if groups < 1 or x[1] != weight[0] or x[1] % groups:
        raise GraphError(
            f"{counted(x[1], 'channel')}, weight {weight}, groups={groups}",
            "channels = weight's first axis, in equal groups",
        )
    if bias and bias[0] != (weight[1] * groups,):
        raise GraphError(f"bias {bias[0]} in conv_transpose", f"{(weight[1] * groups,)}")
    if rank == 1:
        one_number(p, ("stride", "padding", "dilation", "output_padding"))
    if not all((*x[2:], *weight[2:])):
        raise GraphError(
            f"x {x} and weight {weight} in conv_transpose", "at least one element along each axis of space"
        )
    spatial: list[int] = []
    for i in range(-rank, 0):
        stride, padding, dilation, more = (
            cast("tuple[int, int]", p[name])[i] for name in ("stride", "padding", "dilation", "output_padding")
        )
        if more >= max(stride, dilation):
            expected = "less than the stride or the dilation"
            raise GraphError(f"output_padding={more}", expected, parameter="output_padding")
        spatial.append((x[i] - 1) * stride - 2 * padding + dilation * (weight[i] - 1) + more + 1)
    if min(spatial) < 1:
        raise GraphError(f"an image of {tuple(spatial)}", "at least one element along each axis", "less padding")
    return (x[0], weight[1] * groups, *spatial)


def transposed(p: Bound) -> str:
    shapes = [cast(Shape, p[name]) for name in ("x", "weight")]
    shape = conv_transpose(shapes, cast("Mapping[str, Param]", p))
    plain = len(shape) == 4
    stride, padding, dilation = (
        list(cast("tuple[int, int]", p[name])) if plain else along(p[name], outside)
        for name, outside in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    more = list(cast("tuple[int, int]", p["output_padding"])) if plain else along(p["output_padding"], 0)
    x, weight = ("x", "weight") if plain else ("expand_dims(x, axis=-2)", "expand_dims(weight, axis=-2)")
    if any(beyond := [m // s for m, s in zip(more, stride, strict=True)]):  # a dilation lets it exceed the stride
        image = shapes[0] if plain else flat(shapes[0])
        room = [*image[:2], *(n + k for n, k in zip(image[2:], beyond, strict=True))]
        x = f"place({x}, index=':, :, :{image[2]}, :{image[3]}', shape={room})"
    settings = f"stride={stride}, padding={padding}, dilation={dilation}, groups=groups"
    y = f"correlate2d_input({x}, {weight}, shape={list(shape if plain else flat(shape))}, {settings})"
    bias = "" if p["bias"] is None else f" + reshape(bias, shape={[shape[1], *[1] * (len(shape) - 2)]})"
    return (y if plain else f"squeeze({y}, axis=-2)") + bias


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
row("conv1d", f"x, weight, bias=None, *, {GEOMETRY}", conv1d, definition=of_length, products=True, bias_axis=-2)
row("conv_transpose", f"x, weight, bias=None, *, {GEOMETRY}, output_padding=(0, 0)", conv_transpose,
    definition=transposed, products=True)
row("correlate2d", f"x, weight, *, {GEOMETRY}", conv2d, cost=1,
    meaning="y[n, o, i, j] = sum over c, k, l of x[n, c, i s + k d - p, j s + l d - p] weight[o, c, k, l]",
    derivative=of_correlate2d,
    linear=True, sums=window, products=True, analytic=True)
row("correlate2d_input", f"g, weight, *, shape, {GEOMETRY}", input_of, cost=1,
    meaning="the transpose of correlate2d in its input, of the given shape",
    derivative=of_input,
    linear=True, sums=window_of_input, products=True, analytic=True)
row("correlate2d_weight", f"g, x, *, shape, {GEOMETRY}", weight_of, cost=1,
    meaning="the transpose of correlate2d in its weight, of the given shape",
    derivative=of_weight,
    linear=True, sums=window_of_weight, products=True, analytic=True)
