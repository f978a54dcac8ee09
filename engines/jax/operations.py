"""JAX's vocabulary: for each operation what its users would call.

One row per operation, under JAX's own name wherever JAX has it. The scripts that `gradaccord show` writes copy rows
from here, with all that these read.
"""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from ...harness.graph.define import runnable
from ...harness.graph.emit import missing
from ...harness.graph.expand import expanded
from ...harness.graph.graph import Graph
from ...harness.graph.native import functions as native_functions
from ...harness.graph.node import Node
from ...harness.graph.operations import OPERATIONS as VOCABULARY
from ...harness.records.evaluation import DTYPES, Unsupported
from .losses import binary_cross_entropy, cross_entropy, huber_loss, kl_div, nll_loss, reduced, with_logits
from .native import resolve

ABSENT: Mapping[str, str] = {"max_share": "no counterpart: exists for the hand-written engine's rules"}


def affine(y: Any, weight: Any, bias: Any, *, channels: int = 0) -> Any:
    """`channels`: how many axes stand behind that of the channels, which weight and bias are for."""
    behind = (..., *[None] * channels)
    y = y if weight is None else y * weight[behind]
    return y if bias is None else y + bias[behind]


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, axis: Any, eps: float) -> Any:
    return affine(jax.nn.standardize(x, axis=axis, epsilon=eps), weight, bias)


def rms_norm(x: Any, weight: Any = None, *, axis: Any, eps: float) -> Any:
    return affine(x * lax.rsqrt(jnp.mean(jnp.square(x), axis=axis, keepdims=True) + eps), weight, None)


def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    axes = (0, *range(2, x.ndim))
    return affine(jax.nn.standardize(x, axis=axes, epsilon=eps), weight, bias, channels=x.ndim - 2)


def batch_norm_evaluation(x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    mean, var = (lax.stop_gradient(held)[(..., *[None] * (x.ndim - 2))] for held in (mean, var))
    y = jax.nn.standardize(x, mean=mean, variance=var, epsilon=eps)
    return affine(y, weight, bias, channels=x.ndim - 2)


def group_norm(x: Any, weight: Any = None, bias: Any = None, *, groups: int, eps: float) -> Any:
    y = jax.nn.standardize(x.reshape(x.shape[0], groups, -1), axis=-1, epsilon=eps)
    return affine(y.reshape(x.shape), weight, bias, channels=x.ndim - 2)


def instance_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    y = jax.nn.standardize(x, axis=tuple(range(2, x.ndim)), epsilon=eps)
    return affine(y, weight, bias, channels=x.ndim - 2)


def pixel_shuffle(x: Any, *, factor: int) -> Any:
    *batch, channels, height, width = x.shape
    y = x.reshape(*batch, channels // factor**2, factor, factor, height, width)
    y = jnp.moveaxis(y, (-4, -3), (-3, -1))
    return y.reshape(*batch, channels // factor**2, height * factor, width * factor)


def enlarged(x: Any, factor: int, method: str) -> Any:
    return jax.image.resize(x, (*x.shape[:2], *(n * factor for n in x.shape[2:])), method)


def attention(query: Any, key: Any, value: Any, mask: Any = None, *, causal: bool, scale: float | None) -> Any:
    """JAX has heads behind positions, and one batch axis: (batch, positions, heads, features)."""
    batch = jnp.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])

    def heads_last(x: Any) -> Any:
        return jnp.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, 1, *x.shape[-2:]).swapaxes(1, 2)

    more = {}
    if mask is not None:
        full = jnp.broadcast_to(mask, (*batch, query.shape[-2], key.shape[-2]))
        more = {"mask" if mask.dtype == bool else "bias": full.reshape(-1, 1, *full.shape[-2:])}
    y = jax.nn.dot_product_attention(*map(heads_last, (query, key, value)), scale=scale, is_causal=causal, **more)
    return y.swapaxes(1, 2).reshape(*batch, query.shape[-2], value.shape[-1])


def embedding(indices: Any, weight: Any, *, padding_index: int | None) -> Any:
    if padding_index is not None:
        weight = weight.at[padding_index].set(lax.stop_gradient(weight[padding_index]))
    return jnp.take(weight, indices, axis=0)


