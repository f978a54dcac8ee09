"""Shapes: broadcasting, axes and indices, and the shape rules that many operations share.

A shape rule gives the static shape of a result from the shapes of its operands and its parameters, or raises
`GraphError`. Each follows the Python array API standard (2024.12) where that defines the operation.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import EllipsisType
from typing import TypeAlias, cast

from ..words import counted
from .node import GraphError, Param, Shape

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
    entries = cast("tuple[int, ...]", axis if isinstance(axis, tuple) else (axis,))
    axes = tuple(sorted(one_axis(a, rank) for a in entries))
    if len(set(axes)) != len(axes):
        raise GraphError(f"axis {axis} names an axis twice", "each axis once", parameter="axis")
    return axes


def one_axis(axis: object, rank: int, parameter: str = "axis") -> int:
    if not isinstance(axis, int) or not -rank <= axis < rank:
        expected = f"an axis from {-rank} to {rank - 1}" if rank else "no axis: the operand is a scalar"
        raise GraphError(
            f"axis {axis} of an operand with {counted(rank, 'axis', 'axes')}", expected, parameter=parameter
        )
    return axis % rank


@lru_cache(maxsize=4096)
def index_of(text: str) -> Index:
    """A basic index (`0, 1:3, ..., None`) as Python's own objects. Raises ValueError for a text that is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about `1if`, which is refused anyway
            tree = ast.parse(f"x[{text}]", mode="eval").body
    except (SyntaxError, MemoryError, RecursionError):
        raise ValueError(text) from None
    if not isinstance(tree, ast.Subscript) or not isinstance(tree.value, ast.Name):
        raise ValueError(text)
    items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return tuple(map(_item, items))


def _item(tree: ast.expr) -> int | slice | None | EllipsisType:
    if isinstance(tree, ast.Slice):
        start, stop, step = (
            None if part is None else ast.literal_eval(part) for part in (tree.lower, tree.upper, tree.step)
        )
        if step == 0 or not all(part is None or type(part) is int for part in (start, stop, step)):
            raise ValueError(ast.unparse(tree))
        return slice(start, stop, step)
    item = ast.literal_eval(tree)
    if item is None or item is Ellipsis or type(item) is int:
        return cast("int | None | EllipsisType", item)
    raise ValueError(ast.unparse(tree))


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


def given(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    shape = cast(Shape, p["shape"])
    if min(shape, default=0) < 0:
        raise GraphError(f"shape={list(shape)}", "lengths that are not negative", parameter="shape")
    return shape


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
