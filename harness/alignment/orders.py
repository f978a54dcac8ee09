"""The same numbers in another order: parts of an array exchanged, heads split in another way, a wrong flattening."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations, product

import numpy as np

from ..graph.node import Node
from ..records.evaluation import Array
from . import wording
from .matching import laid_out
from .proposals import Proposal, Question, everywhere, replaced
from .side import MOVES, Change, Side

PRODUCTS = frozenset(("matmul", "einsum", "correlate2d"))
REACH = 5  # steps from a part to what is to blame
LAYOUTS = 128  # of several operands together, that are tried
PARTS = 4  # of one array at most, whose order is tried


def parts_in_order(q: Question) -> Iterator[Proposal]:
    """Slices of one array, or pieces of one concatenation, in another order: gates, directions, queries and keys."""
    for whole, parts in _slices(q).items():
        names = [node.name for node in parts]
        for order in permutations(range(len(parts))):
            if order == tuple(range(len(parts))):
                continue
            rounds = [[n.name for n in q.here.alike(node)] for node in parts]
            count = len(rounds[0]) if all(len(r) == len(rounds[0]) for r in rounds) else 1
            for many in dict.fromkeys((1, count)):
                changes: dict[str, Change] = {}
                for turn in range(many):
                    group = [r[turn] for r in rounds] if count > 1 else names
                    for k, name in enumerate(group):
                        if order[k] != k:
                            node = q.here.graph[group[order[k]]]
                            changes[name] = lambda known, node=node: q.here.step(node, known)
                spelled = ", ".join(str(k) for k in order)
                reason = (
                    f"the parts of `{q.here.label(whole)}` (its gates) are taken in another order at {{there}}: "
                    f"{spelled} for {', '.join(map(str, range(len(parts))))} at {{here}}"
                )
                yield Proposal(changes, reason, names[0], q.first_there)
    for node in q.targets:
        if node.op in ("concat", "stack") and 2 <= len(node.args) <= PARTS:
            for order in permutations(node.args):
                if order != node.args:
                    reason = "what is joined at {here} stands in another order at {there}"
                    there = next(iter(q.others), "")
                    yield from everywhere(
                        q, node, lambda n, o=order, a=node.args: replaced(
                            q.here, n, args=tuple(n.args[a.index(x)] for x in o)
                        ), reason, there,
                    )  # fmt: skip


def _slices(q: Question) -> dict[str, list[Node]]:
    """Parts of equal shape that are cut out of one array, and are read by what is to blame."""
    bad, found = set(q.blamed), dict[str, list[Node]]()
    for node in q.here.graph.operations:
        if node.op != "getitem" or not isinstance(node.args[0], str) or node.name not in q.here.live:
            continue
        if _reaches(q.here, node.name, bad):
            found.setdefault(node.args[0], []).append(node)
    cut = {whole: parts for whole, parts in found.items() if 2 <= len(parts) <= PARTS}
    alike = {whole: parts for whole, parts in cut.items() if len({part.shape for part in parts}) == 1}
    return dict(list(alike.items())[:2])


def _reaches(side: Side, name: str, bad: set[str]) -> bool:
    """Whether what is to blame reads a number, a few steps on."""
    reached = {name}
    for _ in range(REACH):
        reached |= {user for one in reached for user in side.users.get(one, ())}
        if not bad.isdisjoint(reached):
            return True
    return False


def other_layout(q: Question) -> Iterator[Proposal]:
    """Operands have the other side's numbers in another order: heads split in another way, a wrong flattening."""
    chains: dict[object, list[tuple[str, list[Array], Node]]] = {}
    for node in q.targets:
        for arg in dict.fromkeys(arg for arg in node.args if isinstance(arg, str) and arg in q.here.live):
            x = q.here.numbers[arg]
            for name in _same_numbers(q, node, arg):
                laid = [y for y in laid_out(q.there.numbers[name], x.shape) if not np.allclose(y, x, rtol=1e-9, atol=0)]
                if laid and not any(np.allclose(y, x, rtol=1e-9) for y in laid_out(q.there.numbers[name], x.shape)):
                    key = tuple((step.op, step.params) for step in moves(q.here, arg))
                    chains.setdefault(key, []).append((arg, laid, q.there.graph[name]))
                    break
    together = [one for found in chains.values() for one in found]
    for found in [together, *chains.values()] if len(chains) > 1 else chains.values():
        for variants in islice(product(*(laid for _, laid, _ in found)), LAYOUTS):
            changes: dict[str, Change] = {
                arg: lambda known, y=y: y for (arg, _, _), y in zip(found, variants, strict=True)
            }
            arg, _, theirs = found[0]
            here, there = last_move(q.here, arg), last_move(q.there, theirs.name)
            yield Proposal(changes, layout_words(q.here, arg, theirs.name, q.there), here, there)


