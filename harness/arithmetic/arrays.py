"""NumPy arrays and scalars: the namespace that `emit` runs on, one for each dtype.

Enters: arrays of the run's dtype, conditions (bool) and indices (int64). What comes out has the dtype of
what came in: a constant is a number of the run's dtype, and no function widens float32. Each operation in
bfloat16 or float16 runs in float32 and rounds its result once, as hardware and libraries do. Nothing here
silences a warning for good: where IEEE arithmetic may give inf or NaN, the caller opens `np.errstate`.
Imports NumPy and `special`; no SciPy, no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..records.evaluation import DTYPES
from . import special

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = "int | tuple[int, ...] | None"
Pair: TypeAlias = tuple[int, int]


def same(x: Array) -> Array:
    return x


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), by the exponential that does not overflow."""
    e = np.exp(np.copysign(x, -1.0))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def softplus(x: Array) -> Array:
    return np.logaddexp(x, 0.0)


# --- reductions --------------------------------------------------------------------------------------


def sum_(x: Array, *, axis: Axis, keepdims: bool) -> Array:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


def max_(x: Array, *, axis: Axis, keepdims: bool) -> Array:
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


def max_share(x: Array, *, axis: Axis) -> Array:
    """1 / (number of largest) at each largest element over the axes, else 0."""
    x = np.asarray(x)
    largest = (x == np.maximum.reduce(x, axis=axis, keepdims=True)).astype(x.dtype)
    return largest / np.add.reduce(largest, axis=axis, keepdims=True)


# --- linear algebra --------------------------------------------------------------------------------------


def einsum(*xs: Array, subscripts: str) -> Array:
    return np.einsum(subscripts, *xs, optimize=len(xs) > 2)


