"""Pictures of paths, as SVG by themselves: two numbers in their plane over contours, and the gap between two paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..harness.records.paths import Parting, Plane
from ..harness.telling.findings import at_point, partings_by_unit
from ..harness.words import counted, visible

WIDTH, HEIGHT = 440.0, 300.0  # pixels, between the axes
LEFT, TOP, RIGHT, BOTTOM = 74.0, 48.0, 22.0, 62.0  # around them
LEVELS = 14  # contours
HUES = ("#1f5fbf", "#b3261e", "#1f7a3f", "#96600a", "#7a3fa0", "#0f6f86")
QUIET, FAINT = "#5c6670", "#b9c2ca"
STYLE = 'font-family="system-ui, sans-serif" font-size="12"'
DECADES = 6  # with a number at the axis, at most


def plane_picture(plane: Plane) -> str:
    """The paths of all engines over the contours of the output; paths that lie on one another are one line."""
    place = _placing(plane.low, plane.high)
    title = f"{plane.case}: {plane.rule}, {counted(plane.steps, 'step')}, {plane.dtype}"
    finite = [value for row in plane.values for value in row if isfinite(value)]
    told = f"contours of the output, {_number(min(finite))} to {_number(max(finite))}" if finite else ""
    parts = [_contours(plane, place), _frame(title, told)]
    parts += [
        _text(LEFT, TOP + HEIGHT + 18, _number(plane.low[0])),
        _text(LEFT - 6, TOP + HEIGHT, _number(plane.low[1]), "end"),
    ]
    parts += [
        _text(LEFT + WIDTH, TOP + HEIGHT + 18, _number(plane.high[0]), "end"),
        _text(LEFT - 6, TOP + 10, _number(plane.high[1]), "end"),
    ]
    parts += [
        _text(LEFT + WIDTH / 2, TOP + HEIGHT + 18, plane.names[0], "middle"),
        _text(LEFT - 6, TOP + HEIGHT / 2, plane.names[1], "end"),
    ]
    lines = together({engine: _points(place(*at) for at in trail) for engine, trail in plane.trails.items()})
    for k, (points, engines) in enumerate(lines.items()):
        hue, places = HUES[k % len(HUES)], points.split()
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{hue}" stroke-width="1.6" stroke-linejoin="round"/>'
        )
        parts.append(_dot(places[0], hue, filled=False))
        parts.append(_dot(places[-1], hue, filled=True))
        parts.append(_key(k, len(lines), ", ".join(engines), hue))
    return _svg(f"The path of {plane.case} in its plane", parts)


def gap_picture(parting: Parting) -> str:
    """How far two paths are from one another, by a logarithm, with the step at which they part and the horizon."""
    known = [(step, gap) for step, gap in parting.gaps if isfinite(gap) and gap > 0]
    steps = max([step for step, _ in parting.gaps], default=1) or 1
    least, most = (log10(end([gap for _, gap in known] or [1.0])) for end in (min, max))
    bottom, top = floor(least), max(ceil(most), floor(least) + 1)
    place = _placing((0.0, float(bottom)), (float(steps), float(top)))
    title = f"{parting.case}, {parting.dtype}: {parting.name} of {parting.engine_a} and {parting.engine_b}"
    parts = [_frame(title, str(parting.growth) if parting.growth else "how far apart they are")]
    for decade in range(bottom, top + 1, max(ceil((top - bottom) / DECADES), 1)):
        _, y = place(0.0, float(decade))
        parts.append(f'<path d="M{LEFT:g} {y:.1f}h{WIDTH:g}" stroke="{FAINT}" stroke-width=".6"/>')
        parts.append(_text(LEFT - 6, y + 4, f"1e{decade}", "end"))
    parts += [
        _text(LEFT, TOP + HEIGHT + 18, "0"),
        _text(LEFT + WIDTH, TOP + HEIGHT + 18, counted(steps, "step"), "end"),
    ]
    parts += [_upright(place(float(parting.step), 0.0)[0], f"they part, step {parting.step}", HUES[1], 0)]
    if parting.horizon is not None:
        parts.append(_upright(place(float(parting.horizon), 0.0)[0], f"horizon, step {parting.horizon}", HUES[2], 1))
    points = _points(place(float(step), log10(gap)) for step, gap in known)
    parts.append(f'<polyline points="{points}" fill="none" stroke="{HUES[0]}" stroke-width="1.4"/>')
    if known:
        parts.append(_dot(points.split()[0], HUES[0], filled=True))
    return _svg(f"The gap of {title}", parts)


# --- of a run ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a case, with what it shows in words; `name` is that of its file."""

    case: str
    name: str
    words: str
    svg: str