def by_elimination(q: Question) -> Iterator[Proposal]:
    """The same product of the same numbers that comes out otherwise: then those of an operand are in another order."""
    for node in q.targets:
        for other in q.partners[node.name]:
            pairs = _operands(q, node, other)
            if not pairs or node.op not in PRODUCTS or other.op not in PRODUCTS:
                continue
            arg, theirs = max(pairs, key=lambda pair: len(moves(q.here, pair[0])) + len(moves(q.there, pair[1])))
            if not moves(q.here, arg) and not moves(q.there, theirs):
                continue
            here, there = last_move(q.here, arg), last_move(q.there, theirs)
            for y in laid_out(q.there.numbers[other.name], q.here.numbers[node.name].shape):
                change: Change = lambda known, y=y: y  # noqa: E731
                yield Proposal({node.name: change}, layout_words(q.here, arg, theirs, q.there), here, there)


def _operands(q: Question, node: Node, other: Node) -> list[tuple[str, str]]:
    """The operands of two steps with the same numbers, those that are computed; none where any has other numbers."""
    mine = [arg for arg in node.args if isinstance(arg, str) and q.here.numbers[arg].dtype.kind == "f"]
    theirs = [arg for arg in other.args if isinstance(arg, str) and q.there.numbers[arg].dtype.kind == "f"]
    pairs: list[tuple[str, str]] = []
    for arg in mine:
        like = next((one for one in theirs if q.there.content(one).same(q.here.content(arg))), "")
        if not like:
            return []
        pairs.append((arg, like))
    return [(arg, like) for arg, like in pairs if q.here.graph[q.here.source(arg)].op != "input"] or pairs


def layout_words(side: Side, arg: str, name: str, other: Side | None = None) -> str:
    mine = " then ".join(wording.moved(node) for node in moves(side, arg)) or "as it is"
    theirs = " then ".join(wording.moved(node) for node in moves(other or side, name)) or "as it is"
    label = side.label(side.source(arg))
    split = any(len(node.shape) > 3 and node.op == "reshape" for node in moves(side, arg))
    kind = "the heads are split in another order" if split else "the numbers are in another order"
    return f"{kind} at {{there}}: `{label}` by {theirs}, at {{here}} by {mine}"


def moves(side: Side, name: str) -> list[Node]:
    """The steps that brought a number here from where it was computed, the first one first."""
    node, found = side.graph[name], list[Node]()
    while node.op in MOVES and isinstance(node.args[0], str):
        if node.op not in ("copy", "stop_gradient"):
            found.append(node)
        node = side.graph[node.args[0]]
    return found[::-1]


def last_move(side: Side, name: str) -> str:
    """The last of these that permutes, or else reshapes."""
    found = moves(side, name)
    for kinds in (("permute_dims", "matrix_transpose", "flip"), ("reshape",)):
        for node in reversed(found):
            if node.op in kinds and side.place(node.name).file:
                return node.name
    return name


def _same_numbers(q: Question, node: Node, arg: str) -> Iterator[str]:
    """What partners read that has the same numbers as an operand."""
    made = q.here.content(arg)
    for other in q.partners[node.name]:
        for theirs in other.args:
            if (
                isinstance(theirs, str)
                and q.there.numbers[theirs].dtype.kind == "f"
                and q.there.content(theirs).same(made)
            ):
                yield theirs
