"""What one sound step may lose at each link of a graph, at the true numbers: in float64, and in balls beyond it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import Node, Use
from ..records.formats import Format
from .adjoints import adjoint
from .batches import Batches
from .links import Step
from .next_to_one import closer
from .numbers import INFINITY
from .precision import working
from .products import suits
from .reference import Number, Reference
from .residuals import Numerals, Residual
from .rounding import entered, middle, unless_infinite
from .sweeps import Key

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]


def in_floats(graph: Graph, truth: Reference, steps: Mapping[str, Step], form: Format) -> Iterator[tuple[Key, Floats]]:
    """What one sound step may lose at each link, at the true numbers."""
    values = {name: number.high.astype(plain_type(graph[name])) for name, number in truth.values.items()}
    adjoints = {name: number.high for name, number in truth.adjoints.items()}
    terms = {use: number.high for use, number in truth.terms.items()}
    batches = Batches(form)
    with working():
        for node in graph.operations:
            names = [arg for arg in node.args if isinstance(arg, str)]
            step, y, operands = steps[node.name], values[node.name], [values[name] for name in names]
            products = step.in_floats and step.operation.bias_axis is None
            if products and suits(operands, form):
                (estimate,) = step.value_estimate(form, middles=False)(*operands)
                yield ("value", node.name), estimate.radius
            elif node.kind == "float" and not batches.value(("value", node.name), step, operands, y):
                value_link = step.value([*_numerals(operands, form)], Numerals(y, form), form)
                yield ("value", node.name), _loss(value_link, form)
            uses = graph.uses_in[node.name]
            if uses and node.name in adjoints:
                g, shown = adjoints[node.name], [terms[use] for use in uses]
                if products and suits([*operands, g], form):
                    estimates = step.term_estimates(form, middles=False)(*operands, g)
                    yield from ((("term", use), one.radius) for use, one in zip(uses, estimates, strict=True))
                elif not batches.terms([("term", use) for use in uses], step, operands, y, g, shown):
                    numerals = [*_numerals([*operands, y, g, *shown], form)]
                    n = len(operands)
                    term_links = step.terms(numerals[:n], numerals[n], numerals[n + 1], numerals[n + 2 :], form)
                    yield from (
                        (("term", use), _loss(residual, form)) for use, residual in zip(uses, term_links, strict=True)
                    )
        for name, g in adjoints.items():
            parts = [terms[use] for use in graph.uses_of[name]]
            if name != graph.output.name and not batches.adjoint(("adjoint", name), g, parts):
                yield ("adjoint", name), adjoint(Numerals(g, form), parts, form).radius
        for keys, residual in batches.measured():
            yield from zip(cast("list[Key]", keys), _loss(residual, form), strict=True)


AT_KINKS = 16  # units that the rules of operations with kinks lose at most on one side: products with exact factors


def _loss(residual: Residual, form: Format) -> Floats:
    """What one sound step may lose. At a kink the ball is as wide as the choice, which is no rounding.

    A ball around NaN encloses nothing, whatever its radius: a finite one marks what is known to be no number.
    """
    radius = np.where(residual.enclosed, residual.radius, np.inf)
    if not residual.kink.any():
        return radius
    size = np.maximum(np.abs(residual.low), np.abs(residual.high))
    return np.where(residual.kink, np.minimum(radius, AT_KINKS * form.unit * size + form.smallest), radius)


def steady(
    radii: Mapping[Key, Floats], truth: Reference, steps: Mapping[str, Step], form: Format
) -> Iterator[tuple[Key, Floats]]:
    """The radii that differ where no formula cancels: 0 where a term's usual one loses half of its digits."""
    for key, radius in radii.items():
        use = key[1]
        if isinstance(use, Use) and not steps[use.consumer].operation.linear:
            cancels = radius > np.abs(truth.terms[use].high) * form.unit**0.5
            if np.any(cancels):
                yield key, np.where(cancels, 0.0, radius)


class _True(Numerals):
    """True numbers, which may lie beyond every float."""

    def __init__(self, balls: Any, numbers: Array, form: Format) -> None:
        super().__init__(numbers, form)
        self.__dict__["exact"] = middle(balls) if numbers.dtype.kind not in "bi" else numbers
        self._read_exactly = form.smallest == 0

    def widened_by(self, form: Format, cost: float = 1, off: Floats | None = None) -> Any:
        if self.array.dtype.kind in "bi" or self._read_exactly:
            return self.exact
        widened = entered(self.exact, form, cost)
        return unless_infinite(widened if off is None else closer(self.exact, widened, off), self.exact)


def in_balls(graph: Graph, truth: Reference, steps: Mapping[str, Step], form: Format) -> Iterator[tuple[Key, Any]]:
    """What one sound step may lose at each link, at the true numbers, as balls."""

    def numerals(number: Number, kind: Any = np.float64) -> _True:
        return _True(number.balls, number.high.astype(kind), form)

    values = {name: numerals(number, plain_type(graph[name])) for name, number in truth.values.items()}
    adjoints = {name: numerals(number) for name, number in truth.adjoints.items()}
    for node in graph.operations:
        step, operands = steps[node.name], [values[arg] for arg in node.args if isinstance(arg, str)]
        if node.kind == "float":
            yield ("value", node.name), _radius(step.enclosure(operands, form))
        uses = graph.uses_in[node.name]
        if uses and node.name in adjoints:
            terms = step.enclosures(operands, values[node.name], adjoints[node.name], form, "decide")
            yield from ((("term", use), _radius(ball)) for use, ball in zip(uses, terms, strict=True))
    for name in truth.adjoints:
        parts = [abs(middle(truth.terms[use].balls)) for use in graph.uses_of[name]]
        if name != graph.output.name and parts:
            yield ("adjoint", name), sum(parts) * (len(parts) * form.unit)


_radius = np.frompyfunc(lambda ball: ball.rad() if ball.is_finite() else INFINITY, 1, 1)


def _numerals(numbers: list[Array], form: Format) -> Iterator[Numerals]:
    return (Numerals(array, form) for array in numbers)


def plain_type(node: Node) -> Any:
    """What NumPy keeps the numbers of a node as."""
    return {"float": np.float64, "int": np.int64, "bool": np.bool_}[node.kind]
