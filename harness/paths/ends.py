"""The ends of a step as rows: the output that it begins with, and after it each input that it moves or carries.

A row tells the first cause that is off. What else is off there stands behind it, for where the first is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..judging.chain import Chain
from ..judging.judge import judged_gradients, judged_value, told_by_links, value_told_by_links
from ..judging.range import between
from ..judging.shadow import residual_of
from ..records.evaluation import Array
from ..records.rows import Index, Row, TrajectoryRow
from ..records.verdicts import FINDINGS, SEVERITY
from ..truth.precision import working
from ..truth.reference import Number
from .move import Finding, Judged, Measured

CARRY = "carry"  # the cause where a value that is carried to the next step is off


def gradients(chain: Chain, engine: str) -> Mapping[str, Sequence[Finding]]:
    """Of each gradient its finding, and behind it the other links up to it that are off.

    By its links, as in `judge.py`; where those leave something open, by the truth of the whole graph too.
    """
    findings: dict[str, Sequence[Finding]] = {}
    rows: Mapping[str, Row] = {}
    told = told_by_links(chain)
    for node in chain.subject.graph.wanted:
        name, link = node.name, told.get(node.name)
        if link is not None:
            own_link = chain.links["adjoint", name]
            first = Finding(
                "gradient", link.verdict, _known(link.score), own_link.index, link.where, link.known, link.off
            )
        else:
            rows = rows or judged_gradients(chain, engine)
            row = rows[name]
            first = Finding("gradient", row.verdict, row.score, row.index, row.node, row.accepted, row.off)
        findings[name] = [first, *(_others(chain, first, name) if first.counts else ())]
    return findings


def _others(chain: Chain, first: Finding, name: str) -> Iterator[Finding]:
    """The links that are off on the way back to an input, or, of another node, on the way there."""
    graph, back = chain.subject.graph, first.cause == "gradient"
    there = {node.name for node in (between(graph, name) if back else graph.pruned([name]).nodes)}
    for link in chain.links.values():
        quantity, of, _, _ = link.where
        here = of in there and (quantity == "value") != back
        if here and link.verdict in FINDINGS and link.where != first.node:
            yield Finding(first.cause, link.verdict, _known(link.score), (), link.where, link.known, link.off)


def output(blank: TrajectoryRow, chain: Chain) -> TrajectoryRow:
    """The output, contracted with the cotangent."""
    shown = chain.evaluation
    with np.errstate(all="ignore"):
        value = (shown.values[blank.name] if shown.output is None else shown.output).astype(np.float64)
        contracted = float(np.sum(value * chain.subject.cotangent.astype(np.float64)))
    return _told(replace(blank, value=contracted), _of_value(chain, blank.engine, blank.name, "value"))


def carried(blank: TrajectoryRow, chain: Chain, node: str) -> TrajectoryRow:
    """One input after a step that is the value of a node at that step.

    The reference is what the node's own link gives; where that is not shown, and where what is off stands further up,
    it is the truth at the engine's inputs.
    """
    value = chain.evaluation.values[node]
    if not value.size:
        return replace(blank, value=0.0)
    findings, own = _of_value(chain, blank.engine, node, CARRY), chain.links.get(("value", node))
    first = findings[0]
    itself = own is not None and (own.verdict in FINDINGS or not first.counts)
    index = first.index if own is None else own.index
    index = index if len(index) == value.ndim else (0,) * value.ndim  # a choice that is not shown names no component
    numbers = _by_own_link(chain, node, index) if itself else _by_truth(value, chain.subject.truth.values[node], index)
    told = replace(blank, index=index, value=numbers.value, reference=numbers.reference, error=numbers.error)
    return _told(told, findings)


def _of_value(chain: Chain, engine: str, name: str, cause: str) -> Sequence[Finding]:
    """What is found of a value, and behind it the other links up to it that are off. By its links, as gradients are;
    where those leave something open, by the truth of the whole graph too."""
    link = value_told_by_links(chain, name)
    if link is not None:
        said = Finding(cause, link.verdict, _known(link.score), link.index, link.where, link.known, link.off)
    else:
        row = judged_value(chain, engine, name)
        said = Finding(cause, row.verdict, row.score, row.index, row.node, row.accepted, row.off)
    return [said, *(_others(chain, said, name) if said.counts else ())]


def _told(blank: TrajectoryRow, findings: Sequence[Finding]) -> TrajectoryRow:
    return _first_unknown([_with(blank, finding) for finding in findings])


def moved(
    blank: TrajectoryRow, x: Array, gradient: Sequence[Finding], move: Judged, chain: Chain, setting: str
) -> TrajectoryRow:
    """One input after a step: the numbers of what is off, else its own. `setting` explains what is off by the rule."""
    counting = [finding for finding in (*gradient, *move.findings) if finding.counts]

    def row(finding: Finding) -> TrajectoryRow:
        off, index = finding.counts, finding.index
        if not off and len(index) != x.ndim:  # that of a scalar: the row is about the input
            index = next(one.index for one in move.findings if one.cause == "update")
        if off and finding.cause == "gradient":
            engine, truth = chain.evaluation.gradients[blank.name], chain.subject.gradients[blank.name]
            numbers = _by_truth(engine, truth, index) if len(index) == x.ndim else None
        else:
            numbers = move.measured(finding.cause if off else "update", index)
        own = replace(blank, index=index)
        if numbers is not None:
            own = replace(own, value=numbers.value, reference=numbers.reference, error=numbers.error)
        of_move = off and finding.cause.startswith(("state", "update"))
        return _with(replace(own, setting=setting) if of_move else own, finding)

    return _first_unknown([*map(row, counting)]) if counting else row(_worst([gradient[0], *move.findings]))


def _with(blank: TrajectoryRow, finding: Finding) -> TrajectoryRow:
    off = finding.counts
    return replace(
        blank,
        score=finding.score,
        verdict=finding.verdict,
        cause=finding.cause if off else "",
        finding=off and not finding.known,
        accepted=finding.known if off else "",
        off=finding.off,
        node=finding.node if off else "",
    )


def _first_unknown(rows: Sequence[TrajectoryRow]) -> TrajectoryRow:
    """The first row that is not known, or the first; behind it the others that are not."""
    first = next((row for row in rows if row.finding), rows[0])
    return replace(first, behind=tuple(row for row in rows if row.finding and row is not first))


def _by_truth(engine: Array, truth: Number, index: Index) -> Measured:
    return Measured(float(engine[index]), float(truth.high[index]), float(truth.error(engine)[index]))


def _by_own_link(chain: Chain, name: str, index: Index) -> Measured:
    """A component of a value against its step in exact arithmetic, on the engine's own numbers."""
    with working():
        found = residual_of(chain, name, chain.subject.form_of(name))
    value, exact = float(found.engine[index]), float(found.exact[index])
    return Measured(value, exact, float(np.copysign(found.off[index], value - exact)))


def _known(score: float) -> float | None:
    return None if np.isnan(score) else score


def _worst(findings: Sequence[Finding]) -> Finding:
    """Where nothing is off: the gravest verdict, with the highest score of all."""
    gravest = max(findings, key=lambda finding: SEVERITY[finding.verdict])
    worst = max(findings, key=lambda finding: -1.0 if finding.score is None else finding.score)
    score = None if gravest.verdict == "not judged" else worst.score
    return Finding(worst.cause, gravest.verdict, score, worst.index)
