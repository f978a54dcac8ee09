"""Gradients of which no link is seen, judged by how far rounding alone may move them (`truth/sensitivity.py`).

So are held: plain programs whose bits are not those of the program that shows its links, engines that show gradients
alone, and the question whether a problem itself loses the digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from ..truth.sensitivity import WHOLE, Key, Probe
from ..words import counted
from .choices import taken
from .classify import place, show
from .subject import Asked

UNTOUCHED: frozenset[Verdict] = frozenset(("undefined", "not judged"))  # nothing is said of the number itself
SWEPT = 256  # components of a large array, those that stand out of shaken runs the most
FURTHER = 8.0  # times as far as shaken runs, where these show that R is too small:
BENT = 2.0  # where they go so many times as far
HARDLY = 16.0  # times as far from the truth as shaken runs
UNBOUNDED = "no finite bound is known of how far rounding alone may move it"


def digits(relative: float) -> float:
    """Decimal digits in agreement with the truth; 0 to about 32, where the pair of float64 ends."""
    if relative == 0:
        return 32.0
    return round(min(max(-log10(relative), 0.0), 32.0), 2) if isfinite(relative) else 0.0


def with_numbers(row: Row, engine: Array, truth: Number, index: Index) -> Row:
    """The row with the numbers of one component of an array."""
    error = truth.error(engine)[index]
    return replace(
        row,
        index=index,
        engine_value=float(engine[index]),
        reference=float(truth.high[index]),
        error=float(error),
        digits=digits(float(relative_size(error, truth.high[index]))),
    )


def conditioned(row: Row, what: LinkName, truth: Number, probes: Sequence[Probe], form: Format) -> Row:
    """The row of a sound gradient; ill-conditioned where rounding alone may move half of a component's digits."""
    worst, lost = None, form.unit**0.5
    for probe in probes:
        if not truth.tight[probe.index]:
            continue
        size = abs(float(truth.high[probe.index]))
        if form.smallest / form.unit < size < inf and probe.condition >= lost * size:
            worst, lost = probe, probe.condition / size
    if worst is None:
        return row
    kept = max(-log10(lost), 0.0) if lost < inf else 0.0
    link = _named(worst.link, what)
    reason = (
        f"{_quoted(what)}{component(worst.index)}: rounding alone may move it by {worst.condition:.2g}, so that "
        f"{kept:.0f} of {-log10(form.unit):.0f} digits are left; most of that comes from the {_quoted(link)}"
    )
    return replace(row, verdict="ill-conditioned", reason=reason, node=link)


def of_plain(row: Row, asked: Asked, plain: Array, shown: Array) -> Row:
    """The plain program has other bits than the one that shows its links, which `row` found sound or better."""
    index = _born(plain, shown)
    if index is not None:
        return _Alone(row, asked, plain).off("not finite", index, _both(plain, shown, index), inf)
    result = unseen(row, asked, plain)
    if result.verdict == "agree":
        return replace(result, verdict=row.verdict, reason=row.reason, node=row.node, choice=row.choice)
    return result


def of_plain_off(row: Row, asked: Asked, plain: Array, shown: Array) -> Row:
    """The plain program has other bits than the one that shows its links, and a link of that one is off.

    The plain one may differ from it by rounding, and by as much as that one is off. Where it differs by more, the link
    is still the first that is off, and nothing that is known of it explains this.
    """
    alone, truth = _Alone(row, asked, plain), asked.truth

    def further(verdict: Verdict, index: Index, reason: str, score: float) -> Row:
        if row.verdict in FINDINGS:
            return replace(row, reason=f"{row.reason}; {reason}", accepted="", off=nan)
        return alone.off(verdict, index, reason, score)

    index = _born(plain, shown)
    if index is not None:
        return further("not finite", index, _both(plain, shown, index), inf)
    with np.errstate(all="ignore"):
        far = np.abs(truth.error(shown))
        # Where the program that shows its links gave NaN, the plain one has nothing to be near but the truth.
        apart = np.where(np.isfinite(far), plain.astype(np.float64) - shown.astype(np.float64), truth.error(plain))
        far = np.where(np.isfinite(far), far, 0.0)
        beyond = np.where(alone.known, np.abs(apart) - far, 0.0)
    if asked.sensitivity.too_large:
        return row
    for flat in np.argsort(-beyond, axis=None, kind="stable")[: min(int((beyond > 0).sum()), SWEPT)]:
        index = place(flat, beyond.shape)
        by, most = abs(float(apart[index])), asked.probe(index).bound + float(far[index])
        if not by <= most:
            reason = f"{_both(plain, shown, index)}: more apart than by what is off there"
            return further("wrong", index, reason, _score(by, most))
    return row


