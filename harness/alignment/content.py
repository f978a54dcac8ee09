"""What numbers a node holds, whatever their layout: sorted, with how far rounding may have moved each.

Two nodes have the same content where their sorted numbers agree to within rounding. How much that is, is measured: in
runs that err at every operation as far as a sound one may (`truth/shaken.py`), so that cancellation upstream widens it
and nobody chooses it. Numbers are looked at by size, those that tower over the rest (-inf and -1e9 of masks, paddings)
apart from it: none hides another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.emit import emit
from ..graph.graph import Graph
from ..records.evaluation import Array
from ..records.formats import FORMATS
from ..truth.shaken import shaken

Floats = NDArray[np.float64]

RUNS = 4  # shaken ones
SPARE = 32  # times what those differ by: four signs seldom add up to the worst
LEAST = 2.0**-46  # of a number, the least that rounding may be
BINADES = 8  # numbers within so many powers of two are of one size
TOWERS = 1e6  # times the median is apart
VAST = 1e100  # is apart whatever the median: a mask may be of most numbers
FORM = FORMATS["float64"]


@dataclass(frozen=True, slots=True)
class Values:
    """The numbers of a graph's nodes in float64, and how far each may be off: RUNS shaken ones differ by that."""

    numbers: Mapping[str, Array]
    noise: Mapping[str, Floats]


def values(graph: Graph, inputs: Mapping[str, Array], names: Sequence[str] = ()) -> Values:
    """All nodes of a graph of primitives, or those named, at these inputs (NumPy arrays of any dtype)."""
    names = list(names or [node.name for node in graph.nodes])
    given = [_entered(inputs[node.name]) for node in graph.inputs]
    namespace = arrays.namespace("float64")
    with np.errstate(all="ignore"):
        program = emit(graph, namespace, names, operators=False)
        numbers = {name: np.asarray(made) for name, made in zip(names, program(*given), strict=True)}
        noise = {name: np.zeros(made.shape) for name, made in numbers.items() if made.dtype.kind == "f"}
        run, signs = shaken(graph, namespace, names, FORM), np.random.default_rng(0)
        for seed in range(RUNS):
            moved = [_shaken(x, signs) for x in given]
            for name, made in zip(names, run(seed)(*moved), strict=True):
                if name in noise:
                    np.fmax(noise[name], np.abs(made - numbers[name]), out=noise[name])
    return Values(numbers, noise)


def _entered(array: Array) -> Array:
    x = np.asarray(array)
    return (x.astype(np.float64) if x.dtype.kind not in "biu" else x)[()]


def _shaken(x: Array, signs: np.random.Generator) -> Array:
    """An input a rounding off; what is exact in few bits is no result of arithmetic."""
    if x.dtype.kind != "f" or bool(np.all(x == np.round(x))):
        return x
    return x * (1 + 2 * FORM.unit * (signs.integers(0, 2, np.shape(x)) * 2 - 1))


@dataclass(frozen=True, slots=True)
class Content:
    """Sorted numbers, and how far each may be off; `towers` are those that stand apart, infinities among them, `nans`
    how many are none."""

    rest: Floats
    spare: Floats
    towers: Floats
    nans: int

    @property
    def size(self) -> tuple[int, int, int]:
        return len(self.rest), len(self.towers), self.nans

    def same(self, other: Content) -> bool:
        if self.size != other.size:
            return False
        with np.errstate(all="ignore"):
            near = np.abs(self.rest - other.rest) <= self.spare + other.spare
            far = (self.towers == other.towers) | (np.abs(self.towers - other.towers) <= 1e-12 * np.abs(self.towers))
        return bool(near.all() and far.all())

    def negated(self) -> Content:
        return Content(-self.rest[::-1], self.spare[::-1], -self.towers[::-1], self.nans)

    def inverted(self) -> Content | None:
        """One over each number; None where one of them is 0 to within rounding, or stands apart."""
        if len(self.towers) or self.nans or not np.all(np.abs(self.rest) > 8 * self.spare):
            return None
        turned = 1 / self.rest
        order = np.argsort(turned)
        return Content(turned[order], (self.spare / self.rest**2)[order], self.towers, 0)


