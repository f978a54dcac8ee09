"""Which parameters of a port are made of which of the original, element by element: numbers that are random are all
distinct, so that each tells where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import combinations

import numpy as np

from ..records.evaluation import DTYPES, Array
from .layout import Piece, fitted, orders, spread, told

PIECES = 16  # of one leaf at most; more are told as another order
WINDOWS = (2, 3, 5, 9, 1)  # steps along an axis by which a piece is known: more where numbers occur twice
NOWHERE = "no counterpart (made by arithmetic)"


@dataclass(frozen=True)
class Counterpart:
    """Where a leaf of the port comes from. `words` for a table; `sources` are the leaves of the original; `terms` say
    how, one for each that is added up: a factor, and for each element its place among all floats of the original, one
    leaf behind another. Without `terms` that is not known."""

    name: str
    words: str
    sources: tuple[str, ...] = ()
    terms: tuple[tuple[float, Array], ...] = ()


@dataclass(frozen=True)
class Matching:
    """`counterparts`: one for each float leaf of the port. `missing`: leaves of the original that the port lacks;
    `partly`: those of which it lacks some; `unused`: leaves of the port without a counterpart; `twice`: leaves of the
    original that went into two places."""

    counterparts: tuple[Counterpart, ...]
    missing: tuple[str, ...]
    partly: tuple[str, ...]
    unused: tuple[str, ...]
    twice: tuple[str, ...]
    _shapes: Mapping[str, tuple[int, ...]]
    _targets: Mapping[str, tuple[int, ...]]

    def carry(self, numbers: Mapping[str, Array]) -> dict[str, Array]:
        """Other numbers of the original as the port's. Leaves whose counterpart is not known are left out."""
        flat = np.concatenate([np.zeros(0), *(numbers[name].astype(np.float64).ravel() for name in self._shapes)])
        return {
            one.name: sum((factor * flat[places] for factor, places in one.terms), np.zeros(())).reshape(
                self._targets[one.name]
            )
            for one in self.counterparts
            if one.terms
        }

    def pull(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Gradients of the port's leaves as those of the original's, added up over copies; leaves of which a part went
        where that is not known are left out."""
        starts = _starts(self._shapes)
        flat = np.zeros(sum(map(_size, self._shapes.values())))
        lost = {name for one in self.counterparts if not one.terms for name in one.sources}
        for one in self.counterparts:
            if one.name in gradients:
                for factor, places in one.terms:
                    np.add.at(flat, places, factor * gradients[one.name].astype(np.float64).ravel())
            else:
                lost |= {*one.sources}
        return {
            name: flat[start : start + _size(self._shapes[name])].reshape(self._shapes[name])
            for name, start in starts.items()
            if name not in lost
        }


def matching(a: Mapping[str, Array], b: Mapping[str, Array]) -> Matching:
    """What each float leaf of `b` is made of, of the leaves of `a`, by their numbers: equal to the last bit, after a
    cast to the precision of the leaf. Leaves that are one number everywhere are told apart by their names, and by the
    modules of those that were found. Cost: the sorting of all numbers."""
    search = _Search({name: x for name, x in a.items() if x.dtype.name in DTYPES})
    targets = {name: x for name, x in b.items() if x.dtype.name in DTYPES}
    found = {name: search.counterpart(name, x) for name, x in targets.items() if not _is_constant(x)}
    for name, x in targets.items():
        if name in found and not found[name].terms and (made := search.made(name, x, found.values())):
            found[name] = made
    found |= search.constants({name: x for name, x in targets.items() if name not in found}, found)
    counterparts = tuple(found[name] for name in targets)
    shapes = {name: x.shape for name, x in search.leaves.items()}
    used = search.used(counterparts)
    return Matching(
        counterparts,
        tuple(name for name, share in used.items() if share == 0),
        tuple(name for name, share in used.items() if 0 < share < 1),
        tuple(one.name for one in counterparts if not one.sources),
        search.twice(counterparts),
        shapes,
        {name: x.shape for name, x in targets.items()},
    )


class _Search:
    """The numbers of the original, sorted."""

    def __init__(self, leaves: Mapping[str, Array]) -> None:
        self.leaves = leaves
        self.starts = _starts({name: x.shape for name, x in leaves.items()})
        self.flat = np.concatenate([np.zeros(0), *(x.astype(np.float64).ravel() for x in leaves.values())])
        self.same = _alike(leaves)  # the first of the leaves that hold the same numbers
        searched = [name for name, x in leaves.items() if not _is_constant(x) and self.same[name] == name]
        parts = [np.arange(self.starts[name], self.starts[name] + leaves[name].size) for name in searched]
        self.places = np.concatenate([np.zeros(0, np.int64), *parts])
        self._sorted: dict[str, tuple[Array, Array]] = {}

    @cached_property
    def ends(self) -> Array:
        return np.cumsum([x.size for x in self.leaves.values()])

    @cached_property
    def names(self) -> list[str]:
        return [*self.leaves]

    def leaf_of(self, places: Array) -> Array:
        """Of each place the number of its leaf."""
        return np.searchsorted(self.ends, places, side="right")

    def counterpart(self, name: str, x: Array) -> Counterpart:
        places, sure = self._found(x)
        if (places < 0).any():
            return Counterpart(name, NOWHERE)
        pieces = self._pieces(places, sure, x)
        if pieces is None:
            owners = dict.fromkeys(self.names[int(k)] for k in self.leaf_of(places.ravel()))
            return Counterpart(name, f"{', '.join(owners)}, in another order", tuple(owners), ((1.0, places.ravel()),))
        sources = tuple(dict.fromkeys(piece.name for piece in pieces))
        parts = [piece.places for piece in pieces]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=pieces[0].axis)  # one may have no axis
        return Counterpart(name, told(pieces, x.shape), sources, ((1.0, whole.ravel()),))

    def _found(self, x: Array) -> tuple[Array, Array]:
        """Of each element its place, -1 where there is none, and whether there is no other."""
        numbers, places = self._in(x.dtype.name)
        wanted = x.astype(np.float64)
        first = np.searchsorted(numbers, wanted, side="left")
        last = np.searchsorted(numbers, wanted, side="right")
        none = last == first
        found = np.where(none, -1, np.append(places, -1)[np.where(none, -1, first)])
        sure = last - first == 1
        return found, sure if sure.any() else ~none

    def _in(self, dtype: str) -> tuple[Array, Array]:
        if dtype not in self._sorted:
            numbers = self.flat[self.places].astype(DTYPES[dtype]).astype(np.float64)
            order = np.argsort(numbers, kind="stable")
            self._sorted[dtype] = numbers[order], self.places[order]
        return self._sorted[dtype]

    # --- how its elements lie ---------------------------------------------------------------------------------------

    def _pieces(self, places: Array, sure: Array, x: Array) -> list[Piece] | None:
        """A leaf as pieces along an axis, each with one stride for each of its axes."""
        whole = self._piece(places, sure, x, 0) or self._reordered(places, sure, x)
        if whole is not None:
            return [whole]
        for axis in range(x.ndim):
            pieces, start = list[Piece](), 0
            while start < x.shape[axis] and len(pieces) < PIECES:
                part = (slice(None),) * axis + (slice(start, None),)
                piece = self._longest(places[part], sure[part], x[part], axis)
                if piece is None:
                    break
                pieces.append(piece)
                start += piece.places.shape[axis]
            if start == x.shape[axis]:
                return pieces
        return None

    def _longest(self, places: Array, sure: Array, x: Array, axis: int) -> Piece | None:
        """The longest piece that begins at the beginning of an axis; None where even one step of it is none."""
        for length in WINDOWS:
            part = (slice(None),) * axis + (slice(0, length),)
            piece = self._piece(places[part], sure[part], x[part], axis) if length <= x.shape[axis] else None
            if piece is not None:
                break
        else:
            return None
        whole = spread(piece.offset, piece.strides, x.shape)
        start, size = self.starts[piece.name], self.leaves[piece.name].size
        inside = (whole >= 0) & (whole < size)
        same = inside & (self.flat[start + np.where(inside, whole, 0)].astype(x.dtype) == x)
        along = np.moveaxis(same, axis, 0).reshape(x.shape[axis], -1).all(1)
        length = x.shape[axis] if along.all() or not piece.strides[axis] else int(along.argmin())
        length = length if piece.strides[axis] else 1
        kept = (slice(None),) * axis + (slice(0, length),)
        return replace(piece, places=start + whole[kept])

    def _piece(self, places: Array, sure: Array, x: Array, axis: int) -> Piece | None:
        """Elements that lie in one leaf with one stride for each axis."""
        known = places[sure]
        if not known.size:
            return None
        leaf = int(self.leaf_of(known[0]))
        name, start = self.names[leaf], self.starts[self.names[leaf]]
        inside = sure & (places >= start) & (places < start + self.leaves[name].size)
        fit = fitted(places - start, inside, x.shape)
        if fit is None:
            return None
        offset, strides, within = fit
        if within.min() < 0 or within.max() >= self.leaves[name].size or not self._holds(start + within, x):
            return None
        return Piece(name, self.leaves[name].shape, offset, strides, start + within, axis)

    def _holds(self, places: Array, x: Array) -> bool:
        return np.array_equal(self.flat[places].astype(x.dtype), x)

    def _reordered(self, places: Array, sure: Array, x: Array) -> Piece | None:
        """A whole leaf, its axes in another order and then reshaped, or the other way round."""
        leaf = self.names[int(self.leaf_of(places[sure])[0])]
        own = np.arange(self.leaves[leaf].size).reshape(self.leaves[leaf].shape)
        if own.size != x.size:
            return None
        for words, order in orders(own, x.shape):
            if self._holds(self.starts[leaf] + order, x):
                return Piece(leaf, own.shape, 0, (), self.starts[leaf] + order, 0, words)
        return None

    # --- what is not just moved -------------------------------------------------------------------------------------

    def made(self, name: str, x: Array, found: Iterable[Counterpart]) -> Counterpart | None:
        """A sum of two leaves, or one times a number, in this shape or transposed."""
        taken = {source for one in found for source in one.sources if one.terms}
        free = [n for n, a in self.leaves.items() if a.size == x.size and n not in taken and self.same[n] == n]
        wanted = x.astype(np.float64)
        turned: list[tuple[str, str, Array]] = []
        for n in free:
            places = self.starts[n] + np.arange(x.size).reshape(self.leaves[n].shape)
            turned.append((n, n, places.reshape(x.shape)))
            if places.ndim == 2 and places.T.shape == x.shape:
                turned.append((n, f"{n} transposed", places.T))
        close: Callable[[Array], bool] = lambda y: bool(np.allclose(y, wanted, rtol=4e-7, atol=0))  # noqa: E731
        for n, words, places in turned:
            factor = wanted.flat[0] / self.flat[places.flat[0]] if self.flat[places.flat[0]] else 0.0
            if factor and close(factor * self.flat[places]):
                return Counterpart(name, f"{factor:.6g} times {words}", (n,), ((float(factor), places.ravel()),))
        for (n, words, p), (m, others, q) in combinations(turned, 2):
            if n != m and close(self.flat[p] + self.flat[q]):
                return Counterpart(name, f"{words} + {others}", (n, m), ((1.0, p.ravel()), (1.0, q.ravel())))
        return None

    def constants(self, leaves: Mapping[str, Array], found: Mapping[str, Counterpart]) -> dict[str, Counterpart]:
        """Leaves that are one number everywhere: of those of the original that are it too and have as many elements,
        the one whose module the port's module is, then the one whose name is most like it, then the first."""
        modules: dict[str, set[str]] = {}
        for one in found.values():
            modules.setdefault(_module(one.name), set()).update(map(_module, one.sources))
        free = [name for name, x in self.leaves.items() if _is_constant(x)]
        pairs = [
            (_module(source) not in modules.get(_module(name), set()), -_likeness(source, name), source, name)
            for name, x in leaves.items()
            for source in free
            if x.size == self.leaves[source].size and (not x.size or x.flat[0] == self.leaves[source].flat[0])
        ]
        made: dict[str, Counterpart] = {}
        for _, _, source, name in sorted(pairs, key=lambda pair: pair[:2]):
            if name not in made and source in free:
                free.remove(source)
                places = self.starts[source] + np.arange(self.leaves[source].size)
                made[name] = Counterpart(name, source, (source,), ((1.0, places),))
        return {name: made.get(name, Counterpart(name, NOWHERE)) for name in leaves}

    # --- what is left over ------------------------------------------------------------------------------------------

    def _counts(self, counterparts: Sequence[Counterpart]) -> Array:
        counts = np.zeros(self.flat.size, np.int64)
        for one in counterparts:
            for _, places in one.terms:
                np.add.at(counts, places, 1)
        return counts

    def used(self, counterparts: Sequence[Counterpart]) -> dict[str, float]:
        """Of each leaf of the original the share that went into the port. A mask is no parameter."""
        counts, unknown = self._counts(counterparts), {n for one in counterparts if not one.terms for n in one.sources}
        shares: dict[str, float] = {}
        for name, x in self.leaves.items():
            same = [other for other, first in self.same.items() if first == self.same[name]]
            share = max(self._share(counts, other) for other in same)
            if x.size and name not in unknown and not (_is_mask(x) and not share):
                shares[name] = share
        return shares

    def _share(self, counts: Array, name: str) -> float:
        inside = counts[self.starts[name] : self.starts[name] + self.leaves[name].size]
        return float((inside > 0).mean()) if inside.size else 1.0

    def twice(self, counterparts: Sequence[Counterpart]) -> tuple[str, ...]:
        counts = self._counts(counterparts)
        found: list[str] = []
        for name, x in self.leaves.items():
            copies = sum(first == self.same[name] for first in self.same.values())
            inside = counts[self.starts[name] : self.starts[name] + x.size]
            if x.size and inside.max() > copies:
                found.append(name)
        return tuple(found)


def _alike(leaves: Mapping[str, Array]) -> dict[str, str]:
    """Of each leaf the first that holds the same numbers; one that is a number everywhere is alone."""
    seen: dict[tuple[object, ...], str] = {}
    return {
        name: name if _is_constant(x) else seen.setdefault((x.shape, x.astype(np.float64).tobytes()), name)
        for name, x in leaves.items()
    }


def _starts(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    sizes = [_size(shape) for shape in shapes.values()]
    return dict(zip(shapes, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True)) if sizes else {}


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _is_constant(x: Array) -> bool:
    return x.size != 1 and (not x.size or bool((x == x.flat[0]).all()))


def _is_mask(x: Array) -> bool:
    return bool(((x == 0) | (x == 1)).all()) and not _is_constant(x)


def _parts(name: str) -> list[str]:
    return re.findall(r"[^\[\].'\"]+", name)


def _module(name: str) -> str:
    return ".".join(_parts(name)[:-1])


# What the two frameworks call the same thing.
SYNONYMS = {"scale": "weight", "gamma": "weight", "g": "weight", "kernel": "weight", "beta": "bias", "b": "bias",
            "mean": "running_mean", "var": "running_var", "embedding": "weight", "w": "weight"}  # fmt: skip


def _likeness(a: str, b: str) -> float:
    """How alike two names are, from 0 to 2: their last parts, and all of them."""
    words = [[SYNONYMS.get(part.lower(), part.lower()) for part in _parts(name)] for name in (a, b)]
    last = SequenceMatcher(None, words[0][-1], words[1][-1]).ratio() if all(words) else 0.0
    return last + SequenceMatcher(None, ".".join(words[0]), ".".join(words[1])).ratio()
