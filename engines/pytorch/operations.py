"""PyTorch's vocabulary: for each operation what its users would call, layers and losses as torch's own fused functions.

One row per operation, under torch's own name wherever torch has it. `axis` is torch's `dim`. The scripts that
`gradaccord show` writes copy rows from here, with all that these read.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn import grad

from ...harness.graph.define import runnable
from ...harness.graph.emit import missing
from ...harness.graph.expand import expanded
from ...harness.graph.graph import Graph
from ...harness.graph.native import functions as native_functions
from ...harness.graph.operations import OPERATIONS as VOCABULARY
from ...harness.graph.shapes import axes_of, index_of
from ...harness.records.evaluation import Unsupported
from .native import resolve
from .tensors import DTYPES

Tensor: TypeAlias = torch.Tensor
Axis: TypeAlias = "int | tuple[int, ...] | None"

ABSENT: Mapping[str, str] = {"max_share": "no counterpart: exists for the hand-written engine's rules"}


def reduce(function: Any, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """A torch reduction over the axes. No axes at all, which torch reads as every axis, is one of length 1."""
    if axis == ():
        return function(x.unsqueeze(-1), dim=-1, keepdim=False)
    return function(x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims)


def product(x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """torch.prod takes all axes or one: several are taken one by one, from the last."""
    if axis is None and not keepdims:
        return torch.prod(x)
    for dim in reversed(axes_of(axis, x.ndim)):
        x = torch.prod(x, dim=dim, keepdim=keepdims)
    return x


def over_last(function: Any, x: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    """A torch function of one axis over several: they are moved to the end and flattened."""
    if isinstance(axis, int):
        return function(x, dim=axis)
    axes = axes_of(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = x.movedim(axes, last)
    flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], prod(moved.shape[x.ndim - len(axes) :]))
    return function(flat, dim=-1).reshape(moved.shape).movedim(last, axes)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, axis: Axis, eps: float
) -> Tensor:
    axes = axes_of(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    if axes == last:
        shape = x.shape[x.ndim - len(axes) :]
        if (weight is None or weight.shape == shape) and (bias is None or bias.shape == shape):
            return F.layer_norm(x, shape, weight, bias, eps)
        y = F.layer_norm(x, shape, eps=eps)
    else:
        moved = x.movedim(axes, last)
        y = F.layer_norm(moved, moved.shape[x.ndim - len(axes) :], eps=eps).movedim(last, axes)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x: Tensor, weight: Tensor | None = None, *, axis: Axis, eps: float) -> Tensor:
    axes = axes_of(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    shape = tuple(x.shape[a] for a in axes)
    if axes == last and (weight is None or weight.shape == shape):
        return F.rms_norm(x, shape, weight, eps)
    y = F.rms_norm(x.movedim(axes, last), shape, eps=eps).movedim(last, axes)
    return y if weight is None else y * weight


def batch_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def batch_norm_evaluation(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    return F.batch_norm(x, mean.detach(), var.detach(), weight, bias, training=False, eps=eps)


def group_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, groups: int, eps: float
) -> Tensor:
    return F.group_norm(x, groups, weight, bias, eps)


def instance_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float) -> Tensor:
    return F.instance_norm(x, weight=weight, bias=bias, eps=eps)


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool, scale: float | None
) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal, scale=scale)


def embedding(indices: Tensor, weight: Tensor, *, padding_index: int | None) -> Tensor:
    """torch takes no negative index here, which elsewhere counts from the end."""
    return F.embedding(torch.where(indices < 0, indices + weight.shape[0], indices), weight, padding_index)


def spatial(x: Tensor, one: Any, two: Any) -> Any:
    """torch's function for one spatial axis, which takes numbers, or for two, which takes pairs."""
    if x.ndim == 4:
        return two
    return lambda *xs, **p: one(*xs, **{k: v[-1] if isinstance(v, tuple) else v for k, v in p.items()})


def max_pool(x: Tensor, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
    pool = spatial(x, F.max_pool1d, F.max_pool2d)
    return pool(x, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)


def avg_pool(x: Tensor, *, kernel: Any, stride: Any, padding: Any, count_include_pad: bool) -> Tensor:
    pool = spatial(x, F.avg_pool1d, F.avg_pool2d)
    return pool(x, kernel_size=kernel, stride=stride, padding=padding, count_include_pad=count_include_pad)


def adaptive_avg_pool(x: Tensor, *, output_size: Any) -> Tensor:
    return spatial(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d)(x, output_size=output_size)


def conv1d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, groups: int, **geometry: Any) -> Tensor:
    return F.conv1d(x, weight, bias, groups=groups, **{name: pair[-1] for name, pair in geometry.items()})


def conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None, **geometry: Any) -> Tensor:
    return spatial(x, F.conv_transpose1d, F.conv_transpose2d)(x, weight, bias, **geometry)


