"""Two functions that are compared, as one page: both graphs side by side up to where they part."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ...harness.alignment.trail import Run
from ...harness.hearing.heard import Place
from ...harness.own.compared import Compared
from ...harness.records.verdicts import Verdict
from ...harness.telling.mermaid import Box, boxes
from ...harness.words import visible
from .drawing import Drawing, draw
from .templates import template


@dataclass(frozen=True, slots=True)
class Half:
    """One side: its name, its graph, and how many of its calls come behind those that are drawn."""

    name: str
    drawing: Drawing
    behind: int


def page(compared: Compared) -> str:
    """The comparison as HTML, in one file that loads nothing."""
    places = [one.a for one in compared.divergences], [one.b for one in compared.divergences]
    names = compared.a, compared.b
    halves = [
        _half(*parts) for parts in zip(names, compared.comparison.runs, places, compared.parameter_names, strict=True)
    ]
    return visible(template("compared.html").render(compared=compared, halves=halves))


def _half(name: str, run: Run, parting: Sequence[Place], parameters: Collection[str]) -> Half:
    guilty = {node for place in parting if (node := _at(run, place))}
    calls = list(_calls(run, parameters))
    shown = _until(calls, guilty) if guilty else calls
    spots = {box.name: run.places.get(box.name, Place()).spot for box in shown}
    beside = {box.name: f"{spots[box.name]} {run.numbers.get(box.name, '')}".strip() for box in shown}
    verdicts: dict[str, Verdict] = {box.name: "agree" for box in shown if box.name in run.alike - guilty}
    end = shown[-1].name if shown else ""
    return Half(name, draw(shown, beside, verdicts, guilty, end), len(calls) - len(shown))


def _calls(run: Run, parameters: Collection[str]) -> Iterator[Box]:
    """Inputs and calls. Left out are parameters and constants that the other side has too and what is made of them
    alone, and the joining of several outputs, which no line of the user's does."""
    wanted = {node.name for node in run.graph.wanted}
    left_out = set[str]()
    for box in boxes(run.graph):
        name = run.names.get(box.name, box.name)
        if box.is_input:
            alone = box.name in run.alike and (name in parameters or box.name not in wanted)
        else:
            alone = box.name in run.alike and bool(box.reads) and left_out.issuperset(box.reads)
        if alone:
            left_out.add(box.name)
        elif box.is_input:
            yield replace(box, text=box.text.replace(box.name, name, 1))
        elif run.places.get(box.name, Place()).file:
            yield replace(box, reads=tuple(read for read in box.reads if read not in left_out))


def _at(run: Run, place: Place) -> str:
    """The node that parts at a place: the first there whose numbers the other side lacks, or the first at all."""
    there = [node.name for node in run.graph.operations if place.file and run.places.get(node.name) == place]
    return next((name for name in there if name not in run.alike), next(iter(there), ""))


def _until(calls: Sequence[Box], guilty: Collection[str]) -> list[Box]:
    """What the guilty are made of, and what reads them."""
    kept = set(guilty)
    for box in reversed(calls):
        if box.name in kept:
            kept.update(box.reads)
    return [box for box in calls if box.name in kept or not set(guilty).isdisjoint(box.reads)]
