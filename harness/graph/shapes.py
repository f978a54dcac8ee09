"""Shape rules: the static shape of a result from the shapes of its operands and its parameters.

Each rule follows the Python array API standard (2024.12) where that defines the operation. A rule
raises `GraphError`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import prod
from types import EllipsisType
from typing import TypeAlias, cast

from ..words import counted
from .graph import GraphError, Param, Shape

Index: TypeAlias = tuple["int | slice | None | EllipsisType", ...]
ShapeRule: TypeAlias = Callable[[Sequence[Shape], Mapping[str, Param]], Shape]


def broadcast(*shapes: Shape) -> Shape:
    """The common shape of broadcasting, as the array API defines it."""
    result: list[int] = []
    for place in range(1, max(map(len, shapes), default=0) + 1):
        lengths = {shape[-place] for shape in shapes if len(shape) >= place} - {1}
        if len(lengths) > 1:
            raise GraphError(
                f"shapes {' and '.join(map(str, shapes))} do not broadcast",
                "axes that are equal, or 1, counted from the last",
                "reshape or expand_dims one of them",
            )
        result.append(lengths.pop() if lengths else 1)
    return tuple(reversed(result))


def axes_of(axis: object, rank: int) -> tuple[int, ...]:
    """The axes that a parameter names, ascending and not negative; None names all of them."""
    if axis is None:
        return tuple(range(rank))
    given = cast("tuple[int, ...]", axis if isinstance(axis, tuple) else (axis,))
    found = tuple(sorted(one_axis(a, rank) for a in given))
    if len(set(found)) != len(found):
        raise GraphError(f"axis {axis} names an axis twice", "each axis once", parameter="axis")
    return found


def one_axis(axis: object, rank: int, parameter: str = "axis") -> int:
    if not isinstance(axis, int) or not -rank <= axis < rank:
        expected = f"an axis from {-rank} to {rank - 1}" if rank else "no axis: the operand is a scalar"
        raise GraphError(
            f"axis {axis} of an operand with {counted(rank, 'axis', 'axes')}", expected, parameter=parameter
        )
    return axis % rank


@lru_cache(maxsize=4096)
def index_of(text: str) -> Index:
    """A basic index (`0, 1:3, ..., None`) as Python's own objects."""
    tree = ast.parse(f"x[{text}]", mode="eval").body
    assert isinstance(tree, ast.Subscript)
    items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]

    def number(item: ast.expr | None) -> int | None:
        return None if item is None else cast("int | None", ast.literal_eval(item))

    return tuple(
        slice(number(item.lower), number(item.upper), number(item.step))
        if isinstance(item, ast.Slice)
        else cast("int | None | EllipsisType", ast.literal_eval(item))
        for item in items
    )


