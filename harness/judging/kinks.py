"""Gradients where reverse mode alone does not tell the truth: at kinks, at infinite slopes, where 0 meets infinity.

One-sided derivatives (`truth/sides.py`) say what is true there. An engine's number between both sides is a convention,
one outside of them an artefact of conventions combined; NaN where the derivative exists is not finite, however sound
each step by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, isinf, isnan

from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Choice, LinkName, Row, component
from ..records.verdicts import FINDINGS, SEVERITY, Verdict
from ..truth.sides import Index, Sides
from .choices import in_turn, told
from .classify import Link, show


def at_kinks(
    row: Row,
    what: LinkName,
    engine: Array,
    known: Mapping[Index, Sides],
    bounds: Mapping[Index, float],
    link: Link,
    form: Format,
) -> Row:
    """The row of a gradient, its open components held against their one-sided derivatives.

    `bounds` says how far rounding may move some of them; `link` is the worst link upstream: what is found here is
    laid at it.
    """
    if row.verdict in FINDINGS or not known:
        return row
    verdicts = [(index, *_found(float(engine[index]), pair, bounds.get(index), form)) for index, pair in known.items()]
    index, verdict, reason = max(verdicts, key=lambda entry: SEVERITY[entry[1]])
    if row.verdict == "undefined" and any(isnan(pair.left) and isnan(pair.right) for pair in known.values()):
        verdict = verdict if verdict in FINDINGS else "undefined"
    if verdict in FINDINGS:
        cause = f"; the first step in question: {link.reason}" if link.reason else ""
        return replace(
            row,
            verdict=verdict,
            reason=f"{what.quantity} of `{what.name}`{component(index)}: {reason}{cause}",
            node=link.where if link.verdict != "agree" else what,
            index=index,
            engine_value=float(engine[index]),
            finding=True,
        )
    if row.verdict == verdict == "undefined":
        return row
    if row.verdict == "undefined":
        if verdict == "agree":
            return replace(row, verdict=verdict, reason="", node="", choice=())
        choice, reason = _choices(engine, known)
        return replace(row, verdict=verdict, reason=reason, choice=choice)
    if row.verdict == verdict == "convention":
        choice, reason = _choices(engine, known)
        return replace(row, reason=f"{row.reason}; {reason}", choice=choice)
    return row


def _choices(engine: Array, known: Mapping[Index, Sides]) -> tuple[Choice, str]:
    """Which of both sides the engine took, wherever they differ."""
    open_ones = {index: pair for index, pair in known.items() if pair.left != pair.right}
    first = next(iter(open_ones.values()))
    choice = in_turn([pair.choice(float(engine[index])) for index, pair in open_ones.items()])
    sides = f"the one-sided derivatives are {first.left:.6g} and {first.right:.6g}"
    return choice, f"{sides}, the engine took {told(choice)}"


def _found(number: float, pair: Sides, bound: float | None, form: Format) -> tuple[Verdict, str]:
    """What one component is, by its sides alone."""
    single = pair.single
    if isinf(single):
        if number == single:
            return "agree", ""
        return "not finite", f"the engine gave {show(number)}, the derivative is {show(single)}"
    if isnan(pair.left) or isnan(pair.right) or isinf(pair.left) or isinf(pair.right):
        return "undefined", ""
    if not isfinite(number):
        truth = (
            show(single)
            if pair.left == pair.right
            else f"{show(pair.left)} on the left, {show(pair.right)} on the right"
        )
        return "not finite", f"the engine gave {show(number)}, the derivative is {truth}"
    size = abs(pair.left) + abs(pair.right)
    slack = form.unit**0.5 * size
    if bound is not None and isfinite(bound):
        slack = 8 * form.unit * size + 4 * bound  # to first order, and of one choice of many
    slack += form.smallest / form.unit
    if not (pair.outside(number) <= slack):
        return "kink artefact", (
            f"the engine gave {show(number)}, outside the one-sided derivatives {pair.left:.6g} and {pair.right:.6g}: "
            "conventions combined into what no choice of side gives"
        )
    return ("agree", "") if pair.left == pair.right else ("convention", "")
