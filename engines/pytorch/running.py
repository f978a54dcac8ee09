"""Running statistics, which a batch norm changes behind the tape: what they hold afterwards is a node of its own."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch

from ...harness.hearing.heard import Place
from .calls import Step, decimal
from .nodes import Nodes

Tensor: TypeAlias = torch.Tensor
# The tensors that a call is about to change, and the step that makes of them what they are then.
Updates: TypeAlias = list[tuple[Tensor, Step]]


def updates(nodes: Nodes, name: str, args: Sequence[Any]) -> Updates:
    """Of a batch norm in training, the moving averages (Ioffe and Szegedy 2015): the variance is the unbiased one."""
    if name != "batch_norm" or len(args) < 7 or not args[5]:
        return []
    x, mean, var, momentum = args[0], args[3], args[4], float(args[6])
    axes = [axis for axis in range(x.ndim) if axis != 1]
    found: Updates = []
    for tensor, text in ((mean, f"mean(x0, axis={axes})"), (var, f"var(x0, axis={axes}, correction=1)")):
        if isinstance(tensor, torch.Tensor) and torch.is_floating_point(tensor):
            old = tensor.detach().clone()
            nodes.keep(old, nodes.node_of(tensor), moves=nodes.depends(tensor))
            text = f"{decimal(1 - momentum)} * x1 + {decimal(momentum)} * {text}"
            found.append((tensor, Step("running_mean" if tensor is mean else "running_var", [x, old], text=text)))
    return found


def changed(nodes: Nodes, found: Updates, place: Place) -> None:
    """The nodes of what the tensors hold now. No gradient flows through them."""
    for tensor, step in found:
        now = tensor.detach().clone()  # a later call changes the tensor itself
        node = nodes.record(step, now, place, {})
        nodes.keep(tensor, node, moves=nodes.depends(now))
