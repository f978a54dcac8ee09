"""Movement: numbers at other places, in another shape, or repeated. Exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import axes_of, broadcast, one_axis, same
from ..symbol import Symbol, f
from .operation import Bound, row


def permute_dims(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axes = cast("tuple[int, ...]", p["axes"])
    rank = len(shapes[0])
    if sorted(one_axis(a, rank, "axes") for a in axes) != list(range(rank)):
        raise GraphError(f"axes={list(axes)}", f"each of {counted(rank, 'axis', 'axes')} once", parameter="axes")
    return tuple(shapes[0][a] for a in axes)


def matrix_transpose(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if len(shapes[0]) < 2:
        raise GraphError(f"an operand of shape {shapes[0]}", "at least two axes")
    return (*shapes[0][:-2], shapes[0][-1], shapes[0][-2])


def reshape(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    shape = cast(Shape, p["shape"])
    known = prod(n for n in shape if n != -1)
    total = prod(shapes[0])
    if -1 in shape and shape.count(-1) == 1 and known and total % known == 0:
        shape = tuple(total // known if n == -1 else n for n in shape)
    if prod(shape) != total or min(shape, default=0) < 0:
        raise GraphError(
            f"shape={list(shape)} for {counted(total, 'element')} of shape {shapes[0]}",
            f"a shape of {counted(total, 'element')}, at most one -1",
            parameter="shape",
        )
    return shape


def broadcast_to(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    shape = cast(Shape, p["shape"])
    if min(shape, default=0) < 0 or broadcast(shapes[0], shape) != shape:
        raise GraphError(f"shape={list(shape)}", f"one that {shapes[0]} broadcasts to", parameter="shape")
    return shape


def expand_dims(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = one_axis(p["axis"], len(shapes[0]) + 1)
    return (*shapes[0][:axis], 1, *shapes[0][axis:])


def squeeze(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axes = axes_of(p["axis"], len(shapes[0]))
    if any(shapes[0][a] != 1 for a in axes):
        raise GraphError(f"axis={p['axis']} of shape {shapes[0]}", "axes of length 1", parameter="axis")
    return tuple(n for i, n in enumerate(shapes[0]) if i not in axes)


def concat(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = one_axis(p["axis"], len(shapes[0]))
    rest = {(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1:
        raise GraphError(f"shapes {', '.join(map(str, shapes))}", f"equal apart from axis {axis}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def stack(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if len(set(shapes)) > 1:
        raise GraphError(f"shapes {', '.join(map(str, shapes))}", "equal shapes")
    axis = one_axis(p["axis"], len(shapes[0]) + 1)
    return (*shapes[0][:axis], len(shapes), *shapes[0][axis:])


def pad(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    widths = cast("tuple[tuple[int, int], ...]", p["widths"])
    if len(widths) != len(shapes[0]) or any(len(w) != 2 or min(w) < 0 for w in widths):
        raise GraphError(
            f"widths={list(map(list, widths))}",
            f"[before, after] for each of {counted(len(shapes[0]), 'axis', 'axes')}, not negative",
            parameter="widths",
        )
    return tuple(n + before + after for n, (before, after) in zip(shapes[0], widths, strict=True))


def tile(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    (x,), repeats = shapes, cast("tuple[int, ...]", p["repeats"])
    if len(repeats) < len(x) or min(repeats, default=1) < 1:
        raise GraphError(
            f"repeats={list(repeats)} of {x}", "at least one for each axis, at least 1", parameter="repeats"
        )
    return tuple(n * k for n, k in zip([1] * (len(repeats) - len(x)) + list(x), repeats, strict=True))


def tiled(p: Bound) -> str:
    """Each axis as two: which copy, and where in it."""
    repeats = cast("tuple[int, ...]", p["repeats"])
    x = [1] * (len(repeats) - len(cast(Shape, p["x"]))) + list(cast(Shape, p["x"]))
    apart = [n for pair in zip([1] * len(x), x, strict=True) for n in pair]
    copies = [n for pair in zip(repeats, x, strict=True) for n in pair]
    whole = [n * k for n, k in zip(x, repeats, strict=True)]
    return f"reshape(broadcast_to(reshape(x, shape={apart}), shape={copies}), shape={whole})"


def pixel_shuffle(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    (x,), k = shapes, cast(int, p["factor"])
    if len(x) < 3 or x[-3] % (k * k):
        expected = f"(..., channels, height, width), channels in groups of {k * k}"
        raise GraphError(f"x of shape {x}, factor={k}", expected, parameter="factor")
    return (*x[:-3], x[-3] // (k * k), x[-2] * k, x[-1] * k)


def shuffled(p: Bound) -> str:
    x, k = cast(Shape, p["x"]), cast(int, p["factor"])
    (*batch, channels, height, width), n = x, len(x) - 3
    order = [*range(n + 1), n + 3, n + 1, n + 4, n + 2]
    apart, whole = [*batch, channels // (k * k), k, k, height, width], pixel_shuffle([x], {"factor": k})
    return f"reshape(permute_dims(reshape(x, shape={apart}), axes={order}), shape={list(whole)})"


def enlarged(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    (x,), k = shapes, cast(int, p["factor"])
    if len(x) < 3 or not all(x[2:]):
        raise GraphError(f"x of shape {x}", "x (batch, channels, ...), with elements along each axis of space")
    return (*x[:2], *(n * k for n in x[2:]))


def nearest(p: Bound) -> str:
    x, k = cast(Shape, p["x"]), cast(int, p["factor"])
    apart = [*x[:2], *(n for side in x[2:] for n in (side, 1))]
    copies = [*x[:2], *(n for side in x[2:] for n in (side, k))]
    return (
        f"reshape(broadcast_to(reshape(x, shape={apart}), shape={copies}), shape={list(enlarged([x], {'factor': k}))})"
    )


def permuted_back(g: Symbol, y: Symbol, x: Symbol, axes: tuple[int, ...]) -> list[Symbol]:
    rank = len(axes)
    return [f.permute_dims(g, axes=tuple(sorted(range(rank), key=lambda i: axes[i] % rank)))]


def reshaped_back(g: Symbol, y: Symbol, x: Symbol, **_: object) -> list[Symbol]:
    return [f.reshape(g, shape=x.shape)]


def at(axis: int, index: str) -> str:
    """A basic index along one axis."""
    return ":, " * axis + index


def pieces(g: Symbol, y: Symbol, *xs: Symbol, axis: int) -> list[Symbol]:
    place = one_axis(axis, len(g.shape))
    start, parts = 0, list[Symbol]()
    for x in xs:
        stop = start + x.shape[place]
        parts.append(f.getitem(g, index=at(place, f"{start}:{stop}")))
        start = stop
    return parts


def layers(g: Symbol, y: Symbol, *xs: Symbol, axis: int) -> list[Symbol]:
    return [f.getitem(g, index=at(one_axis(axis, len(y.shape)), str(k))) for k in range(len(xs))]


def unpadded(g: Symbol, y: Symbol, x: Symbol, widths: Sequence[tuple[int, int]], value: float) -> list[Symbol]:
    kept = [f"{before}:{before + n}" for (before, _), n in zip(widths, x.shape, strict=True)]
    return [f.getitem(g, index=", ".join(kept) or "...")]


# fmt: off
row("permute_dims", "x, *, axes", permute_dims, meaning="axis i of the result is axis axes[i] of x",
    derivative=permuted_back, linear=True, moves=True, analytic=True)
row("matrix_transpose", "x", matrix_transpose, meaning="the last two axes swapped",
    derivative="matrix_transpose(g)", linear=True, moves=True, analytic=True)
row("reshape", "x, *, shape", reshape, meaning="the same elements in row-major order; one -1 is inferred",
    derivative=reshaped_back, linear=True, moves=True, analytic=True)
row("broadcast_to", "x, *, shape", broadcast_to, meaning="repeated along new axes and axes of length 1",
    derivative="g", linear=True, moves=True, analytic=True)
row("expand_dims", "x, *, axis", expand_dims, meaning="a new axis of length 1",
    derivative=reshaped_back, linear=True, moves=True, analytic=True)
row("squeeze", "x, *, axis", squeeze, meaning="axes of length 1 removed",
    derivative=reshaped_back, linear=True, moves=True, analytic=True)
row("concat", "*xs, axis=0", concat, meaning="joined along an axis", derivative=pieces, linear=True, analytic=True)
row("stack", "*xs, axis=0", stack, meaning="joined along a new axis", derivative=layers, linear=True, analytic=True)
row("flip", "x, *, axis=None", same, meaning="reversed along the axes",
    derivative="flip(g, axis=axis)", linear=True, moves=True, analytic=True)
row("roll", "x, *, shift, axis", same, meaning="rotated along the axis",
    derivative="roll(g, shift=-shift, axis=axis)", linear=True, moves=True, analytic=True)
row("pad", "x, *, widths, value=0", pad, meaning="value added before and after, [before, after] per axis",
    derivative=unpadded, linear=True, analytic=True)
row("tile", "x, *, repeats", tile, definition=tiled)
row("pixel_shuffle", "x, *, factor", pixel_shuffle, definition=shuffled)
row("upsample_nearest", "x, *, factor", enlarged, definition=nearest)
