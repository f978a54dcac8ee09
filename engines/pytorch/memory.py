"""What tensors hold after they were changed in place.

A heard call that changes a tensor runs out of place. The tensor stays as it was, and whoever reads it, or a view of the
same memory, is handed what it should hold now. So each change is a node of its own.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

Tensor: TypeAlias = torch.Tensor
# `move(name, tensors, places)`: their elements, counted through, at the places, as a heard call.
Move: TypeAlias = Callable[[str, list[Tensor], Tensor], Tensor]


@dataclass
class _Cell:
    """One piece of memory that was changed: the tensor that owns it, and what that holds now, in memory of its own."""

    owner: Tensor
    now: Tensor


class Memory:
    def __init__(self, move: Move) -> None:
        self.move = move
        self._cells: dict[int, _Cell] = {}
        self._views: dict[int, tuple[Tensor, Tensor, Tensor]] = {}  # of a view: itself, of what, what it holds
        self._replaced: dict[int, tuple[Tensor, Tensor]] = {}

    def replace(self, stale: Tensor, now: Tensor) -> None:
        """One tensor object stands for another from here on: its shape changed, or it left the tape."""
        if now is not stale:
            self._replaced[id(stale)] = (stale, now)

    def forget(self, tensor: Tensor) -> None:
        """A tensor is what it is itself: its numbers were assigned anew."""
        self._replaced.pop(id(tensor), None)

    def current(self, tensor: Tensor) -> Tensor:
        """What a tensor holds now."""
        while id(tensor) in self._replaced:
            tensor = self._replaced[id(tensor)][1]
        if not self._cells or tensor.layout != torch.strided:
            return tensor
        cell = self._cells.get(tensor.untyped_storage().data_ptr())
        if cell is None:
            return tensor
        now = self.current(cell.now)  # which may have been changed in its turn
        if _alike(tensor, cell.owner):
            return now
        _, whole, seen = self._views.get(id(tensor), (tensor, tensor, tensor))
        if whole is not now:
            seen = self.move("view", [now], _places(tensor, cell.owner))
            self._views[id(tensor)] = (tensor, now, seen)
        return seen

    def changed(self, tensor: Tensor) -> bool:
        """Whether a tensor's memory was changed by a heard call."""
        return bool(self._cells) and tensor.untyped_storage().data_ptr() in self._cells

    def write(self, tensor: Tensor, new: Tensor) -> None:
        """`tensor`, or what it is a view of, holds `new` from here on, and so do all views of its memory."""
        while id(tensor) in self._replaced:
            tensor = self._replaced[id(tensor)][1]
        key = tensor.untyped_storage().data_ptr()
        if not tensor.numel():
            return
        if new.untyped_storage().data_ptr() == key:
            new = self.move("write", [new], torch.arange(new.numel()).reshape(new.shape))
        owner = tensor if tensor._base is None else tensor._base
        cell = self._cells.get(key) or _Cell(owner, owner)
        if _alike(tensor, cell.owner):
            now = new
        else:
            into = torch.arange(cell.owner.numel())
            into[_places(tensor, cell.owner).reshape(-1)] = cell.owner.numel() + torch.arange(new.numel())
            now = self.move("write", [self.current(cell.owner), new], into.reshape(cell.owner.shape))
        self._cells[key] = _Cell(cell.owner, now)
        self._views[id(tensor)] = (tensor, now, new)


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.storage_offset() == b.storage_offset()


def _places(view: Tensor, owner: Tensor) -> Tensor:
    """For each element of a view, which element of the owner of its memory it is."""
    size = view.untyped_storage().nbytes() // view.element_size()
    places = torch.full((size,), -1)
    numbered = torch.arange(owner.numel()).reshape(owner.shape)
    places.as_strided(owner.shape, owner.stride(), owner.storage_offset()).copy_(numbered)
    found = places.as_strided(view.shape, view.stride(), view.storage_offset())
    assert int(found.min() if found.numel() else 0) >= 0, "a view lies within the owner of its memory"
    return found


def indexed(shape: Any, index: Any) -> Tensor:
    """The positions, counted through, that an index of any kind selects."""
    return torch.arange(torch.Size(shape).numel()).reshape(shape)[index]
