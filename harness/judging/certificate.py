"""A certificate: where links alone prove a run, neither its truth nor a sensitivity is computed.

Every link is sound without a kink, every number is finite and none has left the range, and the plain program has the
bits of the run whose links these are: then each number is a sound evaluation, by induction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isnan

import numpy as np

from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import LinkName, Row
from ..records.verdicts import FINDINGS
from ..truth.precision import working
from ..truth.residuals import Numerals, Residual
from .agreement import same_bits
from .chain import Chain
from .classify import Link
from .judge import blank_row, judged_whole
from .range import all_finite

LARGEST = 2_000_000  # numbers of a graph whose truth is still computed


def certified(chain: Chain) -> bool:
    """Whether the links of an evaluation that have been judged prove all of it."""
    return all(link.verdict in ("agree", "lossy") for link in chain.links.values()) and _whole(chain)


def _whole(chain: Chain) -> bool:
    """Whether all is shown, the plain program's numbers are those of the run, and none has left the range."""
    graph, evaluation = chain.subject.graph, chain.evaluation
    shown, output = evaluation.adjoints or {}, graph.output.name
    if not all(
        node.name in shown and same_bits(evaluation.gradients[node.name], shown[node.name]) for node in graph.wanted
    ):
        return False
    if output not in chain.values or (
        evaluation.output is not None and not same_bits(evaluation.output, evaluation.values[output])
    ):
        return False
    return all_finite(chain) and _without_underflow(chain)


def _without_underflow(chain: Chain) -> bool:
    """Whether the steps that gave numbers next to 0 are sound without the leave to lose what is as small."""
    subject, shown = chain.subject, chain.evaluation
    graph = subject.graph
    with working():
        for node in graph.operations:
            step, form = subject.steps[node.name], subject.form_of(node.name)
            if node.kind != "float" or step.operation.selects or step.operation.moves:
                continue
            names = [arg for arg in node.args if isinstance(arg, str)]
            y, operands = chain.numerals[node.name], [chain.numerals[name] for name in names]
            if _near_zero(y.array, form) and not _sound(step.value(operands, y, form.without_underflow)):
                return False
            uses = graph.uses_in[node.name]
            terms = [(shown.terms or {})[use] for use in uses]
            of = [subject.form_of(graph.argument(use)) for use in uses]
            if any(map(_near_zero, terms, of)):
                g = Numerals((shown.adjoints or {})[node.name], form)
                engine = [Numerals(term, its) for term, its in zip(terms, of, strict=True)]
                for its in dict.fromkeys(of):
                    links = step.terms(operands, y, g, engine, its.without_underflow)
                    if not all(_sound(link) for link, other in zip(links, of, strict=True) if other is its):
                        return False
    return True


def _near_zero(numbers: Array, form: Format) -> bool:
    return bool((np.abs(numbers.astype(np.float64)) < form.smallest / form.unit).any())


def _sound(link: Residual) -> bool:
    return bool((link.enclosed & (link.score <= 1)).all())


def rows(chain: Chain, engine: str, *, truth: bool = False) -> list[Row]:
    """The rows of one evaluation whose links have been judged: by these alone where they prove it, else with the truth,
    unless the graph is too large. With `truth` always, for its reference and digits."""
    small = _size(chain) <= LARGEST
    if (truth and small) or not (certified(chain) or not small):
        return judged_whole(chain, engine)
    return list(_by_links(chain, blank_row(chain.subject, engine)))


def _size(chain: Chain) -> int:
    return sum(int(np.prod(node.shape)) for node in chain.subject.graph.nodes)


def _by_links(chain: Chain, blank: Row) -> Iterator[Row]:
    """Gradients and the output, and every link that is off."""
    subject, evaluation = chain.subject, chain.evaluation
    graph, shown = subject.graph, evaluation.adjoints or {}
    output = graph.output.name
    if output in chain.values:
        plain = evaluation.values[output] if evaluation.output is None else evaluation.output
        row = _row(blank, LinkName("value", output), chain.values[output], plain)
        yield row if same_bits(plain, evaluation.values[output]) else _other_bits(row)
    for node in graph.wanted:
        gradient = evaluation.gradients[node.name]
        if node.name not in chain.adjoints:
            reason = "the run shows nothing of it, and the graph is too large to be judged without"
            yield replace(blank, quantity="gradient", name=node.name, verdict="not judged", reason=reason)
            continue
        row = _row(blank, LinkName("gradient", node.name), chain.adjoints[node.name], gradient)
        yield row if same_bits(gradient, shown[node.name]) else _other_bits(row)
    for link in chain.links.values():
        if link.verdict in FINDINGS and link.where != LinkName("value", output):
            quantity, name, use, _ = link.where
            numbers = {"value": evaluation.values, "adjoint": shown}.get(quantity, {}).get(name)
            terms = evaluation.terms or {}
            yield _row(blank, link.where, link, terms.get(use, numbers) if use is not None else numbers)


def _other_bits(row: Row) -> Row:
    if row.verdict in FINDINGS:
        return row
    reason = (
        "the plain program has other bits than the heard one, and the graph is too large to say whether by rounding"
    )
    return replace(row, verdict="not judged", reason=reason)


def _row(blank: Row, what: LinkName, link: Link, numbers: Array | None) -> Row:
    inside = numbers is not None and len(link.index) == numbers.ndim and link.where.name == what.name
    return replace(
        blank,
        quantity=what.quantity,
        name=what.name,
        use=what.use,
        index=link.index if inside else (),
        engine_value=float(numbers[link.index]) if inside and numbers is not None and numbers.size else None,
        score=None if isnan(link.score) else link.score,
        verdict=link.verdict,
        node="" if link.verdict == "agree" else link.where,
        reason=link.reason,
        finding=link.verdict in FINDINGS,
        accepted=link.known,
        choice=link.choice,
        off=link.off,
    )
