"""Gradients of which no link is seen, judged by how far rounding alone may move them (`truth/sensitivity.py`).

So are held: plain programs whose bits are not those of the program that shows its links, engines that show gradients
alone, and the question whether a problem itself loses the digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite, log10

import numpy as np

from ..records.evaluation import Array
from ..records.rows import FINDINGS, Row, Verdict
from ..truth.reference import Number, relative_size
from ..truth.rounding import LOWER, Format
from ..truth.sensitivity import Key, Probe
from ..words import counted
from .classify import at, choice, place, show

UNBOUNDED = "no finite bound is known of how far rounding alone may move it"


def digits(relative: float) -> float:
    """Decimal digits in agreement with the truth; 0 to about 32, where the pair of float64 ends."""
    if relative == 0:
        return 32.0
    return round(min(max(-log10(relative), 0.0), 32.0), 2) if isfinite(relative) else 0.0


def conditioned(row: Row, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
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
    reason = (
        f"gradient of `{row.name}`{at(worst.index)}: rounding alone may move it by {worst.condition:.2g}, so that "
        f"{kept:.0f} of {-log10(form.unit):.0f} digits are left; most of that comes from the {_link(worst.link)}"
    )
    return replace(row, verdict="ill-conditioned", reason=reason, node=_link(worst.link).replace("`", ""))


def of_plain(row: Row, plain: Array, shown: Array, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """The plain program has other bits than the one that shows its links, which `row` found sound or better."""
    born = np.isfinite(shown) & ~np.isfinite(plain)
    if born.any():
        index = place(np.argmax(born), born.shape)
        reason = f"the plain program gave {show(plain[index])}, the one that shows its links {show(shown[index])}"
        return _verdict(_measured(row, plain, truth, index), "not finite", reason, inf)
    found = unseen(row, row.name, plain, truth, probes, form)
    if found.verdict == "agree":
        return replace(found, verdict=row.verdict, reason=row.reason, node=row.node)
    return found


def unseen(row: Row, name: str, engine: Array, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """A gradient alone: |engine - truth| <= R for every probe, to first order what a sound engine may do."""
    row = replace(row, quantity="gradient", name=name, use="", verdict="agree", reason="", node="", score=None)
    if engine.size == 0:
        return row
    error, tight = truth.error(engine), truth.tight
    relative = relative_size(error, truth.high)
    lost = np.isfinite(truth.high) & np.isfinite(truth.radius) & ~np.isfinite(engine)
    if lost.any():
        index = place(np.argmax(lost), lost.shape)
        reason = f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}"
        return _verdict(_measured(row, engine, truth, index), "not finite", reason, inf)
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
        return _verdict(_measured(row, engine, truth, index), "wrong", reason, inf)
    worst = int(np.argmax(scores)) if scores else 0
    if scores and not (scores[worst] <= 1):
        return _off(row, engine, truth, error, relative, seen[worst], scores[worst], form)
    if kinks.any():
        index = place(np.argmax(kinks), kinks.shape)
        reason = choice(engine, truth.high - truth.radius, truth.high + truth.radius, kinks, index)
        row = _measured(row, engine, truth, index)
        sampled = _sampled(probes, engine)
        reason = f"gradient of `{name}`{at(index)}: " + (f"{sampled}; " if sampled else "") + reason
        return _verdict(row, "convention", reason, max(scores, default=0.0))
    row = _measured(row, engine, truth, seen[worst].index or place(np.argmax(relative), relative.shape))
    if len(seen) < len(known):
        return replace(row, verdict="not judged", reason=UNBOUNDED)
    return conditioned(replace(row, score=scores[worst], reason=_sampled(probes, engine)), truth, probes, form)


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
    row: Row, engine: Array, truth: Number, error: Array, relative: Array, probe: Probe, score: float, form: Format
) -> Row:
    index = probe.index or place(np.argmax(relative), relative.shape)
    row = _measured(row, engine, truth, index)
    what = f"gradient of `{row.name}`{at(index)}" if probe.index is not None else f"a projection of `{row.name}`"
    by = abs(probe.of(error))
    reason = f"{what} is off by {by:.3g}; rounding alone may move it by {probe.bound:.2g}"
    for lower in LOWER.get(form.name, ()):
        if score <= lower.unit / form.unit and relative[index] <= 2.0**-8:
            bits = -np.log2(relative[index]) if relative[index] else -np.log2(form.unit)
            looks = f"right to {bits:.0f} bits, looks like {lower.name} inside {form.name}"
            return _verdict(row, "imprecise", f"{reason}; {looks}", score)
    return _verdict(row, "wrong", reason, score)


def _verdict(row: Row, verdict: Verdict, reason: str, score: float) -> Row:
    node = f"gradient of {row.name}"
    return replace(row, verdict=verdict, reason=reason, node=node, score=score, finding=verdict in FINDINGS)


def _measured(row: Row, engine: Array, truth: Number, index: tuple[int, ...]) -> Row:
    error = truth.error(engine)[index]
    return replace(
        row,
        index=", ".join(map(str, index)),
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


def _link(key: Key) -> str:
    return f"{key[0]} of `{key[1]}`" if key[0] != "term" else f"term in `{key[1]}`"
