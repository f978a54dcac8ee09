"""Where an evaluation leaves the range: whether it does, and the first step that made NaN or infinity of numbers.

NaN spreads by multiplication with 0, so the first step that made an infinity is to blame, and not the one that met 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isinf

import numpy as np

from ..graph.graph import Graph
from ..graph.node import Constant, Node
from ..records.evaluation import Array
from ..records.rows import LinkName
from ..truth.reference import Number
from .chain import Chain


def birth(chain: Chain, name: str) -> tuple[LinkName, str] | None:
    """The link that made the first NaN or infinity on the way to the gradient of an input, and its words.

    None where the engine does not show it.
    """
    subject, values = chain.subject, chain.evaluation.values
    between = _between(subject.graph, name)
    for node in between:
        if node.op != "input" and node.name in values:
            number, truth = values[node.name], subject.truth.values[node.name].high
            if _lost(np.where(number == truth, 0, number)):
                return subject.link("value", node.name), _words(chain, node)
    for node in reversed(between):
        for link, numbers in _derivatives(chain, node):
            if _lost(numbers):
                return link, _words(chain, subject.graph[link.use.consumer] if link.use else node)
    return None


def left(chain: Chain) -> tuple[LinkName, str] | None:
    """The first step whose number the format does not hold, and its words; None where the engine shows no such step."""
    subject, shown, truth = chain.subject, chain.evaluation, chain.subject.truth
    for node in subject.graph.operations:
        if node.name in shown.values and _outside(shown.values[node.name], truth.values[node.name]):
            return subject.link("value", node.name), f"{_step(chain, node)} has left the range of {subject.dtype}"
    for node in reversed(subject.graph.operations):
        for use in subject.graph.uses_in[node.name]:
            if use in (shown.terms or {}) and _outside((shown.terms or {})[use], truth.terms[use]):
                words = f"a term in {_step(chain, node)} has left the range of {subject.dtype}"
                return subject.link("term", subject.graph.argument(use), use), words
    return None


def _outside(numbers: Array, truth: Number) -> bool:
    """Whether a number is 0 or infinite where the true one is neither."""
    if numbers.dtype.kind in "bi":
        return False
    fell = (numbers == 0) & np.asarray(truth.balls != 0, dtype=bool) & truth.tight
    return bool(fell.any()) or bool((np.isinf(numbers.astype(np.float64)) & np.isfinite(truth.high)).any())


def _step(chain: Chain, node: Node) -> str:
    text = chain.subject.texts.get(node.name, "")
    return f"`{node.name}: {text}`" if text else f"`{node.name}`"


def in_range(chain: Chain) -> bool:
    """Whether no step has left the range of the format, so that sound links make a sound whole.

    Every number is finite, but for infinities that were handed in, such as those of a mask; and none is next to 0 that
    a step made of others than 0: no product, power or exponential has fallen there.
    """
    subject, shown = chain.subject, chain.evaluation
    if not all_finite(chain):
        return False
    least = subject.form.smallest / subject.form.unit
    for node in subject.graph.operations:
        step = subject.steps[node.name]
        if not step.elementwise or step.operation.selects or step.operation.linear or step.has_kinks():
            continue
        operands = [chain.known[arg] for arg in node.args if isinstance(arg, str) and arg in chain.known]
        if node.name in shown.values and _fell(shown.values[node.name], operands, least):
            return False
        for use in subject.graph.uses_in[node.name]:
            g = (shown.adjoints or {}).get(node.name)
            if shown.terms is not None and use in shown.terms and g is not None:
                term = shown.terms[use]
                if term.shape == g.shape and _fell(term, [g, *operands], least):
                    return False
    return True


def all_finite(chain: Chain) -> bool:
    """Whether every number is finite, but for infinities that were handed in."""
    subject, shown = chain.subject, chain.evaluation
    arrays = (shown.adjoints or {}, shown.terms or {}, shown.gradients)
    if any(_lost(numbers) for some in arrays for numbers in some.values()):
        return False
    return not any(_lost(x) and not _handed_on(chain, subject.graph[name], x) for name, x in shown.values.items())


def _fell(result: Array, operands: Iterable[Array], least: float) -> bool:
    """Whether a number next to 0 was made of numbers that are not 0."""
    near: Array = np.abs(result.astype(np.float64)) < least
    for operand in operands if near.any() else ():
        near = near & (operand != 0) & np.isfinite(operand.astype(np.float64))
    return bool(near.any())


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


def _between(graph: Graph, name: str) -> list[Node]:
    """An input and all that depends on it, in evaluation order."""
    between = {name}
    for node in graph.nodes:
        if not between.isdisjoint(node.args):
            between.add(node.name)
    return [node for node in graph.nodes if node.name in between]


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
                return f"{text}, where `{arg}` has left the range of {subject.dtype} and is 0"
    return text
