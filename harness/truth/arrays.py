"""Arrays of exact numbers: the operations that move, add and multiply elements and nothing else.

They hold for every kind of number in NumPy object arrays that has `+` and `*`, and for float64; `structural` is
told how two matrices of it are multiplied. Operands are arrays or, for shape (), bare numbers; indices are
NumPy integer arrays. Parameters follow the rows of `graph/operations/`, shapes were checked there.
"""

# The table has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias, cast

import numpy as np
from flint import arb
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..graph.shapes import axes_of, einsum_terms

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., Any]
Pair: TypeAlias = "tuple[int, int]"

ZERO, ONE = arb(0), arb(1)


def array(x: Any) -> Array:
    """An operand as an array, a bare number as one of shape (): of objects, since a series is a sequence to NumPy."""
    if isinstance(x, np.ndarray | np.floating):  # what NumPy makes of an array of shape () is a float
        return np.asarray(cast(Array, x))
    cell = np.empty((), dtype=object)
    cell[()] = x
    return cell


def filled(shape: Sequence[int], value: Any = ZERO, like: Array | None = None) -> Array:
    """An array of one number; of floats where it goes with an array `like` that has floats."""
    plain = like is not None and like.dtype.kind == "f"
    result = np.empty(tuple(shape), dtype=np.float64 if plain else object)
    result.fill(value)
    return result


def structural(product: Callable[[Array, Array], Array]) -> dict[str, Function]:
    """The operations by name; `product` multiplies two matrices."""

    def matmul(a: Any, b: Any) -> Any:
        a, b = array(a), array(b)
        left = a[None, :] if a.ndim == 1 else a
        right = b[:, None] if b.ndim == 1 else b
        result = _batched(product, left, right)
        if b.ndim == 1:
            result = result[..., 0]
        return result[..., 0, :] if a.ndim == 1 and b.ndim > 1 else result[..., 0] if a.ndim == 1 else result

    def einsum(*xs: Any, subscripts: str) -> Any:
        return _einsum(product, [array(x) for x in xs], subscripts)

    return {
        "copy": lambda x: x,
        "stop_gradient": lambda x: x,
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "negative": np.negative,
        "sum": lambda x, *, axis, keepdims: _total(array(x), axis, keepdims),
        "cumsum": lambda x, *, axis: np.add.accumulate(array(x), axis=axis),
        "matmul": matmul,
        "einsum": einsum,
        **_convolution(product),
        "permute_dims": lambda x, *, axes: np.transpose(array(x), axes),
        "matrix_transpose": lambda x: np.swapaxes(array(x), -1, -2),
        "reshape": lambda x, *, shape: np.reshape(array(x), shape),
        "broadcast_to": lambda x, *, shape: np.broadcast_to(array(x), shape),
        "expand_dims": lambda x, *, axis: np.expand_dims(array(x), axis),
        "squeeze": lambda x, *, axis: np.squeeze(array(x), axis),
        "concat": lambda *xs, axis: np.concatenate([array(x) for x in xs], axis=axis),
        "stack": lambda *xs, axis: np.stack([array(x) for x in xs], axis=axis),
        "getitem": lambda x, *, index: array(x)[_open(index)],
        "place": _place,
        "take": lambda x, indices, *, axis: np.take(array(x), indices, axis=axis),
        "scatter_add": _scatter_add,
        "take_along_axis": lambda x, indices, *, axis: np.take_along_axis(array(x), indices, axis=axis),
        "scatter_add_along_axis": _scatter_add_along_axis,
        "flip": lambda x, *, axis: np.flip(array(x), axis),
        "roll": lambda x, *, shift, axis: np.roll(array(x), shift, axis),
        "one_hot": _one_hot,
    }


