"""What a case says to expect, held against the truth: to all digits that were written.

The truth is computed at the decimals of the file, not at their roundings: an integer must hold exactly, a
decimal to within half a unit of its last digit.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..reading.case import Case, Expectation, half_unit
from ..records.rows import Row
from ..truth.reference import Number, reference
from .classify import place

ENGINE = "truth"
DTYPE = "exact"


def expectations(case: Case, point: int) -> list[Row]:
    """One row for each number or array that the case expects at a point."""
    expected = case.expect[point]
    if not expected:
        return []
    truth = reference(case.graph, case.exact_inputs(point), case.exact_cotangent())
    return [
        _row(
            case,
            point,
            expectation,
            (truth.values if expectation.quantity == "value" else truth.adjoints)[expectation.name],
        )
        for expectation in expected
    ]


def _row(case: Case, point: int, expected: Expectation, truth: Number) -> Row:
    worst = (Fraction(-1), 0, (), "")
    for flat, text in enumerate(expected.values.ravel()):
        index = place(flat, expected.values.shape)
        excess, problem = _compare(str(text), truth, index)
        if excess > worst[0]:
            worst = (excess, flat, index, problem)
    excess, flat, index, problem = worst
    wrong, some = excess > 0, expected.values.size > 0
    written = float(str(expected.values[index])) if some else None
    exact = float(truth.high[index]) if some else None
    return Row(
        case=case.name,
        point=point,
        dtype=DTYPE,
        engine=ENGINE,
        quantity="expectation",
        name=expected.name,
        index=index,
        engine_value=written,
        reference=exact,
        error=None if written is None or exact is None else written - exact,
        verdict="wrong" if wrong else "agree",
        node=":".join(map(str, (case.path.name, *expected.places[flat]))) if wrong else "",
        reason=problem,
        finding=wrong,
    )


def _compare(text: str, truth: Number, index: tuple[int, ...]) -> tuple[Fraction, str]:
    """How far beyond what its digits allow a written number is from the truth, and what is wrong with it."""
    high, low, radius = (float(part[index]) for part in (truth.high, truth.low, truth.radius))
    if not all(map(np.isfinite, (high, low, radius))) or not truth.tight[index]:
        return Fraction(2), f"{text} cannot be held against the truth, which is {_set(high, radius)}"
    middle = Fraction(high) + Fraction(low)
    # The pair of float64 is exact to about 2^-106; what the enclosure leaves open counts in the writer's favour.
    slack = Fraction(radius) + abs(middle) * Fraction(2) ** -104
    written = Fraction(text)
    beyond = abs(written - middle) - half_unit(text) - slack
    if beyond <= 0:
        return Fraction(0), ""
    return beyond, f"expected {text}, the truth is {_decimal(middle, text)}: {_digit(text, middle)}"


def _set(high: float, radius: float) -> str:
    return f"a set around {high:.6g}, {radius:.3g} wide (a kink)" if np.isfinite(high) else "not finite"


def _decimal(number: Fraction, text: str) -> str:
    """The truth with two digits more than were written."""
    exponent = text.lower().partition("e")
    places = len(exponent[0].partition(".")[2]) - int(exponent[2] or 0) + 2
    return f"{float(number):.{min(max(places, 1), 17)}f}" if places < 17 else f"{float(number):.17g}"


def _digit(text: str, truth: Fraction) -> str:
    """Which significant digit of what was written is the first that is wrong."""
    written = [c for c in text.lower().partition("e")[0] if c.isdigit()]
    leading = len(written) - len("".join(written).lstrip("0"))
    total = len(written) - leading
    error = abs(Fraction(text) - truth)
    unit = 2 * half_unit(text) or Fraction(1)
    for count in range(total):
        if error <= unit * Fraction(10) ** count / 2:
            return _ordinal(total - count + 1) if count else _ordinal(total)
    return _ordinal(1)


def _ordinal(place: int) -> str:
    suffix = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"the {place}{suffix} significant digit is wrong"
