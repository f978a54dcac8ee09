"""Two things in each other's place: operands, signs, steps, parameters, branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..graph.node import Node
from ..records.evaluation import Array
from . import wording
from .proposals import Proposal, Question, everywhere, needed, replaced, with_argument
from .side import Change, Side

SWAPPED = frozenset(("subtract", "divide", "matmul", "where", "pow", "atan2"))
READ = 10  # numbers that what is to blame reads, which are tried in each other's place


def swapped(q: Question) -> Iterator[Proposal]:
    """Two operands in each other's place: the sign of a difference, the branches of a choice."""
    for node in q.targets:
        if node.op not in SWAPPED:
            continue
        first, second = (1, 2) if node.op == "where" else (0, 1)

        def make(n: Node, first: int = first, second: int = second) -> Change:
            args = list(n.args)
            args[first], args[second] = args[second], args[first]
            return replaced(q.here, n, args=tuple(args))

        reason = f"the operands of `{wording.what(q.here, node.name)}` are exchanged at {{there}} beside {{here}}"
        if node.op == "where":
            reason = "the branches of the choice are exchanged (its condition is inverted) at {there} beside {here}"
        elif node.op == "subtract":
            reason = "the sign of a difference is another at {there} than at {here}: its operands are exchanged"
        there = next((o.name for o in q.partners[node.name] if o.op == node.op), "")
        yield from everywhere(q, node, make, reason, there)


def exchanged(q: Question) -> Iterator[Proposal]:
    """Two steps in the other order: eps outside of the root, the norm in front of the activation."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            inner = q.here.graph[q.here.source(arg)] if isinstance(arg, str) else node
            if inner.op == "input" or inner is node or inner.shape != node.shape:
                continue
            for j, start in enumerate(inner.args):
                if not isinstance(start, str) or q.here.numbers[start].shape != node.shape:
                    continue

                def make(n: Node, k: int = k, j: int = j) -> Change | None:
                    first = q.here.graph[q.here.source(str(n.args[k]))]
                    if first.op == "input" or j >= len(first.args) or not isinstance(first.args[j], str):
                        return None

                    def change(known: Mapping[str, Array]) -> Array:
                        x = known[str(first.args[j])]
                        y = q.here.step(with_argument(n, k, "*"), {**needed(n, known), "*": x})
                        return q.here.step(with_argument(first, j, "*"), {**needed(first, known), "*": y})

                    return change

                reason = (
                    f"{_step_words(q, node)} stands before {_step_words(q, inner)} at {{there}}, behind it at {{here}}"
                )
                if _step_words(q, node) == _step_words(q, inner) and "sqrt" not in (node.op, inner.op):
                    continue
                if node.op == "sqrt" and inner.op == "add":
                    reason = "eps is added outside of the root at {there}, under it at {here}"
                elif inner.op == "sqrt" and node.op == "add":
                    reason = "eps is added under the root at {there}, outside of it at {here}"
                there = next((o.name for o in q.partners[node.name]), "") or next(iter(q.others), "")
                yield from everywhere(q, node, make, reason, there)


def _step_words(q: Question, node: Node) -> str:
    return f"`{wording.what(q.here, node.name)}`"


def other_sign(q: Question) -> Iterator[Proposal]:
    """A term is added on one side and subtracted on the other."""
    for node in q.targets:
        if node.op not in ("add", "subtract"):
            continue
        for order in ((0, 1), (1, 0)) if node.op == "add" else ((0, 1),):

            def make(n: Node, order: tuple[int, int] = order) -> Change:
                op = "subtract" if n.op == "add" else "add"
                return replaced(q.here, n, op=op, args=tuple(n.args[k] for k in order))

            there = next((o.name for o in q.partners[node.name]), "")
            for proposal in everywhere(q, node, make, "the sign of a term is another at {there} than at {here}", there):
                yield _where_it_turned(q, node, proposal)


def other_signs(q: Question) -> Iterator[Proposal]:
    """Terms of several steps of one line are of the other sign, as where one turns round the other way."""
    lines: dict[str, list[Node]] = {}
    for node in q.targets:
        if node.op in ("add", "subtract") and node.name in q.first:
            lines.setdefault(q.here.place(node.name).spot, []).append(node)
    for nodes in lines.values():
        if len(nodes) > 1:
            changes = {
                node.name: replaced(q.here, node, op="subtract" if node.op == "add" else "add") for node in nodes
            }
            reason = f"the signs of {len(nodes)} terms are others at {{there}} than at {{here}}"
            yield Proposal(changes, reason, nodes[0].name, q.first_there)


def _where_it_turned(q: Question, node: Node, proposal: Proposal) -> Proposal:
    """The same at the first step that comes out with another sign, where an operand already does."""
    turned = [name for name in map(q.here.source, _names(node)) if q.negated(name)]
    while turned:
        proposal = replace(proposal, here=turned[0], there=q.match.counterpart(turned[0]))
        turned = [name for name in map(q.here.source, _names(q.here.graph[turned[0]])) if q.negated(name)]
    return proposal


def exchanged_numbers(q: Question) -> Iterator[Proposal]:
    """Two numbers that both sides have are read in each other's place: parameters, tables, branches."""
    for first, second in combinations(_read(q), 2):
        x, y = q.here.numbers[first], q.here.numbers[second]
        if x.shape != y.shape or np.array_equal(x, y) or _made_of(q.here, first, second):
            continue
        if q.here.graph[first].op == q.here.graph[second].op == "getitem":
            continue  # parts of an array are told by their order
        changes: dict[str, Change] = {
            **{name: lambda known, y=y: y for name in _copies(q.here, first)},
            **{name: lambda known, x=x: x for name in _copies(q.here, second)},
        }
        reader = next(
            (n.name for n in q.targets if not {first, second}.isdisjoint(map(q.here.source, _names(n)))), first
        )
        if q.here.place(first).file:
            yield Proposal(changes, _exchanged(q.here, first, second), first, q.match.counterpart(second), reader)
        else:
            yield Proposal(changes, _exchanged(q.here, first, second), reader, q.first_there)


