"""The truth has the last word: numbers whose links are sound, held against the truth of the whole graph.

Sound steps make a sound result only as long as none of them leaves the range: exp(-800) is soundly 0, its logarithm
soundly -inf. And where reverse mode leaves a gradient open, at kinks and where 0 meets infinity, one-sided derivatives
(`truth/sides.py`) say what is true: a number between both is a convention, one outside of them an artefact of
conventions combined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite, isinf, isnan, nan

import numpy as np

from ..records.evaluation import Array
from ..records.rows import Choice, Index, Row, component
from ..records.verdicts import FINDINGS, SEVERITY, Verdict
from ..truth.groups import Group
from ..truth.sides import Sides
from ..words import counted
from .choices import in_turn, told
from .classify import Link, place, show
from .subject import Asked, Subject
from .unseen import unseen, with_numbers

BEYOND = 64  # times as far as shaken runs: more than a long sum of one sign is off, whose errors do not cancel
# Powers of 2 that shaken runs stay within, and how many times that power a number may be off: where its sign is safe
# too, and where its order of magnitude is.
CLOSE, POWERS = 0.25, 32
FAR, FAR_POWERS = 4, 16
NEAR = 0.25  # of the truth: a number that is off by no more has its size, and is in its range
LOOKED_AT = 64  # components that are far from the truth, the furthest first


@dataclass(frozen=True, slots=True)
class Given:
    """What the truth says of an array: `asked`, whose truth is a single number wherever there is one, the sides of its
    open components, and those of them that settle. `limits`: the least and the greatest derivative around the point.
    `signed`: the engine read a negative 0, which balls do not know."""

    asked: Asked
    sides: Mapping[Index, Sides] = field(default_factory=dict[Index, Sides])
    settled: frozenset[Index] = frozenset()
    limits: Callable[[Index], tuple[float, float]] = lambda _: (nan, nan)
    signed: bool = False


def last_word(row: Row, engine: Array, given: Given, link: Link) -> Row:
    """The row of an array that no link was found off for, or none of its own. `link` is the first to be suspected."""
    if engine.size == 0:
        return row
    if row.verdict == "not finite":
        return _beside_lost(row, engine, given, link)
    if row.verdict in FINDINGS:
        return row
    found = _of_finite(row, engine, given, link)
    return _beside_lost(found, engine, given, link) if found.verdict == "not finite" else found


def _beside_lost(row: Row, engine: Array, given: Given, link: Link) -> Row:
    """The row of numbers of which one is not finite. What is known of that one explains no other that is off too."""
    truth, lost = given.asked.truth.high, ~np.isfinite(engine.astype(np.float64))
    rest = np.where(lost, truth, engine.astype(np.float64))
    alone = unseen(replace(row, verdict="agree"), given.asked, rest)
    others = {index: pair for index, pair in given.sides.items() if not lost[index]}
    other = alone if alone.finding else _of_finite(alone, rest, replace(given, sides=others), link)
    if not other.finding or other.verdict == "not finite" or lost[other.index]:
        return row
    return replace(row, reason=f"{row.reason}; beside it, {other.reason}", accepted="", off=nan)


def _of_finite(row: Row, engine: Array, given: Given, link: Link) -> Row:
    return _off_range(row, engine, given, link) or _at_kinks(row, engine, given, link)


# --- numbers that are lost -----------------------------------------------------------------------------------------


def _off_range(row: Row, engine: Array, given: Given, link: Link) -> Row | None:
    """A finding where the truth is one number within the format, and the engine's is none or nowhere near it."""
    asked, form = given.asked, given.asked.sensitivity.form
    truth, finite = asked.truth, np.isfinite(engine.astype(np.float64))
    known = truth.tight & (np.abs(truth.high) <= form.largest)
    lost = known & ~finite
    if asked.moved == "value":
        lost |= np.isinf(truth.high) & (truth.radius == 0) & np.isnan(engine.astype(np.float64))
    if lost.any():
        index = place(np.argmax(lost), lost.shape)
        said = f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}"
        return _finding(row, "not finite", index, said, engine, given, link)
    with np.errstate(all="ignore"):
        error = np.abs(truth.error(engine))
        far = known & finite & (error > np.abs(truth.high) / 2) & (error > form.underflow)
    if not far.any():
        return None
    return _far(row, engine, given, link, far, error)


