"""Which nodes of two runs hold the same numbers, and the first that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations

import numpy as np

from ..records.evaluation import Array
from .content import Content, Index
from .side import MOVES, Side

PERMUTED = 6  # axes at most, of arrays that are compared in every order of theirs


@dataclass(frozen=True)
class Match:
    """What of `here` is found `there`, and the other way round."""

    here: Side
    there: Side
    _found: dict[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def index(self) -> Index:
        """Contents of the other side."""
        index = Index()
        for node in self.there.floats():
            index.add(node.name, self.there.content(node.name))
        for name, made in self.there.beside.items():
            index.add(name, made)
        return index

    @cached_property
    def turned(self) -> Index:
        """Contents of the other side turned round: x - m beside m - x, 1 / sqrt beside sqrt."""
        index = Index()
        for node in self.there.floats():
            made = self.there.content(node.name)
            index.add(node.name, made.negated())
            inverted = made.inverted()
            if inverted is not None:
                index.add(node.name, inverted)
        return index

    @cached_property
    def back(self) -> Match:
        return Match(self.there, self.here)

    def counterpart(self, name: str) -> str:
        """A node of the other side with the same numbers, perhaps turned round; empty for none."""
        if name not in self._found:
            choice = self.here.numbers[name].dtype.kind != "f"
            made = None if choice else self.here.content(name)
            self._found[name] = (self.index.first(made) or self.turned.first(made)) if made is not None else ""
        return self._found[name]

    def neutral(self, name: str) -> bool:
        """Inputs, conditions and integers, numbers that are one everywhere: never to blame by themselves."""
        if self.here.graph[name].op == "input":
            return True
        x = self.here.numbers[name]
        return name not in self.here.live and (x.dtype.kind != "f" or x.size < 2 or bool((x == x.flat[0]).all()))

    def known(self, name: str) -> bool:
        """Whether the other side has these numbers; of what is only moved, those that it moves."""
        if self.neutral(name):
            return True
        node = self.here.graph[name]
        while not self.counterpart(node.name):
            if node.op not in MOVES or not isinstance(node.args[0], str):
                return False
            node = self.here.graph[node.args[0]]
            if self.neutral(node.name):
                return True
        return True

    def blamed(self, outputs: Sequence[str]) -> list[str]:
        """Nodes without a counterpart, from which the outputs are reached through such; in the order of the run."""
        blamed, waiting = set[str](), [name for name in outputs if not self.known(name)]
        while waiting:
            name = waiting.pop()
            if name not in blamed:
                blamed.add(name)
                args = (arg for arg in self.here.graph[name].args if isinstance(arg, str))
                waiting += [arg for arg in args if not self.known(arg)]
        return sorted(blamed, key=self.here.order.__getitem__)

    def first(self, blamed: Sequence[str]) -> list[str]:
        """Those of the blamed whose operands are all known."""
        bad = set(blamed)
        return [name for name in blamed if bad.isdisjoint(self.here.graph[name].args)]


def laid_out(x: Array, shape: tuple[int, ...]) -> list[Array]:
    """An array in every order of its axes that has this shape, and as it is; axes of length 1 aside."""
    if x.size != int(np.prod(shape)):
        return []
    found = [x.reshape(shape)]
    slim, wanted = x.squeeze(), tuple(n for n in shape if n != 1)
    if 1 < slim.ndim <= PERMUTED and slim.ndim == len(wanted):
        orders = (axes for axes in permutations(range(slim.ndim)) if axes != tuple(range(slim.ndim)))
        fitting = [axes for axes in orders if tuple(slim.shape[k] for k in axes) == wanted]
        found += [slim.transpose(axes).reshape(shape) for axes in fitting]
    return found


def in_place(x: Array, y: Array, *contents: Content) -> bool:
    """Whether numbers agree one by one, as far as rounding may have moved those of their size in these contents."""
    if x.shape != y.shape:
        return False
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        most = max((float(one.spare.max(initial=0.0)) for one in contents), default=0.0)
        if not np.all(same | (np.abs(x - y) <= 4 * most + 1e-13 * np.abs(x))):
            return False  # at no size may rounding do that: most comparisons end here, and sort nothing
        sizes = np.abs(np.concatenate([*(one.rest for one in contents), [0.0]]))
        order = np.argsort(sizes)
        widest = np.maximum.accumulate(np.concatenate([*(one.spare for one in contents), [0.0]])[order])
        at = np.searchsorted(sizes[order], np.maximum(np.abs(x), np.abs(y)), side="right") - 1
        near = np.abs(x - y) <= 4 * widest[np.clip(at, 0, len(widest) - 1)] + 1e-13 * np.abs(x)
    return bool(np.all(same | near))
