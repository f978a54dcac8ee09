"""What a step reads is another thing: another node, another mask or table, a matrix transposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np

from ..graph.node import Node
from ..records.evaluation import Array
from . import wording
from .matching import laid_out
from .orders import layout_words
from .proposals import Proposal, Question, distinct, everywhere, needed
from .side import Change, Side


def transposed(q: Question) -> Iterator[Proposal]:
    """The other side reads an operand with its axes in another order."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or q.here.numbers[arg].dtype.kind != "f":
                continue
            x = q.here.numbers[arg]
            for other in _others_of_shape(x):

                def make(n: Node, k: int = k, axes: tuple[int, ...] = other) -> Change:
                    def change(known: Mapping[str, Array]) -> Array:
                        moved = {str(n.args[k]): np.transpose(known[str(n.args[k])], axes)}
                        return q.here.step(n, {**needed(n, known), **moved})

                    return change

                label = q.here.label(q.here.source(arg))
                there = next((o.name for o in q.partners[node.name] if o.op == node.op), "")
                yield from everywhere(q, node, make, f"`{label}` is transposed at {{there}} beside {{here}}", there)


def _others_of_shape(x: Array) -> Iterator[tuple[int, ...]]:
    """The orders of axes that keep the shape and change the array."""
    if 2 <= x.ndim <= 4:
        for axes in permutations(range(x.ndim)):
            kept = tuple(x.shape[k] for k in axes) == x.shape
            if kept and axes != tuple(range(x.ndim)) and not np.array_equal(x.transpose(axes), x):
                yield axes


def other_tables(q: Question) -> Iterator[Proposal]:
    """A mask, an index or a constant array of this step is another one."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or arg in q.here.live:
                continue
            mine = q.here.numbers[arg]
            for name, values in _tables(q, node, mine):

                def make(n: Node, k: int = k, values: Array = values) -> Change | None:
                    if not isinstance(n.args[k], str) or q.here.numbers[str(n.args[k])].shape != values.shape:
                        return None
                    return lambda known: q.here.step(n, {**needed(n, known), str(n.args[k]): values})

                there = next((user for user in q.there.users.get(name, ()) if user in set(q.others)), name)
                yield from everywhere(q, node, make, _table_words(q, node, arg, mine, values), there)


def _table_words(q: Question, node: Node, arg: str, mine: Array, values: Array) -> str:
    if mine.dtype.kind == "f" and mine.size and np.all(mine == mine.flat[0]) and np.all(values == values.flat[0]):
        theirs, ours = wording.shown(float(values.flat[0])), wording.shown(float(mine.flat[0]))
        return f"the constant is {theirs} at {{there}} and {ours} at {{here}}"
    said = wording.tables(mine, values)
    if mine.dtype.kind == "b":
        return f"{said} at {{there}} beside {{here}}"
    if mine.dtype.kind in "iu":
        kind = "the position" if "off by" in said else "the index"
        return f"{kind} is another at {{there}} than at {{here}}: {said}"
    return f"another table at {{there}} than `{q.here.label(arg)}` at {{here}}: {said}"


def _tables(q: Question, node: Node, mine: Array) -> Iterator[tuple[str, Array]]:
    """Constant arrays of the other side that may stand in place of one, those of partners first."""
    near = [arg for other in q.partners[node.name] for arg in other.args if isinstance(arg, str)]
    far = [arg for name in q.others for arg in q.there.graph[name].args if isinstance(arg, str)]
    for name in distinct([*near, *far]):
        theirs = q.there.numbers[name]
        if name in q.there.live or theirs.dtype.kind != mine.dtype.kind:
            continue
        if theirs.size == 1 != mine.size:
            continue
        shaped = laid_out(theirs, mine.shape) or _broadcast(theirs, mine)
        for laid in shaped:
            if not np.array_equal(laid, mine, equal_nan=mine.dtype.kind == "f"):
                yield name, laid
            if mine.dtype.kind == "b" and not np.array_equal(~laid, mine):
                yield name, ~laid


def _broadcast(theirs: Array, mine: Array) -> list[Array]:
    try:
        return [np.broadcast_to(theirs, mine.shape)]
    except ValueError:
        slim = theirs.squeeze()
        try:
            return [np.broadcast_to(slim, mine.shape)]
        except ValueError:
            return []


def other_operand(q: Question) -> Iterator[Proposal]:
    """The other side reads another node here."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or arg not in q.here.live:
                continue
            shape = q.here.numbers[arg].shape
            for name, other in _read_instead(q, node, arg):
                for axes in range(len(laid_out(q.here.numbers[name], shape))):

                    def make(
                        n: Node, k: int = k, name: str = name, axes: int = axes, node: Node = node
                    ) -> Change | None:
                        read = _sibling(q, node, n, name)
                        if read is None or not isinstance(n.args[k], str):
                            return None
                        shape = q.here.numbers[str(n.args[k])].shape
                        return lambda known: q.here.step(
                            n, {**needed(n, known), str(n.args[k]): laid_out(known[read], shape)[axes]}
                        )

                    yield from everywhere(q, node, make, _reads(q, node, arg, name), other)