def _names(node: Node) -> list[str]:
    return [arg for arg in node.args if isinstance(arg, str)]


def _read(q: Question) -> list[str]:
    """Numbers that what is to blame reads and that are not to blame themselves: known ones, and tables."""
    found: dict[str, None] = {}
    for node in q.targets:
        for arg in _names(node):
            name = q.here.source(arg)
            x = q.here.numbers[name]
            if name in q.blamed_set or x.dtype.kind != "f" or x.size < 2 or np.ptp(x) == 0:
                continue
            if any(other in found for other in _copies(q.here, name)):
                continue
            found[name] = None
    return list(found)[:READ]


def _copies(side: Side, name: str) -> list[str]:
    """A table, and all tables that are the same one; anything else alone."""
    if name in side.live or side.graph[name].op != "input":
        return [name]
    x = side.numbers[name]
    return [
        node.name
        for node in side.graph.inputs
        if node.name not in side.live and node.shape == x.shape and np.array_equal(side.numbers[node.name], x)
    ]


def _made_of(side: Side, first: str, second: str) -> bool:
    """Whether one of two numbers is made of the other."""
    first, second = sorted((first, second), key=side.order.__getitem__)
    reached = {first}
    for node in side.graph.nodes[side.order[first] + 1 : side.order[second] + 1]:
        if not reached.isdisjoint(node.args):
            reached.add(node.name)
    return second in reached


def _exchanged(side: Side, first: str, second: str) -> str:
    x, y = side.numbers[first], side.numbers[second]
    if np.array_equal(y, 1 - x):
        return f"`{side.label(first)}` is inverted (1 - x, swapped) at {{there}} beside {{here}}"
    if first not in side.live and np.allclose(x**2 + y**2, 1):
        return "the tables of sine and cosine are exchanged (swapped) at {there} beside {here}"
    mine, theirs = (side.label(name) for name in side.parting(first, second))
    if mine == theirs:
        return f"two parts of `{mine}` are exchanged at {{there}} beside {{here}}: their order is another"
    return f"`{mine}` and `{theirs}` are exchanged (swapped) at {{there}} beside {{here}}"
