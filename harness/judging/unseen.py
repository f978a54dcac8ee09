"""Gradients of which no link is seen, judged by how far rounding alone may move them (`truth/sensitivity.py`).

So are held: plain programs whose bits are not those of the program that shows its links, engines that show gradients
alone, and the question whether a problem itself loses the digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite, log10
from typing import cast

import numpy as np

from ..graph.node import Use
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import LinkName, Quantity, Row, component
from ..records.verdicts import FINDINGS, Verdict
from ..truth.reference import Number, relative_size
from ..truth.sensitivity import Key, Probe
from ..words import counted
from .choices import taken
from .classify import place, show

UNBOUNDED = "no finite bound is known of how far rounding alone may move it"


def digits(relative: float) -> float:
    """Decimal digits in agreement with the truth; 0 to about 32, where the pair of float64 ends."""
    if relative == 0:
        return 32.0
    return round(min(max(-log10(relative), 0.0), 32.0), 2) if isfinite(relative) else 0.0


def conditioned(row: Row, what: LinkName, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """The row of a sound gradient; ill-conditioned where rounding alone may move half of a component's digits."""
    worst, lost = None, form.unit**0.5
    for probe in probes:
        if probe.index is None or not truth.tight[probe.index]:
            continue
        size = abs(float(truth.high[probe.index]))
        if form.smallest / form.unit < size < inf and probe.condition >= lost * size:
            worst, lost = probe, probe.condition / size
    if worst is None or worst.index is None:
        return row
    kept = max(-log10(lost), 0.0) if lost < inf else 0.0
    link = _named(worst.link, what)
    reason = (
        f"{_quoted(what)}{component(worst.index)}: rounding alone may move it by {worst.condition:.2g}, so that "
        f"{kept:.0f} of {-log10(form.unit):.0f} digits are left; most of that comes from the {_quoted(link)}"
    )
    return replace(row, verdict="ill-conditioned", reason=reason, node=link)


def of_plain(
    row: Row, what: LinkName, plain: Array, shown: Array, truth: Number, probes: Sequence[Probe], form: Format
) -> Row:
    """The plain program has other bits than the one that shows its links, which `row` found sound or better."""
    born = np.isfinite(shown) & ~np.isfinite(plain)
    if born.any():
        index = place(np.argmax(born), born.shape)
        reason = f"the plain program gave {show(plain[index])}, the one that shows its links {show(shown[index])}"
        return _verdict(_measured(row, plain, truth, index), what, "not finite", reason, inf)
    found = unseen(row, what, plain, truth, probes, form)
    if found.verdict == "agree":
        return replace(found, verdict=row.verdict, reason=row.reason, node=row.node, choice=row.choice)
    return found


def unseen(row: Row, what: LinkName, engine: Array, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """A gradient alone: |engine - truth| <= R for every probe, to first order what a sound engine may do."""
    row = replace(
        row, quantity=what.quantity, name=what.name, use=None, verdict="agree", reason="", node="", score=None
    )
    if engine.size == 0:
        return row
    error, tight = truth.error(engine), truth.tight
    relative = relative_size(error, truth.high)
    lost = np.isfinite(truth.high) & np.isfinite(truth.radius) & ~np.isfinite(engine)
    if lost.any():
        index = place(np.argmax(lost), lost.shape)
        reason = f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}"
        return _verdict(_measured(row, engine, truth, index), what, "not finite", reason, inf)
    known = [probe for probe in probes if tight[probe.weights != 0].all()]
    seen = [probe for probe in known if isfinite(probe.bound)]
    scores = [_score(abs(probe.of(error)), probe.bound) for probe in seen]
    kinks = ~tight & np.isfinite(truth.high) & np.isfinite(truth.radius)
    if not seen and not kinks.any():
        index = place(np.argmax(relative), relative.shape)
        row = _measured(row, engine, truth, index)
        if known:
            return replace(row, verdict="not judged", reason=UNBOUNDED)
        if probes:
            return replace(row, verdict="undefined", reason="the truth does not exist here")
        return replace(row, verdict="not judged", reason="the gradient was not among those sampled")
    outside = kinks & ~(np.abs(error) <= truth.radius + _at_hulls(truth, probes, form))
    if outside.any():
        index = place(np.argmax(outside), outside.shape)
        low, high = truth.high - truth.radius, truth.high + truth.radius
        reason = f"the engine gave {show(engine[index])}; even at this kink only {low[index]:.6g} to {high[index]:.6g}"
        return _verdict(_measured(row, engine, truth, index), what, "wrong", reason, inf)
    worst = int(np.argmax(scores)) if scores else 0
    if scores and not (scores[worst] <= 1):
        return _off(row, what, engine, truth, error, relative, seen[worst], scores[worst], form)
    if kinks.any():
        index = place(np.argmax(kinks), kinks.shape)
        choice, reason = taken(engine, truth.high - truth.radius, truth.high + truth.radius, kinks, index)
        row = replace(_measured(row, engine, truth, index), choice=choice)
        sampled = _sampled(probes, engine)
        reason = f"{_quoted(what)}{component(index)}: " + (f"{sampled}; " if sampled else "") + reason
        return _verdict(row, what, "convention", reason, max(scores, default=0.0))
    row = _measured(row, engine, truth, seen[worst].index or place(np.argmax(relative), relative.shape))
    if len(seen) < len(known):
        return replace(row, verdict="not judged", reason=UNBOUNDED)
    return conditioned(replace(row, score=scores[worst], reason=_sampled(probes, engine)), what, truth, probes, form)