def take(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    # index_select alone takes no negative index, as x[indices] does, and no matrix of them.
    axis %= x.ndim
    taken = torch.index_select(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices).reshape(-1))
    return taken if indices.ndim == 1 else taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def scatter_add(x: Tensor, indices: Tensor, *, axis: int, size: int) -> Tensor:
    axis %= x.ndim - indices.ndim + 1
    before, after = x.shape[:axis], x.shape[axis + indices.ndim :]
    x, indices = x.reshape(*before, indices.numel(), *after), indices.reshape(-1)
    return x.new_zeros((*before, size, *after)).index_add(axis, torch.where(indices < 0, indices + size, indices), x)


def take_along_axis(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """torch takes no negative index here."""
    return torch.gather(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def scatter_add_along_axis(x: Tensor, indices: Tensor, *, axis: int, size: int) -> Tensor:
    axis %= x.ndim
    zeros = x.new_zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]))
    return zeros.scatter_add(axis, torch.where(indices < 0, indices + size, indices), x)


def bordered(x: Tensor, widths: Any, mode: str) -> Tensor:
    """torch pads the last axes of images: what stands before the first that is padded is taken for channels."""
    padded = [axis for axis, around in enumerate(widths) if any(around)] or [x.ndim - 1]
    first = padded[0]
    flat = x.reshape(1, -1, *x.shape[first:])
    y = F.pad(flat, [n for pair in reversed(widths[first:]) for n in pair], mode=mode)
    return y.reshape(*x.shape[:first], *y.shape[2:])


def upsample_linear(x: Tensor, *, factor: int) -> Tensor:
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim]
    return F.interpolate(x, scale_factor=factor, mode=mode, align_corners=False)


def place(x: Tensor, *, index: Any, shape: Sequence[int]) -> Tensor:
    zeros = x.new_zeros(shape)
    zeros[index] = x
    return zeros


IGNORED = -(2**40)  # where no index is: torch has one that is ignored, in any case


def by_class(loss: Any, x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, **p: Any) -> Tensor:
    """torch wants the classes on the second axis; here they are on the last."""
    ignored = IGNORED if ignore_index is None else ignore_index
    flat = x.reshape(prod(x.shape[:-1]), x.shape[-1])
    y = loss(flat, target.reshape(-1), weight, ignore_index=ignored, **p)
    return y.reshape(target.shape) if p["reduction"] == "none" else y


def cross_entropy(x: Tensor, target: Tensor, weight: Tensor | None = None, **p: Any) -> Tensor:
    return by_class(F.cross_entropy, x, target, weight, **p)


def nll_loss(x: Tensor, target: Tensor, weight: Tensor | None = None, **p: Any) -> Tensor:
    return by_class(F.nll_loss, x, target, weight, **p)


def broadcast(loss: Any) -> Any:
    """A loss of torch's on operands of one shape: it warns of others, and adds too few terms of them."""
    return lambda x, target, **p: loss(*torch.broadcast_tensors(x, target), **p)


def binary_cross_entropy(x: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str) -> Tensor:
    x, target = torch.broadcast_tensors(x, target)
    return F.binary_cross_entropy(x, target, weight, reduction=reduction)


def with_logits(
    x: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, *, reduction: str
) -> Tensor:
    x, target = torch.broadcast_tensors(x, target)
    return F.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)


def vector_norm(x: Tensor, dim: Axis, keepdim: bool) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim, keepdim=keepdim)


