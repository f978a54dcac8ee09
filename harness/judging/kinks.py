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
from ..records.rows import FINDINGS, Row, Verdict
from ..truth.rounding import Format
from ..truth.sides import Index, Sides
from .classify import SEVERITY, Link, at, in_turn, show


def at_kinks(
    row: Row, engine: Array, known: Mapping[Index, Sides], bounds: Mapping[Index, float], link: Link, form: Format
) -> Row:
    """The row of a gradient, its open components held against their one-sided derivatives.

    `bounds` says how far rounding may move some of them; `link` is the worst link upstream: what is found here is
    laid at it.
    """
    if row.verdict in FINDINGS or not known:
        return row
    found = [(index, *_found(float(engine[index]), one, bounds.get(index), form)) for index, one in known.items()]
    index, verdict, reason = max(found, key=lambda one: SEVERITY.index(one[1]))
    if row.verdict == "undefined" and any(isnan(one.left) and isnan(one.right) for one in known.values()):
        verdict = verdict if verdict in FINDINGS else "undefined"
    if verdict in FINDINGS:
        cause = f"; the first step in question: {link.reason}" if link.reason else ""
        node = str(link) if link.verdict != "agree" else f"gradient of {row.name}"
        return replace(
            row, verdict=verdict, reason=f"gradient of `{row.name}`{at(index)}: {reason}{cause}", node=node,
            index=", ".join(map(str, index)), engine_value=float(engine[index]), finding=True,
        )  # fmt: skip
    if row.verdict == verdict == "undefined":
        return row
    if row.verdict == "undefined":
        sound = verdict == "agree"
        return replace(
            row, verdict=verdict, reason="" if sound else _choices(engine, known), node="" if sound else row.node
        )
    if row.verdict == verdict == "convention":
        return replace(row, reason=f"{row.reason}; {_choices(engine, known)}")
    return row


def _choices(engine: Array, known: Mapping[Index, Sides]) -> str:
    """Which of both sides the engine took, wherever they differ."""
    open_ones = {index: one for index, one in known.items() if one.left != one.right}
    first = next(iter(open_ones.values()))
    choices = [one.choice(float(engine[index])) for index, one in open_ones.items()]
    return f"the one-sided derivatives are {first.left:.6g} and {first.right:.6g}, the engine took {in_turn(choices)}"


def _found(number: float, one: Sides, bound: float | None, form: Format) -> tuple[Verdict, str]:
    """What one component is, by its sides alone."""
    single = one.single
    if isinf(single):
        if number == single:
            return "agree", ""
        return "not finite", f"the engine gave {show(number)}, the derivative is {show(single)}"
    if isnan(one.left) or isnan(one.right) or isinf(one.left) or isinf(one.right):
        return "undefined", ""
    if not isfinite(number):
        truth = (
            show(single) if one.left == one.right else f"{show(one.left)} on the left, {show(one.right)} on the right"
        )
        return "not finite", f"the engine gave {show(number)}, the derivative is {truth}"
    size = abs(one.left) + abs(one.right)
    slack = form.unit**0.5 * size
    if bound is not None and isfinite(bound):
        slack = 8 * form.unit * size + 4 * bound  # to first order, and of one choice of many
    slack += form.smallest / form.unit
    if not (one.outside(number) <= slack):
        return "kink artefact", (
            f"the engine gave {show(number)}, outside the one-sided derivatives {one.left:.6g} and {one.right:.6g}: "
            "conventions combined into what no choice of side gives"
        )
    return ("agree", "") if one.left == one.right else ("convention", "")
