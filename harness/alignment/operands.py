"""What a step reads is another thing: another node, another mask or table, a matrix transposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np

from ..graph.node import Node
from ..records.evaluation import Array
from . import wording
from .matching import laid_out
from .omissions import left_out_words
from .orders import layout_words
from .proposals import Proposal, Question, distinct, everywhere, needed
from .side import Change


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


def other_operand(q: Question) -> Iterator[Proposal]:
    """The other side reads another node here."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or arg not in q.here.live:
                continue
            shape = q.here.numbers[arg].shape
            for name, other in q.read_instead(node, arg):
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

                    ends = q.here.source(name), q.here.source(arg)
                    left = q.here.between(*ends) or [
                        one for one in ends[1:] if one in q.blamed_set and q.here.place(one).file
                    ]
                    for proposal in everywhere(q, node, make, reads(q, node, arg, name), other):
                        yield replace(proposal, here=left[0]) if left else proposal


def reads(q: Question, node: Node, arg: str, name: str) -> str:
    """In words what this side reads, and what of this side the other one reads there."""
    mine, theirs = q.here.source(arg), q.here.source(name)
    if q.here.graph[mine].op == "getitem" and q.here.graph[theirs].op == "getitem":
        first, second = q.here.graph[mine], q.here.graph[theirs]
        if first.args == second.args:
            part = f"[{dict(second.params)['index']}] where {{here}} reads [{dict(first.params)['index']}]"
            return f"the order of the parts (gates) is another: {{there}} reads {part}"
    if mine == theirs:
        return layout_words(q.here, arg, name)
    if between := q.here.between(theirs, mine):
        return left_out_words(q, between, theirs)
    if between := q.here.between(mine, theirs):
        calls = wording.listed(distinct(wording.what(q.here, one) for one in between))
        return f"{calls} is applied at {{there}} and left out at {{here}}"
    if {q.here.graph[one].op for one in (mine, theirs)} == {"getitem"}:
        what = wording.what(q.here, node.name)
        return f"{what} reads another part (gate, in another order) at {{there}} than at {{here}}"
    mine, theirs = q.here.parting(mine, theirs)
    label, other = q.here.label(mine), q.here.label(theirs)
    at = f" ({q.here.place(theirs)})" if q.here.graph[theirs].op != "input" and str(q.here.place(theirs)) else ""
    return f"{wording.what(q.here, node.name)} reads `{other}`{at} at {{there}} and `{label}` at {{here}}"


def _sibling(q: Question, node: Node, other: Node, name: str) -> str | None:
    """What another step of a loop reads where the first reads `name`: the one with the same place in its round."""
    if node.name == other.name:
        return name
    steps, named = q.here.alike(node), q.here.alike(q.here.graph[name])
    if other.name not in [n.name for n in steps] and q.here.graph[name].op != "input":
        steps, named = q.here.of_line(node), q.here.of_line(q.here.graph[name])
    if q.here.graph[name].op == "input" or len(steps) != len(named):
        return name if q.here.graph[name].op == "input" else None
    found = named[[n.name for n in steps].index(other.name)].name
    return found if q.here.order[found] < q.here.order[other.name] else None
