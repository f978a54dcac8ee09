"""What a case says to expect, held against the truth: to all digits that were written.

The truth is computed at the decimals of the file, not at their roundings: an integer must hold exactly, a
decimal to within half a unit of its last digit.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ..hearing.heard import Heard
from ..reading.case import Case, Expectation, half_unit
from ..records.evaluation import Array
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


def expectations_of_code(case: Case, point: int, engine: str, heard: Heard) -> list[Row]:
    """One row for each number or array that the case expects of a person's own code, of which a run was heard: the
    truth is that of what it computes, at the decimals of the file and at its own parameters."""
    expected, graph = case.expect[point], heard.graph
    if not expected:
        return []
    given = case.exact_inputs(point)
    theirs = {heard.names[node.name]: node.name for node in graph.inputs}
    inputs = {node: given.get(name, _exactly(heard.inputs[node])) for name, node in theirs.items()}
    weights = case.call.cotangent if case.call is not None else None
    seed = _exactly(heard.cotangent) if weights is None else weights.exact().reshape(graph.output.shape)
    truth = reference(graph, inputs, seed)
    rows = list[Row]()
    for expectation in expected:
        value = expectation.quantity == "value"
        node = graph.output.name if value else theirs.get(expectation.name)
        if node is None:
            rows.append(_unlike(case, point, engine, expectation, "it has no gradient there"))
        elif graph[node].shape != expectation.values.shape:
            found = f"the result has shape {graph[node].shape}, expected {expectation.values.shape}"
            rows.append(_unlike(case, point, engine, expectation, found))
        else:
            rows.append(_row(case, point, expectation, (truth.values if value else truth.adjoints)[node], engine))
    return rows


def _exactly(array: Array) -> NDArray[np.object_]:
    exact = np.empty(array.size, dtype=object)
    exact[:] = [Fraction(float(x)) if isfinite(x) and array.dtype.kind not in "bi" else x for x in array.ravel()]
    return exact.reshape(array.shape)


def _unlike(case: Case, point: int, engine: str, expected: Expectation, reason: str) -> Row:
    """The row of an expectation that fits nothing."""
    return Row(
        case=case.name, point=point, dtype=DTYPE, engine=engine, quantity="expectation", name=_named(expected),
        verdict="wrong", node=_written_at(case, expected, 0), reason=reason, finding=True,
    )  # fmt: skip


def _named(expected: Expectation) -> str:
    """A node may have a value and a derivative that are expected: no two rows have the same name."""
    return expected.name if expected.quantity == "value" else f"gradient of {expected.name}"


def _written_at(case: Case, expected: Expectation, flat: int) -> str:
    return ":".join(map(str, (case.path.name, *expected.places[flat])))


def _row(case: Case, point: int, expected: Expectation, truth: Number, engine: str = ENGINE) -> Row:
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
        engine=engine,
        quantity="expectation",
        name=_named(expected),
        index=index,
        engine_value=written,
        reference=exact,
        error=None if written is None or exact is None else written - exact,
        verdict="wrong" if wrong else "agree",
        node=_written_at(case, expected, flat) if wrong else "",
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
