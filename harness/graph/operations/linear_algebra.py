"""Linear algebra: sums of products.

A product of inner length n may lose n u |X||Y|: cost 1 for each product and addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import broadcast, einsum_terms
from ..symbol import Symbol, f, repeated, reshaped
from .operation import row


def matmul(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    a, b = shapes
    if not a or not b:
        raise GraphError("a scalar operand of `@`", "vectors, matrices or batches of matrices", "use `*`")
    inner = b[max(len(b) - 2, 0)]
    if a[-1] != inner:
        raise GraphError(
            f"shapes {a} and {b} in a matrix product",
            f"{counted(a[-1], 'row')} on the right, as the left has {counted(a[-1], 'column')}",
            "swap the axes of one of them, by `matrix_transpose`",
        )
    return broadcast(a[:-2], b[:-2]) + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


def inner_length(a: Shape, b: Shape) -> int:
    return a[-1]


def of_matmul(g: Symbol, y: Symbol, a: Symbol, b: Symbol) -> tuple[Symbol, Symbol]:
    """dA = G B^T, dB = A^T G (Giles 2008, section 2.2.2), vectors being a row and a column."""
    if len(a.shape) == 1 and len(b.shape) == 1:
        return g * b, g * a
    if len(a.shape) == 1:
        row = f.expand_dims(g, axis=-2)
        return f.sum(row * b, axis=-1), f.expand_dims(a, axis=1) * row
    if len(b.shape) == 1:
        column = f.expand_dims(g, axis=-1)
        return column * b, f.matrix_transpose(a) @ g if len(a.shape) == 2 else f.sum(a * column, axis=-2)
    return g @ f.matrix_transpose(b), f.matrix_transpose(a) @ g


def vecdot(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    axis = p["axis"]
    if not isinstance(axis, int) or axis >= 0:
        raise GraphError(f"axis={axis}", "a negative axis, counted after broadcasting", parameter="axis")
    lengths = [shape[axis] if len(shape) >= -axis else -1 for shape in shapes]
    if -1 in lengths or lengths[0] != lengths[1]:
        raise GraphError(f"shapes {shapes[0]} and {shapes[1]}", f"the same length along axis {axis}")
    common = broadcast(*shapes)
    return common[:axis] + common[len(common) + axis + 1 :]


def outer(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if any(len(shape) != 1 for shape in shapes):
        raise GraphError(f"shapes {shapes[0]} and {shapes[1]} in outer", "two vectors")
    return shapes[0] + shapes[1]


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


def contracted(*shapes: Shape, subscripts: str) -> int:
    """Products of k factors round k - 1 times, and one sum runs over every index that is contracted."""
    terms, output = einsum_terms(subscripts)
    lengths = {
        letter: n for term, shape in zip(terms, shapes, strict=True) for letter, n in zip(term, shape, strict=True)
    }
    summed = prod(n for letter, n in lengths.items() if letter not in output)
    return summed + len(terms) - 2 if summed > 1 or len(terms) > 1 else 0


def pairs(*shapes: Shape, subscripts: str) -> int:
    """Two operands at a time."""
    return max(len(shapes) - 2, 0)


def of_einsum(g: Symbol, y: Symbol, *xs: Symbol, subscripts: str) -> list[Symbol]:
    """For each operand the others and g, contracted to its indices; those it alone has are repeated."""
    terms, output = einsum_terms(subscripts)
    results: list[Symbol] = []
    for k, term in enumerate(terms):
        others = [other for place, other in enumerate(terms) if place != k]
        present = set(output).union(*others)
        kept = "".join(letter for letter in term if letter in present)
        operands = [x for place, x in enumerate(xs) if place != k]
        result = f.einsum(g, *operands, subscripts=",".join([output, *others]) + "->" + kept)
        if kept != term:
            shape = tuple(n if letter in present else 1 for letter, n in zip(term, xs[k].shape, strict=True))
            result = repeated(reshaped(result, shape), xs[k].shape)
        results.append(result)
    return results


def linear(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, weight, *bias = shapes
    if not x or len(weight) != 2 or x[-1] != weight[1]:
        raise GraphError(f"x {x} and weight {weight} in linear", "weight (out, in) with in = the last axis of x")
    result = (*x[:-1], weight[0])
    if bias and bias[0] != weight[:1]:
        raise GraphError(f"bias {bias[0]} in linear", f"{weight[:1]}")
    return result


# fmt: off
row("matmul", "a, b", matmul, cost=1, operator="@", meaning="matrix product of the last two axes; a vector is a row or a column",
    derivative=of_matmul, linear=True, sums=inner_length, products=True, analytic=True)
row("vecdot", "a, b, *, axis=-1", vecdot, definition="sum(a * b, axis=axis)", products=True)
row("outer", "a, b", outer, definition="expand_dims(a, axis=1) * expand_dims(b, axis=0)")
row("einsum", "*xs, subscripts", einsum, cost=1, meaning="sum of products over the indices that the output does not name",
    derivative=of_einsum, linear=True, sums=contracted, joints=pairs, products=True, analytic=True)
row("linear", "x, weight, bias=None", linear, products=True, bias_axis=-1,
    definition=lambda p: "x @ matrix_transpose(weight)" + ("" if p["bias"] is None else " + bias"))
