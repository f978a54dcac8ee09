"""Gradients of two runs whose values are the same: do they agree, and which stopped gradient makes the difference?

Both are taken of the graphs, by the hand-written reverse mode and of one cotangent, so that rounding and defects of the
frameworks are not in them: those are what the judge of each run is for. Whose gradient is whose is told by content:
every number of an input of `a` is looked for among those of `b` (`parameters.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..graph.build import Builder
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Constant, Node
from ..hearing.heard import Heard, Place
from ..records.evaluation import Array
from . import wording
from .content import Content, Index, content, spares, values
from .difference import Divergence
from .matching import Match
from .parameters import Matching, matching
from .side import Side

Floats = NDArray[np.float64]
TRIED = 24  # stopped gradients of a side
TRIED_IN_PAIRS = 6
MOST = 32  # steps behind a stopped gradient, of which the other side should have one


@dataclass(frozen=True)
class Slopes:
    """The gradient of every wanted input, and how far rounding may have moved it."""

    gradients: Mapping[str, Floats]
    spare: Mapping[str, Floats]


def matched(a: Heard, b: Heard) -> Matching:
    """Where the numbers of `a`'s wanted inputs are among those of `b`'s. To be asked of random numbers: scales that are
    all one, as modules begin, are told apart by nothing but their names."""
    mine, theirs = ({node.name: heard.inputs[node.name] for node in heard.graph.wanted} for heard in (a, b))
    return matching(mine, theirs)


@dataclass(frozen=True)
class Copies:
    """Two runs, and which of their wanted inputs are the same."""

    a: Side
    b: Side
    matching: Matching

    def pulled(self, numbers: Mapping[str, Floats]) -> dict[str, Floats]:
        """What `b`'s inputs have, by those of `a`: of each number the sum over its copies. Inputs that `b` has not, or
        not in a way that is known, are left out."""
        left = {*self.matching.missing, *self.matching.partly}
        return {name: x for name, x in self.matching.pull(numbers).items() if name not in left}

    def apart(self, mine: Slopes, theirs: Slopes) -> list[str]:
        """The inputs of `a` whose gradients differ by more than rounding."""
        pulled, spare = self.pulled(theirs.gradients), self.pulled(theirs.spare)
        return [name for name in pulled if not _near(mine, name, pulled[name], np.abs(spare[name]))]


def _near(mine: Slopes, name: str, y: Floats, spare: Floats) -> bool:
    x, room = mine.gradients[name], mine.spare[name] + spare
    room = np.maximum(room, np.max(room, initial=0.0) / 4)
    return bool(np.all((np.abs(x - y) <= room) | (x == y) | (np.isnan(x) & np.isnan(y))))


def slopes(side: Side, graph: Graph, cotangent: Array) -> Slopes:
    derived = gradient(graph, seeded=True)
    inputs = {node.name: side.numbers[node.name] for node in graph.inputs}
    if derived.seed:
        inputs[derived.seed] = cotangent.reshape(graph.output.shape)
    asked = [arg for node in graph.wanted if isinstance(arg := derived.adjoints[node.name], str)]
    made = values(derived.graph, inputs, list(dict.fromkeys(asked))) if asked else None
    found: dict[str, Floats] = {}
    spare: dict[str, Floats] = {}
    for node in graph.wanted:
        arg = derived.adjoints[node.name]
        if isinstance(arg, Constant) or made is None:
            flat = float(arg.exact or 0) if isinstance(arg, Constant) else 0.0
            found[node.name], spare[node.name] = np.full(node.shape, flat), np.zeros(node.shape)
            continue
        found[node.name] = np.broadcast_to(made.numbers[arg], node.shape)
        noise = np.broadcast_to(made.noise[arg], node.shape)
        spare[node.name] = spares(found[node.name].ravel(), noise.ravel()).reshape(node.shape)
    return Slopes(found, spare)


def compared(a: Side, b: Side, inputs: Matching) -> tuple[list[Divergence], list[str]]:
    """Where gradients part, and the inputs of `a` whose gradients have no like in `b`, which were not compared."""
    copies = Copies(a, b, inputs)
    weights = a.heard.cotangent.astype(np.float64).reshape(-1)
    other = _laid_like(a, b, weights)
    if other is None:
        return [], [node.name for node in a.graph.wanted]
    mine, theirs = slopes(a, a.graph, weights), slopes(b, b.graph, other)
    pulled, apart = copies.pulled(theirs.gradients), copies.apart(mine, theirs)
    missing = [node.name for node in a.graph.wanted if node.name not in pulled]
    if not apart:
        return [], missing
    shown = _shown(a, apart[0], mine, pulled[apart[0]])
    found = next(_stopped(copies, (weights, other), mine, theirs), None)
    if found is None:
        names = ", ".join(f"`{a.label(name)}`" for name in apart[:3])
        reason = f"values agree and the gradients of {names} do not, and no stopped gradient explains it"
        found = _first(a, b, (weights, other), reason)
    return [replace(found, proof=shown)], missing


def _laid_like(a: Side, b: Side, weights: Floats) -> Floats | None:
    """The cotangent of `b` that weighs each number as `a`'s does: outputs may have their axes in another order."""
    parts: list[Floats] = []
    at = 0
    for name, other in zip(a.heard.outputs, b.heard.outputs, strict=True):
        x, y = a.numbers[name], b.numbers[other]
        part, at = weights[at : at + x.size], at + x.size
        if x.shape != y.shape:
            laid = np.empty(y.size)
            laid[np.argsort(y, axis=None)] = part[np.argsort(x, axis=None)]
            part = laid
        parts.append(part)
    made = np.concatenate(parts)
    return made if made.size == int(np.prod(b.graph.output.shape)) else None