def _far(row: Row, engine: Array, given: Given, link: Link, far: Array, error: Array) -> Row | None:
    """Of numbers that are off by more than half of the truth, one for which rounding is no reason."""
    asked = given.asked
    truth, sensitivity, form = asked.truth, asked.sensitivity, asked.sensitivity.form
    size = np.abs(truth.high)
    with np.errstate(all="ignore"):
        # A choice that rounding turns, shaken runs make as well.
        shaken = sensitivity.turned(asked.name, asked.moved)
        turned, lost = shaken.by, _lost(engine.astype(np.float64), truth.high, shaken.power)
        suspect = far & (lost | ~((turned > size / 8 + form.smallest) & (turned * BEYOND > error)))
        order = np.argsort(-np.where(suspect, error / size, -1.0), axis=None, kind="stable")
    count = int(suspect.sum())
    for index in (place(flat, engine.shape) for flat in order[: min(count, LOOKED_AT)]):
        bound = inf if sensitivity.too_large else sensitivity.strict(asked.name, index, asked.moved)
        done = float(turned[index])
        excluded = bound < max(size[index], error[index]) / 8
        # Where R is as large, first order proves nothing: what shaken runs do is all that is known.
        unknown = not isfinite(bound) and done < size[index] / 16
        apart = excluded or unknown or lost[index] or done * BEYOND < error[index]
        if apart and not sensitivity.by_choice(asked.name, index, asked.moved, float(engine[index])):
            may = f"may move it by {bound:.2g}" if excluded else f"moved it by {done:.2g} in shaken runs"
            said = (
                f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}, "
                f"and rounding alone {may}"
            )
            return _finding(row, "out of range", index, said, engine, given, link)
    if count > LOOKED_AT or (count and sensitivity.too_large):
        reason = f"{count:,} components are off by more than half, more than are swept for what rounding may do"
        return replace(row, verdict="not judged", reason=reason)
    if row.verdict != "agree":
        return None
    index = place(np.argmax(np.where(far, error / np.where(size == 0, 1.0, size), -1.0)), engine.shape)
    reason = (
        f"the engine gave {show(engine[index])}, the truth is {show(truth.high[index])}; rounding alone may do that"
    )
    return replace(row, verdict="ill-conditioned", reason=reason, node=asked.what)


def _lost(engine: Array, truth: Array, shaken: Array) -> Array:
    """Where a number is off by a power of 2 that is out of all proportion to those that shaken runs are off by.

    A sound error that adds up may turn the sign of a number that shaken runs move by much, and hit near 0, but not as
    near as that.
    """
    with np.errstate(all="ignore"):
        powers = np.abs(np.log2(np.abs(engine / truth)))
        other = np.where(engine * np.sign(truth) > 0, powers, inf)
        return ((shaken <= CLOSE) & (other > np.maximum(shaken * POWERS, 1))) | (
            (shaken <= FAR) & (engine != 0) & (powers > np.maximum(shaken, 1) * FAR_POWERS)
        )


def _finding(row: Row, verdict: Verdict, index: Index, said: str, engine: Array, given: Given, link: Link) -> Row:
    what, truth = given.asked.what, given.asked.truth
    cause = f"; the first step in question: {link.reason}" if link.reason else ""
    return replace(
        with_numbers(row, engine, truth, index),
        verdict=verdict,
        reason=f"{what.quantity} of `{what.name}`{component(index)}: {said}{cause}",
        node=link.where if link.verdict != "agree" else what,
        choice=(),
        finding=verdict in FINDINGS,
    )


