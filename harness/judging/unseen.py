"""Gradients of which no link is seen, judged by how far rounding alone may move them (`truth/sensitivity.py`).

So are held: plain programs whose bits are not those of the program that shows its links, engines that show gradients
alone, and the question whether a problem itself loses the digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, isfinite, log10, nan
from typing import cast

import numpy as np

from ..graph.node import Use
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Index, LinkName, Quantity, Row, component
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
        return _Alone(row, what, plain, truth, probes, form).off("not finite", index, reason, inf)
    result = unseen(row, what, plain, truth, probes, form)
    if result.verdict == "agree":
        return replace(result, verdict=row.verdict, reason=row.reason, node=row.node, choice=row.choice)
    return result


def beside(
    row: Row, what: LinkName, plain: Array, shown: Array, truth: Number, probes: Sequence[Probe], form: Format
) -> Row:
    """The plain program has other bits than the one that shows its links, and a link of that one is off: the plain one
    may differ from it by rounding, and by as much as that one is off. Where it differs by more, the link is still the
    first that is off, and nothing that is known of it explains this."""
    alone = _Alone(row, what, plain, truth, probes, form)

    def further(verdict: Verdict, index: Index, reason: str, score: float) -> Row:
        if row.verdict in FINDINGS:
            return replace(row, reason=f"{row.reason}; {reason}", accepted="", off=nan)
        return alone.off(verdict, index, reason, score)

    born = np.isfinite(shown) & ~np.isfinite(plain)
    if born.any():
        index = place(np.argmax(born), born.shape)
        reason = f"the plain program gave {show(plain[index])}, the one that shows its links {show(shown[index])}"
        return further("not finite", index, reason, inf)
    with np.errstate(all="ignore"):
        far = np.abs(truth.error(shown))
        # Where the program that shows its links gave NaN, the plain one has nothing to be near but the truth.
        apart = np.where(np.isfinite(far), plain.astype(np.float64) - shown.astype(np.float64), truth.error(plain))
    far = np.where(np.isfinite(far), far, 0.0)
    for probe in alone.known:
        by, most = abs(probe.of(apart)), probe.bound + float(np.sum(np.abs(probe.weights) * far))
        if not by <= most:
            index = probe.index or place(np.argmax(np.abs(apart)), apart.shape)
            reason = (
                f"the plain program gave {show(plain[index])}, the one that shows its links {show(shown[index])}: more "
                "apart than by what is off there"
            )
            return further("wrong", index, reason, _score(by, most))
    return row


def unseen(row: Row, what: LinkName, engine: Array, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """A gradient alone: |engine - truth| <= R for every probe, to first order what a sound engine may do."""
    row = replace(
        row, quantity=what.quantity, name=what.name, use=None,
        verdict="agree", reason="", node="", score=None, choice=(),
    )  # fmt: skip
    if engine.size == 0:
        return row
    alone = _Alone(row, what, engine, truth, probes, form)
    return next(result for look in IN_TURN if (result := look(alone)) is not None)


@dataclass(frozen=True)
class _Alone:
    """A gradient of which nothing is seen but its numbers, beside the truth of it."""

    row: Row
    what: LinkName
    engine: Array
    truth: Number
    probes: Sequence[Probe]
    form: Format

    @cached_property
    def error(self) -> Array:
        return self.truth.error(self.engine)

    @cached_property
    def relative(self) -> Array:
        return relative_size(self.error, self.truth.high)

    @cached_property
    def kinks(self) -> Array:
        """Where the truth is a set."""
        return ~self.truth.tight & np.isfinite(self.truth.high) & np.isfinite(self.truth.radius)

    @cached_property
    def known(self) -> Sequence[Probe]:
        """The probes of single numbers alone."""
        return [probe for probe in self.probes if self.truth.tight[probe.weights != 0].all()]

    @cached_property
    def seen(self) -> Sequence[Probe]:
        """Those of them for which it is known how far rounding may move them."""
        return [probe for probe in self.known if isfinite(probe.bound)]

    @cached_property
    def scores(self) -> Sequence[float]:
        return [_score(abs(probe.of(self.error)), probe.bound) for probe in self.seen]

    @property
    def worst(self) -> int:
        return int(np.argmax(self.scores))

    @property
    def furthest(self) -> Index:
        return place(np.argmax(self.relative), self.relative.shape)

    @property
    def sampled(self) -> str:
        components = sum(probe.index is not None for probe in self.probes)
        if components == self.engine.size:
            return ""
        projections = counted(len(self.probes) - components, "random projection")
        return f"judged on {components} of {self.engine.size:,} components and {projections}"

    def at(self, index: Index) -> Row:
        """The row with the numbers of one component."""
        error = self.truth.error(self.engine)[index]
        return replace(
            self.row,
            index=index,
            engine_value=float(self.engine[index]),
            reference=float(self.truth.high[index]),
            error=float(error),
            digits=digits(float(relative_size(error, self.truth.high[index]))),
        )

    def off(self, verdict: Verdict, index: Index, reason: str, score: float) -> Row:
        return replace(
            self.at(index), verdict=verdict, reason=reason, node=self.what, score=score, finding=verdict in FINDINGS,
            accepted="", off=float(np.max(self.relative)),
        )  # fmt: skip


def _not_finite(alone: _Alone) -> Row | None:
    truth, engine = alone.truth, alone.engine
    lost = np.isfinite(truth.high) & np.isfinite(truth.radius) & ~np.isfinite(engine)
    if not lost.any():
        return None
    index = place(np.argmax(lost), lost.shape)
    reason = f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}"
    return alone.off("not finite", index, reason, inf)


def _nothing_to_go_by(alone: _Alone) -> Row | None:
    if alone.seen or alone.kinks.any():
        return None
    row = alone.at(alone.furthest)
    if alone.known:
        return replace(row, verdict="not judged", reason=UNBOUNDED)
    if alone.probes:
        return replace(row, verdict="undefined", reason="the truth does not exist here")
    return replace(row, verdict="not judged", reason="the gradient was not among those sampled")


def _outside_a_hull(alone: _Alone) -> Row | None:
    truth = alone.truth
    outside = alone.kinks & ~(np.abs(alone.error) <= truth.radius + _at_hulls(truth, alone.probes, alone.form))
    if not outside.any():
        return None
    index = place(np.argmax(outside), outside.shape)
    low, high = truth.high - truth.radius, truth.high + truth.radius
    gave = f"the engine gave {show(alone.engine[index])}"
    return alone.off("wrong", index, f"{gave}; even at this kink only {low[index]:.6g} to {high[index]:.6g}", inf)


def _beyond_rounding(alone: _Alone) -> Row | None:
    if not alone.scores or alone.scores[alone.worst] <= 1:
        return None
    what, form, probe, score = alone.what, alone.form, alone.seen[alone.worst], alone.scores[alone.worst]
    index = probe.index or alone.furthest
    whose = f"`{what.name}`" if what.quantity == "gradient" else f"the {_quoted(what)}"
    which = f"{_quoted(what)}{component(index)}" if probe.index is not None else f"a projection of {whose}"
    by, relative = abs(probe.of(alone.error)), alone.relative[index]
    reason = f"{which} is off by {by:.3g}; rounding alone may move it by {probe.bound:.2g}"
    for lower in form.lower:
        if score <= lower.unit / form.unit and relative <= 2.0**-8:
            bits = -np.log2(relative) if relative else -np.log2(form.unit)
            looks = f"right to {bits:.0f} bits, looks like {lower.name} inside {form.name}"
            return alone.off("imprecise", index, f"{reason}; {looks}", score)
    return alone.off("wrong", index, reason, score)


def _at_a_kink(alone: _Alone) -> Row | None:
    kinks, truth = alone.kinks, alone.truth
    if not kinks.any():
        return None
    index = place(np.argmax(kinks), kinks.shape)
    choice, reason = taken(alone.engine, truth.high - truth.radius, truth.high + truth.radius, kinks, index)
    told = "; ".join(filter(None, [alone.sampled, reason]))
    row = alone.off(
        "convention", index, f"{_quoted(alone.what)}{component(index)}: {told}", max(alone.scores, default=0.0)
    )
    return replace(row, choice=choice)


def _sound(alone: _Alone) -> Row:
    row = alone.at(alone.seen[alone.worst].index or alone.furthest)
    if len(alone.seen) < len(alone.known):
        return replace(row, verdict="not judged", reason=UNBOUNDED)
    row = replace(row, score=alone.scores[alone.worst], reason=alone.sampled)
    return conditioned(row, alone.what, alone.truth, alone.probes, alone.form)


# The gravest first: what one of them finds, none of the later ones is asked about.
IN_TURN: Sequence[Callable[[_Alone], Row | None]] = (
    _not_finite,
    _nothing_to_go_by,
    _outside_a_hull,
    _beyond_rounding,
    _at_a_kink,
    _sound,
)


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


def _named(key: Key, what: LinkName) -> LinkName:
    """A link of the graph that a quantity was computed by."""
    quantity, where = key
    name, use = ("", where) if isinstance(where, Use) else (where, None)
    return LinkName(cast(Quantity, quantity), name, use, second=what.quantity != "gradient")


def _quoted(link: LinkName) -> str:
    """A link in a sentence about it."""
    return f"{link.quantity} of `{link.name}`" if link.use is None else f"term in `{link.use}`"
