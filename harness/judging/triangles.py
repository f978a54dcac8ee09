"""Terms of steps that read one triangle of a symmetric matrix, as decompositions do.

Along a symmetric direction S a matrix G gives <G, S> = <(G + G') / 2, S>, and what such a step gives beside symmetric
matrices says nothing of them: it ignores one triangle. So each matrix whose symmetric part is right is a derivative
there, and which antisymmetric part it has is a choice. A step that reads both triangles, or the mean of both, leaves
none: along an antisymmetric direction its derivative is one number, of the mean 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.node import Node, Use
from ..records.evaluation import Array
from ..records.formats import Format
from ..truth.links import Step
from ..truth.numbers import to_balls
from ..truth.precision import working
from ..truth.residuals import Numerals

CHOICE = "its symmetric part is right, and the other part is a choice"
CLOSE = 1024  # roundings: as close to its transpose as a matrix is that counts as symmetric


def in_one_triangle(step: Step, operands: Sequence[Numerals], node: Node, use: Use, form: Format) -> bool:
    """Whether an operand is a symmetric matrix of which a step ignores what stands above or below its diagonal: with
    other numbers there it gives the same."""
    position = sum(isinstance(arg, str) for arg in node.args[: use.position])
    a = operands[position].array
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or a.shape[-1] < 2 or not np.isfinite(a.astype(np.float64)).all():
        return False
    exact = a.astype(np.float64)
    if (np.abs(exact - exact.swapaxes(-1, -2)) > CLOSE * form.unit * np.abs(exact).max(initial=0)).any():
        return False
    balls = [operand.exact for operand in operands]

    def given(ball: Any) -> Any:
        return step.value_program(None)(*balls[:position], ball, *balls[position + 1 :])[0]

    with working():
        own = given(balls[position])
        return any(_same(own, given(_other(exact, above=above))) for above in (True, False))


def _other(a: Array, *, above: bool) -> Any:
    """The matrix with random numbers above or below its diagonal."""
    drawn = np.random.default_rng(0).normal(size=a.shape) * (np.abs(a).max() + 1)
    return to_balls(a + (np.triu(drawn, 1) if above else np.tril(drawn, -1)))


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays of balls are the same as far as they are known, to 40 bits of the largest number."""
    a, b = np.asarray(a, dtype=object).ravel(), np.asarray(b, dtype=object).ravel()
    size = max((float(abs(x.mid())) for x in a), default=0.0)
    near = size * 2.0**-40
    return all(
        x.is_finite() and y.is_finite() and x.rad() <= near >= y.rad() and x.overlaps(y)
        for x, y in zip(a, b, strict=True)
    )


def symmetric_part(term: Array) -> Array:
    """(G + G') / 2, rounded to the precision of G."""
    exact = term.astype(np.float64)
    return np.asarray((exact + exact.swapaxes(-1, -2)) / 2).astype(term.dtype)
