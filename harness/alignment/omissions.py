"""What one side does and the other does not: a step, or all that lies between two numbers that both have."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from ..graph.node import Arg, Constant, Node
from . import wording
from .proposals import Proposal, Question, distinct, everywhere
from .side import MOVES, Change, Side, constant

MASKS = frozenset(("where", "masked_fill", "select_n"))  # calls whose choice is a mask of the user's


def skipped(q: Question) -> Iterator[Proposal]:
    """The other side goes on from what a number is made of, and leaves out what lies between: a norm, a rotation."""
    tried = set[tuple[str, str]]()
    for node in q.targets:
        for arg in dict.fromkeys(arg for arg in node.args if isinstance(arg, str) and q.match.known(arg)):
            start = q.here.source(arg)
            x = q.here.numbers[start]
            if node.name not in q.first or start not in q.here.live:
                continue
            if not np.array_equal(x.ravel(), q.here.numbers[arg].ravel()):
                continue  # its order is what is left out
            for end in (one.name for one in q.targets if one.shape == x.shape and one.op not in MOVES):
                between = q.here.between(start, end) if (start, end) not in tried and end in q.blamed_set else []
                tried.add((start, end))
                if between and q.here.order[start] < q.here.order[end]:
                    there = next((o.name for o in q.partners[node.name]), "")
                    yield Proposal(
                        {end: lambda known, start=start: known[start]},
                        left_out_words(q, between, start),
                        between[0],
                        there,
                    )


def skipped_to_the_end(q: Question) -> Iterator[Proposal]:
    """The other side returns what an output of this one is made of."""
    for output, other in zip(q.here.heard.outputs, q.there.heard.outputs, strict=True):
        shape = q.here.numbers[output].shape
        if wording.what(q.here, output) == wording.what(q.there, other):
            continue
        for name in q.turned.match.index.find(q.there.content(other)):
            between = q.here.between(name, output) if name in q.here.live else []
            if between:
                change: Change = lambda known, name=name, shape=shape: known[name].reshape(shape)  # noqa: E731
                yield Proposal({output: change}, left_out_words(q, between, name), between[0], other)


def left_out_words(q: Question, between: list[str], start: str) -> str:
    """That these steps are left out, by the calls that they are, and their module."""
    side = q.here
    if len(between) == 1:
        node = side.graph[between[0]]
        kept = next(
            (k for k, a in enumerate(node.args) if isinstance(a, str) and side.source(a) == side.source(start)), 0
        )
        return _left_out(q, node, kept)
    calls = distinct(wording.what(side, name) for name in between)
    modules = distinct(side.place(name).module for name in between)
    module = f" ({modules[0]})" if len(modules) == 1 and modules[0] and modules[0] not in calls else ""
    return f"{wording.listed(calls)}{module} of {{here}} {'is' if len(calls) == 1 else 'are'} left out at {{there}}"


def left_out(q: Question) -> Iterator[Proposal]:
    """The other side does not make this step: it goes on from an operand."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or q.here.numbers[arg].dtype.kind != "f" or node.op in MOVES:
                continue
            if q.here.numbers[arg].size != prod(node.shape):
                continue

            def make(n: Node, k: int = k) -> Change | None:
                kept = n.args[k]
                if not isinstance(kept, str):
                    return None
                shape = n.shape
                return lambda known: known[kept].reshape(shape)

            there = next((o.name for o in q.partners[node.name]), "")
            yield from everywhere(q, node, make, _left_out(q, node, k), there)
    for node in q.calls:
        for arg in distinct(arg for arg in node.args if isinstance(arg, str)):
            if arg in q.here.numbers and q.here.numbers[arg].shape == node.shape and arg in q.here.live:
                reason = f"{wording.what(q.here, node.name)} of {{here}} is left out at {{there}}"
                yield Proposal({node.name: lambda known, arg=arg: known[arg]}, reason, node.name, q.first_there)


def _left_out(q: Question, node: Node, kept: int) -> str:
    """What is left out, in words, where one operand goes on alone."""
    others = [arg for k, arg in enumerate(node.args) if k != kept]
    if node.op == "where" and wording.what(q.here, node.name) in MASKS:
        return "the mask of {here} is left out at {there}"
    if node.op == "pow" and isinstance(others[0], Constant):
        return f"the power {wording.constant(others[0])} of {{here}} is left out at {{there}}"
    if node.op in ("maximum", "minimum") and isinstance(others[0], Constant):
        what = wording.what(q.here, node.name)
        bound = wording.shown(constant(others[0]))
        return f"the bound {bound} of {what} (clipped) at {{here}} is left out at {{there}}"
    if not others:
        return f"{wording.step(q.here, node.name)} of {{here}} is left out at {{there}}"
    (other, *_) = others
    if node.op == "subtract" and kept == 1 and isinstance(other, Constant) and other.exact == 1:
        return (
            f"`{q.here.label(q.here.source(str(node.args[1])))}` is inverted (1 - x) at {{here}} and not at {{there}}"
        )
    label = q.here.label(q.here.source(other)) if isinstance(other, str) else wording.shown(float(other.exact or 0))
    given = isinstance(other, str) and q.here.graph[q.here.source(other)].op == "input"
    if (
        isinstance(other, str)
        and given
        and node.op in ("add", "subtract")
        and q.here.numbers[other].size < prod(node.shape)
    ):
        return f"no bias at {{there}}: `{label}`, added at {{here}}, is left out"
    if isinstance(other, str) and node.op == "subtract" and kept == 0:
        mean = "the mean" if q.here.graph[q.here.source(other)].op in ("divide", "sum") else "it"
        return f"`{label}` is subtracted at {{here}} ({mean} is taken off), and not at {{there}}"
    if isinstance(other, Constant) and node.op in ("add", "subtract"):
        small = "eps, " if other.exact is not None and 0 < abs(other.exact) <= wording.SMALL else ""
        return f"{small}{label} is {wording.VERBS[node.op]} at {{here}}, and not at {{there}} (left out)"
    if isinstance(other, str) and node.op in ("add", "subtract"):
        return f"the residual is left out at {{there}}: `{label}` is added at {{here}}"
    if isinstance(other, Constant) and node.op == "divide" and _is_sum(q.here, node.args[kept]):
        return f"sum at {{there}} for mean at {{here}}, which divides by {label}"
    if node.op in ("multiply", "divide") and given:
        return f"no weight at {{there}}: `{label}`, multiplied at {{here}}, is left out"
    if node.op in ("multiply", "divide"):
        by = label if isinstance(other, str) else wording.constant(other)
        word = "multiplied" if node.op == "multiply" else "divided"
        return f"the scale is left out at {{there}}: {{here}} is {word} by {by}"
    return f"{wording.what(q.here, node.name)} of {{here}} is left out at {{there}}"


def _is_sum(side: Side, arg: Arg) -> bool:
    return isinstance(arg, str) and side.graph[side.source(arg)].op in ("sum", "einsum", "matmul")
