"""torch's layers: normalisations, attention, embedding, pooling, interpolation."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F

from .calls import Step, Unheard, decimal, flat, given, ints, listed, row
from .calls_products import pair
from .windows import adaptive, fractional, padded_count, settings, windows


def affine(weight: Any, bias: Any, first: int, shape: str = "") -> str:
    """Times the weight and plus the bias, as far as they are given; operands from number `first` on."""
    names = iter(range(first, first + 2))
    read = (lambda k: f"reshape(x{k}, shape={shape})") if shape else (lambda k: f"x{k}")
    times = f" * {read(next(names))}" if weight is not None else ""
    return times + (f" + {read(next(names))}" if bias is not None else "")


@row("layer_norm")
def _(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = True) -> Step:
    axis = tuple(range(-len(shape), 0)) if len(shape) > 1 else -1
    if weight is None and bias is not None:
        return Step("layer_norm", [x, bias], text=f"layer_norm(x0, axis={axis}, eps={decimal(eps)}) + x1")
    return Step("layer_norm", [x, *given(weight, bias)], {"axis": axis, "eps": eps})


@row("rms_norm")
def _(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Step:
    axis = tuple(range(-len(shape), 0)) if len(shape) > 1 else -1
    wide = torch.promote_types(x.dtype, torch.float32)  # torch computes it there, and takes the epsilon of that
    eps = torch.finfo(wide).eps if eps is None else eps
    return Step("rms_norm", [x, *given(weight)], {"axis": axis, "eps": eps})


@row("batch_norm")
def _(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float, cudnn: bool
) -> Step:
    if weight is None and bias is not None:
        raise Unheard("a batch norm with a bias and no weight")
    if training or mean is None:
        return Step("batch_norm", [x, *given(weight, bias)], {"eps": eps})
    return Step("batch_norm_evaluation", [x, mean, var, *given(weight, bias)], {"eps": eps})


@row("instance_norm")
def _(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, use_input_stats: bool, momentum: float, eps: float, cudnn: bool
) -> Step:
    if not use_input_stats:
        return Step("batch_norm_evaluation", [x, mean, var, *given(weight, bias)], {"eps": eps})
    axes, shape = list(range(2, x.ndim)), [x.shape[1], *[1] * (x.ndim - 2)]
    text = f"layer_norm(x0, axis={axes}, eps={decimal(eps)})" + affine(weight, bias, 1, str(shape))
    return Step("instance_norm", [x, *given(weight, bias)], text=text)


@row("group_norm")
def _(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True) -> Step:
    return Step("group_norm", [x, *given(weight, bias)], {"groups": groups, "eps": eps})


@row("_weight_norm", "_weight_norm_interface")
def _(v: Any, g: Any, dim: int = 0) -> Step:
    axes = [axis for axis in range(v.ndim) if axis != dim % v.ndim] if dim != -1 else list(range(v.ndim))
    return Step("weight_norm", [v, g], text=f"x0 * (x1 / norm(x0, axis={axes}, keepdims=True))")


# --- attention and embedding --------------------------------------------------------------------------------------


@row("scaled_dot_product_attention")
def _(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: Any = None, enable_gqa: bool = False, again: Any,
) -> Step:  # fmt: skip
    operands = [query, key, value, *given(attn_mask)]
    params: dict[str, object] = {"causal": bool(is_causal), "scale": scale if scale is None else float(scale)}
    repeated = enable_gqa and query.shape[-3] != key.shape[-3]
    if not dropout_p and not repeated:
        return Step("scaled_dot_product_attention", operands, params)
    k, v = "x1", "x2"
    if repeated:
        times = query.shape[-3] // key.shape[-3]
        k, v = (_repeated(name, x, times) for name, x in (("x1", key), ("x2", value)))
    if not dropout_p:
        mask = ", x3" if attn_mask is not None else ""
        settings = f"causal={bool(is_causal)}" + ("" if scale is None else f", scale={decimal(scale)}")
        return Step("attention", operands, text=f"scaled_dot_product_attention(x0, {k}, {v}{mask}, {settings})")
    # With equal scores and the identity for values, the output shows what was drawn.
    count = key.shape[-2]
    one = torch.eye(count, dtype=value.dtype).expand(*value.shape[:-2], count, count)
    shown = again(torch.zeros_like(query), torch.zeros_like(key), one, None, dropout_p, False)
    drawn = (shown != 0).to(query.dtype) / (1 - dropout_p)
    text = f"x0 @ matrix_transpose({k})" + (f" / sqrt({query.shape[-1]})" if scale is None else f" * {decimal(scale)}")
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], count, dtype=torch.bool).tril()
        operands.append(attn_mask)
    if attn_mask is not None:
        text = f"where(x3, {text}, -inf)" if attn_mask.dtype == torch.bool else f"{text} + x3"
    return Step("attention", [*operands, drawn], text=f"(softmax({text}) * x{len(operands)}) @ {v}")


def _repeated(name: str, x: Any, times: int) -> str:
    """Heads of keys and values, each repeated for its group of queries."""
    *batch, heads, length, width = ints(x.shape)
    spread = f"broadcast_to(expand_dims({name}, axis=-3), shape={[*batch, heads, times, length, width]})"
    return f"reshape({spread}, shape={[*batch, heads * times, length, width]})"


@row("embedding")
def _(weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Step:
    if scale_grad_by_freq or sparse:
        raise Unheard("an embedding with scale_grad_by_freq or sparse gradients")
    return Step("embedding", [indices, weight], {"padding_index": padding_idx if padding_idx >= 0 else None})


# --- pooling ------------------------------------------------------------------------------------------------------


@row(
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices",
)  # fmt: skip
def _(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    *, name: str, result: Any,
) -> Step:  # fmt: skip
    rank = int(name[8])
    k, p, d = settings(rank, kernel_size), settings(rank, padding), settings(rank, dilation)
    s = settings(rank, stride, kernel_size)
    plain = [(n + 2 * b - c * (a - 1) - 1) // t + 1 for n, a, t, b, c in zip(x.shape[-rank:], k, s, p, d, strict=True)]
    if rank < 3 and x.ndim == rank + 2 and plain == list(result.shape[-rank:]):
        params = {"kernel": pair(k), "stride": pair(s), "padding": pair(p), "dilation": pair(d)}
        return Step("max_pool", [x], params)
    where, inside = windows(x.shape[-rank:], result.shape[-rank:], k, s, p, d)
    planes = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    chosen = f"take({planes}, x1, axis=-1)"
    return Step("max_pool", [x, where, inside], text=f"max(where(x2, {chosen}, -inf), axis=-1)")


@row("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = None, *, name: str, result: Any,
) -> Step:  # fmt: skip
    rank = int(name[8])
    k, p, s = settings(rank, kernel_size), settings(rank, padding), settings(rank, stride, kernel_size)
    plain = [(n + 2 * b - a) // t + 1 for n, a, t, b in zip(x.shape[-rank:], k, s, p, strict=True)]
    if rank < 3 and x.ndim == rank + 2 and plain == list(result.shape[-rank:]) and divisor_override is None:
        params = {
            "kernel": pair(k),
            "stride": pair(s),
            "padding": pair(p),
            "count_include_pad": bool(count_include_pad),
        }
        return Step("avg_pool", [x], params)
    where, inside = windows(x.shape[-rank:], result.shape[-rank:], k, s, p, [1] * rank)
    if divisor_override is not None:
        count = torch.full(inside.shape[:-1], float(divisor_override), dtype=x.dtype)
    elif count_include_pad:
        count = padded_count(x.shape[-rank:], result.shape[-rank:], k, s, p).to(x.dtype)
    else:
        count = inside.sum(-1).to(x.dtype)
    return averaged("avg_pool", x, where, inside, count, rank)


def averaged(name: str, x: Any, where: Any, inside: Any, count: Any, rank: int) -> Step:
    planes = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    text = f"sum(where(x2, take({planes}, x1, axis=-1), 0), axis=-1) / x3"
    return Step(name, [x, where, inside, count], text=text)


@row("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _(x: Any, output_size: Any, *, name: str, result: Any) -> Step:
    rank = int(name[17])
    sizes = result.shape[-rank:]
    if rank < 3 and x.ndim == rank + 2 and all(n % m == 0 for n, m in zip(x.shape[-rank:], sizes, strict=True)):
        return Step("adaptive_avg_pool", [x], {"output_size": pair(list(sizes))})
    where, inside = adaptive(x.shape[-rank:], sizes)
    return averaged("adaptive_avg_pool", x, where, inside, inside.sum(-1).to(x.dtype), rank)


@row("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _(x: Any, output_size: Any, *, name: str, result: Any) -> Step:
    rank = int(name[17])
    where, inside = adaptive(x.shape[-rank:], result.shape[-rank:])
    planes = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    return Step(
        "adaptive_max_pool", [x, where, inside], text=f"max(where(x2, take({planes}, x1, axis=-1), -inf), axis=-1)"
    )


@row("fractional_max_pool2d")
def _(x: Any, kernel_size: Any, output_size: Any, samples: Any, *, result: Any) -> Step:
    """Windows of random places, the same for all rows and columns of a plane (Graham 2014)."""
    places = fractional(x.shape[-2:], result.shape[-2:], settings(2, kernel_size), samples.detach())
    if not torch.equal(x.detach().reshape(-1)[places].amax(-1).reshape(result.shape), result.detach()):
        raise Unheard("`fractional_max_pool2d` whose windows are others than known here")
    text = f"reshape(max(take({flat('x0')}, x1, axis=0), axis=-1), shape={listed(result.shape)})"
    return Step("fractional_max_pool", [x, places], text=text)


# --- interpolation ------------------------------------------------------------------------------------------------


@row(
    "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
)  # fmt: skip
def _(x: Any, output_size: Any, align_corners: bool, *scales: Any, name: str, result: Any, again: Any) -> Step:
    """Linear along each axis: the matrix of an axis is what the call makes of the unit vectors along it."""
    rank = x.ndim - 2
    factors = scales[0] if len(scales) == 1 else scales
    other = 3 if name.endswith("aa") else 1  # with antialias torch mistakes the axes of an image of width 1
    matrices: list[Any] = []
    for axis in range(rank):
        n, m = x.shape[2 + axis], result.shape[2 + axis]
        unit = torch.eye(n, dtype=x.dtype).reshape([n, 1, *[n if k == axis else 1 for k in range(rank)]])
        unit = unit.expand(n, 1, *[n if k == axis else other for k in range(rank)]).contiguous()
        if output_size is None:  # by factors alone
            own = (None, align_corners, [factors[k] if k == axis else 1.0 for k in range(rank)])
        else:
            own = ([m if k == axis else other for k in range(rank)], align_corners, *scales)
        made = again(unit, *own).movedim(2 + axis, -1)
        matrices.append(made.reshape(n, -1, m)[:, 0])
    into, out = "xyz"[:rank], "uvw"[:rank]
    subscripts = ",".join([f"nc{into}", *(a + b for a, b in zip(into, out, strict=True))]) + f"->nc{out}"
    names = ", ".join(f"x{k + 1}" for k in range(rank))
    return Step("interpolate", [x, *matrices], text=f'einsum("{subscripts}", x0, {names})')


@row("col2im")
def _(x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any, *, result: Any) -> Step:
    """The transpose of `unfold`: each column's elements added where `unfold` takes them from."""
    image = torch.arange(1, result.numel() + 1, dtype=torch.float64).reshape(result.shape)
    batched = image if image.ndim == 4 else image[None]
    places = F.unfold(batched, kernel_size, dilation, padding, stride).to(torch.int64).reshape(-1)
    added = f"scatter_add(reshape(x0, shape=[-1]), x1, axis=0, size={result.numel() + 1})"
    return Step("fold", [x, places], text=f"reshape({added}[1:], shape={listed(result.shape)})")


