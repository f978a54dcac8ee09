"""Small changes of one step that people make by mistake: another number, a step left out, two in the other order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations
from math import prod

import numpy as np

from ..graph.node import Constant, Node
from ..records.evaluation import Array
from . import wording
from .proposals import Proposal, Question, everywhere, needed, replaced, with_argument
from .side import MOVES, Change, applied, number

MASKS = frozenset(("where", "masked_fill", "select_n"))  # calls whose choice is a mask of the user's
REDUCED = frozenset(("sum", "max"))
FACTORS = frozenset(("multiply", "divide", "pow"))
SWAPPED = frozenset(("subtract", "divide", "matmul", "where", "pow", "atan2"))


def same_step(q: Question) -> Iterator[Proposal]:
    """The other side makes this step with another number, or with other parameters."""
    for node in q.targets:
        for other in q.partners[node.name]:
            if other.op != node.op or len(other.args) != len(node.args):
                continue
            yield from _constants(q, node, other)
            yield from _numbers(q, node, other)
            if other.params != node.params:
                yield from everywhere(
                    q,
                    node,
                    lambda n, o=other: replaced(q.here, n, params=o.params),
                    _parameters(q, node, other),
                    other.name,
                )


def _constants(q: Question, node: Node, other: Node) -> Iterator[Proposal]:
    mine = [k for k, arg in enumerate(node.args) if isinstance(arg, Constant)]
    theirs = [arg for arg in other.args if isinstance(arg, Constant)]
    for k in mine:
        arg = node.args[k]
        assert isinstance(arg, Constant)
        for given in theirs:
            if given.text == arg.text:
                continue

            def make(n: Node, k: int = k, given: Constant = given) -> Change:
                return partial(q.here.step, with_argument(n, k, given))

            name = wording.setting(q.here, node, arg)
            if name.startswith("the "):
                name = wording.setting(q.there, other, given)
            yield from everywhere(
                q,
                node,
                make,
                f"{name} is {wording.constant(given)} at {{there}} and {wording.constant(arg)} at {{here}}",
                other.name,
            )


def _numbers(q: Question, node: Node, other: Node) -> Iterator[Proposal]:
    """A number of the run on one side, and a constant on the other."""
    for k, (arg, given) in enumerate(zip(node.args, other.args, strict=True)):
        if isinstance(arg, str) and isinstance(given, Constant):

            def make(n: Node, k: int = k, given: Constant = given) -> Change:
                return partial(q.here.step, with_argument(n, k, given))

            label = q.here.label(q.here.source(arg))
            reason = f"{node.op} by {wording.constant(given)} at {{there}} and by `{label}` at {{here}}"
            x = q.here.numbers[arg]
            if node.op == "divide" and x.size == 1 and given.exact == float(x) - 1:
                reason = (
                    f"the variance is unbiased (divided by n - 1 = {given.text}) at {{there}} and biased at {{here}}"
                )
            elif node.op == "divide" and x.size == 1 and given.exact == float(x) + 1:
                reason = f"the variance is biased (divided by n = {given.text}) at {{there}} and unbiased at {{here}}"
            yield from everywhere(q, node, make, reason, other.name)


def _parameters(q: Question, node: Node, other: Node) -> str:
    theirs = dict(other.params)
    for name, value in node.params:
        if theirs.get(name) != value and node.op == "getitem":
            more = wording.slices(str(value), str(theirs[name]))
            return f"other elements are read: [{theirs[name]}] at {{there}} and [{value}] at {{here}}{more}"
        if theirs.get(name) != value:
            return f"{node.op}: {name} is {theirs.get(name)} at {{there}} and {value} at {{here}}"
    return f"{node.op} with other parameters"


def other_constants(q: Question) -> Iterator[Proposal]:
    """A number of this step is another: one that the other side has in what is to blame."""
    found = [arg for name in q.others for arg in q.there.graph[name].args if isinstance(arg, Constant)]
    where = {
        arg.text: name for name in reversed(q.others) for arg in q.there.graph[name].args if isinstance(arg, Constant)
    }
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, Constant):
                continue
            for given in dict.fromkeys(found):
                if given.text == arg.text or (given.exact == 0 and node.op in FACTORS):  # 0 times anything is the same
                    continue

                def make(n: Node, k: int = k, given: Constant = given) -> Change:
                    return partial(q.here.step, with_argument(n, k, given))

                name = wording.setting(q.here, node, arg)
                reason = f"{name} is {wording.constant(given)} at {{there}} and {wording.constant(arg)} at {{here}}"
                yield from everywhere(q, node, make, reason, where[given.text])


def other_operation(q: Question) -> Iterator[Proposal]:
    """The other side applies another operation to the same operands."""
    for node in q.targets:
        for other in q.partners[node.name]:
            if other.op == node.op or len(other.args) != len(node.args) or other.op in MOVES or node.op in MOVES:
                continue

            def make(n: Node, other: Node = other) -> Change:
                return lambda known: applied(other.op, [number(a, known) for a in n.args], dict(other.params))

            mine, theirs = wording.step(q.here, node.name), wording.step(q.there, other.name)
            reason = f"`{theirs}` at {{there}} for `{mine}` at {{here}}"
            if {node.op, other.op} <= wording.VERBS.keys():
                reason = f"{wording.VERBS[other.op]} at {{there}}, {wording.VERBS[node.op]} at {{here}}"
            if {node.op, other.op} == {"add", "subtract"}:
                reason = "the sign of a term is another at {there} than at {here}"
            yield from everywhere(q, node, make, reason, other.name)


def other_axes(q: Question) -> Iterator[Proposal]:
    """A sum, mean or extremum over more axes on the other side; each number of this one is then one of that."""
    for node in q.targets:
        reduced = node
        if node.op == "divide" and isinstance(node.args[0], str):
            reduced = q.here.graph[q.here.source(node.args[0])]
        if reduced.op not in REDUCED or not isinstance(reduced.args[0], str):
            continue
        x = q.here.numbers[reduced.args[0]]
        over = _axes(reduced, x.ndim)
        for count in range(len(over) + 1, x.ndim + 1):
            for axes in combinations(range(x.ndim), count):
                if not set(over) < set(axes):
                    continue
                kept = tuple(1 if k in over else n for k, n in enumerate(x.shape))
                divided = prod(x.shape[k] for k in axes) / prod(x.shape[k] for k in over) if node is not reduced else 1

                def make(
                    n: Node, axes: tuple[int, ...] = axes, kept: tuple[int, ...] = kept, d: float = divided
                ) -> Change:
                    first = q.here.graph[q.here.source(str(n.args[0]))] if n.op == "divide" else n

                    def change(known: Mapping[str, Array]) -> Array:
                        params = {"axis": axes, "keepdims": True}
                        made = np.broadcast_to(applied(first.op, [known[str(first.args[0])]], params), kept).reshape(
                            first.shape
                        )
                        if n is first:
                            return made.reshape(n.shape)
                        made = made.reshape(known[str(n.args[0])].shape)
                        return q.here.step(n, {**needed(n, known), str(n.args[0]): made}) / d

                    return change

                what = "mean" if node is not reduced else reduced.op
                reason = f"{what} over axes {axes} at {{there}} and over axes {over} at {{here}}"
                yield from everywhere(q, node, make, reason, q.first_there)


def _axes(node: Node, rank: int) -> tuple[int, ...]:
    axis = dict(node.params).get("axis")
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(int(k) % rank for k in axes))  # pyright: ignore[reportArgumentType]
