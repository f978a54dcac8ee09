"""Where an evaluation leaves the range: whether it does, and the first step that made NaN or infinity of numbers.

NaN spreads by multiplication with 0, so the first step that made an infinity is to blame, and not the one that met 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import isinf, prod
from typing import Any

import numpy as np

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Arg, Constant, Node
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import LinkName
from ..truth.links import Step
from ..truth.precision import working
from ..truth.reference import Number
from ..truth.residuals import Numerals
from .chain import Chain


def birth(chain: Chain, name: str) -> tuple[LinkName, str] | None:
    """The link that made the first NaN or infinity on the way to the gradient of an input, and its words.

    None where the engine does not show it.
    """
    subject, values = chain.subject, chain.evaluation.values
    on_the_way = between(subject.graph, name)
    for node in on_the_way:
        if node.op != "input" and node.name in values:
            number, truth = values[node.name], subject.truth.values[node.name].high
            if _lost(np.where(number == truth, 0, number)):
                return subject.link("value", node.name), _words(chain, node)
    for node in reversed(on_the_way):
        for link, numbers in _derivatives(chain, node):
            if _lost(numbers):
                return link, _words(chain, subject.graph[link.use.consumer] if link.use else node)
    return None


def left(chain: Chain) -> tuple[LinkName, str] | None:
    """The first step whose number the format does not hold, and its words; None where the engine shows no such step."""
    subject, shown, truth = chain.subject, chain.evaluation, chain.subject.truth
    for node in subject.graph.operations:
        if node.name in shown.values and _outside(shown.values[node.name], truth.values[node.name]):
            return subject.link("value", node.name), f"{_step(chain, node)} {_has_left(chain, node.name)}"
    for node in reversed(subject.graph.operations):
        for use in subject.graph.uses_in[node.name]:
            if use in (shown.terms or {}) and _outside((shown.terms or {})[use], truth.terms[use]):
                name = subject.graph.argument(use)
                words = f"a term in {_step(chain, node)} {_has_left(chain, name)}"
                return subject.link("term", name, use), words
    return None


def _outside(numbers: Array, truth: Number) -> bool:
    """Whether a number is 0 or infinite where the true one is neither."""
    if numbers.dtype.kind in "bi":
        return False
    fell = (numbers == 0) & np.asarray(truth.balls != 0, dtype=bool) & truth.tight
    return bool(fell.any()) or bool((np.isinf(numbers.astype(np.float64)) & np.isfinite(truth.high)).any())


def _has_left(chain: Chain, name: str) -> str:
    return f"has left the range of {chain.subject.form_of(name).name}"


def _step(chain: Chain, node: Node) -> str:
    text = chain.subject.texts.get(node.name, "")
    return f"`{node.name}: {text}`" if text else f"`{node.name}`"


def in_range(chain: Chain) -> bool:
    """Whether no step has left the range of the format, so that sound links make a sound whole.

    Every number is finite, but for infinities that were handed in, such as those of a mask; and none is next to 0 that
    is not so exactly: no product, sum of products, power or exponential has fallen there.
    """
    return all_finite(chain) and without_underflow(chain)


def all_finite(chain: Chain) -> bool:
    """Whether every number is finite, but for infinities that were handed in."""
    subject, shown = chain.subject, chain.evaluation
    arrays = (shown.adjoints or {}, shown.terms or {}, shown.gradients)
    if any(_lost(numbers) for some in arrays for numbers in some.values()):
        return False
    return not any(_lost(x) and not _handed_on(chain, subject.graph[name], x) for name, x in shown.values.items())


def without_underflow(chain: Chain) -> bool:
    """Whether no step has lost a number next to 0: one that is 0 is exactly so, and none is nearly. Of an engine that
    hides the value of a step nobody knows."""
    subject, shown = chain.subject, chain.evaluation
    graph, terms = subject.graph, shown.terms or {}
    if any(node.name not in chain.numerals for node in graph.operations):
        return False
    with working():
        for node in graph.operations:
            step, form = subject.steps[node.name], subject.step_form_of(node.name)
            if node.kind != "float" or step.operation.selects or step.operation.moves:
                continue
            operands = [chain.numerals[arg] for arg in node.args if isinstance(arg, str)]
            g = Numerals((shown.adjoints or {}).get(node.name, np.zeros(node.shape)), form)
            y = chain.numerals[node.name].array
            uses = [use for use in graph.uses_in[node.name] if use in terms]  # none where a stop_gradient lies behind
            if _next_to_0(y, form) or any(_next_to_0(terms[use], form) for use in uses):
                return False
            open_ones = (y == 0).any() and not _no_product_falls(step, operands, form)
            if open_ones and not _exactly_zero(y, step.value_program(None)(*_exactly(operands))[0]):
                return False
            if any((terms[use] == 0).any() for use in uses) and not _no_product_falls(step, [*operands, g], form):
                exact = step.term_program(None)(*_exactly([*operands, g]))
                balls = dict(zip(graph.uses_in[node.name], exact, strict=True))
                if not all(_exactly_zero(terms[use], balls[use]) for use in uses):
                    return False
    return True


def _exactly(operands: Sequence[Numerals]) -> list[Any]:
    return [operand.exact for operand in operands]


def _next_to_0(numbers: Array, form: Format) -> bool:
    """Whether a number is next to 0, and not 0."""
    return bool(((numbers != 0) & (np.abs(numbers.astype(np.float64)) < form.smallest / form.unit)).any())


def _exactly_zero(numbers: Array, exact: object) -> bool:
    """Whether what is 0 is so in exact arithmetic too."""
    balls = np.broadcast_to(np.asarray(exact, dtype=object), numbers.shape)
    return all(ball.contains(0) for ball in balls[numbers == 0].flat)


def _no_product_falls(step: Step, operands: Sequence[Numerals], form: Format) -> bool:
    """Whether a step is made of sums, products and choices alone, of numbers whose products stay far from 0."""
    if not _multilinear(step):
        return False
    smallest = [1.0]
    for operand in operands:
        if operand.array.dtype.kind not in "bi":
            sizes = np.abs(operand.array.astype(np.float64))
            smallest.append(min(1.0, float(np.min(sizes, where=sizes > 0, initial=1.0))))
    factors = _factors(step)  # a product of all numbers of one operand has more of them than there are operands
    least = prod(smallest) if factors <= len(operands) else min(smallest) ** factors
    return least > form.smallest / form.unit


@lru_cache(maxsize=4096)
def _multilinear(step: Step) -> bool:
    plain = expanded(step.graph, stable=True)
    rows = map(plain.operation, plain.operations)
    return all(row.linear or row.moves or row.selects or not row.cost for row in rows) and all(
        _ordinary(arg) for node in plain.operations for arg in node.args if isinstance(arg, Constant)
    )


@lru_cache(maxsize=4096)
def _factors(step: Step) -> int:
    """Of how many numbers at most a product is made in a step of sums and products; as if every one were a product."""
    plain, factors = expanded(step.graph, stable=True), dict[Arg, int]()
    for node in plain.nodes:
        factors[node.name] = max(sum(factors.get(arg, 0) for arg in node.args), 1)
    return max(factors[name] for name in plain.outputs)


def _ordinary(constant: Constant) -> bool:
    """Whether a factor is far from 0."""
    return constant.exact is not None and (constant.exact == 0 or abs(constant.exact) > 1e-30)


def _handed_on(chain: Chain, node: Node, numbers: Array) -> bool:
    """Whether what is infinite in a value was so in what it was made of; an overflow shows at its link."""
    if node.op == "input":  # a constant that is NaN is nobody's number where what reads it is finite
        return node.constant or not np.isnan(numbers.astype(np.float64)).any()
    if np.isnan(numbers.astype(np.float64)).any():
        return False
    if any(isinstance(arg, Constant) and "inf" in arg.text for arg in node.args):
        return True
    if any(isinstance(value, float) and isinf(value) for _, value in node.params):  # a border of -inf
        return True
    operands = [chain.known[arg] for arg in node.args if isinstance(arg, str) and arg in chain.known]
    lost = [~np.isfinite(x.astype(np.float64)) for x in operands if x.dtype.kind not in "bi"]
    if not chain.subject.steps[node.name].elementwise:
        return any(some.any() for some in lost)
    made = ~np.isfinite(numbers.astype(np.float64))
    return not (made & ~np.any([np.broadcast_to(some, made.shape) for some in lost], axis=0)).any() if lost else False


def _lost(numbers: Array) -> bool:
    return numbers.dtype.kind not in "bi" and not np.isfinite(numbers.astype(np.float64)).all()


def between(graph: Graph, name: str) -> list[Node]:
    """An input and all that depends on it, in evaluation order."""
    reached = {name}
    for node in graph.nodes:
        if not reached.isdisjoint(node.args):
            reached.add(node.name)
    return [node for node in graph.nodes if node.name in reached]


def _derivatives(chain: Chain, node: Node) -> Iterator[tuple[LinkName, Array]]:
    """What an engine shows of a node on its way back: its adjoint, then the terms that are made of it."""
    subject, shown = chain.subject, chain.evaluation
    if shown.adjoints is not None and node.name in shown.adjoints:
        yield subject.link("adjoint", node.name), shown.adjoints[node.name]
    for use in subject.graph.uses_in.get(node.name, ()):
        if shown.terms is not None and use in shown.terms:
            yield subject.link("term", subject.graph.argument(use), use), shown.terms[use]


def _words(chain: Chain, node: Node) -> str:
    """The step, and what it read that had fallen to 0."""
    subject, values = chain.subject, chain.evaluation.values
    text = f"it is born in {_step(chain, node)}"
    for arg in node.args:
        if isinstance(arg, str) and arg in values and subject.graph[arg].kind == "float":
            fallen = (values[arg] == 0) & (subject.truth.values[arg].high != 0)
            tiny = (values[arg] == 0) & (subject.truth.values[arg].balls != 0)
            if fallen.any() or tiny.any():
                return f"{text}, where `{arg}` {_has_left(chain, arg)} and is 0"
    return text
