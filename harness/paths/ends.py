"""The ends of a step as rows: the output that it begins with, and each input after it.

A row tells the first cause that is off. What else is off there stands behind it, for where the first is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..judging.chain import Chain
from ..judging.judge import judged_gradients, judged_output, output_told_by_links, told_by_links
from ..judging.range import between
from ..records.evaluation import Array
from ..records.rows import Index, Row, TrajectoryRow
from ..records.verdicts import FINDINGS, SEVERITY
from .move import Finding, Judged, Measured


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
    """The links that are off on the way back to an input, or, of the output, on the way there."""
    graph, output = chain.subject.graph, chain.subject.graph.output.name
    there = {node.name for node in between(graph, name)} if name != output else set[str]()
    for link in chain.links.values():
        quantity, of, _, _ = link.where
        here = quantity == "value" if name == output else quantity != "value" and of in there
        if here and link.verdict in FINDINGS and link.where != first.node:
            yield Finding(first.cause, link.verdict, _known(link.score), (), link.where, link.known, link.off)


def output(blank: TrajectoryRow, chain: Chain) -> TrajectoryRow:
    """By its links, as gradients are; where those leave something open, by the truth of the whole graph too."""
    shown, engine = chain.evaluation, blank.engine
    with np.errstate(all="ignore"):
        value = (shown.values[blank.name] if shown.output is None else shown.output).astype(np.float64)
        contracted = float(np.sum(value * chain.subject.cotangent.astype(np.float64)))
    link = output_told_by_links(chain)
    if link is not None:
        said = Finding("value", link.verdict, _known(link.score), link.index, link.where, link.known, link.off)
    else:
        row = judged_output(chain, engine)
        said = Finding("value", row.verdict, row.score, row.index, row.node, row.accepted, row.off)

    def of(finding: Finding) -> TrajectoryRow:
        return _with(replace(blank, value=contracted), finding)

    return _first_unknown([of(said), *map(of, _others(chain, said, blank.name) if said.counts else ())])


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
            numbers = _of_gradient(chain, blank.name, index) if len(index) == x.ndim else None
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


def _of_gradient(chain: Chain, name: str, index: Index) -> Measured:
    engine, truth = chain.evaluation.gradients[name], chain.subject.gradients[name]
    return Measured(float(engine[index]), float(truth.high[index]), float(truth.error(engine)[index]))


def _known(score: float) -> float | None:
    return None if np.isnan(score) else score


def _worst(findings: Sequence[Finding]) -> Finding:
    """Where nothing is off: the gravest verdict, with the highest score of all."""
    gravest = max(findings, key=lambda finding: SEVERITY[finding.verdict])
    worst = max(findings, key=lambda finding: -1.0 if finding.score is None else finding.score)
    score = None if gravest.verdict == "not judged" else worst.score
    return Finding(worst.cause, gravest.verdict, score, worst.index)
