"""Indexing: exact, but that scatter_add sums what meets at an index, cost 1 for each addition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import cast

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import given, index_of, one_axis
from ..symbol import Symbol, f
from .operation import row


def getitem(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    index, shape = index_of(str(p["index"])), shapes[0]
    consumed = sum(item is not None and item is not Ellipsis for item in index)
    if consumed > len(shape) or sum(item is Ellipsis for item in index) > 1:
        raise GraphError(
            f"index [{p['index']}] of shape {shape}", f"at most {counted(len(shape), 'index', 'indices')} and one `...`"
        )
    place, result = 0, list[int]()
    for item in (*index, *(() if Ellipsis in index else (Ellipsis,))):
        if item is None:
            result.append(1)
        elif item is Ellipsis:
            skipped = len(shape) - consumed
            result.extend(shape[place : place + skipped])
            place += skipped
        elif isinstance(item, slice):
            result.append(len(range(*item.indices(shape[place]))))
            place += 1
        else:
            assert isinstance(item, int)
            if not -shape[place] <= item < shape[place]:
                raise GraphError(
                    f"index {item} of axis {place} in shape {shape}", f"{-shape[place]} to {shape[place] - 1}"
                )
            place += 1
    return tuple(result)


def place(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    shape = given(shapes, p)
    room = getitem([shape], p)
    if room != shapes[0]:
        raise GraphError(f"an operand of shape {shapes[0]} at index [{p['index']}] of shape {shape}", f"shape {room}")
    return shape


def take(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = one_axis(p["axis"], len(shapes[0]))
    return (*shapes[0][:axis], *shapes[1], *shapes[0][axis + 1 :])


def scatter_add(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, indices = shapes
    rank = len(x) - len(indices) + 1
    if rank < 1:
        raise GraphError(f"indices of shape {indices} for elements of shape {x}", "no more axes than these have")
    axis = one_axis(p["axis"], rank)
    along = x[axis : axis + len(indices)]
    if indices != along:
        where = f"axis {axis}" if len(along) == 1 else f"axes {axis} to {axis + len(along) - 1}"
        raise GraphError(f"indices of shape {indices}", f"{along}, one for each element along {where}")
    return (*x[:axis], cast(int, p["size"]), *x[axis + len(along) :])


def take_along_axis(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, indices = shapes
    axis = one_axis(p["axis"], len(x))
    if len(indices) != len(x) or any(n != m for a, (n, m) in enumerate(zip(indices, x, strict=True)) if a != axis):
        raise GraphError(
            f"indices of shape {indices} for {x}", f"the same axes, and equal lengths but along axis {axis}"
        )
    return indices


def scatter_add_along_axis(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, indices = shapes
    axis = one_axis(p["axis"], len(x))
    if indices != x:
        raise GraphError(f"indices of shape {indices} for {x}", f"{x}, one for each element")
    return (*x[:axis], cast(int, p["size"]), *x[axis + 1 :])


def gathered(x: Shape, indices: Shape, *, axis: int, size: int) -> int:
    """Roundings where all meet at one index."""
    return max(prod(indices) - 1, 0)


def gathered_along(x: Shape, indices: Shape, *, axis: int, size: int) -> int:
    return max(x[axis] - 1, 0)


def one_hot(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    return (*shapes[0], cast(int, p["size"]))


def placed(g: Symbol, y: Symbol, x: Symbol, index: str) -> list[Symbol]:
    return [f.place(g, index=index, shape=x.shape)]


def scattered(g: Symbol, y: Symbol, x: Symbol, indices: Symbol, axis: int) -> list[Symbol | None]:
    return [f.scatter_add(g, indices, axis=axis, size=x.shape[one_axis(axis, len(x.shape))]), None]


def scattered_along(g: Symbol, y: Symbol, x: Symbol, indices: Symbol, axis: int) -> list[Symbol | None]:
    return [f.scatter_add_along_axis(g, indices, axis=axis, size=x.shape[axis]), None]


# fmt: off
row("getitem", "x, *, index", getitem, meaning="x[index], basic indexing",
    derivative=placed, linear=True, moves=True, analytic=True)
row("place", "x, *, index, shape", place, meaning="zeros of the given shape with x at [index]: the transpose of getitem",
    derivative="getitem(g, index=index)", linear=True, moves=True, analytic=True)
row("take", "x, indices: int, *, axis", take, meaning="elements along the axis at the indices, whose axes take its place",
    derivative=scattered,
    linear=True, analytic=True)
row("scatter_add", "x, indices: int, *, axis, size", scatter_add, cost=1,
    meaning="zeros with the elements of x added at the indices, along that axis of the result: the transpose of take",
    derivative=("take(g, indices, axis=axis)", None), linear=True, sums=gathered, analytic=True)
row("take_along_axis", "x, indices: int, *, axis", take_along_axis, meaning="along the axis the element at each index, all else in place",
    derivative=scattered_along, linear=True, analytic=True)
row("scatter_add_along_axis", "x, indices: int, *, axis, size", scatter_add_along_axis, cost=1,
    meaning="zeros with each element of x added at its index along the axis: the transpose of take_along_axis",
    derivative=("take_along_axis(g, indices, axis=axis)", None), linear=True, sums=gathered_along, analytic=True)
row("one_hot", "indices: int, *, size", one_hot, differentiable=False, meaning="1 at the index along a new last axis, else 0")
row("astype", "x: any", differentiable=False, meaning="an integer or condition as a float")
