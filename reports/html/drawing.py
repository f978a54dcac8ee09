"""A graph as a drawing: boxes in layers, each below what it reads, by Sugiyama's method.

Wide and deep graphs are folded to what matters: the steps that are marked, what is near them, and the output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...harness.records.verdicts import SEVERITY, Verdict
from ...harness.telling.mermaid import Box

LARGEST = 40  # boxes that are drawn
NEAR = 2  # uses away from a step that is marked
LETTER, LINE = 6.7, 15.0  # of a box's text, in pixels
WIDEST = 34  # letters of a line
GAP = (22.0, 34.0)  # between boxes, across and down
PAD = 9.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """One box: where it is, its lines, and the verdict that colours it (empty: nothing is known of it)."""

    x: float
    y: float
    width: float
    height: float
    name: str
    lines: tuple[str, ...]
    beside: str
    verdict: Verdict | None
    is_input: bool
    guilty: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    width: float
    height: float
    boxes: tuple[Drawn, ...]
    edges: tuple[str, ...]  # paths of SVG
    left_out: int  # boxes that are not drawn


def draw(
    whole: Sequence[Box],
    beside: Mapping[str, str],
    verdicts: Mapping[str, Verdict],
    guilty: Collection[str],
    output: str,
) -> Drawing:
    """The drawing of a graph's boxes. `beside`: what else is told of a node; `verdicts`: the gravest at a node;
    `guilty`: those whose own step is off."""
    off = {box.name for box in whole if not {box.name, *box.inner}.isdisjoint(guilty)}
    kept = _kept(whole, off, output)
    shown = [box for box in whole if box.name in kept]
    lines = {box.name: tuple(_folded(box.text)) for box in shown}
    every = [line for box in shown for line in (*lines[box.name], beside.get(box.name, ""))]
    width = max(map(len, every)) * LETTER + 2 * PAD
    height = max(len(lines[box.name]) + (box.name in beside) for box in shown) * LINE + PAD
    places, bends = _laid_out(shown, kept, (width + GAP[0], height + GAP[1]))
    drawn = [
        Drawn(
            *places[box.name], width, height, box.name, lines[box.name], beside.get(box.name, ""),
            _gravest(box, verdicts), box.is_input, box.name in off,
        ) for box in shown
    ]  # fmt: skip
    edges = tuple(_curve([places[name] for name in (read, *bends[read, box.name], box.name)], width, height)
                  for box in shown for read in box.reads if read in kept)  # fmt: skip
    return Drawing(
        max(x for x, _ in places.values()) + width, max(y for _, y in places.values()) + height, tuple(drawn), edges,
        len(whole) - len(shown),
    )  # fmt: skip


def _kept(whole: Sequence[Box], off: Collection[str], output: str) -> set[str]:
    """The names of the boxes that are drawn: of a large graph those near what is off, or near the end."""
    if len(whole) <= LARGEST:
        return {box.name for box in whole}
    readers: dict[str, list[str]] = {}
    for box in whole:
        for read in box.reads:
            readers.setdefault(read, []).append(box.name)
    reads = {box.name: box.reads for box in whole}
    kept, ring = dict[str, None](), list(off) or [output]
    for distance in range(len(whole)):
        for name in ring:
            if len(kept) < LARGEST:
                kept[name] = None
        beyond = (other for name in ring for other in (*reads[name], *(readers.get(name, ()) if off else ())))
        ring = [name for name in dict.fromkeys(beyond) if name not in kept]
        if not ring or len(kept) >= LARGEST or (off and distance == NEAR):
            break
    return {*kept, output}


def _laid_out(
    shown: Sequence[Box], kept: Collection[str], pitch: tuple[float, float]
) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], tuple[str, ...]]]:
    """Where each box is, and where an arrow that passes layers bends."""
    import fast_sugiyama  # 46 ms, and only where a page is written

    layers: dict[str, int] = {}
    for box in shown:
        layers[box.name] = 1 + max((layers[read] for read in box.reads if read in kept), default=-1)
    for box in reversed(shown):  # an input stands just above what reads it first, not at the far top
        if box.is_input:
            layers[box.name] = min(layers[one.name] for one in shown if box.name in one.reads) - 1
    edges, bends = list[tuple[str, str]](), dict[tuple[str, str], tuple[str, ...]]()
    for box in shown:
        for read in box.reads:
            if read in kept:
                between = range(layers[read] + 1, layers[box.name])
                bends[read, box.name] = tuple(f"{read}>{box.name}>{layer}" for layer in between)
                chain = (read, *bends[read, box.name], box.name)
                edges += pairwise(chain)
    layers |= {bend: int(bend.rpartition(">")[2]) for chain in bends.values() for bend in chain}
    columns: dict[str, float] = {}
    right = 0.0
    for positions, *_ in fast_sugiyama.from_edges(edges, vertex_spacing=1.0) if edges else ():
        left = min(x for _, (x, _) in positions)
        columns |= {str(name): x - left + right for name, (x, _) in positions}
        right = max(columns.values()) + 1.0
    for box in shown:  # what no arrow touches
        if box.name not in columns:
            columns[box.name], right = right, right + 1.0
    return {name: (x * pitch[0], layers[name] * pitch[1]) for name, x in columns.items()}, bends


def _curve(points: Sequence[tuple[float, float]], width: float, height: float) -> str:
    """A path from below the first box, through the middles of where it bends, to above the last."""
    (x, y), *rest = [(x + width / 2, y) for x, y in points]
    y += height
    path = f"M{x:.1f} {y:.1f}"
    for k, (to_x, to_y) in enumerate(rest, 1):
        bend = (y + to_y) / 2
        path += f" C{x:.1f} {bend:.1f} {to_x:.1f} {bend:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
        if k < len(rest):  # straight on through a layer
            y += height
            path += f" V{y:.1f}"
    return path


def _gravest(box: Box, verdicts: Mapping[str, Verdict]) -> Verdict | None:
    """The gravest verdict of a statement and the inner nodes of its expression."""
    there: list[Verdict] = [verdicts[name] for name in (box.name, *box.inner) if name in verdicts]
    return max(there, key=lambda verdict: SEVERITY.get(verdict, 0), default=None)


def _folded(text: str) -> list[str]:
    """A statement in lines of a box."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > WIDEST:
            lines.append("  " + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