def grouped(x: Any, axis: object) -> Array:
    """The elements over the axes along one last axis: shape (kept..., reduced)."""
    x = array(x)
    axes = axes_of(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    return np.transpose(x, (*kept, *axes)).reshape([x.shape[i] for i in kept] + [prod(x.shape[i] for i in axes)])


def ungrouped(groups: Array, axis: object, shape: Sequence[int]) -> Array:
    """`grouped` undone."""
    axes = axes_of(axis, len(shape))
    kept = [i for i in range(len(shape)) if i not in axes]
    order = [*kept, *axes]
    return np.transpose(groups.reshape([shape[i] for i in order]), np.argsort(order))


def reduced(function: np.ufunc, x: Any, axis: object, keepdims: bool) -> Any:
    """A reduction by a function of two elements, over any axes, none of them empty."""
    x = array(x)
    result = array(function.reduce(grouped(x, axis), axis=-1))
    return np.expand_dims(result, axes_of(axis, x.ndim)) if keepdims else result


def _total(x: Array, axis: object, keepdims: bool) -> Any:
    axes = axes_of(axis, x.ndim)
    return np.add.reduce(x, axis=axes, keepdims=keepdims, initial=0 if x.dtype.kind == "f" else ZERO) if axes else x


# --- products -----------------------------------------------------------------------------------------


def _batched(product: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows, columns = a.shape[-2], b.shape[-1]
    if not batch:
        return product(a, b)
    count = prod(batch)
    a = np.broadcast_to(a, batch + a.shape[-2:]).reshape(count, *a.shape[-2:])
    b = np.broadcast_to(b, batch + b.shape[-2:]).reshape(count, *b.shape[-2:])
    result = filled((count, rows, columns), like=a)
    for k in range(count):
        result[k] = product(a[k], b[k])
    return result.reshape(*batch, rows, columns)


def _einsum(product: Callable[[Array, Array], Array], xs: list[Array], subscripts: str) -> Any:
    """Pairwise from the left, each pair as a batch of matrix products."""
    terms, output = einsum_terms(subscripts)
    x, term = xs[0], terms[0]
    for k in range(1, len(xs)):
        wanted = set(output).union(*terms[k + 1 :])
        x, term = _contracted(product, x, term, xs[k], terms[k], wanted)
    x, term = _dropped(x, term, set(output))
    return np.transpose(x, [term.index(letter) for letter in output])


def _dropped(x: Array, term: str, wanted: set[str]) -> tuple[Array, str]:
    """Summed over the indices that nobody else wants."""
    axes = tuple(i for i, letter in enumerate(term) if letter not in wanted)
    return array(_total(x, axes, False)), "".join(letter for letter in term if letter in wanted)


def _contracted(
    product: Callable[[Array, Array], Array], a: Array, left: str, b: Array, right: str, wanted: set[str]
) -> tuple[Array, str]:
    a, left = _dropped(a, left, wanted | set(right))
    b, right = _dropped(b, right, wanted | set(left))
    shared = [letter for letter in left if letter in right]
    batch = [letter for letter in shared if letter in wanted]
    inner = [letter for letter in shared if letter not in wanted]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    lengths = dict(zip(left + right, a.shape + b.shape, strict=True))

    def arranged(x: Array, term: str, *parts: list[str]) -> Array:
        order = [term.index(letter) for part in parts for letter in part]
        return np.transpose(x, order).reshape([prod(lengths[letter] for letter in part) for part in parts])

    result = _batched(product, arranged(a, left, batch, rows, inner), arranged(b, right, batch, inner, columns))
    kept = [*batch, *rows, *columns]
    return result.reshape([lengths[letter] for letter in kept]), "".join(kept)


def _convolution(product: Callable[[Array, Array], Array]) -> dict[str, Function]:
    """Correlation as a product with the matrix of windows (im2col), and its two transposes."""

    def forward(x: Any, weight: Any, *, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Any:
        outputs = weight.shape[0] // groups
        windows = _windows(x, weight.shape, stride, padding, dilation)
        n, _, rows, columns = windows.shape[:4]
        parts = [
            product(_columns(windows, groups, k), weight[k * outputs : (k + 1) * outputs].reshape(outputs, -1).T)
            for k in range(groups)
        ]
        return np.concatenate(parts, axis=1).reshape(n, rows, columns, -1).transpose(0, 3, 1, 2)

    def transposed_weight(
        g: Any, x: Any, *, shape: Sequence[int], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Any:
        windows = _windows(x, shape, stride, padding, dilation)[:, :, : g.shape[2], : g.shape[3]]
        parts = [product(_rows(g, groups, k), _columns(windows, groups, k)) for k in range(groups)]
        return np.concatenate(parts, axis=0).reshape(tuple(shape))

    def transposed_input(
        g: Any, weight: Any, *, shape: Sequence[int], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Any:
        outputs, channels, height, width = weight.shape
        n, _, rows, columns = g.shape
        image = filled((shape[0], shape[1], shape[2] + 2 * padding[0], shape[3] + 2 * padding[1]), like=g)
        for k in range(groups):
            part = weight[k * (outputs // groups) : (k + 1) * (outputs // groups)]
            spread = product(_rows(g, groups, k).T, part.reshape(outputs // groups, -1))
            spread = spread.reshape(n, rows, columns, channels, height, width)
            group = image[:, k * channels : (k + 1) * channels]
            for i in range(height):
                for j in range(width):
                    down = slice(i * dilation[0], i * dilation[0] + (rows - 1) * stride[0] + 1, stride[0])
                    right = slice(j * dilation[1], j * dilation[1] + (columns - 1) * stride[1] + 1, stride[1])
                    group[:, :, down, right] += spread[..., i, j].transpose(0, 3, 1, 2)
        return image[:, :, padding[0] : padding[0] + shape[2], padding[1] : padding[1] + shape[3]]

    return {"correlate2d": forward, "correlate2d_weight": transposed_weight, "correlate2d_input": transposed_input}


def _windows(x: Array, weight: Sequence[int], stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """windows[n, c, i, j, k, l] = x[n, c, i s + k d - p, j s + l d - p], zero outside."""
    span = [dilation[i] * (weight[2 + i] - 1) + 1 for i in range(2)]
    padded = pad(x, widths=((0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])), value=ZERO)
    windows = sliding_window_view(padded, span, axis=(2, 3))  # pyright: ignore[reportCallIssue, reportArgumentType]
    return windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def _columns(windows: Array, groups: int, k: int) -> Array:
    """The windows of the k-th group of channels: (n i j, c k l)."""
    channels = windows.shape[1] // groups
    group = windows[:, k * channels : (k + 1) * channels].transpose(0, 2, 3, 1, 4, 5)
    return group.reshape(prod(group.shape[:3]), -1)


def _rows(g: Array, groups: int, k: int) -> Array:
    """The adjoints of the k-th group of outputs: (o, n i j)."""
    outputs = g.shape[1] // groups
    return g[:, k * outputs : (k + 1) * outputs].transpose(1, 0, 2, 3).reshape(outputs, -1)


# --- selection ----------------------------------------------------------------------------------------


def pad(x: Any, *, widths: Sequence[Sequence[int]], value: Any) -> Any:
    x = array(x)
    result = filled([n + sum(around) for n, around in zip(x.shape, widths, strict=True)], value, like=x)
    result[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
    return result


def _open(index: Any) -> Any:
    """The index with an ellipsis, so that what it selects stays an array even when it is one element."""
    return index if any(item is Ellipsis for item in index) else (*index, ...)


def _place(x: Any, *, index: Any, shape: Sequence[int]) -> Any:
    x = array(x)
    result = filled(shape, like=x)
    result[_open(index)][...] = x
    return result


def _scatter_add(x: Any, indices: Any, *, axis: int, size: int) -> Any:
    x, where = array(x), np.asarray(indices)
    axis %= x.ndim - where.ndim + 1
    x = np.moveaxis(x, range(axis, axis + where.ndim), range(where.ndim))
    result = filled((size, *x.shape[where.ndim :]))
    for place in np.ndindex(where.shape):
        result[where[place]] = result[where[place]] + x[place]
    return np.moveaxis(result, 0, axis)


def _scatter_add_along_axis(x: Any, indices: Any, *, axis: int, size: int) -> Any:
    x, where = array(x), np.asarray(indices)
    axis %= x.ndim
    result = filled((*x.shape[:axis], size, *x.shape[axis + 1 :]))
    for place in np.ndindex(x.shape):
        there = (*place[:axis], where[place], *place[axis + 1 :])
        result[there] = result[there] + x[place]
    return result


def _one_hot(indices: Any, *, size: int) -> Any:
    hot = np.asarray(indices)[..., None] == np.arange(size)
    return np.where(hot, array(ONE), array(ZERO))
