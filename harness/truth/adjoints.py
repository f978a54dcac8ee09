"""The adjoint link, a sum of terms, and what the terms of a tie must sum to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.node import Params
from ..graph.operations.operation import Operation
from ..graph.shapes import axes_of
from ..records.formats import Format
from .next_to_one import EITHER_WAY
from .residuals import Numbers, Numerals, Residual, residual


def adjoint(engine: Numerals, terms: Sequence[Numbers], form: Format) -> Residual:
    """The adjoint link: the sum of the engine's own terms, with m u sum|terms| for m of them.

    The exact sum is kept as an unevaluated pair of float64 (Knuth's TwoSum; its own error is below
    m 2^-104 sum|terms|, far under the bound).
    """
    shape = engine.array.shape
    high, low, size = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    with np.errstate(all="ignore"):
        for term in terms:
            t = term.astype(np.float64)
            total = high + t
            back = total - high
            low = low + ((high - (total - back)) + (t - back))
            high = total
            size = size + np.abs(t)
        m = len(terms)
        exact = high + low
        deviation = np.abs((engine.array.astype(np.float64) - high) - low)
        radius = size * (m * (form.unit + m * 2.0**-104)) + (form.smallest if m else 0.0)
        same = ~np.isfinite(size) & (engine.array == high)
        deviation, radius = np.where(same, 0.0, deviation), np.where(same, 0.0, radius)
    enclosed, no_kink = np.isfinite(size) | same, np.zeros(shape, dtype=bool)
    return Residual(engine.array, deviation, radius, enclosed, exact, deviation, no_kink, exact, exact)


def adjoint_of_enclosures(engine: Numerals, terms: Sequence[tuple[Any, Any]], form: Format) -> Residual:
    """The adjoint link of an engine that shows no terms: the sum of what its terms may be, and of what they are."""
    zero: Any = np.full(engine.array.shape, flint.arb(0), dtype=object)
    total: Any = sum((ball for ball, _ in terms), start=zero)
    exact: Any = sum((term for _, term in terms), start=zero)
    size: Any = sum((abs(np.asarray(ball, dtype=object)) for ball, _ in terms), start=zero)
    bound = size * (len(terms) * form.unit) + form.smallest
    return residual(engine, total + bound * EITHER_WAY, exact)


def shares(
    operation: Operation,
    params: Params,
    operands: Sequence[Numbers],
    terms: Sequence[Numbers],
    g: Numbers,
    form: Format,
) -> NDArray[np.bool_] | None:
    """Where the terms of a maximum's tied operands do not sum to its adjoint g; None for other operations.

    Each term alone may lie anywhere between 0 and g at a tie. Together they must hand on all of g.
    """
    if not operation.shares:
        return None
    parts = [np.asarray(term, dtype=np.float64) for term in terms]
    way, all_of_them = operation.shares, len(parts) == len(operation.operands)
    if way == "operands" and all_of_them and len(parts) == 2 and parts[0].shape == parts[1].shape == g.shape:
        total, size, count = parts[0] + parts[1], np.abs(parts[0]) + np.abs(parts[1]), 2
        ties = operands[0] == operands[1]
    elif way in ("largest", "smallest") and parts:
        chosen = dict(params)
        axes, keep = axes_of(chosen["axis"], parts[0].ndim), bool(chosen["keepdims"])
        total, size = (np.sum(x, axis=axes, keepdims=keep) for x in (parts[0], np.abs(parts[0])))
        count = parts[0].size // max(g.size, 1)
        extremum = np.max if way == "largest" else np.min
        largest = operands[0] == extremum(operands[0], axis=axes, keepdims=True)
        ties = np.sum(largest, axis=axes, keepdims=keep) > 1
    elif way == "operands" and all_of_them:
        # Broadcast operands have summed their shares already; what is left to hold is the sum of everything.
        total, size = (np.sum([np.sum(f(x)) for x in parts]) for f in (np.asarray, np.abs))
        count = sum(x.size for x in parts) + g.size
        size = size + np.sum(np.abs(g, dtype=np.float64))  # what cancelled inside a broadcast operand's sum
        g = np.asarray(np.sum(g, dtype=np.float64))
        first, *others = operands
        ties = np.asarray(
            any(
                np.any(operand == other)
                for operand in (first, *others[:-1])
                for other in others
                if operand is not other
            )
        )
    else:
        return None
    with np.errstate(all="ignore"):
        lost = 2 * (form.of_sum(count) + form.of_sum(0))  # each share is rounded, and so is their sum
        sound = np.abs(total - g) <= lost * size + count * form.smallest
        return np.asarray(ties & ~(sound | ~np.isfinite(g)))
