"""Tensors among the arguments of a call."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import torch

Tensor: TypeAlias = torch.Tensor


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors of arguments, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_of(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_of(one)
    elif isinstance(value, slice):
        yield from tensors_of((value.start, value.stop, value.step))


def walk(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Arguments with every tensor changed; what has none stays the same object."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        new = [walk(one, change) for one in value]
        if all(a is b for a, b in zip(new, value, strict=True)):
            return value
        with suppress(TypeError):
            return type(value)(new)
        return type(value)(*new)
    return value
