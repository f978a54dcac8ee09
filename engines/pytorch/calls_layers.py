"""torch's layers: normalisations, attention, embedding, pooling, interpolation."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import torch

from .calls import Step, Unheard, decimal, given, ints, row
from .calls_products import pair


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
    eps = torch.finfo(x.dtype).eps if eps is None else eps
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
    drawn = torch.where(shown != 0, 1 / (1 - dropout_p), 0.0).to(query.dtype)
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


def settings(rank: int, value: Any, default: Any = None) -> list[int]:
    value = default if value is None or value == [] or value == () else value
    values = [value] * rank if isinstance(value, int) else list(ints(value))
    return values * rank if len(values) == 1 else values


def ceiled(n: int, k: int, s: int, p: int, d: int) -> int:
    """How many windows there are where the last may stick out (ATen/native/Pool.h, pooling_output_shape)."""
    count = -((n + 2 * p - d * (k - 1) - 1) // -s) + 1
    return count - 1 if (count - 1) * s >= n + p else count


@row("max_pool1d", "max_pool2d", "max_pool1d_with_indices", "max_pool2d_with_indices")
def _(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    *, name: str, result: Any,
) -> Step:  # fmt: skip
    rank = int(name[8])
    k, p, d = settings(rank, kernel_size), settings(rank, padding), settings(rank, dilation)
    s = settings(rank, stride, kernel_size)
    plain = [(n + 2 * b - c * (a - 1) - 1) // t + 1 for n, a, t, b, c in zip(x.shape[-rank:], k, s, p, d, strict=True)]
    if x.ndim == rank + 2 and plain == list(result.shape[-rank:]):
        params = {"kernel": pair(k), "stride": pair(s), "padding": pair(p), "dilation": pair(d)}
        return Step("max_pool", [x], params)
    where, inside = windows(x.shape[-rank:], result.shape[-rank:], k, s, p, d)
    flat = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    chosen = f"take({flat}, x1, axis=-1)"
    return Step("max_pool", [x, where, inside], text=f"max(where(x2, {chosen}, -inf), axis=-1)")


@row("avg_pool1d", "avg_pool2d")
def _(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = None, *, name: str, result: Any,
) -> Step:  # fmt: skip
    rank = int(name[8])
    k, p, s = settings(rank, kernel_size), settings(rank, padding), settings(rank, stride, kernel_size)
    plain = [(n + 2 * b - a) // t + 1 for n, a, t, b in zip(x.shape[-rank:], k, s, p, strict=True)]
    if x.ndim == rank + 2 and plain == list(result.shape[-rank:]) and divisor_override is None:
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
    flat = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    text = f"sum(where(x2, take({flat}, x1, axis=-1), 0), axis=-1) / x3"
    return Step(name, [x, where, inside, count], text=text)


def windows(sizes: Any, counts: Any, k: list[int], s: list[int], p: list[int], d: list[int]) -> tuple[Any, Any]:
    """For each window and each place in it the element there, counted through, and whether there is one."""
    where, inside = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
    for n, count, a, t, b, c in zip(sizes, counts, k, s, p, d, strict=True):
        at = torch.arange(count)[:, None] * t + torch.arange(a)[None] * c - b
        ok = (at >= 0) & (at < n)
        where, inside = joined(where * n, at.clamp(0, n - 1), torch.add), joined(inside, ok, torch.logical_and)
    return where.flatten(len(counts)), inside.flatten(len(counts))


def joined(before: Any, at: Any, by: Any) -> Any:
    """Windows along one more axis: first all axes of windows, then all of places within."""
    rank = before.ndim // 2
    left = before.reshape(*before.shape[:rank], 1, *before.shape[rank:], 1)
    right = at.reshape(*[1] * rank, at.shape[0], *[1] * rank, at.shape[1])
    return by(left, right)


def padded_count(sizes: Any, counts: Any, k: list[int], s: list[int], p: list[int]) -> Any:
    """How many elements of the padded image lie in each window."""
    total = torch.ones((), dtype=torch.int64)
    for n, count, a, t, b in zip(sizes, counts, k, s, p, strict=True):
        start = torch.arange(count) * t - b
        total = total[..., None] * (torch.clamp(start + a, max=n + b) - start)
    return total


@row("adaptive_avg_pool1d", "adaptive_avg_pool2d")
def _(x: Any, output_size: Any, *, name: str, result: Any) -> Step:
    rank = int(name[17])
    sizes = result.shape[-rank:]
    if x.ndim == rank + 2 and all(n % m == 0 for n, m in zip(x.shape[-rank:], sizes, strict=True)):
        return Step("adaptive_avg_pool", [x], {"output_size": pair(list(sizes))})
    where, inside = adaptive(x.shape[-rank:], sizes)
    return averaged("adaptive_avg_pool", x, where, inside, inside.sum(-1).to(x.dtype), rank)


@row("adaptive_max_pool1d", "adaptive_max_pool2d")
def _(x: Any, output_size: Any, *, name: str, result: Any) -> Step:
    rank = int(name[17])
    where, inside = adaptive(x.shape[-rank:], result.shape[-rank:])
    flat = f"reshape(x0, shape={[*x.shape[:-rank], -1]})"
    return Step(
        "adaptive_max_pool", [x, where, inside], text=f"max(where(x2, take({flat}, x1, axis=-1), -inf), axis=-1)"
    )


def adaptive(sizes: Any, counts: Any) -> tuple[Any, Any]:
    """The windows of adaptive pooling: from floor(i n / m) to ceil((i + 1) n / m)."""
    where, inside = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
    for n, m in zip(sizes, counts, strict=True):
        start, stop = torch.arange(m) * n // m, -((torch.arange(m) + 1) * n // -m)
        at = start[:, None] + torch.arange(int((stop - start).max()))[None]
        ok = at < stop[:, None]
        where, inside = joined(where * n, at.clamp(max=n - 1), torch.add), joined(inside, ok, torch.logical_and)
    return where.flatten(len(counts)), inside.flatten(len(counts))


# --- interpolation ------------------------------------------------------------------------------------------------


@row("upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d")
def _(x: Any, output_size: Any, align_corners: bool, *scales: Any, name: str, result: Any, again: Any) -> Step:
    """Linear along each axis: the matrix of an axis is what the call makes of the unit vectors along it."""
    if name == "upsample_trilinear3d":
        raise Unheard("trilinear interpolation")
    rank = 1 if name.endswith("1d") else 2
    matrices: list[Any] = []
    for axis in range(rank):
        n = x.shape[2 + axis]
        unit = torch.eye(n, dtype=x.dtype)
        shape = [n, 1, *[n if k == axis else 1 for k in range(rank)]]
        size = [result.shape[2 + k] if k == axis else 1 for k in range(rank)]
        own = [None if k != axis else s for k, s in enumerate(scales)] if len(scales) == rank else list(scales)
        matrices.append(again(unit.reshape(shape), size, align_corners, *own).reshape(n, -1))
    subscripts = "ncx,xa->nca" if rank == 1 else "ncxy,xa,yb->ncab"
    names = ", ".join(f"x{k + 1}" for k in range(rank))
    return Step("interpolate", [x, *matrices], text=f'einsum("{subscripts}", x0, {names})')
