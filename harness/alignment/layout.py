"""How the elements of one array lie in another: offset and strides, and that in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ..records.evaluation import Array

Shape = tuple[int, ...]
AXES = 4  # at most, of arrays whose orders of axes are tried one by one


@dataclass(frozen=True)
class Piece:
    """Elements of the array `name` of a shape: the first lies at `offset`, steps along an axis are of `strides`
    elements. `places` is where each lies among all arrays; pieces are joined along `axis`. `words` where something else
    is to be said of it than what offset and strides say."""

    name: str
    shape: Shape
    offset: int
    strides: Shape
    places: Array
    axis: int
    words: str = ""


def fitted(places: Array, known: Array, shape: Shape) -> tuple[int, Shape, Array] | None:
    """Offset, strides and all places, by those that are known; None where these say nothing, or say that there is no
    one stride along an axis."""
    if not known.any():
        return None
    strides: list[int] = []
    for axis, extent in enumerate(shape):
        if extent < 2:
            strides.append(0)
            continue
        steps = np.diff(places, axis=axis)
        along = np.moveaxis(known, axis, 0)
        both = np.moveaxis(along[1:] & along[:-1], 0, axis)
        found = steps[both]
        if not found.size or (found != found[0]).any():
            return None
        strides.append(int(found[0]))
    reference = tuple(int(k[0]) for k in np.nonzero(known)) if shape else ()
    offset = int(places[reference]) - sum(s * k for s, k in zip(strides, reference, strict=True))
    return offset, tuple(strides), spread(offset, strides, shape)


def spread(offset: int, strides: Sequence[int], shape: Shape) -> Array:
    """The places of an array of this shape."""
    whole = np.full(shape, offset, np.int64)
    for axis, (extent, stride) in enumerate(zip(shape, strides, strict=True)):
        whole += (stride * np.arange(extent)).reshape((-1,) + (1,) * (len(shape) - axis - 1))
    return whole


def orders(own: Array, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """The elements of a leaf in this shape: axes turned and then reshaped, split and then turned."""
    if own.ndim <= AXES:
        for order in permutations(range(own.ndim)):
            yield f"axes {order} of {{name}}, reshaped", own.transpose(order).reshape(shape)
    if len(shape) <= AXES:
        for order in permutations(range(len(shape))):
            split = tuple(shape[k] for k in order)
            back = tuple(int(k) for k in np.argsort(order))
            yield f"{{name}} reshaped to {split}, axes {back} of that", own.reshape(split).transpose(back)


def told(pieces: Sequence[Piece], shape: Shape) -> str:
    """What an array of this shape is made of, in words."""
    words = [_words(piece) for piece in pieces]
    if len(pieces) == 1:
        return ", ".join(filter(None, words[0]))
    heads, how = [head for head, _ in words], {tail for _, tail in words}
    stacked = shape[pieces[0].axis] == len(pieces)
    names = {piece.name for piece in pieces}
    if len(names) == 1 and len(how) == 1 and (parts := [_range(piece) for piece in pieces]) and all(parts):
        kind = parts[0].partition(" ")[0]
        ranges = ", ".join(part.partition(" ")[2] for part in parts)
        return ", ".join(filter(None, (f"{kind} {ranges} of {pieces[0].name}", *how)))
    if len(names) == 1 and len(pieces) > 2:
        return f"{pieces[0].name}, in another order"
    if len(how) == 1:
        (tail,) = how
        joined = f"{'stack' if stacked else 'concat'} of {', '.join(heads)}"
        return f"{joined}, each {tail}" if tail else joined
    return f"{'stack' if stacked else 'concat'} of {', '.join(' '.join(filter(None, pair)) for pair in words)}"


def _words(piece: Piece) -> tuple[str, str]:
    """What is taken of an array, and how that is turned."""
    if piece.words:
        return piece.words.format(name=piece.name), ""
    shape = piece.places.shape
    size = int(np.prod(piece.shape, dtype=np.int64))
    if piece.offset == 0 and piece.places.size == size and _in_order(piece.strides, shape):
        return piece.name, "" if _long(shape) == _long(piece.shape) else "reshaped"
    axes = _axes(piece)
    if axes is None:
        return _turned(piece), ""
    part = _range(piece) or _index(piece, axes)
    head = f"{piece.name}{part}" if part.startswith("[") or not part else f"{part} of {piece.name}"
    order = [axis for axis, _, _ in axes]
    tail = ""
    if order != sorted(order):
        tail = "transposed" if len(order) == len(piece.shape) == 2 else ""
        if not tail:
            head = f"axes ({', '.join(map(str, order))}) of {head}"
    flipped = [str(axis) for axis, step, _ in axes if step < 0]
    if flipped:
        tail = ", ".join(filter(None, (tail, f"flipped along axis {' and '.join(flipped)}")))
    if _long(shape) != tuple(extent for _, _, extent in axes):
        tail = ", ".join(filter(None, (tail, "reshaped")))
    return head, tail


def _turned(piece: Piece) -> str:
    """A piece whose axes are no axes of its array: as one that was reshaped and turned, where it is a whole one."""
    own, shape = np.arange(int(np.prod(piece.shape))).reshape(piece.shape), piece.places.shape
    there = spread(piece.offset, piece.strides, shape)
    ways = orders(own, shape) if own.size == there.size else iter(())
    words = next((words for words, order in ways if np.array_equal(order, there)), "{name}, in another order")
    return words.format(name=piece.name)


def _in_order(strides: Shape, shape: Shape) -> bool:
    expected = 1
    for stride, extent in reversed([*zip(strides, shape, strict=True)]):
        if extent > 1 and stride != expected:
            return False
        expected *= extent
    return True


def _axes(piece: Piece) -> list[tuple[int, int, int]] | None:
    """For each axis of a piece, those that are one stretch merged: which axis of the array it runs along, in which
    steps, and its extent; None where an axis runs along several."""
    steps = [one for one in zip(piece.strides, piece.places.shape, strict=True) if one[1] > 1]
    merged: list[tuple[int, int]] = []
    for stride, extent in steps:
        if merged and merged[-1][0] == stride * extent:
            merged[-1] = (stride, merged[-1][1] * extent)
        else:
            merged.append((stride, extent))
    return _along(piece, steps) or _along(piece, merged)


def _along(piece: Piece, steps: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]] | None:
    starts, found = _starts(piece), list[tuple[int, int, int]]()
    for stride, extent in steps:
        for axis, unit in enumerate(_strides(piece.shape)):
            step, rest = divmod(stride, unit)
            last = starts[axis] + step * (extent - 1)
            if not rest and step and 0 <= last < piece.shape[axis] and axis not in [known for known, _, _ in found]:
                found.append((axis, step, extent))
                break
        else:
            return None
    return found


def _starts(piece: Piece) -> list[int]:
    return [piece.offset // unit % extent for unit, extent in zip(_strides(piece.shape), piece.shape, strict=True)]


def _long(shape: Shape) -> Shape:
    """Without axes of length 1."""
    return tuple(extent for extent in shape if extent != 1)


def _strides(shape: Shape) -> list[int]:
    return [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]


def _range(piece: Piece) -> str:
    """`rows 0:8` where that is all that is left out, of an array of one axis or two."""
    axes, starts = _axes(piece), _starts(piece)
    if axes is None or not 1 <= len(piece.shape) <= 2:
        return ""
    extents = {axis: extent if step > 0 else -extent for axis, step, extent in axes}
    if any(abs(step) != 1 for _, step, _ in axes):
        return ""
    cut = [axis for axis, extent in enumerate(piece.shape) if abs(extents.get(axis, 1)) != extent]
    if len(cut) != 1 or extents.get(cut[0], 1) < 0:
        return ""
    kind = "elements" if len(piece.shape) == 1 else ("rows", "columns")[cut[0]]
    return f"{kind} {starts[cut[0]]}:{starts[cut[0]] + extents.get(cut[0], 1)}"


def _index(piece: Piece, axes: Sequence[tuple[int, int, int]]) -> str:
    """`[:, 0:4]`, empty where nothing is left out."""
    starts, words = _starts(piece), [str(start) for start in _starts(piece)]
    for axis, step, extent in axes:
        if abs(step) * extent == piece.shape[axis] and abs(step) == 1:
            words[axis] = ":"
        else:
            low = starts[axis] if step > 0 else starts[axis] + step * (extent - 1)
            stop = low + abs(step) * (extent - 1) + 1
            words[axis] = f"{low}:{stop}" + (f":{abs(step)}" if abs(step) != 1 else "")
    trivial = all(word == ":" or (word == "0" and extent == 1) for word, extent in zip(words, piece.shape, strict=True))
    return "" if trivial else f"[{', '.join(words)}]"