DIFFERENT: Mapping[str, Any] = {
    # special functions
    "erf": torch.special.erf,
    "erfc": torch.special.erfc,
    "polygamma": lambda x, n: torch.polygamma(n, x),
    # activations
    "softplus": F.softplus,
    "log_sigmoid": F.logsigmoid,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    "mish": F.mish,
    "selu": F.selu,
    "celu": F.celu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    # choice
    "equal": torch.eq,
    "stop_gradient": lambda x: x.detach(),
    "copy": lambda x: x,
    # reductions
    "sum": lambda x, axis, keepdims: reduce(torch.sum, x, axis, keepdims),
    "mean": lambda x, axis, keepdims: reduce(torch.mean, x, axis, keepdims),
    "prod": product,
    "max": lambda x, axis, keepdims: reduce(torch.amax, x, axis, keepdims),
    "min": lambda x, axis, keepdims: reduce(torch.amin, x, axis, keepdims),
    "var": lambda x, axis, correction, keepdims: reduce(
        lambda x, **where: torch.var(x, correction=correction, **where), x, axis, keepdims
    ),
    "std": lambda x, axis, correction, keepdims: reduce(
        lambda x, **where: torch.std(x, correction=correction, **where), x, axis, keepdims
    ),
    "norm": lambda x, axis, keepdims: reduce(vector_norm, x, axis, keepdims),
    "logsumexp": lambda x, axis, keepdims: reduce(torch.logsumexp, x, axis, keepdims),
    "softmax": lambda x, axis: over_last(torch.softmax, x, axis),
    "log_softmax": lambda x, axis: over_last(torch.log_softmax, x, axis),
    # linear algebra
    "vecdot": lambda a, b, axis: torch.linalg.vecdot(a, b, dim=axis),
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
    "linear": F.linear,
    "conv2d": F.conv2d,
    "conv1d": conv1d,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "adaptive_avg_pool": adaptive_avg_pool,
    "correlate2d": F.conv2d,
    "correlate2d_input": lambda g, weight, shape, **p: grad.conv2d_input(shape, weight, g, **p),
    "correlate2d_weight": lambda g, x, shape, **p: grad.conv2d_weight(x, shape, g, **p),
    # shape and selection
    "permute_dims": lambda x, *, axes: torch.permute(x, axes),
    "matrix_transpose": lambda x: x.mT,
    "broadcast_to": lambda x, *, shape: torch.broadcast_to(x, shape),
    "expand_dims": torch.unsqueeze,
    "concat": lambda *xs, axis: torch.concat(xs, dim=axis),
    "stack": lambda *xs, axis: torch.stack(xs, dim=axis),
    "getitem": lambda x, index: x[index],
    "place": place,
    "take": take,
    "scatter_add": scatter_add,
    "take_along_axis": take_along_axis,
    "scatter_add_along_axis": scatter_add_along_axis,
    "flip": lambda x, axis: torch.flip(x, axes_of(axis, x.ndim)),
    "roll": lambda x, *, shift, axis: torch.roll(x, shift, axis),
    "tile": lambda x, *, repeats: torch.tile(x, repeats),
    "pixel_shuffle": lambda x, *, factor: F.pixel_shuffle(x, factor),
    "upsample_linear": upsample_linear,
    "pad_reflect": lambda x, widths: bordered(x, widths, "reflect"),
    "pad_replicate": lambda x, widths: bordered(x, widths, "replicate"),
    "pad_circular": lambda x, widths: bordered(x, widths, "circular"),
    "unfold": lambda x, kernel, stride, padding, dilation: F.unfold(x, kernel, dilation, padding, stride),
    "upsample_nearest": lambda x, *, factor: F.interpolate(x, scale_factor=factor, mode="nearest"),
    "pad": lambda x, widths, value: F.pad(x, [n for pair in reversed(widths) for n in pair], value=value),
    # losses and layers
    "mse_loss": broadcast(F.mse_loss),
    "l1_loss": broadcast(F.l1_loss),
    "smooth_l1_loss": broadcast(F.smooth_l1_loss),
    "huber_loss": broadcast(F.huber_loss),
    "kl_div": broadcast(F.kl_div),
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
    **{name: getattr(torch, name) for name in VOCABULARY if hasattr(torch, name)},
    **DIFFERENT,
}

# Operands that torch's own function has no derivative in.
HELD: Mapping[str, tuple[str, ...]] = {
    "binary_cross_entropy": ("weight",),
    "binary_cross_entropy_with_logits": ("weight", "pos_weight"),
    "nll_loss": ("weight",),
    "cross_entropy": ("weight",),
}

CONSTANTS = {"pi": np.pi, "-pi": -np.pi, "e": np.e, "-e": -np.e}


def namespace(dtype: str) -> dict[str, Any]:
    """Every operation that torch has, and `constant`, which makes a 0-d tensor of the dtype."""
    kind = getattr(torch, dtype)
    return OPERATIONS | {
        "one_hot": lambda indices, size: F.one_hot(indices, size).to(kind),
        "astype": lambda x: x.to(kind),
        "constant": lambda text: torch.tensor(CONSTANTS.get(text) or float(text), dtype=kind),
    }


def checked_functions(graph: Graph, dtype: str) -> Mapping[str, Any]:
    """The namespace, which has every operation of the graph. Raises Unsupported, and GraphError for a function that
    the graph names and that cannot be had."""
    if dtype not in DTYPES:
        raise Unsupported(f"this adapter knows {' and '.join(DTYPES)}, not {dtype}")
    native = native_functions(graph, "torch", resolve)
    functions = runnable(graph, namespace(dtype) | native)
    plain = expanded(graph, stable=True, own=True, keep=native)
    for op in missing(plain, functions):
        raise Unsupported(f"torch has no `{op}`: {ABSENT[op]}")
    for use in plain.uses:
        node = plain[use.consumer]
        operand = VOCABULARY[node.op].operands[use.position].name if node.op in HELD else ""
        if operand in HELD.get(node.op, ()):
            raise Unsupported(f"torch has no derivative of {node.op} in its `{operand}`; make it constant")
    for node in plain.operations:
        index = dict(node.params).get("index")
        if any(isinstance(item, slice) and (item.step or 1) < 0 for item in index_of(str(index)) if index):
            raise Unsupported(f"torch has no slice with a negative step, as in [{index}]; use flip")
    return functions
