"""A certificate: where links alone prove a run, neither its truth nor a sensitivity is computed.

Every link is sound without a kink, every number is finite and none has left the range, and the plain program has the
bits of the run whose links these are: then each number is a sound evaluation, by induction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isnan, nan

import numpy as np

from ..records.evaluation import Array
from ..records.rows import LinkName, Quantity, Row
from ..records.verdicts import FINDINGS, Verdict
from .agreement import same_bits
from .chain import Chain
from .classify import Link, place
from .judge import SOUND, judged_whole, known_of_plain
from .range import all_finite, without_underflow
from .subject import blank_row
from .unseen import of_plain

LARGEST = 500_000  # numbers of a graph whose truth is still computed
# As many where kinks alone leave something open: each open component takes two runs of the whole graph in germs.
LARGEST_AT_KINKS = 20_000
SOUND_OR_KINK: frozenset[Verdict] = frozenset((*SOUND, "convention"))


def proved(chain: Chain) -> bool:
    """Whether the links of an evaluation that have been judged prove all that they show."""
    return _proved(chain, SOUND)


def certified(chain: Chain, known: bool | None = None) -> bool:
    """Whether they prove all of it, the plain program's numbers too. `known`: what `proved` says of them."""
    return (proved(chain) if known is None else known) and _same(chain)


def _proved(chain: Chain, passing: frozenset[Verdict]) -> bool:
    """Whether all links pass and all is shown, and no number of the run has left the range."""
    shown, graph = chain.evaluation.adjoints or {}, chain.subject.graph
    return (
        all(link.verdict in passing for link in chain.links.values())
        and graph.output.name in chain.values
        and all(node.name in shown for node in graph.wanted)
        and all_finite(chain)
        and without_underflow(chain)
    )


def _same(chain: Chain) -> bool:
    """Whether the plain program's numbers are those of the run."""
    evaluation, output = chain.evaluation, chain.subject.graph.output.name
    shown = evaluation.adjoints or {}
    return (evaluation.output is None or same_bits(evaluation.output, evaluation.values[output])) and all(
        same_bits(gradient, shown[name]) for name, gradient in evaluation.gradients.items()
    )


def rows(chain: Chain, engine: str, *, truth: bool = False, known: bool | None = None) -> list[Row]:
    """The rows of one evaluation whose links have been judged: by these alone where they prove it, else with the truth,
    unless the graph is too large. With `truth` always, for its reference and digits. `known`: what `proved` says
    of them.

    Where the links prove the run, R is asked for those numbers alone that the plain program has with other bits.
    """
    size, blank = _size(chain), blank_row(chain.subject, engine)
    if truth and size <= LARGEST:
        return judged_whole(chain, engine)
    sound = proved(chain) if known is None else known
    at_kinks = not sound and size > LARGEST_AT_KINKS and _same(chain) and _proved(chain, SOUND_OR_KINK)
    if not (sound or at_kinks or size > LARGEST):
        return judged_whole(chain, engine)
    return [_at_kink(row) for row in _by_links(chain, blank, held=sound and size <= LARGEST)]


def _at_kink(row: Row) -> Row:
    if row.verdict != "convention":
        return row
    reason = "the graph is too large to hold what such choices add up to against one-sided derivatives"
    return replace(row, reason=f"{row.reason}; {reason}")


def _size(chain: Chain) -> int:
    return sum(int(np.prod(node.shape)) for node in chain.subject.graph.nodes)


def _by_links(chain: Chain, blank: Row, *, held: bool = False) -> Iterator[Row]:
    """Gradients and the output, and every link that is off. What the plain program has with other bits is `held`
    against the truth, or not judged."""
    subject, evaluation = chain.subject, chain.evaluation
    graph, shown = subject.graph, evaluation.adjoints or {}

    def other(row: Row, quantity: Quantity, plain: Array, heard: Array) -> Row:
        if same_bits(plain, heard) or row.verdict in FINDINGS:
            return row
        if held:
            row = of_plain(row, subject.asked(quantity, row.name), plain, heard)
            return known_of_plain(row, plain, chain) if quantity == "gradient" else row
        reason = "the plain program has other bits than the heard one, and the graph is too large to say whether by"
        return replace(row, verdict="not judged", reason=f"{reason} rounding")

    output = graph.output.name
    if output in chain.values:
        plain = evaluation.values[output] if evaluation.output is None else evaluation.output
        row = _without_truth(_row(blank, LinkName("value", output), chain.values[output], plain), plain, chain)
        yield other(row, "value", plain, evaluation.values[output])
    for node in graph.wanted:
        gradient = evaluation.gradients[node.name]
        if node.name not in chain.adjoints:
            reason = "the run shows nothing of it, and the graph is too large to be judged without"
            yield replace(blank, quantity="gradient", name=node.name, verdict="not judged", reason=reason)
            continue
        row = _row(blank, LinkName("gradient", node.name), chain.adjoints[node.name], gradient)
        row = _without_truth(row, gradient, chain)
        yield other(row, "gradient", gradient, shown[node.name])
    for link in chain.links.values():
        if link.verdict in FINDINGS and link.where != LinkName("value", output):
            quantity, name, use, _ = link.where
            numbers = {"value": evaluation.values, "adjoint": shown}.get(quantity, {}).get(name)
            terms = evaluation.terms or {}
            yield _row(blank, link.where, link, terms.get(use, numbers) if use is not None else numbers)


def _without_truth(row: Row, numbers: Array, chain: Chain) -> Row:
    """The row of what links call undefined, where the graph is too large for a truth: exp(-800) is 0, and its logarithm
    soundly none. A gradient that is no number of an output that is one is off, since some side has one."""
    subject, evaluation = chain.subject, chain.evaluation
    floats = [x for x in subject.inputs.values() if x.dtype.kind not in "bi"]
    if row.verdict != "undefined" or not all(_finite(x) for x in floats):
        return row
    there = evaluation.values[subject.graph.output.name] if evaluation.output is None else evaluation.output
    lost = np.isnan(numbers.astype(np.float64))
    if row.quantity == "gradient" and _finite(there) and lost.any():
        index = place(np.argmax(lost), lost.shape)
        reason = f"the output is a number, and its gradient is none; {row.reason}"
        return replace(row, verdict="not finite", finding=True, index=index, engine_value=nan, reason=reason)
    reason = f"the graph is too large to say whether there is a truth here; {row.reason}"
    return replace(row, verdict="not judged", reason=reason)


def _finite(numbers: Array) -> bool:
    return bool(np.isfinite(numbers.astype(np.float64)).all())


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