def content(numbers: Array, noise: Floats) -> Content:
    x = np.ravel(numbers).astype(np.float64)
    kept = ~np.isnan(x)
    finite = np.abs(x[(np.abs(x) <= VAST) & (x != 0)])
    middle = float(np.median(finite)) if finite.size else 0.0
    apart = kept & ((np.abs(x) > VAST) | ((np.abs(x) > TOWERS * middle) & (np.abs(x) > 1e3)))
    rest, spare = x[kept & ~apart], spares(x, np.ravel(noise))[kept & ~apart]
    order = np.argsort(rest, kind="stable")
    return Content(rest[order], spare[order], np.sort(x[apart]), int(np.count_nonzero(~kept)))


def spares(x: Floats, noise: Floats) -> Floats:
    """How far each number may be off: what the noisiest of its size is, times SPARE."""
    with np.errstate(all="ignore"):
        size = np.where((x == 0) | ~np.isfinite(x), -(2**20), np.frexp(x)[1] // BINADES)
        quiet = np.where(np.isfinite(noise), noise, 0.0)
        found, place = np.unique(size, return_inverse=True)
        most = np.zeros(len(found))
        np.maximum.at(most, place.ravel(), quiet)
        return np.where(np.isfinite(x), np.maximum(SPARE * most[place.ravel()], LEAST * np.abs(x)), 0.0)


class Index:
    """Contents by their size, looked up to within rounding."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, int, int], list[tuple[str, Content]]] = {}
        self._sorted: dict[tuple[int, int, int], tuple[Floats, float, list[int]]] = {}
        self._sums: dict[int, tuple[Floats, float]] = {}

    def add(self, name: str, made: Content) -> None:
        self._names.setdefault(made.size, []).append((name, made))
        self._sorted.pop(made.size, None)

    def may(self, x: Array) -> bool:
        """Whether a content may be that of these numbers, by their sum alone: quickly told, and seldom wrongly so."""
        if x.size not in self._sums:
            kept = [one for size, many in self._names.items() if sum(size) == x.size for _, one in many]
            plain = np.sort([float(one.rest.sum()) for one in kept if not len(one.towers) and not one.nans])
            self._sums[x.size] = plain, max((_spread(one) for one in kept), default=0.0)
            if len(plain) < len(kept):
                self._sums[x.size] = plain, np.inf
        sums, widest = self._sums[x.size]
        if not len(sums) or not widest < np.inf:
            return widest == np.inf
        with np.errstate(all="ignore"):
            total = float(x.sum())
        if not np.isfinite(total):
            return False
        wide = 2 * widest + 1e-12 * float(np.abs(x).sum())
        k = int(np.searchsorted(sums, total - wide))
        return k < len(sums) and bool(sums[k] <= total + wide)

    def find(self, made: Content) -> Iterator[str]:
        """The names whose content is the same, in the order that they were added."""
        kept = self._names.get(made.size, [])
        if not kept:
            return
        if made.size not in self._sorted:
            sums = np.array([_weighed(one.rest) for _, one in kept])
            order = np.argsort(sums, kind="stable")
            widest = max(_spread(one) for _, one in kept)
            self._sorted[made.size] = sums[order], widest, [int(k) for k in order]
        sums, widest, order = self._sorted[made.size]
        at, wide = _weighed(made.rest), _spread(made) + widest
        low, high = np.searchsorted(sums, at - wide), np.searchsorted(sums, at + wide, side="right")
        for k in sorted(order[int(low) : int(high)]):
            name, one = kept[k]
            if one.same(made):
                yield name

    def first(self, made: Content) -> str:
        return next(self.find(made), "")


def _weighed(rest: Floats) -> float:
    """One number that tells most contents apart, and moves little where they move little."""
    return float(rest @ np.cos(np.arange(len(rest)))) if len(rest) else 0.0


def _spread(made: Content) -> float:
    return float(made.spare.sum()) + 1e-12 * float(np.abs(made.rest).sum())


@dataclass(frozen=True)
class Numbers:
    """Numbers of one node with their noise, and their content where that is asked for."""

    array: Array
    noise: Floats

    @cached_property
    def content(self) -> Content:
        return content(self.array, self.noise)
