"""Losses, each the mean over all examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..node import GraphError, Param, Shape
from ..shapes import broadcast
from .operation import row


def scalar(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    broadcast(*shapes)
    return ()


def cross_entropy(shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    if not shapes[0] or shapes[1] != shapes[0][:-1]:
        raise GraphError(f"x {shapes[0]} and target {shapes[1]}", "x (..., classes) and target (...) of class indices")
    return ()


# fmt: off
row("mse_loss", "x, target", scalar, definition="mean(square(x - target))")
row("cross_entropy", "x, target: int", cross_entropy,
    definition="-mean(sum(where(one_hot(target, size=size(x, axis=-1)) > 0.5, log_softmax(x, axis=-1), 0), axis=-1))", reads_log=True)