def pictures(planes: Iterable[Plane], partings: Iterable[Parting]) -> Iterator[Picture]:
    """Of each case that moves two numbers its plane, and of each unit in which paths part the gap of the first pair."""
    for plane in planes:
        name = f"{plane.case}-{plane.point}-{plane.dtype}-plane.svg"
        words = f"{at_point(plane.case, plane.point)} {plane.dtype}: the path in its plane"
        yield Picture(plane.case, name, words, plane_picture(plane))
    for (case, point, dtype), (first, *_) in partings_by_unit(partings).items():
        words = f"{at_point(case, point)} {dtype}: the gap of {first.engine_a} and {first.engine_b}"
        yield Picture(case, f"{case}-{point}-{dtype}-gap.svg", words, gap_picture(first))


def clear(folder: Path) -> None:
    """Take away the pictures of an earlier run."""
    for path in [*folder.glob("*-plane.svg"), *folder.glob("*-gap.svg")]:
        path.unlink(missing_ok=True)


# --- contours ---------------------------------------------------------------------------------------------------


def levels(values: Sequence[Sequence[float]]) -> list[float]:
    """Where contours lie: as many numbers of the output between any two of them."""
    finite = sorted(value for row in values for value in row if isfinite(value))
    if not finite or finite[0] == finite[-1]:
        return []
    places = [finite[round(k * (len(finite) - 1) / (LEVELS + 1))] for k in range(1, LEVELS + 1)]
    return [level for level in dict.fromkeys(places) if finite[0] < level < finite[-1]]


def contours(values: Sequence[Sequence[float]]) -> Iterator[NDArray[np.float64]]:
    """The lines at all levels, each through places (column, row) of the grid; in a cell that is not finite none is."""
    from contourpy import contour_generator

    drawn = contour_generator(z=np.ma.masked_invalid(values), corner_mask=False)
    for level in levels(values):
        yield from cast("list[NDArray[np.float64]]", drawn.lines(level))


def _contours(plane: Plane, place: Callable[[float, float], tuple[float, float]]) -> str:
    if not plane.values:
        return ""
    rows, columns = len(plane.values), len(plane.values[0])
    (left, low), (right, high) = plane.low, plane.high

    def at(cut: Sequence[float]) -> str:
        x, y = place(left + cut[0] / (columns - 1) * (right - left), low + cut[1] / (rows - 1) * (high - low))
        return f"{x:.1f} {y:.1f}"

    drawn = "".join(f"M{'L'.join(map(at, line.tolist()))}" for line in contours(plane.values))
    return f'<path d="{drawn}" fill="none" stroke="{FAINT}" stroke-width="1"/>'


# --- what all pictures have ---------------------------------------------------------------------------------------


def _placing(low: tuple[float, float], high: tuple[float, float]) -> Callable[[float, float], tuple[float, float]]:
    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - low[0]) / (high[0] - low[0]), (y - low[1]) / (high[1] - low[1])
        return LEFT + across * WIDTH, TOP + (1 - up) * HEIGHT

    return place


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def together(lines: Mapping[str, str]) -> dict[str, list[str]]:
    """Lines that are the same, with whose they are."""
    same: dict[str, list[str]] = {}
    for name, points in lines.items():
        same.setdefault(points, []).append(name)
    return same


def _frame(title: str, told: str) -> str:
    box = f'<rect x="{LEFT:g}" y="{TOP:g}" width="{WIDTH:g}" height="{HEIGHT:g}" fill="none" stroke="{QUIET}"/>'
    return box + _text(LEFT, TOP - 28, title, fill="#1c2126") + _text(LEFT, TOP - 11, told)


def _upright(x: float, words: str, hue: str, line: int) -> str:
    """A broken line from top to bottom, with words on the side where there is room."""
    right = x < LEFT + WIDTH / 2
    told = _text(x + (6 if right else -6), TOP + HEIGHT - 10 - 16 * line, words, "start" if right else "end", hue)
    return f'<path d="M{x:.1f} {TOP:g}v{HEIGHT:g}" stroke="{hue}" stroke-dasharray="5 4"/>{told}'


def _dot(place: str, hue: str, *, filled: bool) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{hue if filled else "white"}" stroke="{hue}" stroke-width="1.6"/>'


def _key(k: int, count: int, words: str, hue: str) -> str:
    across = WIDTH / count
    return _text(LEFT + k * across, TOP + HEIGHT + 44, words, fill=hue)


def _text(x: float, y: float, words: str, anchor: str = "start", fill: str = QUIET) -> str:
    said = escape(visible(words))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{said}</text>'


def _number(number: float) -> str:
    return f"{number:.4g}"


def _svg(label: str, parts: Sequence[str]) -> str:
    width, height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {STYLE}>'
    ground = f'<title>{escape(visible(label))}</title><rect width="{width:g}" height="{height:g}" fill="white"/>'
    return "\n".join([head, ground, *filter(None, parts), "</svg>", ""])