def _shown(a: Side, name: str, mine: Slopes, pulled: Floats) -> str:
    x, pulled = mine.gradients[name].ravel(), pulled.ravel()
    k = int(np.argmax(np.nan_to_num(np.abs(x - pulled))))
    index = ", ".join(str(int(one)) for one in np.unravel_index(k, mine.gradients[name].shape))
    where = f" at [{index}]" if index else ""
    return f"the gradient of `{a.label(name)}`{where} is {x[k]:.10g} on one side and {pulled[k]:.10g} on the other"


def _stopped(copies: Copies, cotangents: tuple[Floats, Floats], mine: Slopes, theirs: Slopes) -> Iterator[Divergence]:
    """Stopped gradients of one side without which gradients agree, one by one and then all of a side together."""
    a, b = copies.a, copies.b
    for side, opposite, cotangent in ((a, b, cotangents[0]), (b, a, cotangents[1])):
        stops = [node for node in side.graph.operations if _stops(side, node)][:TRIED]
        for group in [*([node] for node in stops), *([stops] if len(stops) > 1 else [])]:
            made = slopes(side, _going_on(side, group), cotangent)
            if not copies.apart(*((made, theirs) if side is a else (mine, made))):
                yield _divergence(side, opposite, group[0], turned=side is b)
    yield from _at_both(copies, cotangents)


def _at_both(copies: Copies, cotangents: tuple[Floats, Floats]) -> Iterator[Divergence]:
    """A gradient that is stopped at one place on one side, and at another on the other."""
    a, b = copies.a, copies.b
    without_one: list[list[tuple[Node, Slopes]]] = []
    for side, cotangent in ((a, cotangents[0]), (b, cotangents[1])):
        stops = [node for node in side.graph.operations if _stops(side, node)][:TRIED_IN_PAIRS]
        without_one.append([(node, slopes(side, _going_on(side, [node]), cotangent)) for node in stops])
    for (first, mine), (second, theirs) in product(*without_one):
        if not copies.apart(mine, theirs):
            places = a.place(first.name), b.place(second.name)
            calls = wording.what(a, first.name), wording.what(b, second.name)
            where = f"`{calls[0]}` at {wording.short(places[0])} and by `{calls[1]}` at {wording.short(places[1])}"
            yield Divergence("gradient", *places, *calls, f"the gradient is stopped by {where}, at other numbers", "")


