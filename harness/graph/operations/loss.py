"""Losses. Classes are the last axis of x, and the target has their indices.

`reduction`: the mean over all examples (weighted, where classes have weights), their sum, or none of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ...words import counted
from ..node import GraphError, Param, Shape
from ..shapes import broadcast
from .operation import Bound, row


def elements(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    common = broadcast(*shapes)
    if p["reduction"] == "batchmean" and ("log_target" not in p or not common):
        expected = "mean, sum or none; batchmean is one of kl_div, with a batch"
        raise GraphError("reduction='batchmean'", expected, parameter="reduction")
    return common if p["reduction"] == "none" else ()


def classes(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    x, target, *weight = shapes
    if not x or target != x[:-1]:
        raise GraphError(f"x {x} and target {target}", "x (..., classes) and target (...) of class indices")
    if weight and weight[0] != x[-1:]:
        raise GraphError(
            f"weight {weight[0]}", f"{x[-1:]}, one number for each of {counted(x[-1], 'class', 'classes')}"
        )
    if p["reduction"] == "batchmean":
        raise GraphError("reduction='batchmean'", "mean, sum or none", parameter="reduction")
    return target if p["reduction"] == "none" else ()


def over(p: Bound, each: str, *before: str) -> str:
    """The reduction of the loss of each example."""
    text = f"{each} * weight" if p.get("weight") is not None else each
    match p["reduction"]:
        case "none":
            last = text
        case "batchmean":
            last = f"sum({text}) / {broadcast(cast(Shape, p['x']), cast(Shape, p['target']))[0]}"
        case reduction:
            last = f"{reduction}({text})"
    return "; ".join([*before, last])


def over_classes(p: Bound, logarithms: str) -> str:
    """Minus the logarithm of the target's class, by its weight; smoothed, a share of that of every class."""
    share, ignored = p.get("label_smoothing", 0), p["ignore_index"] is not None
    weighted, count = p["weight"] is not None, cast(Shape, p["x"])[-1]
    scaled = "weight * l" if weighted else "l"
    lines = [f"l = {logarithms}", f"hot = one_hot(target, size={count}) > 0.5"]
    each = f"-sum(where(hot, {scaled}, 0), axis=-1)"
    if share:
        each = f"(1 - label_smoothing) * {each} - label_smoothing / {count} * sum({scaled}, axis=-1)"
    if ignored:  # half a step around an index, lest anything ties
        lines.append("kept = abs(astype(target) - ignore_index) > 0.5")
        each = f"where(kept, {each}, 0)"
    if p["reduction"] == "mean" and (weighted or ignored):
        count_of_each = "sum(where(hot, weight, 0), axis=-1)" if weighted else "1"
        total = f"where(kept, {count_of_each}, 0)" if ignored else count_of_each
        return "; ".join([*lines, f"sum({each}) / sum({total})"])
    return "; ".join([*lines, each if p["reduction"] == "none" else f"{p['reduction']}({each})"])


def with_logits(p: Bound) -> str:
    positive = "target" if p["pos_weight"] is None else "pos_weight * target"
    return over(p, f"-({positive} * log_sigmoid(x) + (1 - target) * log_sigmoid(-x))")


# fmt: off
row("mse_loss", "x, target, *, reduction='mean'", elements, definition=lambda p: over(p, "square(x - target)"))
row("l1_loss", "x, target, *, reduction='mean'", elements, definition=lambda p: over(p, "abs(x - target)"))
row("smooth_l1_loss", "x, target, *, reduction='mean', beta=1", elements,
    definition=lambda p: over(p, "where(abs(d) < beta, square(d) / (2 * beta), abs(d) - beta / 2)", "d = x - target"))
row("huber_loss", "x, target, *, reduction='mean', delta=1", elements,
    definition=lambda p: over(p, "where(abs(d) < delta, square(d) / 2, delta * (abs(d) - delta / 2))", "d = x - target"))
row("kl_div", "x, target, *, reduction='mean', log_target=False", elements,
    definition=lambda p: over(p, "exp(target) * (target - x)" if p["log_target"] else "(xlogy(target, target) - target * x)"))
row("binary_cross_entropy", "x, target, weight=None, *, reduction='mean'", elements,
    definition=lambda p: over(p, "-(target * log(x) + (1 - target) * log(1 - x))"),
    stable=lambda p: over(p, "-(target * log(x) + (1 - target) * log1p(-x))"))
row("binary_cross_entropy_with_logits", "x, target, weight=None, pos_weight=None, *, reduction='mean'", elements,
    definition=with_logits)
row("nll_loss", "x, target: int, weight=None, *, reduction='mean', ignore_index=None", classes,
    definition=lambda p: over_classes(p, "x"))
row("cross_entropy", "x, target: int, weight=None, *, reduction='mean', label_smoothing=0, ignore_index=None", classes,
    definition=lambda p: over_classes(p, "log_softmax(x)"), reads_log=True)
