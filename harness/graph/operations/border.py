"""Borders made of what lies inside, and images between whose elements lie new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

from ..node import GraphError, Param, Shape
from .movement import at, enlarged, pad
from .operation import Bound, row

Sides = Callable[[str, int, int, int], "tuple[list[str], list[str]]"]  # index, length, before, after -> what is joined


def bordered(short: int, shapes: Sequence[Shape], p: Mapping[str, Param]) -> Shape:
    """`short`: how much less than an axis has a border may have."""
    result = pad(shapes, p)
    for n, widths in zip(shapes[0], cast("tuple[tuple[int, int], ...]", p["widths"]), strict=True):
        if max(widths) > max(n - short, 0):
            raise GraphError(
                f"widths={list(widths)} of an axis of {n}", f"at most {max(n - short, 0)}", parameter="widths"
            )
    return result


def mirrored(y: str, n: int, before: int, after: int) -> tuple[list[str], list[str]]:
    return [f"{y}1:{before + 1}"], [f"{y}{n - 1 - after}:{n - 1}"]


def turned(y: str, n: int, before: int, after: int) -> tuple[list[str], list[str]]:
    return [f"{y}{n - before}:"], [f"{y}:{after}"]


def repeated(y: str, n: int, before: int, after: int) -> tuple[list[str], list[str]]:
    return [f"{y}:1"] * before, [f"{y}{n - 1}:"] * after


def joined(sides: Sides, p: Bound, *, flip: bool = False) -> str:
    lines = ["y = x"]
    widths = cast("tuple[tuple[int, int], ...]", p["widths"])
    for axis, (n, (before, after)) in enumerate(zip(cast(Shape, p["x"]), widths, strict=True)):
        first, last = sides(at(axis, ""), n, before, after)
        ahead, behind = (
            [f"flip(y[{index}], axis={axis})" if flip else f"y[{index}]" for index in part if width]
            for part, width in ((first, before), (last, after))
        )
        if ahead or behind:
            lines.append(f"y = concat([{', '.join([*ahead, 'y', *behind])}], axis={axis})")
    return "; ".join([*lines, "copy(y)"])


def between(p: Bound) -> str:
    """Element i of the result lies at (i + 1/2) / factor - 1/2 of x, within its ends."""
    x, k = cast(Shape, p["x"]), cast(int, p["factor"])
    lines = ["y = x"]
    for axis, n in enumerate(x[2:], 2):
        parts: list[str] = []
        for i in range(n * k):
            low = (2 * i + 1 - k) // (2 * k)
            left, right = (f"y[{at(axis, f'{j}:{j + 1}')}]" for j in (max(low, 0), min(low + 1, n - 1)))
            share = f"({i + 0.5} * (1 / {k}) - 0.5 - {low})"  # with the roundings that it has in frameworks
            parts.append(left if low < 0 else f"(1 - {share}) * {left} + {share} * {right}")
        lines.append(f"y = concat([{', '.join(parts)}], axis={axis})")
    return "; ".join([*lines, "copy(y)"])


# fmt: off
row("pad_reflect", "x, *, widths", partial(bordered, 1), definition=lambda p: joined(mirrored, p, flip=True))
row("pad_replicate", "x, *, widths", pad, definition=lambda p: joined(repeated, p))
row("pad_circular", "x, *, widths", partial(bordered, 0), definition=lambda p: joined(turned, p))
row("upsample_linear", "x, *, factor", enlarged, definition=between)
