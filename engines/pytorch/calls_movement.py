"""torch's calls that move numbers, copy them, cast them, or read them by index."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from types import EllipsisType
from typing import Any

import torch
import torch.nn.functional as F

from .calls import FLAT, MOVES, Step, Unheard, decimal, flat, index_map, ints, listed, row

# Moves that have no operation of the vocabulary's own.
MOVES.update({
    "repeat", "tile", "flip", "fliplr", "flipud", "rot90", "roll", "diagonal", "diag", "diag_embed", "diagflat",
    "unfold", "movedim", "moveaxis", "swapaxes", "swapdims", "adjoint", "as_strided", "repeat_interleave",
    "masked_select", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "tril", "triu",
    "take_along_dim", "take", "index_copy", "slice_scatter", "select_scatter", "diagonal_scatter",
    "masked_scatter", "block_diag", "linalg_diagonal", "_pad_circular", "reflection_pad1d", "reflection_pad2d",
    "reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "narrow_copy", "select_copy", "vec", "gather", "scatter", "pad_sequence", "unfold_copy", "expand_copy",
    "max_unpool2d", "max_unpool3d", "_pack_padded_sequence", "_pad_packed_sequence",
})  # fmt: skip
FLAT.update({
    "unique", "_unique2", "unique_dim", "unique_consecutive", "_unique", "histc", "bincount", "searchsorted",
    "bucketize",
})  # fmt: skip

row("detach", "data")(lambda x: Step("stop_gradient", [x]))
row("clone", "alias", "lift_fresh", "contiguous", "resolve_conj", "resolve_neg", "cpu", "real")(
    lambda x, memory_format=None: Step("copy", [x])
)


@row("to", "type_as", "double", "float", "half", "bfloat16", "type", "_to_copy", "cuda")
def _(x: Any, *_args: Any, result: Any, **_settings: Any) -> Step:
    if not result.is_floating_point() or result.device != x.device:
        raise Unheard(f"a cast to {result.dtype} on {result.device}")
    if result.dtype == x.dtype:
        return Step("copy", [x])
    return Step(f"to_{str(result.dtype).removeprefix('torch.')}", [x], text="x0")


# --- shapes -----------------------------------------------------------------------------------------------------


@row(
    "view", "reshape", "_unsafe_view", "view_as", "reshape_as", "flatten", "unflatten", "ravel", "squeeze",
    "atleast_1d", "atleast_2d", "atleast_3d", "_reshape_alias", "unsqueeze",
)  # fmt: skip
def _(x: Any, *_args: Any, result: Any, **_named: Any) -> Step:
    if result.dtype != x.dtype:
        raise Unheard("a view of other numbers, made of the same bits")
    return Step("reshape", [x], {"shape": ints(result.shape)})


@row("expand", "expand_as", "broadcast_to")
def _(x: Any, *_args: Any, result: Any, **_named: Any) -> Step:
    return Step("broadcast_to", [x], {"shape": ints(result.shape)})


def permuted(x: Any, axes: list[int]) -> Step:
    return Step("permute_dims", [x], {"axes": tuple(axes)})


@row("transpose")
def _(x: Any, dim0: int, dim1: int) -> Step:
    axes = list(range(x.ndim))
    if axes:
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return permuted(x, axes)


@row("permute")
def _(x: Any, *dims: Any, **named: Any) -> Step:
    axes = named.pop("dims", None) or (dims[0] if len(dims) == 1 and isinstance(dims[0], list | tuple) else dims)
    return permuted(x, [int(axis) % x.ndim for axis in axes])


row("t", "T")(lambda x: permuted(x, list(reversed(range(x.ndim)))))
row("mT", "mH", "H")(lambda x: Step("matrix_transpose", [x]))


@row("cat", "concat", "concatenate")
def _(tensors: Any, dim: int = 0) -> Step:
    # torch takes an empty vector beside anything.
    return Step("concat", [x for x in tensors if x.ndim > 1 or x.numel()], {"axis": dim})


row("stack")(lambda tensors, dim=0: Step("stack", list(tensors), {"axis": dim}))


@row("hstack")
def _(tensors: Any) -> Step:
    return Step("concat", list(tensors), {"axis": 0 if tensors[0].ndim == 1 else 1})


@row("vstack")
def _(tensors: Any) -> Step:
    if any(x.ndim < 2 for x in tensors):
        return Step("stack", list(tensors), {"axis": 0})
    return Step("concat", list(tensors), {"axis": 0})


# --- pieces -----------------------------------------------------------------------------------------------------


def at(rank: int, dim: int, text: str) -> str:
    return ":, " * (dim % rank) + text


@row("select")
def _(x: Any, dim: int, index: Any) -> Step:
    return Step("getitem", [x], {"index": at(x.ndim, dim, str(int(index)))})


@row("narrow")
def _(x: Any, dim: int, start: Any, length: int) -> Step:
    start = int(start) % x.shape[dim] if x.shape[dim] else 0
    return Step("getitem", [x], {"index": at(x.ndim, dim, f"{start}:{start + length}")})


@row("slice")
def _(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Step:
    return Step("getitem", [x], {"index": at(x.ndim, dim, slice_text(slice(start, end, step)))})


@row("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def _(x: Any, _sizes: Any = None, dim: int = 0, *, result: Any, **_sizes_by_name: Any) -> list[Step]:
    steps, start = list[Step](), 0
    for piece in result:
        stop = start + piece.shape[dim]
        steps.append(Step("getitem", [x], {"index": at(x.ndim, dim, f"{start}:{stop}")}))
        start = stop
    return steps


@row("unbind")
def _(x: Any, dim: int = 0, *, result: Any) -> list[Step]:
    return [Step("getitem", [x], {"index": at(x.ndim, dim, str(k))}) for k in range(len(result))]


def slice_text(item: slice) -> str:
    parts = ["" if bound is None else str(int(bound)) for bound in (item.start, item.stop)]
    return ":".join([*parts, str(int(item.step))] if item.step not in (None, 1) else parts)


@row("getitem")
def _(x: Any, index: Any, result: Any) -> Step:
    items = index if isinstance(index, tuple) else (index,)
    if all(isinstance(i, int | slice | EllipsisType | None) and not isinstance(i, bool) for i in items):
        texts = [
            "..." if i is Ellipsis else "None" if i is None else slice_text(i) if isinstance(i, slice) else str(i)
            for i in items
        ]
        return Step("getitem", [x], {"index": ", ".join(texts) or "..."})
    if len(items) == 1 and isinstance(index, torch.Tensor) and index.dtype == torch.int64:
        return Step("take", [x, index], {"axis": 0})
    return index_map(_getitem, [x, index], {}, result)


def _getitem(x: Any, index: Any) -> Any:
    return x[index]


@row("index_select")
def _(x: Any, dim: int, index: Any) -> Step:
    return Step("take", [x, index.reshape(-1)], {"axis": dim})


# --- by chosen indices ------------------------------------------------------------------------------------------


def chosen(name: str, x: Any, indices: Any, dim: int) -> Step:
    """The elements along an axis that a call has chosen: their indices are taken from the run."""
    grid = torch.arange(x.numel()).reshape(x.shape)
    return Step(name, [x, torch.take_along_dim(grid, indices, dim)], text=f"take({flat('x0')}, x1, axis=0)")


@row("sort", "topk", "kthvalue", "median", "nanmedian", "mode", "cummax", "cummin")
def _(x: Any, *settings: Any, dim: Any = None, keepdim: bool = False, name: str, out: Any, **_named: Any) -> Step:
    if not isinstance(out, tuple):
        raise Unheard(f"`{name}` over all axes", "Flatten it first, and give the axis.")
    place = {"topk": 1, "kthvalue": 1}.get(name, 0)
    dim = dim if dim is not None else settings[place] if len(settings) > place else -1
    indices = out[1]
    if indices.ndim < x.ndim:
        step = chosen(name, x, indices.unsqueeze(dim), dim)
        return Step(name, [x, step.args[1].squeeze(dim)], text=step.text)
    return chosen(name, x, indices, dim)


@row("scatter_add")
def _(x: Any, dim: int, index: Any, src: Any) -> Step:
    source = src[tuple(slice(n) for n in index.shape)] if src.shape != index.shape else src
    if source is not src:
        raise Unheard("`scatter_add` of a part of its source", "Cut the source first.")
    places = (
        torch.gather(torch.arange(x.numel()).reshape(x.shape).expand_as(x), dim, index)
        if _fits(x, index, dim)
        else None
    )
    if places is None:
        raise Unheard("`scatter_add` with an index larger than what it adds to")
    return added("scatter_add", x, src, places)


def _fits(x: Any, index: Any, dim: int) -> bool:
    return all(n <= m for axis, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if axis != dim % x.ndim)


def added(name: str, x: Any, source: Any, places: Any) -> Step:
    """`x` with the source's elements added at places, counted through."""
    text = f"x0 + reshape(scatter_add({flat('x1')}, x2, axis=0, size={x.numel()}), shape={listed(x.shape)})"
    return Step(name, [x, source, places.reshape(-1)], text=text)