def _first(a: Side, b: Side, cotangents: tuple[Floats, Floats], reason: str) -> Divergence:
    """The step nearest to the outputs whose adjoint the other side lacks, where both have its number."""
    match, index = Match(a, b), Index()
    for made in _adjoints(b, cotangents[1]).values():
        index.add("", made)
    mine = _adjoints(a, cotangents[0])
    for node in reversed(a.graph.nodes):
        like = match.counterpart(node.name) if node.name in mine and a.place(node.name).file else ""
        if like in b.order and not any(True for _ in index.find(mine[node.name])):
            calls = wording.what(a, node.name), wording.what(b, like)
            return Divergence("gradient", a.place(node.name), b.place(like), *calls, reason, "")
    return Divergence("gradient", Place(), Place(), "", "", reason, "")


def _adjoints(side: Side, cotangent: Floats) -> dict[str, Content]:
    """What every active node's adjoint holds."""
    derived = gradient(side.graph, seeded=True)
    inputs = {node.name: side.numbers[node.name] for node in side.graph.inputs}
    if derived.seed:
        inputs[derived.seed] = cotangent.reshape(side.graph.output.shape)
    named = {name: arg for name, arg in derived.adjoints.items() if isinstance(arg, str)}
    made = values(derived.graph, inputs, list(dict.fromkeys(named.values())))
    return {name: content(made.numbers[arg], made.noise[arg]) for name, arg in named.items()}


def _stops(side: Side, node: Node) -> bool:
    return _is_stop(node) and node.args[0] in side.graph.active


def _is_stop(node: Node) -> bool:
    """Whether a gradient is stopped here in a program's own words, and not inside an operation."""
    return node.op == "stop_gradient" and ":" not in node.name


def _going_on(side: Side, stops: Collection[Node]) -> Graph:
    """The graph with these stopped gradients going on: those too that are stopped again on the way, where nothing came
    to be stopped as long as they were. Listeners hear one more wherever what was stopped is read."""
    names = {node.name for node in stops}
    behind, active = set(names), side.graph.active
    for node in side.graph.operations:
        if not behind.isdisjoint(node.args):
            behind.add(node.name)
            if _is_stop(node) and node.args[0] not in active:
                names.add(node.name)
    return without(side.graph, names)


def _divergence(side: Side, opposite: Side, node: Node, *, turned: bool) -> Divergence:
    place, call = side.place(node.name), wording.what(side, node.name)
    there = _place_there(Match(side, opposite), node.name)
    where = f"at {wording.short(there)}" if there.file else "on the other side"
    reason = f"the gradient is stopped by `{call}` at {wording.short(place)} and goes on {where}"
    spots, calls = ((there, place), ("", call)) if turned else ((place, there), (call, ""))
    return Divergence("gradient", *spots, *calls, reason, "")


def _place_there(match: Match, name: str) -> Place:
    """Where the other side has this number, or what is made of it next."""
    waiting = [match.here.source(name), name]
    for at in waiting[:MOST]:
        like = match.counterpart(at)
        if like in match.there.order and match.there.place(like).file:
            return match.there.place(like)
    while waiting:
        at = waiting.pop(0)
        users = match.here.users.get(at, ())
        for user in users:
            like = match.counterpart(user) if match.here.numbers[user].dtype.kind == "f" else ""
            if like in match.there.order and match.there.place(like).file:
                return match.there.place(like)
        waiting = [*waiting, *users][:MOST] if len(waiting) < MOST else []
    return Place()


def without(graph: Graph, names: set[str]) -> Graph:
    """The graph with these stopped gradients going on."""
    builder = Builder(graph.definitions)
    for node in graph.nodes:
        if node.op == "input":
            builder.add(node)
        elif node.name in names:
            builder.apply("copy", node.args, {}, node.name)
        else:
            builder.apply(node.op, node.args, dict(node.params), node.name)
    return builder.graph(graph.outputs)