def _born(plain: Array, shown: Array) -> Index | None:
    """A component of which the plain program alone has no finite number."""
    born = np.isfinite(shown) & ~np.isfinite(plain)
    return place(np.argmax(born), born.shape) if born.any() else None


def _both(plain: Array, shown: Array, index: Index) -> str:
    return f"the plain program gave {show(plain[index])}, the one that shows its links {show(shown[index])}"


def unseen(row: Row, asked: Asked, engine: Array) -> Row:
    """Numbers alone: each component within R of the truth, to first order what a sound engine may do."""
    what = asked.what
    row = replace(
        row, quantity=what.quantity, name=what.name, use=None,
        verdict="agree", reason="", node="", score=None, choice=(), finding=False,
    )  # fmt: skip
    if engine.size == 0:
        return row
    alone = _Alone(row, asked, engine)
    return next(result for look in IN_TURN if (result := look(alone)) is not None)


@dataclass(frozen=True)
class _Alone:
    """Numbers of which no link is seen, beside the truth of them."""

    row: Row
    asked: Asked
    engine: Array

    @property
    def what(self) -> LinkName:
        return self.asked.what

    @property
    def truth(self) -> Number:
        return self.asked.truth

    @property
    def form(self) -> Format:
        return self.asked.sensitivity.form

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
    def known(self) -> Array:
        """Where the truth is one number."""
        return self.truth.tight & np.isfinite(self.truth.high)

    @property
    def few(self) -> bool:
        """Whether each component is swept: few of a graph in which a sweep costs little."""
        return self.engine.size <= WHOLE and not self.asked.sensitivity.large

    @cached_property
    def standing_out(self) -> Sequence[Index]:
        """The single numbers that are swept for R: all where they are few, else those further from the truth than
        shaken runs are, the furthest first."""
        asked = self.asked
        if self.few:
            return [place(flat, self.known.shape) for flat in np.flatnonzero(self.known)]
        spread = asked.sensitivity.spread(asked.name, asked.moved)
        with np.errstate(all="ignore"):
            out = self.known & ~(np.isfinite(spread) & (np.abs(self.error) <= spread + self.form.smallest))
            beyond = np.where(out, np.nan_to_num(np.abs(self.error) / spread, nan=inf), -1.0).ravel()
        order = np.argsort(-beyond, kind="stable")
        # Of what is hardly further than shaken runs, as many as are swept speak for the rest, which is nearer still.
        count = min(int(out.sum()), max(SWEPT, int((beyond > HARDLY).sum())))
        return [place(flat, out.shape) for flat in order[:count]]

    @cached_property
    def swept(self) -> Mapping[Index, Probe]:
        """How far rounding may move those that stand out, as many as are swept."""
        if self.asked.sensitivity.too_large:
            return {}
        return {index: self.asked.probe(index) for index in self.standing_out[:SWEPT]}

    @cached_property
    def scores(self) -> Mapping[Index, float]:
        return {
            index: _score(max(abs(float(self.error[index])) - float(self.truth.radius[index]), 0.0), probe.bound)
            for index, probe in self.swept.items()
            if isfinite(probe.bound)
        }

    @cached_property
    def worst(self) -> Index | None:
        return max(self.scores, key=lambda index: self.scores[index], default=None)

    @property
    def beyond(self) -> Sequence[Index]:
        """The components beyond R, the furthest first."""
        return sorted((i for i, score in self.scores.items() if not score <= 1), key=lambda i: -self.scores[i])

    @property
    def looked_at(self) -> str:
        """How a large array was looked at."""
        if self.few:
            return ""
        stood = counted(len(self.standing_out), "component")
        return f"{stood} of {self.engine.size:,} further from the truth than shaken runs"

    @property
    def furthest(self) -> Index:
        return place(np.argmax(self.relative), self.relative.shape)

    def at(self, index: Index) -> Row:
        """The row with the numbers of one component."""
        return with_numbers(self.row, self.engine, self.truth, index)

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
    exact, largest = float(truth.high[index]), alone.form.largest
    reason = f"the engine gave {show(engine[index])}, the truth is {show(exact)}"
    if exact * np.sign(float(engine[index])) > largest:
        return alone.off("overflow", index, f"{reason}, beyond the largest {alone.form.name} {largest:.3g}", inf)
    return alone.off("not finite", index, reason, inf)


def _nothing_to_go_by(alone: _Alone) -> Row | None:
    if alone.known.any() or alone.kinks.any():
        return None
    return replace(alone.at(alone.furthest), verdict="undefined", reason="the truth does not exist here")