def _reads(q: Question, node: Node, arg: str, name: str) -> str:
    mine, theirs = q.here.source(arg), q.here.source(name)
    if q.here.graph[mine].op == "getitem" and q.here.graph[theirs].op == "getitem":
        first, second = q.here.graph[mine], q.here.graph[theirs]
        if first.args == second.args:
            part = f"[{dict(second.params)['index']}] where {{here}} reads [{dict(first.params)['index']}]"
            return f"the order of the parts (gates) is another: {{there}} reads {part}"
    if mine == theirs:
        return layout_words(q.here, arg, name)
    mine, theirs = _parting(q.here, mine, theirs)
    label, other = q.here.label(mine), q.here.label(theirs)
    at = f" ({q.here.place(theirs)})" if q.here.graph[theirs].op != "input" and str(q.here.place(theirs)) else ""
    return f"{wording.what(q.here, node.name)} reads `{other}`{at} at {{there}} and `{label}` at {{here}}"


def _parting(side: Side, mine: str, theirs: str) -> tuple[str, str]:
    """Two results of the same steps from other numbers: those numbers."""
    while True:
        first, second = side.graph[mine], side.graph[theirs]
        if first.op == "input" or (first.op, first.params, len(first.args)) != (
            second.op,
            second.params,
            len(second.args),
        ):
            return mine, theirs
        others = [(x, y) for x, y in zip(first.args, second.args, strict=True) if x != y]
        pairs = [(x, y) for x, y in others if isinstance(x, str) and isinstance(y, str)]
        if not pairs or len(pairs) < len(others):
            return mine, theirs
        mine, theirs = pairs[0]


def _read_instead(q: Question, node: Node, arg: str) -> Iterator[tuple[str, str]]:
    """Earlier nodes of this side that a partner reads there, and the partner."""
    size = q.here.numbers[arg].size
    for other in q.partners[node.name]:
        for theirs in other.args:
            if not isinstance(theirs, str) or q.there.numbers[theirs].dtype.kind != "f":
                continue
            if q.there.numbers[theirs].size != size:
                continue
            for name in q.turned.match.index.find(q.there.content(theirs)):
                if name != arg and name in q.here.order and q.here.order[name] < q.here.order[node.name]:
                    yield name, other.name
                    break


def _sibling(q: Question, node: Node, other: Node, name: str) -> str | None:
    """What another step of a loop reads where the first reads `name`: the one with the same place in its round."""
    if node.name == other.name:
        return name
    steps, named = q.alike(node), q.alike(q.here.graph[name])
    if q.here.graph[name].op == "input" or len(steps) != len(named):
        return name if q.here.graph[name].op == "input" else None
    found = named[[n.name for n in steps].index(other.name)].name
    return found if q.here.order[found] < q.here.order[other.name] else None
