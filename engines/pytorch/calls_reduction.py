"""torch's reductions, norms, running sums and what chooses along an axis."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import torch

from .calls import Step, Unheard, axis_of, decimal, joined, row


def reduced(op: str, x: Any, dim: Any, keepdim: Any) -> Step:
    if x.ndim == 0:
        return Step(op, [x], {"axis": None, "keepdims": False})
    return Step(op, [x], {"axis": axis_of(dim), "keepdims": bool(keepdim)})


@row("sum", "mean", "prod", "amax", "amin", "logsumexp", "special_logsumexp", "nansum")
def _(x: Any, dim: Any = None, keepdim: Any = False, *, dtype: Any = None, name: str) -> Step:
    if name == "nansum" and bool(torch.isnan(x.detach()).any()):
        raise Unheard("`nansum` of what has a NaN")
    op = {"amax": "max", "amin": "min", "special_logsumexp": "logsumexp", "nansum": "sum"}.get(name, name)
    return reduced(op, x, dim, keepdim)


@row("max", "min")
def _(x: Any, dim: Any = None, keepdim: Any = False, *, other: Any = None, name: str) -> Step:
    other = dim if isinstance(dim, torch.Tensor) else other
    if other is not None:
        return Step(f"{name}imum", [x, other])
    return reduced(name, x, dim, keepdim)


@row("aminmax")
def _(x: Any, *, dim: Any = None, keepdim: bool = False) -> Step:
    where = f"axis={dim}, keepdims={keepdim}"
    return Step("aminmax", [x], text=joined(f"min(x0, {where})", f"max(x0, {where})"))


@row("var", "std", "var_mean", "std_mean")
def _(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None, name: str
) -> Step:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    axis = axis_of(dim) if x.ndim else None
    if name in ("var", "std"):
        return Step(name, [x], {"axis": axis, "correction": correction, "keepdims": bool(keepdim)})
    where = f"axis={list(axis) if isinstance(axis, tuple) else axis}, keepdims={bool(keepdim)}"
    text = joined(f"{name[:3]}(x0, {where}, correction={decimal(correction)})", f"mean(x0, {where})")
    return Step(name, [x], text=text)


@row("norm", "linalg_vector_norm", "linalg_norm", "_vector_norm", "frobenius_norm", "linalg_matrix_norm")
def _(
    x: Any,
    p: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    *,
    ord: Any = None,  # noqa: A002
    name: str,
) -> Step:
    p = ord if ord is not None else p
    if name in ("linalg_norm", "linalg_matrix_norm"):
        matrix = name == "linalg_matrix_norm" or (x.ndim == 2 and dim is None) or isinstance(dim, tuple)
        if matrix and p not in (None, "fro"):
            raise Unheard(f"`{name}` of a matrix with ord={p!r}")
        if name == "linalg_matrix_norm" and dim is None:
            dim = (-2, -1)
    p = 2 if p is None or p == "fro" else float(p)
    axis = axis_of(dim) if x.ndim else None
    where = f"axis={list(axis) if isinstance(axis, tuple) else axis}, keepdims={bool(keepdim)}"
    texts = {
        1.0: f"sum(abs(x0), {where})",
        float("inf"): f"max(abs(x0), {where})",
        float("-inf"): f"min(abs(x0), {where})",
    }
    if p == 2:
        return Step("norm", [x], {"axis": axis, "keepdims": bool(keepdim)})
    if p == 0:
        raise Unheard("a norm of order 0, which has no derivative")
    text = texts.get(p, f"sum(abs(x0) ** {decimal(p)}, {where}) ** (1 / {decimal(p)})")
    return Step("vector_norm", [x], text=text)


@row("dist")
def _(x: Any, other: Any, p: float = 2) -> Step:
    if p != 2:
        raise Unheard(f"`dist` of order {p}")
    return Step("dist", [x, other], text="norm(x0 - x1)")


@row("pairwise_distance")
def _(x: Any, y: Any, p: float = 2, eps: float = 1e-6, keepdim: bool = False) -> Step:
    if p != 2:
        raise Unheard(f"`pairwise_distance` of order {p}")
    return Step("pairwise_distance", [x, y], text=f"norm(x0 - x1 + {decimal(eps)}, axis=-1, keepdims={bool(keepdim)})")


@row("cosine_similarity")
def _(x: Any, y: Any, dim: int = 1, eps: float = 1e-8) -> Step:
    norms = [f"maximum(norm({z}, axis={dim}, keepdims=True), {decimal(eps)})" for z in ("x0", "x1")]
    return Step("cosine_similarity", [x, y], text=f"sum((x0 / {norms[0]}) * (x1 / {norms[1]}), axis={dim})")


@row("softmax", "_softmax", "special_softmax", "log_softmax", "_log_softmax", "special_log_softmax")
def _(x: Any, dim: int, dtype: Any = None, *, name: str) -> Step:
    return Step("log_softmax" if "log" in name else "softmax", [x], {"axis": dim} if x.ndim else {})


@row("cumsum")
def _(x: Any, dim: int, *, dtype: Any = None) -> Step:
    return Step("cumsum", [x], {"axis": dim})


@row("cumprod")
def _(x: Any, dim: int, *, dtype: Any = None) -> Step:
    return Step("cumprod", [x], {"axis": dim})


@row("logcumsumexp")
def _(x: Any, dim: int) -> Step:
    stable = f"m = stop_gradient(max(x0, axis={dim}, keepdims=True)); log(cumsum(exp(x0 - m), axis={dim})) + m"
    return Step("logcumsumexp", [x], text=f"log(cumsum(exp(x0), axis={dim}))", stable=stable)


@row("diff")
def _(x: Any, n: int = 1, dim: int = -1) -> Step:
    if n != 1:
        raise Unheard(f"`diff` of order {n}", "Call it again.")
    before = ":, " * (dim % x.ndim)
    return Step("diff", [x], text=f"x0[{before}1:] - x0[{before}:-1]")


@row("trace")
def _(x: Any) -> Step:
    places = torch.arange(min(x.shape)) * (x.shape[1] + 1)
    return Step("trace", [x, places], text="sum(take(reshape(x0, shape=[-1]), x1, axis=0))")


@row("trapz", "trapezoid")
def _(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Step:
    before = ":, " * (dim % y.ndim)
    mean = f"(x0[{before}1:] + x0[{before}:-1]) / 2"
    if x is None:
        return Step("trapezoid", [y], text=f"sum({mean} * {decimal(dx)}, axis={dim})")
    if x.ndim != 1 or dim % y.ndim != y.ndim - 1:
        raise Unheard("`trapezoid` with points of several axes")
    return Step("trapezoid", [y, x], text=f"sum({mean} * (x1[1:] - x1[:-1]), axis={dim})")