@row("embedding_bag")
def _(
    weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0, sparse: bool = False,
    per_sample_weights: Any = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Step:  # fmt: skip
    if scale_grad_by_freq or sparse or per_sample_weights is not None or (padding_idx or -1) >= 0:
        raise Unheard("`embedding_bag` with weights, padding or sparse gradients")
    ends = [*offsets.tolist(), len(indices)][: len(offsets) + (not include_last_offset)]
    if mode == 2:
        bags = [indices[a:b].unique() for a, b in pairwise(ends)]
        if not all(len(bag) for bag in bags):
            raise Unheard("`embedding_bag` with the maximum of an empty bag")
        rows = torch.stack([bag[torch.arange(max(map(len, bags))).clamp(max=len(bag) - 1)] for bag in bags])
        inside = torch.stack([torch.arange(rows.shape[1]) < len(bag) for bag in bags])[..., None]
        return Step("embedding_bag", [weight, rows, inside], text="max(where(x2, take(x0, x1, axis=0), -inf), axis=1)")
    counts = torch.zeros(len(ends) - 1, len(weight), dtype=weight.dtype)
    for k, (a, b) in enumerate(pairwise(ends)):
        counts[k].index_add_(0, indices[a:b], torch.ones(b - a, dtype=weight.dtype))
    if mode == 1:
        counts = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return Step("embedding_bag", [weight, counts], text="x1 @ x0")


@row("cdist")
def _(x: Any, y: Any, p: float = 2, compute_mode: Any = None) -> Step:
    if p != 2:
        raise Unheard(f"`cdist` of order {p}")
    return Step("cdist", [x, y], text="norm(expand_dims(x0, axis=-2) - expand_dims(x1, axis=-3), axis=-1)")
