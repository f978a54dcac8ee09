"""torch's losses. `reduction` is torch's own number: 0 none, 1 mean, 2 sum."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import torch

from .calls import Step, Unheard, decimal, given, row

REDUCTIONS = {0: "none", 1: "mean", 2: "sum", "none": "none", "mean": "mean", "sum": "sum"}


def over(reduction: Any, text: str) -> str:
    name = REDUCTIONS[reduction]
    return text if name == "none" else f"{name}({text})"


def classed(name: str, x: Any, target: Any, weight: Any, reduction: Any, text: str) -> Step:
    """A loss of log probabilities `l`, whose classes are the last axis, by indices: the negative logarithm of each."""
    return Step(name, given(x, target, weight), text=text)


def last_axis(x: Any) -> str:
    """The classes moved from axis 1 to the last."""
    if x.ndim <= 2:
        return "x0"
    axes = [0, *range(2, x.ndim), 1]
    return f"permute_dims(x0, axes={axes})"


@row("cross_entropy_loss")
def _(
    x: Any, target: Any, weight: Any = None, reduction: Any = 1, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Step:
    name = REDUCTIONS[reduction]
    if target.is_floating_point():
        return soft(x, target, weight, name, label_smoothing)
    return by_index("cross_entropy", x, target, weight, name, ignore_index, label_smoothing)


def soft(x: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Step:
    """Targets that are probabilities."""
    classes = x.shape[1 if x.ndim > 1 else 0]
    axis = 1 if x.ndim > 1 else 0
    shape = [classes if k == axis else 1 for k in range(x.ndim)]
    t = "x1" if not smoothing else f"({decimal(1 - smoothing)} * x1 + {decimal(smoothing)} / {classes})"
    w = "" if weight is None else f" * reshape(x2, shape={shape})"
    each = f"-sum(log_softmax(x0, axis={axis}) * {t}{w}, axis={axis})"
    count = max(x.numel() // classes, 1)
    text = each if reduction == "none" else f"sum({each})" if reduction == "sum" else f"sum({each}) / {count}"
    return Step("cross_entropy", given(x, target, weight), text=text)


def by_index(
    op: str, x: Any, target: Any, weight: Any, reduction: str, ignore_index: int, smoothing: float = 0
) -> Step:
    ignored = bool((target == ignore_index).any())
    params: dict[str, object] = {"reduction": reduction}
    if ignored:
        params["ignore_index"] = ignore_index
    if smoothing:
        params["label_smoothing"] = smoothing
    operands = given(x, target, weight)
    if x.ndim == 2:
        return Step(op, operands, params)
    written = "".join(f", {key}={value!r}" for key, value in params.items())
    inside = last_axis(x)
    return Step(op, operands, text=f"{op}({inside}, x1{', x2' if weight is not None else ''}{written})")


@row("nll_loss", "nll_loss_nd", "nll_loss2d")
def _(x: Any, target: Any, weight: Any = None, reduction: Any = 1, ignore_index: int = -100) -> Step:
    return by_index("nll_loss", x, target, weight, REDUCTIONS[reduction], ignore_index)


@row("mse_loss")
def _(x: Any, target: Any, reduction: Any = 1) -> Step:
    return Step("mse_loss", [x, target], {"reduction": REDUCTIONS[reduction]})


@row("l1_loss")
def _(x: Any, target: Any, reduction: Any = 1) -> Step:
    return Step("l1_loss", [x, target], {"reduction": REDUCTIONS[reduction]})


@row("smooth_l1_loss")
def _(x: Any, target: Any, reduction: Any = 1, beta: float = 1.0) -> Step:
    if beta == 0:
        return Step("l1_loss", [x, target], {"reduction": REDUCTIONS[reduction]})
    return Step("smooth_l1_loss", [x, target], {"reduction": REDUCTIONS[reduction], "beta": float(beta)})


@row("huber_loss")
def _(x: Any, target: Any, reduction: Any = 1, delta: float = 1.0) -> Step:
    return Step("huber_loss", [x, target], {"reduction": REDUCTIONS[reduction], "delta": float(delta)})


@row("kl_div")
def _(x: Any, target: Any, reduction: Any = 1, log_target: bool = False) -> Step:
    params = {"reduction": REDUCTIONS[reduction], "log_target": bool(log_target)}
    return Step("kl_div", [x, target], params)


@row("binary_cross_entropy")
def _(x: Any, target: Any, weight: Any = None, reduction: Any = 1) -> Step:
    return Step("binary_cross_entropy", given(x, target, weight), {"reduction": REDUCTIONS[reduction]})


@row("binary_cross_entropy_with_logits")
def _(x: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: Any = 1) -> Step:
    if weight is None and pos_weight is not None:
        weight = torch.ones((), dtype=x.dtype)
    params = {"reduction": REDUCTIONS[reduction]}
    return Step("binary_cross_entropy_with_logits", given(x, target, weight, pos_weight), params)


# --- pairs and margins --------------------------------------------------------------------------------------------


@row("margin_ranking_loss")
def _(x: Any, y: Any, target: Any, margin: float = 0.0, reduction: Any = 1) -> Step:
    each = f"maximum(-x2 * (x0 - x1) + {decimal(margin)}, 0)"
    return Step("margin_ranking_loss", [x, y, as_float(target, x)], text=over(reduction, each))


@row("hinge_embedding_loss")
def _(x: Any, target: Any, margin: float = 1.0, reduction: Any = 1) -> Step:
    each = f"where(x1 > 0, x0, maximum({decimal(margin)} - x0, 0))"
    return Step("hinge_embedding_loss", [x, as_float(target, x)], text=over(reduction, each))


@row("cosine_embedding_loss")
def _(x: Any, y: Any, target: Any, margin: float = 0.0, reduction: Any = 1) -> Step:
    sums = (
        "a = sum(x0 * x0, axis=-1) + 1e-12; b = sum(x1 * x1, axis=-1) + 1e-12; c = sum(x0 * x1, axis=-1) / sqrt(a * b)"
    )
    each = f"where(x2 > 0, 1 - c, maximum(c - {decimal(margin)}, 0))"
    return Step("cosine_embedding_loss", [x, y, as_float(target, x)], text=f"{sums}; {over(reduction, each)}")


@row("soft_margin_loss")
def _(x: Any, target: Any, reduction: Any = 1) -> Step:
    return Step("soft_margin_loss", [x, as_float(target, x)], text=over(reduction, "softplus(-x1 * x0)"))


@row("triplet_margin_loss")
def _(
    a: Any, b: Any, c: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6, swap: bool = False, reduction: Any = 1
) -> Step:
    if swap or p != 2:
        raise Unheard(f"`triplet_margin_loss` with swap={swap}, p={p}")
    near, far = (f"norm(x0 - x{k} + {decimal(eps)}, axis=-1)" for k in (1, 2))
    return Step(
        "triplet_margin_loss", [a, b, c], text=over(reduction, f"maximum({near} - {far} + {decimal(margin)}, 0)")
    )


@row("poisson_nll_loss")
def _(x: Any, target: Any, log_input: bool, full: bool, eps: float, reduction: Any) -> Step:
    each = "exp(x0) - x1 * x0" if log_input else f"x0 - x1 * log(x0 + {decimal(eps)})"
    if full:  # Stirling's formula for the factorial
        stirling = "x1 * log(where(x1 > 1, x1, 1)) - x1 + 0.5 * log(2 * pi * where(x1 > 1, x1, 1))"
        each += f" + where(x1 > 1, {stirling}, 0)"
    return Step("poisson_nll_loss", [x, as_float(target, x)], text=over(reduction, each))


@row("multi_margin_loss")
def _(x: Any, target: Any, p: Any = 1, margin: float = 1, weight: Any = None, reduction: Any = 1) -> Step:
    if x.ndim != 2:
        raise Unheard("`multi_margin_loss` of one example", "Give it a batch of one.")
    c = x.shape[1]
    own = f"one = one_hot(x1, size={c}); own = sum(where(one > 0.5, x0, 0), axis=-1, keepdims=True)"
    each = f"maximum({decimal(margin)} - own + x0, 0)"
    each = each if p == 1 else f"square({each})"
    if weight is not None:
        each = f"{each} * expand_dims(take(x2, x1, axis=0), axis=1)"
    return Step("multi_margin_loss", given(x, target, weight),
                text=f"{own}; " + over(reduction, f"sum(where(one > 0.5, 0, {each}), axis=-1) / {c}"))  # fmt: skip


@row("multilabel_margin_loss")
def _(x: Any, target: Any, reduction: Any = 1) -> Step:
    if x.ndim != 2:
        raise Unheard("`multilabel_margin_loss` of one example", "Give it a batch of one.")
    n, c = x.shape
    ended = (target < 0).to(torch.int64).cumsum(-1) > 0
    hit = torch.zeros(n, c + 1, dtype=torch.bool).scatter(1, torch.where(ended, c, target), True)[:, :c]
    pairs = (hit[:, :, None] & ~hit[:, None, :]).to(x.dtype)
    each = f"sum(x1 * maximum(1 - expand_dims(x0, axis=2) + expand_dims(x0, axis=1), 0), axis=[1, 2]) / {c}"
    return Step("multilabel_margin_loss", [x, pairs], text=over(reduction, each))


def as_float(target: Any, x: Any) -> Any:
    return target if target.is_floating_point() else target.to(x.dtype)
