"""Small changes of one step that people make by mistake: another number, a step left out, two in the other order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod

from ..graph.node import Arg, Constant, Node
from ..records.evaluation import Array
from . import wording
from .proposals import Proposal, Question, distinct, everywhere, needed, replaced, with_argument
from .side import MOVES, Change, Side, applied, number

MASKS = frozenset(("where", "masked_fill", "select_n"))  # calls whose choice is a mask of the user's
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
                q, node, make, f"{name} is {_told(given)} at {{there}} and {_told(arg)} at {{here}}", other.name
            )


def _numbers(q: Question, node: Node, other: Node) -> Iterator[Proposal]:
    """A number of the run on one side, and a constant on the other."""
    for k, (arg, given) in enumerate(zip(node.args, other.args, strict=True)):
        if isinstance(arg, str) and isinstance(given, Constant):

            def make(n: Node, k: int = k, given: Constant = given) -> Change:
                return partial(q.here.step, with_argument(n, k, given))

            reason = f"{node.op} by {_told(given)} at {{there}} and by `{q.here.label(q.here.source(arg))}` at {{here}}"
            yield from everywhere(q, node, make, reason, other.name)


def _told(given: Constant) -> str:
    return given.text if given.exact is None or len(given.text) < 9 else wording.factor(float(given.exact))


def _parameters(q: Question, node: Node, other: Node) -> str:
    theirs = dict(other.params)
    for name, value in node.params:
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
                reason = f"{name} is {_told(given)} at {{there}} and {_told(arg)} at {{here}}"
                yield from everywhere(q, node, make, reason, where[given.text])


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
            dropped = {arg for j, arg in enumerate(node.args) if j != k}
            yield from everywhere(q, node, make, _left_out(q, node, k), there, whole=not dropped.isdisjoint(q.blamed))
    for node in q.calls:
        for arg in distinct(arg for arg in node.args if isinstance(arg, str)):
            if arg in q.here.numbers and q.here.numbers[arg].shape == node.shape and arg in q.here.live:
                reason = f"{wording.what(q.here, node.name)} of {{here}} is left out at {{there}}"
                whole = not {*node.args}.difference({arg}).isdisjoint(q.blamed)
                yield Proposal({node.name: lambda known, arg=arg: known[arg]}, reason, node.name, q.first_there, whole)


def _left_out(q: Question, node: Node, kept: int) -> str:
    """What is left out, in words, where one operand goes on alone."""
    others = [arg for k, arg in enumerate(node.args) if k != kept]
    if node.op == "where" and wording.what(q.here, node.name) in MASKS:
        return "the mask of {here} is left out at {there}"
    if not others:
        return f"{wording.what(q.here, node.name)} of {{here}} is left out at {{there}}"
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
    if isinstance(other, str) and node.op in ("add", "subtract"):
        return f"the residual is left out at {{there}}: `{label}` is added at {{here}}"
    if isinstance(other, Constant) and node.op == "divide" and _is_sum(q.here, node.args[kept]):
        return f"sum at {{there}} for mean at {{here}}, which divides by {label}"
    if node.op in ("multiply", "divide") and given:
        return f"no weight at {{there}}: `{label}`, multiplied at {{here}}, is left out"
    if node.op in ("multiply", "divide"):
        by = label if isinstance(other, str) else _told(other)
        word = "multiplied" if node.op == "multiply" else "divided"
        return f"the scale is left out at {{there}}: {{here}} is {word} by {by}"
    return f"{wording.what(q.here, node.name)} of {{here}} is left out at {{there}}"


def _is_sum(side: Side, arg: Arg) -> bool:
    return isinstance(arg, str) and side.graph[side.source(arg)].op in ("sum", "einsum", "matmul")


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
                if node.op == "sqrt" and inner.op == "add":
                    reason = "eps is added outside of the root at {there}, under it at {here}"
                elif inner.op == "sqrt" and node.op == "add":
                    reason = "eps is added under the root at {there}, outside of it at {here}"
                there = next((o.name for o in q.partners[node.name]), "") or next(iter(q.others), "")
                yield from everywhere(q, node, make, reason, there)


def _step_words(q: Question, node: Node) -> str:
    return f"`{wording.what(q.here, node.name)}`"


def other_operation(q: Question) -> Iterator[Proposal]:
    """The other side applies another operation to the same operands."""
    for node in q.targets:
        for other in q.partners[node.name]:
            if other.op == node.op or len(other.args) != len(node.args) or other.op in MOVES or node.op in MOVES:
                continue

            def make(n: Node, other: Node = other) -> Change:
                return lambda known: applied(other.op, [number(a, known) for a in n.args], dict(other.params))

            mine, theirs = wording.what(q.here, node.name), wording.what(q.there, other.name)
            reason = f"`{theirs}` at {{there}} for `{mine}` at {{here}}"
            if {node.op, other.op} == {"add", "subtract"}:
                reason = "the sign of a term is another at {there} than at {here}"
            yield from everywhere(q, node, make, reason, other.name)
