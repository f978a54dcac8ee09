"""Which elements are looked at: the windows of a convolution, slices, what an index picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import numpy as np

from ..graph.node import Node
from ..records.evaluation import Array
from . import wording
from .content import content
from .matching import laid_out
from .proposals import Proposal, Question, everywhere, needed, replaced
from .side import Change, Side, applied

PICKS = frozenset(("getitem", "take", "take_along_axis"))
TOGETHER = 4  # parts of one array that are tried in every order


@dataclass(frozen=True)
class Window:
    """A two-dimensional correlation by its meaning: zeros around the image are padding, whoever added them."""

    image: Array
    pads: tuple[tuple[int, int], tuple[int, int]]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @staticmethod
    def of(side: Side, node: Node) -> Window:
        x, params = side.numbers[str(node.args[0])], dict(node.params)
        borders = [_border(x, axis) for axis in (2, 3)]
        inner = x[:, :, borders[0][0] : x.shape[2] - borders[0][1], borders[1][0] : x.shape[3] - borders[1][1]]
        more: Sequence[int] = params["padding"]  # pyright: ignore[reportAssignmentType]
        pads = tuple((low + extra, high + extra) for (low, high), extra in zip(borders, more, strict=True))
        return Window(inner, pads, params["stride"], params["dilation"], params["groups"])  # pyright: ignore[reportArgumentType]

    def over(self, kernel: Array) -> Array:
        image = np.pad(self.image, ((0, 0), (0, 0), *self.pads))
        settings = {"stride": self.stride, "padding": (0, 0), "dilation": self.dilation, "groups": self.groups}
        return applied("correlate2d", [image, kernel], settings)


def _border(x: Array, axis: int) -> tuple[int, int]:
    """How many slices of zeros are at either end of an axis."""
    full = np.nonzero(np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1).any(axis=1))[0]
    return (int(full[0]), x.shape[axis] - 1 - int(full[-1])) if full.size else (0, 0)


def other_window(q: Question) -> Iterator[Proposal]:
    """A convolution with another padding, stride or dilation, or with its kernel reversed."""
    for node in q.targets:
        for other in q.partners[node.name] if node.op == "correlate2d" else ():
            if other.op != "correlate2d":
                continue
            mine, theirs, kernel = Window.of(q.here, node), Window.of(q.there, other), q.here.numbers[str(node.args[1])]
            made_there = q.there.content(other.name)
            for said, made in _windows(mine, theirs, kernel):
                if made.size == q.there.numbers[other.name].size and content(made, np.abs(made) * 1e-12).same(
                    made_there
                ):
                    change: Change = lambda known, y=made: y  # noqa: E731
                    yield Proposal({node.name: change}, said, node.name, other.name)


def _windows(mine: Window, theirs: Window, kernel: Array) -> Iterator[tuple[str, Array]]:
    """The settings of the other side one by one and all together, and the kernel turned: words, and what it gives."""
    settings = {
        "pads": ("padding", mine.pads, theirs.pads),
        "dilation": ("dilation", mine.dilation, theirs.dilation),
        "stride": ("stride", mine.stride, theirs.stride),
    }
    others = {key: one for key, one in settings.items() if one[1] != one[2]}
    for keys in [*([key] for key in others), *([list(others)] if len(others) > 1 else [])]:
        said = "; ".join(
            f"the {others[key][0]} is {_told(others[key][2])} at {{there}} and {_told(others[key][1])} at {{here}}"
            for key in keys
        )
        window = replace(mine, **{key: others[key][2] for key in keys})
        try:
            yield said, window.over(kernel)
        except ValueError:
            continue
    turns = {
        "reversed (flipped) along both axes": kernel[:, :, ::-1, ::-1],
        "reversed (flipped) along its first axis": kernel[:, :, ::-1],
        "reversed (flipped) along its last axis": kernel[..., ::-1],
    }
    if kernel.shape[2] == kernel.shape[3]:
        turns["transposed (its height and width)"] = kernel.swapaxes(2, 3)
    for words, turned in turns.items():
        if not np.array_equal(turned, kernel):
            yield f"the kernel is {words} at {{there}} beside {{here}}", mine.over(turned)


def _told(value: tuple[object, ...]) -> str:
    """Of a window along one axis what is said of that alone."""
    first, last = value
    return str(last) if first in ((0, 0), 1, last) else str(value)


def other_elements(q: Question) -> Iterator[Proposal]:
    """What is cut out or picked of a number that both have are other elements of it."""
    for whole, (nodes, others) in _picked(q).items():
        label = q.here.label(whole)
        for mine, theirs in _pairings(nodes, others):
            shapes = [q.here.numbers[node.name].shape for node in mine]
            ways = [laid_out(q.there.numbers[o.name], shape) for o, shape in zip(theirs, shapes, strict=True)]
            for way in range(min(map(len, ways))):
                changes: dict[str, Change] = {
                    node.name: lambda known, y=laid[way]: y for node, laid in zip(mine, ways, strict=True)
                }
                yield Proposal(changes, _elements(q, label, mine[0], theirs[0]), mine[0].name, theirs[0].name)


def shifted(q: Question) -> Iterator[Proposal]:
    """A slice that begins one later or earlier, of the same length."""
    for node in q.targets:
        if node.op != "getitem":
            continue
        index = str(dict(node.params)["index"])
        parts = [part.strip() for part in index.split(",")]
        for k, part in enumerate(parts):
            numbers = part.split(":")
            if not 2 <= len(numbers) <= 3 or not all(one.isdigit() for one in numbers[:2]):
                continue
            for by in (1, -1):
                ends = [str(int(one) + by) for one in numbers[:2]]
                moved = ", ".join([*parts[:k], ":".join([*ends, *numbers[2:]]), *parts[k + 1 :]])
                params = tuple((name, moved if name == "index" else value) for name, value in node.params)
                make = partial(replaced, q.here, params=params)
                label = q.here.label(q.here.source(str(node.args[0])))
                reason = f"the slice of `{label}` is off by one: [{moved}] at {{there}} and [{index}] at {{here}}"
                yield from everywhere(q, node, make, reason, q.first_there)


def part_for_whole(q: Question) -> Iterator[Proposal]:
    """A sum or mean over all of an array on one side, over a part of it on the other."""
    for node in q.targets:
        total = q.here.graph[q.here.source(str(node.args[0]))] if node.op == "divide" and node.args else node
        if total.op not in ("sum", "max") or not isinstance(total.args[0], str):
            continue
        part = q.here.graph[q.here.source(total.args[0])]
        if part.op != "getitem" or not isinstance(part.args[0], str):
            continue
        whole = q.here.numbers[part.args[0]]
        if whole.ndim != q.here.numbers[total.args[0]].ndim:
            continue
        share = part_size / whole.size if (part_size := q.here.numbers[part.name].size) and total is not node else 1.0

        def change(
            known: Mapping[str, Array],
            node: Node = node,
            total: Node = total,
            whole: str = part.args[0],
            share: float = share,
        ) -> Array:
            made = applied(total.op, [known[whole]], dict(total.params))
            if node is total:
                return made
            shape = known[str(node.args[0])].shape
            return q.here.step(node, {**needed(node, known), str(node.args[0]): made.reshape(shape)}) * share

        index, label = dict(part.params)["index"], q.here.label(q.here.source(part.args[0]))
        what = wording.what(q.here, node.name)
        reason = f"{what} is over all of `{label}` at {{there}} and over the slice [{index}] of it at {{here}}"
        yield Proposal({node.name: change}, reason, node.name, q.first_there)


def _picked(q: Question) -> Mapping[str, tuple[list[Node], list[Node]]]:
    """For each number, what is cut out of it to be blamed, on either side."""
    found: dict[str, tuple[list[Node], list[Node]]] = {}
    theirs: dict[str, list[Node]] = {}
    for name in q.others:
        node = q.there.graph[name]
        if node.op in PICKS:
            theirs.setdefault(q.match.back.counterpart(q.there.source(str(node.args[0]))), []).append(node)
    for node in q.targets:
        if node.op in PICKS:
            source = q.here.source(str(node.args[0]))
            others = next((many for name, many in theirs.items() if name and _same(q, name, source)), list[Node]())
            if others:
                found.setdefault(source, ([], others))[0].append(node)
    return found


def _same(q: Question, name: str, source: str) -> bool:
    return name == source or (name in q.here.order and q.here.content(name).same(q.here.content(source)))


def _pairings(nodes: list[Node], others: list[Node]) -> Iterator[tuple[list[Node], list[Node]]]:
    if len(nodes) == len(others):
        yield nodes, others
        if 1 < len(nodes) <= TOGETHER:
            yield from ((nodes, list(order)) for order in permutations(others) if list(order) != others)
    for node in nodes:
        yield from (([node], [other]) for other in others)


def _elements(q: Question, label: str, mine: Node, theirs: Node) -> str:
    if mine.op == theirs.op == "getitem":
        here, there = (str(dict(node.params)["index"]) for node in (mine, theirs))
        more = wording.slices(here, there)
        return f"other elements of `{label}` are read: [{there}] at {{there}} and [{here}] at {{here}}{more}"
    if len(mine.args) > 1 and len(theirs.args) > 1:
        x, y = q.here.numbers[str(mine.args[1])], q.there.numbers[str(theirs.args[1])]
        said = wording.tables(x, y) if x.shape == y.shape else "it picks other elements"
        return f"the index into `{label}` is another at {{there}} than at {{here}}: {said}"
    return f"other elements of `{label}` are read at {{there}} than at {{here}} (another slice or index)"