def correlate2d(x: Array, weight: Array, *, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
    """y[n, o, i, j] = sum over c, k, l of x[n, c, i s + k d - p, j s + l d - p] weight[o, c, k, l]."""
    columns, (height, width) = _columns(x, (weight.shape[2], weight.shape[3]), stride, padding, dilation, groups)
    rows = weight.reshape(groups, weight.shape[0] // groups, -1)
    y = rows @ columns
    return y.reshape(weight.shape[0], x.shape[0], height, width).swapaxes(0, 1)


def correlate2d_weight(
    g: Array, x: Array, *, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The transpose of correlate2d in its weight."""
    columns, _ = _columns(x, (shape[2], shape[3]), stride, padding, dilation, groups, (g.shape[2], g.shape[3]))
    return (_grouped(g, groups) @ columns.mT).reshape(shape)


def correlate2d_input(
    g: Array, weight: Array, *, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The transpose of correlate2d in its input: each offset of the kernel adds its part to a padded image."""
    batch, channels, height, width = shape
    rows = weight.reshape(groups, weight.shape[0] // groups, -1)
    parts = (rows.mT @ _grouped(g, groups)).reshape(channels, *weight.shape[2:], batch, *g.shape[2:])
    padded = np.zeros((channels, batch, height + 2 * padding[0], width + 2 * padding[1]), g.dtype)
    for k in range(weight.shape[2]):
        for m in range(weight.shape[3]):
            places = tuple(
                slice(offset * d, offset * d + s * n, s)
                for offset, d, s, n in zip((k, m), dilation, stride, g.shape[2:], strict=True)
            )
            padded[:, :, *places] += parts[:, k, m]
    return padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width].swapaxes(0, 1)


def _grouped(g: Array, groups: int) -> Array:
    """(batch, out, h, w) as (groups, out of a group, batch h w)."""
    return g.swapaxes(0, 1).reshape(groups, g.shape[1] // groups, -1)


def _columns(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int, size: Pair | None = None
) -> tuple[Array, Pair]:
    """What the kernel sees at each place, as (groups, channels of a group k l, batch i j), and how many i and j."""
    rows, columns = padding
    padded = pad(x, widths=((0, 0), (0, 0), (rows, rows), (columns, columns)), value=0) if any(padding) else x
    seen = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(padded, seen, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    if size is not None:
        windows = windows[:, :, : size[0], : size[1]]
    count = (windows.shape[2], windows.shape[3])
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape(
        groups, x.shape[1] // groups * kernel[0] * kernel[1], x.shape[0] * count[0] * count[1]
    ), count


# --- shape and selection -----------------------------------------------------------------------------------


def permute_dims(x: Array, *, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


def matrix_transpose(x: Array) -> Array:
    return x.mT


def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    return x.reshape(shape)


def squeeze(x: Array, *, axis: Axis) -> Array:
    return x.squeeze(axis)


def getitem(x: Array, *, index: tuple[Any, ...]) -> Array:
    return x[index]


def place(x: Array, *, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    """Zeros of the shape with x at [index]."""
    result = np.zeros(shape, x.dtype)
    result[index] = x
    return result


def pad(x: Array, *, widths: tuple[Pair, ...], value: float) -> Array:
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    result = np.full(shape, value, x.dtype)
    result[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
    return result


def take(x: Array, indices: Array, *, axis: int) -> Array:
    return np.take(x, indices, axis=axis)


def scatter_add(x: Array, indices: Array, *, axis: int, size: int) -> Array:
    """Zeros with the elements of x added at the indices along that axis of the result."""
    rank = np.ndim(indices)
    axis %= x.ndim - rank + 1
    moved = np.moveaxis(x, range(axis, axis + rank), range(rank))
    result = np.zeros((size, *moved.shape[rank:]), x.dtype)
    np.add.at(result, indices, moved)
    return np.moveaxis(result, 0, axis)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    return np.take_along_axis(x, indices, axis=axis)


def scatter_add_along_axis(x: Array, indices: Array, *, axis: int, size: int) -> Array:
    """Zeros with each element of x added at its index along that axis."""
    result = np.zeros(tuple(size if a == axis % x.ndim else n for a, n in enumerate(x.shape)), x.dtype)
    places: Any = np.indices(x.shape)
    places[axis] = indices
    np.add.at(result, tuple(places), x)
    return result


def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """A filled array rather than a view: it is made faster, and later operations run on it faster."""
    result = np.empty(shape, x.dtype)
    result[...] = x
    return result


def expand_dims(x: Array, *, axis: int) -> Array:
    ahead = (slice(None),) * axis if axis >= 0 else (...,)
    behind = (slice(None),) * (-1 - axis)
    return x[(*ahead, None, *behind)]


def concat(*xs: Array, axis: int) -> Array:
    return np.concatenate(xs, axis=axis)


def stack(*xs: Array, axis: int) -> Array:
    return np.stack(xs, axis=axis)


HALVES = ("bfloat16", "float16")

COMMON: Mapping[str, Any] = {
    # --- arithmetic
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "negative": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "pow": np.pow,
    "hypot": np.hypot,
    # --- exponentials and logarithms
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "logaddexp": np.logaddexp,
    # --- trigonometric and hyperbolic
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.asin,
    "acos": np.acos,
    "atan": np.atan,
    "atan2": np.atan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.asinh,
    "acosh": np.acosh,
    "atanh": np.atanh,
    # --- special functions
    "erf": special.erf,
    "erfc": special.erfc,
    "lgamma": special.lgamma,
    "digamma": special.digamma,
    "polygamma": special.polygamma,
    "sigmoid": sigmoid,
    "softplus": softplus,
    # --- choice
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": np.where,
    "floor": np.floor,
    "ceil": np.ceil,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "stop_gradient": same,
    "copy": same,
    # --- reductions
    "sum": sum_,
    "max": max_,
    "max_share": max_share,
    "cumsum": np.cumsum,
    # --- linear algebra
    "matmul": np.matmul,
    "einsum": einsum,
    "correlate2d": correlate2d,
    "correlate2d_input": correlate2d_input,
    "correlate2d_weight": correlate2d_weight,
    # --- shape and selection
    "permute_dims": permute_dims,
    "matrix_transpose": matrix_transpose,
    "reshape": reshape,
    "broadcast_to": broadcast_to,
    "expand_dims": expand_dims,
    "squeeze": squeeze,
    "concat": concat,
    "stack": stack,
    "getitem": getitem,
    "place": place,
    "take": take,
    "scatter_add": scatter_add,
    "take_along_axis": take_along_axis,
    "scatter_add_along_axis": scatter_add_along_axis,
    "flip": np.flip,
    "roll": np.roll,
    "pad": pad,
}


@lru_cache
def namespace(dtype: str) -> Mapping[str, Any]:
    """Every primitive operation, and what depends on the dtype: constants and what makes floats of indices.

    NumPy's bfloat16 becomes float32 beside a Python number, so programs in it are emitted without operators.
    """
    number = DTYPES[dtype].type

    def constant(text: str) -> Any:
        sign, name = (-1, text[1:]) if text.startswith("-") else (1, text)
        return number(sign * {"pi": np.pi, "e": np.e}[name] if name in ("pi", "e") else text)

    def astype(x: Array) -> Array:
        return x.astype(number)

    def one_hot(indices: Array, *, size: int) -> Array:
        return (np.asarray(indices)[..., None] == np.arange(size)).astype(number)

    common = {name: in_float32(function, number) for name, function in COMMON.items()} if dtype in HALVES else COMMON
    return {**common, "constant": constant, "astype": astype, "one_hot": one_hot}


def in_float32(function: Callable[..., Array], half: Any) -> Callable[..., Array]:
    """A function of half precision: computed from its operands as float32, the result rounded once."""

    def wrapped(*operands: Array, **parameters: Any) -> Array:
        result = function(*(x.astype(np.float32) if x.dtype == half else x for x in operands), **parameters)
        return result.astype(half) if result.dtype == np.float32 else result

    return wrapped