def _outside_a_hull(alone: _Alone) -> Row | None:
    truth = alone.truth
    with np.errstate(all="ignore"):
        beyond = np.where(alone.kinks, np.abs(alone.error) - truth.radius, -inf)
    suspects = [place(flat, beyond.shape) for flat in np.argsort(-beyond, axis=None, kind="stable")[:WHOLE]]
    index = next((i for i in suspects if beyond[i] > 0 and not beyond[i] <= _at_hull(alone, i)), None)
    if index is None:
        return None
    low, high = truth.high - truth.radius, truth.high + truth.radius
    gave = f"the engine gave {show(alone.engine[index])}"
    return alone.off("wrong", index, f"{gave}; even at this kink only {low[index]:.6g} to {high[index]:.6g}", inf)


def _beyond_rounding(alone: _Alone) -> Row | None:
    index = next((index for index in alone.beyond if not _further(alone, index)), None)
    if index is None:
        return None
    what, form, score = alone.what, alone.form, alone.scores[index]
    by, relative = abs(float(alone.error[index])), alone.relative[index]
    bound = alone.swept[index].bound
    reason = f"{_quoted(what)}{component(index)} is off by {by:.3g}; rounding alone may move it by {bound:.2g}"
    for lower in form.lower:
        if score <= lower.unit / form.unit and relative <= 2.0**-8:
            bits = -np.log2(relative) if relative else -np.log2(form.unit)
            looks = f"right to {bits:.0f} bits, looks like {lower.name} inside {form.name}"
            return alone.off("imprecise", index, f"{reason}; {looks}", score)
    return alone.off("wrong", index, reason, score)


def _further(alone: _Alone, index: Index) -> bool:
    """Whether sound runs go further than R, which is of first order, and as far as that: the square of what rounding
    alone has made. They err by a unit more than links do, and so further than R where nothing is squared. Where it is a
    choice that rounding turns, no choice gives more than is made of it."""
    asked, bound, error = alone.asked, alone.swept[index].bound, abs(float(alone.error[index]))
    sensitivity, engine = asked.sensitivity, float(alone.engine[index])
    by = float(sensitivity.turned(asked.name, asked.moved).by[index])
    if by > BENT * bound and error <= FURTHER * by:
        return not sensitivity.beyond_choice(asked.name, index, asked.moved, engine)
    return sensitivity.by_choice(asked.name, index, asked.moved, engine)


def _not_looked_at(alone: _Alone) -> Row | None:
    if len(alone.scores) == len(alone.standing_out):
        return None
    index = next(index for index in alone.standing_out if index not in alone.scores)
    if index in alone.swept:
        return replace(alone.at(index), verdict="not judged", reason=UNBOUNDED)
    left = len(alone.standing_out) - len(alone.swept)
    reason = f"{alone.looked_at}; {left:,} of them were not swept for what rounding may do"
    return replace(alone.at(index), verdict="not judged", reason=reason)


def _at_a_kink(alone: _Alone) -> Row | None:
    kinks, truth = alone.kinks, alone.truth
    if not kinks.any():
        return None
    index = place(np.argmax(kinks), kinks.shape)
    choice, reason = taken(alone.engine, truth.high - truth.radius, truth.high + truth.radius, kinks, index)
    worst = 0.0 if alone.worst is None else alone.scores[alone.worst]
    row = alone.off("convention", index, f"{_quoted(alone.what)}{component(index)}: {reason}", worst)
    return replace(row, choice=choice)


def _sound(alone: _Alone) -> Row:
    index = alone.worst
    score = 0.0 if index is None else alone.scores[index]
    row = replace(alone.at(alone.furthest if index is None else index), score=score, reason=alone.looked_at)
    probes = [alone.asked.probe(i) for i in alone.swept] if alone.few else []
    return conditioned(row, alone.what, alone.truth, probes, alone.form)


# The gravest first: what one of them finds, none of the later ones is asked about.
IN_TURN: Sequence[Callable[[_Alone], Row | None]] = (
    _not_finite,
    _nothing_to_go_by,
    _outside_a_hull,
    _beyond_rounding,
    _not_looked_at,
    _at_a_kink,
    _sound,
)


def _at_hull(alone: _Alone, index: Index) -> float:
    """How far beyond the hull of a kink rounding may move a component: R, which is that of one choice and may be 0, or
    half of the digits."""
    bound = alone.asked.probe(index).bound if not alone.asked.sensitivity.too_large else inf
    truth, form = alone.truth, alone.form
    half = float(form.unit**0.5 * (abs(truth.high[index]) + truth.radius[index]) + form.smallest)
    return max(bound, half) if isfinite(bound) else half


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
