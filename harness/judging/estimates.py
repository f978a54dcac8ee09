"""Gradients of engines that estimate their own error, such as finite differences: held against the truth.

An estimate is a claim: it must hold. It is no excuse: one that leaves no digit is set aside, and the number is judged
as that of any engine which shows gradients alone. An engine that has no number gives NaN with an infinite estimate, and
is not judged there. The shipped differences may give a number with it, since their paths walk on by it: it is not
judged either, unless it is right to half of the digits all the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..records.evaluation import Array
from ..records.rows import LinkName, Row
from ..records.verdicts import FINDINGS, Verdict
from ..truth.reference import Number
from .choices import hull
from .classify import place
from .subject import Subject
from .unseen import unseen, with_numbers

NO_NUMBER = "the engine says that it has no number here: its own error estimate leaves no digit"


def by_estimate(blank: Row, subject: Subject, name: str, engine: Array, estimate: Array, *, shipped: bool) -> Row:
    """The row of a gradient that has no link. `shipped`: the engine is this project's own."""
    what, truth, unit = subject.named("gradient", name), subject.gradients[name], subject.form.unit
    base = replace(blank, quantity=what.quantity, name=what.name)
    if engine.size == 0:
        return base
    estimate = np.where(estimate < 0, 0.0, estimate.astype(np.float64))
    said = np.isfinite(estimate) | (np.isfinite(engine.astype(np.float64)) & (not shipped))
    error, largest = _distance(engine, truth), _largest(truth)
    with np.errstate(all="ignore"):
        off = said & ~np.isnan(truth.high) & ~(error <= estimate)
        # Differences of the whole output know a 0 among other numbers as far as those reach.
        most = np.max(largest, where=np.isfinite(largest), initial=0.0)
        known = np.where(truth.tight & (truth.high == 0), most, largest)
        close = error <= unit**0.5 * known
        empty = said & ~off & ~close & (error > largest / 2)
        spared = close & (shipped | (truth.high == 0))
        empty |= said & ~off & ~spared & truth.tight & (estimate > np.abs(engine.astype(np.float64)) / 2)
        score = np.where(error == 0, 0.0, error / estimate)
    score = np.where(np.isnan(score), np.inf, score)
    if off.any():
        index = place(np.argmax(np.where(off, score, -1.0)), score.shape)
        reason = f"off by {error[index]:.3g}, its own error estimate is {estimate[index]:.3g}"
        verdict: Verdict = "wrong" if np.isfinite(engine[index]) else "not finite"
        return _row(base, what, engine, truth, index, verdict, float(score[index]), reason)
    if empty.any():
        # As if there were no estimate: of the other components there is nothing to say.
        alone = np.where(empty, engine.astype(np.float64), truth.high)
        row = unseen(blank, subject.asked("gradient", name), alone)
        index = row.index
        told = f"its own error estimate, {estimate[index]:.3g}, leaves no digit"
        if row.verdict in FINDINGS:
            return replace(row, reason=f"{told}, and excuses nothing: {row.reason}")
        if (empty & ~close).any():
            index = place(np.argmax(np.where(empty, error, -1.0)), error.shape)
            return _row(base, what, engine, truth, index, "not judged", None, told)
    index = place(np.argmax(np.where(said & ~np.isnan(error), score, -1.0)), score.shape)
    unknown = ~truth.tight | np.isnan(truth.high)
    if unknown.any():
        index = place(np.argmax(unknown), unknown.shape)
        least, most = hull(*(float(end[index]) for end in (truth.high - truth.radius, truth.high + truth.radius)))
        a_set = f"the derivative is a set here, from {least:.6g} to {most:.6g}: differences reach over the kink"
        reason = "the derivative does not exist here" if np.isnan(least) else a_set
        return _row(base, what, engine, truth, index, "not judged", None, reason)
    if not (said | close).all():
        index = place(np.argmin(said | close), said.shape)
        return _row(base, what, engine, truth, index, "not judged", None, NO_NUMBER)
    return _row(base, what, engine, truth, index, "agree", float(score[index]), "")


def _distance(engine: Array, truth: Number) -> Array:
    """How far an engine is off; of a hull, how far outside it is."""
    error = np.abs(truth.error(engine))
    with np.errstate(all="ignore"):
        outside = np.maximum(error - truth.radius, 0.0)
    return np.where(truth.tight, error, outside)


def _largest(truth: Number) -> Array:
    """The size of the truth, of a hull that of its far end."""
    with np.errstate(all="ignore"):
        return np.abs(truth.high) + np.where(truth.tight, 0.0, truth.radius)


def _row(
    base: Row,
    what: LinkName,
    engine: Array,
    truth: Number,
    index: tuple[int, ...],
    verdict: Verdict,
    score: float | None,
    reason: str,
) -> Row:
    return replace(
        with_numbers(base, engine, truth, index),
        score=score,
        verdict=verdict,
        reason=reason,
        node=what if verdict in FINDINGS else "",
        finding=verdict in FINDINGS,
    )