@row("scatter_reduce")
def _(x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Step:
    if reduce != "sum" or not include_self or src.shape != index.shape or not _fits(x, index, dim):
        raise Unheard(f"`scatter_reduce` with reduce={reduce!r}, include_self={include_self}")
    return added("scatter_reduce", x, src, torch.gather(torch.arange(x.numel()).reshape(x.shape), dim, index))


@row("index_add")
def _(x: Any, dim: int, index: Any, source: Any, alpha: float = 1) -> Step:
    factor = "" if alpha == 1 else f"{decimal(alpha)} * "
    text = f"x0 + {factor}scatter_add(x1, x2, axis={dim % x.ndim}, size={x.shape[dim]})"
    return Step("index_add", [x, source, index.reshape(-1)], text=text)


@row("index_put", "_index_put_impl", "_unsafe_index_put")
def _(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Step:
    places = torch.arange(x.numel()).reshape(x.shape)[tuple(slice(None) if i is None else i for i in indices)]
    if values.shape != places.shape:
        raise Unheard("`index_put` of values that are repeated", "Expand the values first.")
    if accumulate:
        return added("index_put", x, values, places)
    into = torch.arange(x.numel())
    into[places.reshape(-1)] = x.numel() + torch.arange(places.numel())
    text = f"take(concat([{flat('x0')}, {flat('x1')}]), x2, axis=0)"
    return Step("index_put", [x, values, into.reshape(x.shape)], text=text)


@row("index_fill")
def _(x: Any, dim: int, index: Any, value: Any) -> Step:
    mask = torch.zeros(x.shape, dtype=torch.bool).index_fill(dim, index, True)
    return Step("where", [mask, value, x])


# --- padding and windows ------------------------------------------------------------------------------------------


@row("pad")
def _(x: Any, pad: Any, mode: str = "constant", value: Any = None, *, result: Any) -> Step:
    return padded(x, pad, value) if mode == "constant" else index_map(F.pad, [x, pad, mode], {}, result)


row("constant_pad_nd")(lambda x, pad, value=0: padded(x, pad, value))


def padded(x: Any, pad: Any, value: Any) -> Step:
    widths = [(0, 0)] * (x.ndim - len(pad) // 2)
    widths += [(int(pad[2 * k]), int(pad[2 * k + 1])) for k in reversed(range(len(pad) // 2))]
    kept = ", ".join(f"{max(-a, 0)}:{n - max(-b, 0)}" for (a, b), n in zip(widths, x.shape, strict=True))
    grown = tuple((max(a, 0), max(b, 0)) for a, b in widths)
    if all(min(width) >= 0 for width in widths):
        return Step("pad", [x], {"widths": grown, "value": value or 0})
    text = f"pad(x0[{kept}], widths={[list(w) for w in grown]}, value={decimal(value or 0)})"
    return Step("pad", [x], text=text)
