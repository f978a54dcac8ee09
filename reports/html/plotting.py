"""The output of each engine along a path, as the lines of a small plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from ..pictures import together

WIDTH, HEIGHT = 460.0, 150.0  # pixels, between the axes
POINTS = 200  # of one line


@dataclass(frozen=True, slots=True)
class Line:
    """The path of one engine: the points of an SVG polyline. Lines that lie on one another are one."""

    names: tuple[str, ...]
    points: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over steps, from the least value to the largest."""

    lines: tuple[Line, ...]
    steps: int
    least: float
    largest: float
    width: float = WIDTH
    height: float = HEIGHT


def plot(paths: Mapping[str, Sequence[float]]) -> Plot | None:
    """The values of each name after 0, 1, 2, ... steps as a plot; None where there are fewer than two finite ones."""
    finite = [value for values in paths.values() for value in values if isfinite(value)]
    steps = max((len(values) - 1 for values in paths.values()), default=0)
    if len(finite) < 2 or not steps:
        return None
    least, largest = min(finite), max(finite)
    span = (largest - least) or 1.0
    drawn: dict[str, str] = {}
    for name, values in paths.items():
        every = max(len(values) // POINTS, 1)
        some = [(k, value) for k, value in enumerate(values) if isfinite(value) and (k % every == 0 or k == steps)]
        drawn[name] = " ".join(f"{k / steps * WIDTH:.1f},{(largest - value) / span * HEIGHT:.1f}" for k, value in some)
    lines = tuple(Line(tuple(names), points) for points, names in together(drawn).items())
    return Plot(lines, steps, least, largest)