def _at_hulls(truth: Number, probes: Sequence[Probe], form: Format) -> Array:
    """How far beyond the hull of a kink rounding may move each component: R, half of the digits where none is known."""
    allowed = np.asarray(form.unit**0.5 * (np.abs(truth.high) + truth.radius) + form.smallest)
    for probe in probes:
        if probe.index is not None:
            allowed[probe.index] = probe.bound if isfinite(probe.bound) else inf
    return allowed


def _score(error: float, bound: float) -> float:
    """Every comparison is written so that NaN cannot pass."""
    return 0.0 if error == 0 else error / bound if bound > 0 else inf


def _off(
    row: Row,
    what: LinkName,
    engine: Array,
    truth: Number,
    error: Array,
    relative: Array,
    probe: Probe,
    score: float,
    form: Format,
) -> Row:
    index = probe.index or place(np.argmax(relative), relative.shape)
    row = _measured(row, engine, truth, index)
    whose = f"`{what.name}`" if what.quantity == "gradient" else f"the {_quoted(what)}"
    which = f"{_quoted(what)}{component(index)}" if probe.index is not None else f"a projection of {whose}"
    by = abs(probe.of(error))
    reason = f"{which} is off by {by:.3g}; rounding alone may move it by {probe.bound:.2g}"
    for lower in form.lower:
        if score <= lower.unit / form.unit and relative[index] <= 2.0**-8:
            bits = -np.log2(relative[index]) if relative[index] else -np.log2(form.unit)
            looks = f"right to {bits:.0f} bits, looks like {lower.name} inside {form.name}"
            return _verdict(row, what, "imprecise", f"{reason}; {looks}", score)
    return _verdict(row, what, "wrong", reason, score)


def _verdict(row: Row, what: LinkName, verdict: Verdict, reason: str, score: float) -> Row:
    return replace(row, verdict=verdict, reason=reason, node=what, score=score, finding=verdict in FINDINGS)


def _measured(row: Row, engine: Array, truth: Number, index: tuple[int, ...]) -> Row:
    error = truth.error(engine)[index]
    return replace(
        row,
        index=index,
        engine_value=float(engine[index]),
        reference=float(truth.high[index]),
        error=float(error),
        digits=digits(float(relative_size(error, truth.high[index]))),
    )


def _sampled(probes: Sequence[Probe], engine: Array) -> str:
    components = sum(probe.index is not None for probe in probes)
    if components == engine.size:
        return ""
    projections = counted(len(probes) - components, "random projection")
    return f"judged on {components} of {engine.size:,} components and {projections}"


def _named(key: Key, what: LinkName) -> LinkName:
    """A link of the graph that a quantity was computed by."""
    quantity, where = key
    name, use = ("", where) if isinstance(where, Use) else (where, None)
    return LinkName(cast(Quantity, quantity), name, use, second=what.quantity != "gradient")


def _quoted(link: LinkName) -> str:
    """A link in a sentence about it."""
    return f"{link.quantity} of `{link.name}`" if link.use is None else f"term in `{link.use}`"
