"""Functions of torch that a case names in place of a definition's text, looked up."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import get_overridable_functions

from ...harness.graph.native import Native
from ...harness.graph.node import GraphError


def resolve(native: Native) -> Any:
    """The function of tensors that a case names: one that tensors may override. Raises GraphError for anything else."""
    path = f"{native.module}.{native.name}"
    function = getattr(import_module(native.module), native.name, None)
    if function is None:
        raise GraphError(f"torch {torch.__version__} has no `{path}`", "a function that it has")
    if id(function) not in _numerical():
        raise GraphError(f"`{path}` of torch {torch.__version__}", "a function of tensors")
    return function


@cache
def _numerical() -> frozenset[int]:
    """Functions that take tensors, as torch itself lists them, and those that `torch.nn.functional` is written in."""
    listed = [some for space, some in get_overridable_functions().items() if space is not torch.Tensor]
    written = [function for function in vars(F).values() if getattr(function, "__module__", "") == F.__name__]
    return frozenset(id(function) for some in (*listed, written) for function in some if not isinstance(function, type))