def nearby(row: Row, engine: Array, subject: Subject) -> Row:
    """The row of a value that does not exist: NaN is right, and so is what the output tends to there, and no other."""
    if row.verdict in FINDINGS or row.name != subject.graph.output.name or engine.dtype.kind in "bi":
        return row
    tends, numbers = subject.approached, engine.astype(np.float64)
    with np.errstate(all="ignore"):
        far = ~np.isnan(numbers) & ~(np.abs(numbers - tends) <= np.maximum(np.abs(tends) / 2, subject.form.unit**0.5))
        far &= np.isfinite(tends)
    if not far.any():
        return row
    index = place(np.argmax(far), far.shape)
    gave = f"the engine gave {show(engine[index])}, there is no value, and around it {show(tends[index])}"
    what, verdict = subject.named("value", row.name), "wrong" if np.isfinite(numbers[index]) else "not finite"
    reason = f"{what.quantity} of `{what.name}`{component(index)}: {gave}"
    return replace(
        row, verdict=verdict, index=index, engine_value=float(numbers[index]), reason=reason, node=what, finding=True
    )


# --- kinks, infinite slopes, removable singularities ---------------------------------------------------------------


def _at_kinks(row: Row, engine: Array, given: Given, link: Link) -> Row:
    """The row of a gradient, its open components held against their one-sided derivatives."""
    known = given.sides
    if not known:
        return row
    verdicts = [(index, *_found(float(engine[index]), pair, index, given)) for index, pair in known.items()]
    index, verdict, reason = max(verdicts, key=lambda entry: SEVERITY[entry[1]])
    if row.verdict == "undefined" and any(isnan(pair.left) and isnan(pair.right) for pair in known.values()):
        verdict = verdict if verdict in FINDINGS else "undefined"
    if verdict in FINDINGS:
        return _finding(row, verdict, index, reason, engine, given, link)
    if verdict == "undefined":
        if row.verdict != "agree" or not _nowhere(known[index], index, given):
            return row
        what, none = given.asked.what, f"no finite truth exists here; the engine says {show(engine[index])}"
        reason = f"{what.quantity} of `{what.name}`{component(index)}: {none}"
        row = with_numbers(row, engine, given.asked.truth, index)
        return replace(row, verdict=verdict, reason=reason, node=what)
    if verdict == "agree":
        agreed = row.verdict == "undefined" or (row.verdict == "not judged" and len(known) == engine.size)
        return replace(row, verdict=verdict, reason="", node="", choice=()) if agreed else row
    choice, reason = _choices(engine, known)
    if row.verdict == "convention":
        return replace(row, reason=f"{row.reason}; {reason}", choice=choice)
    return replace(row, verdict=verdict, reason=reason, choice=choice)


def abreast(row: Row, engine: Array, given: Given, groups: Sequence[Group]) -> Row:
    """The row of a gradient, many of its components held together against their derivative along a direction."""
    if row.verdict in FINDINGS:
        return row
    asked, numbers = given.asked, engine.astype(np.float64)
    form = asked.sensitivity.form
    for group in groups:
        at = tuple(np.transpose(group.places))
        some, way = numbers[at], group.direction[at]
        many = f"the derivative along one direction of {counted(len(group.places), 'component')} is {group.slope:.6g}"
        if (lost := ~np.isfinite(some)).any():
            index = group.places[int(np.argmax(lost))]
            said = f"the engine gave {show(engine[index])}, and {many}"
            return _together(row, "not finite", index, said, engine, given)
        size = float(np.sum(np.abs(some * way))) + abs(group.slope)
        off = abs(float(np.sum(some * way)) - group.slope)
        if not off <= form.unit**0.5 * size + form.smallest / form.unit * float(np.sum(np.abs(way))):
            index = group.places[int(np.argmax(np.abs(some * way)))]
            said = f"the engine's numbers give {float(np.sum(some * way)):.6g}, and {many}"
            verdict: Verdict = "wrong" if np.isnan(asked.truth.high[at]).any() else "kink artefact"
            return _together(row, verdict, index, said, engine, given)
    return row