def correlate2d(x: Any, weight: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return lax.conv_general_dilated(
        x, weight, stride, [(n, n) for n in padding], rhs_dilation=dilation, feature_group_count=groups
    )


def hardtanh(x: Any, *, min_val: float, max_val: float) -> Any:
    return jax.nn.hard_tanh(x) if (min_val, max_val) == (-1, 1) else jnp.clip(x, min_val, max_val)


def conv1d(x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    stride, padding, dilation = stride[-1:], padding[-1:], dilation[-1:]
    y = correlate2d(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return affine(y, None, bias, channels=1)


def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    output_padding: Any,
) -> Any:
    """`lax.conv_transpose` pads what it dilated, and knows no groups: these are done one by one."""
    rank = x.ndim - 2
    layout = ("NCW", "OIW", "NCW") if rank == 1 else ("NCHW", "OIHW", "NCHW")
    sides = zip(weight.shape[2:], *(s[-rank:] for s in (padding, dilation, output_padding)), strict=True)
    around = [(d * (k - 1) - p, d * (k - 1) - p + more) for k, p, d, more in sides]
    parts = [
        lax.conv_transpose(part, kernel, stride[-rank:], around, dilation[-rank:], layout, transpose_kernel=True)
        for part, kernel in zip(jnp.split(x, groups, axis=1), jnp.split(weight, groups), strict=True)
    ]
    return affine(jnp.concatenate(parts, axis=1), None, bias, channels=rank)


def windows(x: Any, start: Any, combine: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    rank = x.ndim - 2
    sizes, steps, dilation = ((1, 1, *pair[-rank:]) for pair in (kernel, stride or kernel, dilation))
    around = [(0, 0), (0, 0), *((n, n) for n in padding[-rank:])]
    return lax.reduce_window(x, start, combine, sizes, steps, around, window_dilation=dilation)


def max_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return windows(x, -jnp.inf, lax.max, kernel, stride, padding, dilation)


def avg_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, count_include_pad: bool) -> Any:
    total = windows(x, 0.0, lax.add, kernel, stride, padding, (1, 1))
    if count_include_pad:
        return total / prod(kernel[4 - x.ndim :])
    return total / windows(jnp.ones_like(x), 0.0, lax.add, kernel, stride, padding, (1, 1))


def unfold(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """By slices: XLA ends the process where it compiles the derivative of some `conv_general_dilated_patches`."""
    padded = jnp.pad(x, [(0, 0), (0, 0), *((n, n) for n in padding)])
    rows, columns = (
        (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    )
    places = [
        padded[:, :, i : i + stride[0] * (rows - 1) + 1 : stride[0], j : j + stride[1] * (columns - 1) + 1 : stride[1]]
        for i in range(0, kernel[0] * dilation[0], dilation[0])
        for j in range(0, kernel[1] * dilation[1], dilation[1])
    ]
    return jnp.stack(places, axis=2).reshape(x.shape[0], -1, rows * columns)


def adaptive_avg_pool(x: Any, *, output_size: Any) -> Any:
    sizes = output_size[4 - x.ndim :]
    tiles = [n for length, size in zip(x.shape[2:], sizes, strict=True) for n in (size, length // size)]
    return jnp.mean(x.reshape(*x.shape[:2], *tiles), axis=(3, 5)[: len(sizes)])


def conv2d(x: Any, weight: Any, bias: Any = None, **parameters: Any) -> Any:
    y = correlate2d(x, weight, **parameters)
    return y if bias is None else y + bias[:, None, None]


def correlate2d_input(g: Any, weight: Any, *, shape: Any, **parameters: Any) -> Any:
    return jax.vjp(lambda x: correlate2d(x, weight, **parameters), jnp.zeros(shape, g.dtype))[1](g)[0]


def correlate2d_weight(g: Any, x: Any, *, shape: Any, **parameters: Any) -> Any:
    return jax.vjp(lambda weight: correlate2d(x, weight, **parameters), jnp.zeros(shape, g.dtype))[1](g)[0]


def scatter_add(x: Any, indices: Any, *, axis: int, size: int) -> Any:
    axis %= x.ndim - indices.ndim + 1
    moved = jnp.moveaxis(x, range(axis, axis + indices.ndim), range(indices.ndim))
    return jnp.moveaxis(jnp.zeros((size, *moved.shape[indices.ndim :]), x.dtype).at[indices].add(moved), 0, axis)


def scatter_add_along_axis(x: Any, indices: Any, *, axis: int, size: int) -> Any:
    places = list(jnp.indices(x.shape, sparse=True))
    places[axis] = indices
    shape = tuple(size if a == axis % x.ndim else n for a, n in enumerate(x.shape))
    return jnp.zeros(shape, x.dtype).at[tuple(places)].add(x)


DIFFERENT: Mapping[str, Any] = {
    # arithmetic
    "pow": jnp.power,
    "rsqrt": lax.rsqrt,
    # special functions
    "erf": special.erf,
    "erfc": special.erfc,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "polygamma": lambda x, n: special.polygamma(n, x),
    "xlogy": special.xlogy,
    # activations
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "log_sigmoid": jax.nn.log_sigmoid,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": lambda x, approximate: jax.nn.gelu(x, approximate=approximate == "tanh"),
    "mish": jax.nn.mish,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "relu6": jax.nn.relu6,
    "hardtanh": hardtanh,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_swish,
    "hardshrink": lambda x, lambd: jnp.where(jnp.abs(x) > lambd, x, 0),
    "softshrink": lambda x, lambd: jnp.where(jnp.abs(x) > lambd, x - jnp.sign(x) * lambd, 0),
    "softsign": jax.nn.soft_sign,
    # choice
    "stop_gradient": lax.stop_gradient,
    "copy": lambda x: x,
    # reductions
    "norm": jnp.linalg.vector_norm,
    "logsumexp": jax.nn.logsumexp,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    # linear algebra
    "einsum": lambda *xs, subscripts: jnp.einsum(subscripts, *xs),
    "linear": lambda x, weight, bias=None: x @ weight.T if bias is None else x @ weight.T + bias,
    "conv2d": conv2d,
    "conv1d": conv1d,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "adaptive_avg_pool": adaptive_avg_pool,
    "correlate2d": correlate2d,
    "correlate2d_input": correlate2d_input,
    "correlate2d_weight": correlate2d_weight,
    # shape and selection
    "permute_dims": lambda x, axes: jnp.permute_dims(x, tuple(axis % x.ndim for axis in axes)),
    "concat": lambda *xs, axis: jnp.concat(xs, axis=axis),
    "stack": lambda *xs, axis: jnp.stack(xs, axis=axis),
    "getitem": lambda x, index: x[index],
    "place": lambda x, index, shape: jnp.zeros(shape, x.dtype).at[index].set(x),
    "scatter_add": scatter_add,
    "scatter_add_along_axis": scatter_add_along_axis,
    "tile": lambda x, *, repeats: jnp.tile(x, repeats),
    "pixel_shuffle": pixel_shuffle,
    "upsample_nearest": lambda x, *, factor: enlarged(x, factor, "nearest"),
    "upsample_linear": lambda x, *, factor: enlarged(x, factor, "linear"),
    "pad_reflect": lambda x, widths: jnp.pad(x, widths, mode="reflect"),
    "pad_replicate": lambda x, widths: jnp.pad(x, widths, mode="edge"),
    "pad_circular": lambda x, widths: jnp.pad(x, widths, mode="wrap"),
    "unfold": unfold,
    "pad": lambda x, widths, value: jnp.pad(x, widths, constant_values=value),
    # losses and layers: JAX leaves losses to optax, and layers to libraries built of these same pieces
    "mse_loss": lambda x, target, reduction: reduced(jnp.square(x - target), reduction),
    "l1_loss": lambda x, target, reduction: reduced(jnp.abs(x - target), reduction),
    "smooth_l1_loss": lambda x, target, reduction, beta: huber_loss(x, target, reduction=reduction, delta=beta) / beta,
    "huber_loss": huber_loss,
    "kl_div": kl_div,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": with_logits,
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "batch_norm_evaluation": batch_norm_evaluation,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "scaled_dot_product_attention": attention,
    "embedding": embedding,
}
OPERATIONS: dict[str, Any] = {
    **{name: getattr(jnp, name) for name in VOCABULARY if hasattr(jnp, name)},
    **DIFFERENT,
}

# Calls that JAX's own function does not take.
LACKING: Mapping[str, tuple[Callable[[Graph, Node], bool], str]] = {
    "scaled_dot_product_attention": (
        lambda graph, node: node.shape[-1] != graph[str(node.args[0])].shape[-1],
        "jax.nn.dot_product_attention takes values that are as wide as keys, no others",
    ),
    "max_pool": (
        lambda graph, node: dict(node.params)["dilation"] != (1, 1),
        "JAX has no derivative of a largest over windows with dilation",
    ),
}

CONSTANTS = {"pi": np.pi, "-pi": -np.pi, "e": np.e, "-e": -np.e}


def namespace(dtype: str) -> dict[str, Any]:
    """Every operation that JAX has, and `constant`, which makes a 0-d array of the dtype."""
    kind = jnp.dtype(dtype)
    return OPERATIONS | {
        "one_hot": lambda indices, size: jax.nn.one_hot(indices, size, dtype=kind),
        "astype": lambda x: x.astype(kind),
        "constant": lambda text: jnp.asarray(CONSTANTS.get(text) or float(text), dtype=kind),
    }


def checked_functions(graph: Graph, dtype: str) -> Mapping[str, Any]:
    """The namespace, which has every operation of the graph. Raises Unsupported, and GraphError for a function that
    the graph names and that cannot be had."""
    if dtype not in DTYPES:
        raise Unsupported(f"this adapter knows {' and '.join(DTYPES)}, not {dtype}")
    native = native_functions(graph, "jax", resolve)
    functions = runnable(graph, namespace(dtype) | native)
    for op in missing(expanded(graph, stable=True, own=True, keep=native), functions):
        raise Unsupported(f"JAX has no `{op}`: {ABSENT[op]}")
    for node in graph.operations:
        if node.op in LACKING and LACKING[node.op][0](graph, node):
            raise Unsupported(LACKING[node.op][1])
    return functions