def same(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """The shape of the first operand; an axis must be one of its own."""
    if "axis" in p:
        axes_of(p["axis"], len(shapes[0]))
    for extra in shapes[1:]:
        if broadcast(shapes[0], extra) != shapes[0]:
            raise GraphError(f"shape {extra}", f"one that broadcasts to {shapes[0]}")
    return shapes[0]


def elementwise(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    return shapes[0] if len(shapes) == 1 else broadcast(*shapes)


def scalar(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    broadcast(*shapes)
    return ()


def given(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    return cast(Shape, p["shape"])


def reduction(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axes = axes_of(p["axis"], len(shapes[0]))
    if p["keepdims"]:
        return tuple(1 if i in axes else n for i, n in enumerate(shapes[0]))
    return tuple(n for i, n in enumerate(shapes[0]) if i not in axes)


def extremum(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """A reduction that has no value over an empty axis."""
    empty = [axis for axis in axes_of(p["axis"], len(shapes[0])) if not shapes[0][axis]]
    if empty:
        found = f"axis {empty[0]} of shape {shapes[0]} is empty"
        raise GraphError(found, "at least one element to choose from", parameter="axis")
    return reduction(shapes, p)


def matmul(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    a, b = shapes
    if not a or not b:
        raise GraphError("a scalar operand of `@`", "vectors, matrices or batches of matrices", "use `*`")
    inner = b[max(len(b) - 2, 0)]
    if a[-1] != inner:
        raise GraphError(
            f"shapes {a} and {b} in a matrix product",
            f"{counted(a[-1], 'row')} on the right, as the left has {counted(a[-1], 'column')}",
            "matrix_transpose one of them",
        )
    return broadcast(a[:-2], b[:-2]) + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


def vecdot(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = p["axis"]
    if not isinstance(axis, int) or axis >= 0:
        raise GraphError(f"axis={axis}", "a negative axis, counted after broadcasting", parameter="axis")
    lengths = [shape[axis] if len(shape) >= -axis else 0 for shape in shapes]
    if lengths[0] != lengths[1]:
        raise GraphError(f"shapes {shapes[0]} and {shapes[1]}", f"the same length along axis {axis}")
    common = broadcast(*shapes)
    return common[:axis] + common[len(common) + axis + 1 :]


def outer(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if any(len(shape) != 1 for shape in shapes):
        raise GraphError(f"shapes {shapes[0]} and {shapes[1]} in outer", "two vectors")
    return shapes[0] + shapes[1]


def einsum_terms(subscripts: str) -> tuple[list[str], str]:
    """The operands' indices and the output's. Implicit output and `...` are not in the language."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = set(left) - {","}
    if not arrow or not all(c.isalpha() and c.isascii() for c in letters | set(output)):
        raise GraphError(
            f"subscripts {subscripts!r}", "letters and commas, then `->` and the output's letters", 'write "ij,jk->ik"'
        )
    if not set(output) <= letters or len(set(output)) != len(output):
        raise GraphError(f"output {output!r} in {subscripts!r}", "each letter once, and one that an operand has")
    return terms, output


def einsum(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    terms, output = einsum_terms(str(p["subscripts"]))
    if len(terms) != len(shapes):
        raise GraphError(counted(len(shapes), "operand"), f"{len(terms)}, as {p['subscripts']!r} has")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            raise GraphError(f"an operand of shape {shape}", f"{counted(len(term), 'axis', 'axes')} for {term!r}")
        if len(set(term)) != len(term):
            raise GraphError(f"{term!r} repeats an index", "each index once per operand", "take the diagonal first")
        for letter, n in zip(term, shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise GraphError(f"index {letter} with lengths {sizes[letter]} and {n}", "one length per index")
    return tuple(sizes[letter] for letter in output)


def linear(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, weight, *bias = shapes
    if not x or len(weight) != 2 or x[-1] != weight[1]:
        raise GraphError(f"x {x} and weight {weight} in linear", "weight (out, in) with in = the last axis of x")
    result = (*x[:-1], weight[0])
    if bias and bias[0] != weight[:1]:
        raise GraphError(f"bias {bias[0]} in linear", f"{weight[:1]}")
    return result


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
    rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rest) > 1:
        raise GraphError(f"shapes {', '.join(map(str, shapes))}", f"equal apart from axis {axis}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def stack(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if len(set(shapes)) > 1:
        raise GraphError(f"shapes {', '.join(map(str, shapes))}", "equal shapes")
    axis = one_axis(p["axis"], len(shapes[0]) + 1)
    return (*shapes[0][:axis], len(shapes), *shapes[0][axis:])


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


def take(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = one_axis(p["axis"], len(shapes[0]))
    if len(shapes[1]) != 1:
        raise GraphError(f"indices of shape {shapes[1]}", "a vector of indices", "reshape it")
    return (*shapes[0][:axis], shapes[1][0], *shapes[0][axis + 1 :])


def scatter_add(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = one_axis(p["axis"], len(shapes[0]))
    if shapes[1] != (shapes[0][axis],):
        raise GraphError(
            f"indices of shape {shapes[1]}", f"({shapes[0][axis]},), one for each element along axis {axis}"
        )
    return (*shapes[0][:axis], cast(int, p["size"]), *shapes[0][axis + 1 :])


def pad(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    widths = cast("tuple[tuple[int, int], ...]", p["widths"])
    if len(widths) != len(shapes[0]) or any(len(w) != 2 or min(w) < 0 for w in widths):
        raise GraphError(
            f"widths={list(map(list, widths))}",
            f"[before, after] for each of {counted(len(shapes[0]), 'axis', 'axes')}, not negative",
            parameter="widths",
        )
    return tuple(n + before + after for n, (before, after) in zip(shapes[0], widths, strict=True))


def one_hot(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    return (*shapes[0], cast(int, p["size"]))


def cross_entropy(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if not shapes[0] or shapes[1] != shapes[0][:-1]:
        raise GraphError(f"x {shapes[0]} and target {shapes[1]}", "x (..., classes) and target (...) of class indices")
    return ()