def _together(row: Row, verdict: Verdict, index: Index, said: str, engine: Array, given: Given) -> Row:
    return replace(
        _finding(row, verdict, index, said, engine, given, Link("agree", where=given.asked.what, order=0)), accepted=""
    )


def _choices(engine: Array, known: Mapping[Index, Sides]) -> tuple[Choice, str]:
    """Which of both sides the engine took, wherever they differ."""
    open_ones = {index: pair for index, pair in known.items() if pair.left != pair.right}
    if not open_ones:
        return (
            (),
            "each axis alone has one derivative, there are others around the point: the engine took one of these",
        )
    first = next(iter(open_ones.values()))
    choice = in_turn([pair.choice(float(engine[index])) for index, pair in open_ones.items()])
    sides = f"the one-sided derivatives are {first.left:.6g} and {first.right:.6g}"
    return choice, f"{sides}, the engine took {told(choice)}"


def _found(number: float, pair: Sides, index: Index, given: Given) -> tuple[Verdict, str]:
    """What one component is, by its sides alone."""
    form, single = given.asked.sensitivity.form, pair.single
    if isinf(single):
        if number == single or (given.signed and isinf(number)):  # 1 / (2 sqrt(-0)) is -inf
            return "agree", ""
        return "not finite", f"the engine gave {show(number)}, the derivative is {show(single)}"
    if not pair.both and isnan(single):
        return "undefined", ""
    left, right = (pair.left, pair.right) if isnan(single) else (single, single)
    if isnan(number) or (isinf(number) and number not in (left, right)):
        there = show(left) if left == right else f"{show(left)} on the left, {show(right)} on the right"
        return "not finite", f"the engine gave {show(number)}, the derivative is {there}"
    outside = 0.0 if isinf(number) else Sides(left, right).outside(number)
    if outside > form.smallest / form.unit and not outside <= _slack(index, pair, left, right, given):
        if _around(number, index, left, right, given):
            return "convention", ""
        sides = f"outside the one-sided derivatives {left:.6g} and {right:.6g}"
        there = f"the derivative is {left:.6g}" if left == right else sides
        return "kink artefact", (
            f"the engine gave {show(number)}, {there}: several conventions together give what no choice of side gives"
        )
    return ("agree", "") if left == right else ("convention", "")


def _nowhere(pair: Sides, index: Index, given: Given) -> bool:
    """Whether a component has a truth neither by reverse mode nor on any side, so that nobody can agree with it."""
    return isnan(pair.left) and isnan(pair.right) and bool(np.isnan(given.asked.truth.high[index]))


def _around(number: float, index: Index, left: float, right: float, given: Given) -> bool:
    """Whether a number outside of both sides lies among the derivatives around the point: where several choices meet,
    one that moves along with the others gives what none gives along the axis alone."""
    ends = [end for end in given.limits(index) if isfinite(end)]
    around = Sides(min(left, right, *ends), max(left, right, *ends))
    return bool(ends) and around.outside(number) <= _slack(index, around, around.left, around.right, given)


def _slack(index: Index, pair: Sides, left: float, right: float, given: Given) -> float:
    """How far outside of its sides rounding may move a component."""
    form, finite = given.asked.sensitivity.form, [abs(side) for side in (left, right) if isfinite(side)]
    size = sum(finite)
    slack = form.unit**0.5 * size
    if not given.asked.sensitivity.too_large:
        bound = given.asked.probe(index).bound
        if isfinite(bound):
            # To first order, and of one choice of many: where this is not what the sides agree on, it tells no more
            # than how large the numbers are that add up to it, to 0 for a weight that a normalisation takes out.
            slack = 4 * bound + (8 * form.unit * size if index in given.settled else slack)
    return slack + form.smallest / form.unit
