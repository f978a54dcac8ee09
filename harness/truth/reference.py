"""The truth of a whole graph at one point: values, adjoints and terms, as balls of textbook formulas.

Stands on `graph/` and `numbers.py`. The precision doubles until every number is tight; what stays wide
is a hull: a kink, where the truth is a set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.emit import Program, walked
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Arg, Constant, Node, Shape, Use
from .arrays import array
from .choice import Ties
from .numbers import balls, constant, to_balls
from .pairs import UP, Pairs, UnsettledError, as_balls, of_floats, pairs, worth_pairs
from .precision import PRECISION, is_loose, most_precision, working
from .rounding import floats, radii


@dataclass(frozen=True)
class Number:
    """An enclosed array: in float64 middle = high + low, an unevaluated pair, and the radius; and its balls.

    `found`: those that it was computed in; None where it was computed in pairs, of which balls are made when asked for.
    """

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    radius: NDArray[np.float64]
    found: NDArray[Any] | None = None

    @cached_property
    def balls(self) -> NDArray[Any]:
        with working():
            return as_balls(self.pairs) if self.found is None else self.found

    def is_loose(self, bits: int) -> bool:
        """Whether a number that was computed in balls is not known to so many bits, nor so small that it is nothing."""
        if self.found is None:
            return False
        with np.errstate(all="ignore"):
            open_ones = ~(np.isfinite(self.high) & (self.radius <= np.abs(self.high) * 2.0 ** -(bits + 2)))
        return bool(open_ones.any() and np.any(is_loose(self.found[open_ones], bits)))

    def broadcast(self, shape: Shape) -> Number:
        if self.high.shape == shape:
            return self
        high, low, radius = (np.broadcast_to(part, shape) for part in (self.high, self.low, self.radius))
        return Number(high, low, radius, None if self.found is None else np.broadcast_to(self.found, shape))

    @cached_property
    def pairs(self) -> Pairs:
        """The same in pairs of float64, around all of each ball."""
        if self.found is None:
            return Pairs(self.high, self.low, self.radius)
        nothing = (self.high == 0) & (self.radius == 0)
        exact = nothing & np.asarray(_is_zero(self.found), dtype=bool) if nothing.any() else nothing
        radius = (self.radius + 2.0**-105 * np.abs(self.high)) * UP + 2.0**-1000
        return Pairs(self.high, self.low, np.where(exact, 0.0, radius))

    def error(self, engine: NDArray[Any]) -> NDArray[np.float64]:
        """Engine minus truth."""
        return difference(engine, self.high, self.low)

    @property
    def tight(self) -> NDArray[np.bool_]:
        """Where the truth is one number and not a set, which pairs never hold."""
        if self.found is None:
            return np.ones(self.high.shape, dtype=bool)
        with np.errstate(all="ignore"):
            tight = np.asarray(self.radius <= np.abs(self.high) * 2.0**-70) | (self.radius < 1e-313)
        vast = np.isinf(self.radius)  # beyond float64: ask the ball
        return np.where(vast, np.asarray(_is_narrow(self.balls), dtype=bool), tight) if vast.any() else tight


def replaced(number: Number, known: Mapping[tuple[int, ...], Any]) -> Number:
    """The number with these balls in place of some of its components."""
    high, low, radius, balls = (np.array(part) for part in (number.high, number.low, number.radius, number.balls))
    for index, ball in known.items():
        cell = _number(ball)
        high[index], low[index], radius[index], balls[index] = cell.high, cell.low, cell.radius, ball
    return Number(high, low, radius, balls)


_is_zero = np.frompyfunc(flint.arb.is_zero, 1, 1)
_is_narrow = np.frompyfunc(lambda ball: ball.rel_accuracy_bits() >= 70, 1, 1)


def difference(engine: NDArray[Any], high: NDArray[np.float64], low: NDArray[np.float64]) -> NDArray[np.float64]:
    """Engine minus the pair high + low."""
    with np.errstate(all="ignore"):
        error = (engine.astype(np.float64) - high) - low
        return np.where(engine == high, -low, error) + 0.0  # no -0.0


def relative_size(error: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """The size of an error beside the truth: 0 for none, infinite beside 0 and where it is not a number."""
    with np.errstate(all="ignore"):
        relative = np.abs(error) / np.abs(high)
    return np.where(error == 0, 0.0, np.where(np.isnan(relative), np.inf, relative))


@dataclass(frozen=True, slots=True)
class Reference:
    """`values` are those of comparisons as IEEE 754 decides them, `hulls` what they may be at a tie of any choice.

    `precision` is what the balls were computed with, in bits; `in_pairs`: none were, all are pairs of float64. `loose`
    names the first number that no precision made tight, though no kink explains it: there the reference is of no use.
    It is empty everywhere else."""

    values: Mapping[str, Number]
    hulls: Mapping[str, Number]
    adjoints: Mapping[str, Number]
    terms: Mapping[Use, Number]
    precision: int
    loose: str
    in_pairs: bool = False


def reference(
    graph: Graph,
    inputs: Mapping[str, NDArray[Any]],
    cotangent: NDArray[Any],
    bits: int = 80,
    ties: Ties = "hull",
    *,
    in_pairs: bool = False,
) -> Reference:
    """The truth at exactly these numbers: float, int or bool arrays, or object arrays of Fraction or balls.

    Values are those of ties decided as IEEE 754 does. With ties decided everywhere the derivatives at a kink are those
    of one choice, and no hulls. `in_pairs`: large arrays as pairs of float64 where these tell every number well enough;
    else in balls.
    """
    derivative = gradient(graph, stable=False, seeded=True)
    names = [node.name for node in graph.nodes]
    wanted: dict[Arg, None] = dict.fromkeys([*names, *derivative.adjoints.values(), *derivative.terms.values()])
    outputs = [arg for arg in wanted if isinstance(arg, str)]
    arguments, precision = {**inputs, derivative.seed: cotangent}, 0

    def gathered(numbers: Mapping[str, Number], values: Mapping[str, Number], loose: str = "") -> Reference:
        def number(arg: Arg, name: str) -> Number:
            source = _number(array(constant(arg.text))) if isinstance(arg, Constant) else numbers[arg]
            return source.broadcast(graph[name].shape)

        return Reference(
            values,
            {name: numbers[name] for name in names},
            {name: number(arg, name) for name, arg in derivative.adjoints.items()},
            {use: number(arg, graph.argument(use)) for use, arg in derivative.terms.items()},
            precision or PRECISION,
            loose,
            not precision,
        )

    if in_pairs and (found := _in_pairs(derivative.graph, outputs, arguments)) is not None:
        with working():
            return gathered(found, {name: found[name] for name in names})

    def compute(program: Program) -> tuple[Any, ...]:
        # Converted anew each time: a decimal is as exact as the precision.
        return program(*(_exact(arguments[node.name], node) for node in derivative.graph.inputs))

    program = walked(derivative.graph, balls(ties=ties), outputs)
    numbers, open_ones = dict[str, Number](), True
    precision = PRECISION // 2
    while open_ones and precision < most_precision(bits):
        precision *= 2
        with flint.ctx.workprec(precision):
            numbers = _numbers(outputs, compute(program))
            open_ones = _together(numbers).is_loose(bits)
    with flint.ctx.workprec(precision):
        values = {name: numbers[name] for name in names}
        if ties == "hull" and not np.all(_together(values).tight):
            decided = compute(walked(derivative.graph, balls(ties="decide"), names))
            values = _numbers(names, decided)
        short = precision >= most_precision(bits) and open_ones
        loose = _exhausted(derivative.graph, compute, bits) if short and ties == "hull" else ""
        return gathered(numbers, values, loose)


def _in_pairs(
    graph: Graph, outputs: Sequence[str], arguments: Mapping[str, NDArray[Any]]
) -> Mapping[str, Number] | None:
    """The outputs of a large graph as pairs, if these tell each number well enough."""
    if not worth_pairs(graph, [*arguments.values()]):
        return None
    inputs = [(node, arguments[node.name]) for node in graph.inputs]
    try:
        with working(), np.errstate(all="ignore"):
            numbers = [of_floats(x) if node.kind == "float" else _exact(x, node) for node, x in inputs]
            results = walked(graph, pairs(), outputs)(*numbers)
    except UnsettledError:
        return None
    if not all(result.sure() for result in results if isinstance(result, Pairs)):
        return None
    return {name: _of_pairs(result) for name, result in zip(outputs, results, strict=True)}


def _exhausted(graph: Graph, compute: Callable[[Program], tuple[Any, ...]], bits: int) -> str:
    """The first node that is loose, but no hull: nothing upstream of it is a choice that balls cannot make."""
    names = [node.name for node in graph.nodes]
    results = compute(walked(graph, balls(ties="hull"), names))
    hulls: set[Arg] = set()
    for node, result in zip(graph.nodes, results, strict=True):
        selects = node.op != "input" and graph.operation(node).selects
        if not hulls.isdisjoint(node.args) or (selects and np.any(_undecided(result))):
            hulls.add(node.name)
        elif np.any(is_loose(result, bits)):
            return node.name
    return ""


_undecided = np.frompyfunc(lambda x: isinstance(x, flint.arb) and not x.is_exact(), 1, 1)


def _exact(array: NDArray[Any], node: Node) -> Any:
    if node.kind == "float":
        return to_balls(array)
    return array.astype(np.int64 if node.kind == "int" else np.bool_)


def _of_pairs(result: Any) -> Number:
    if not isinstance(result, Pairs):
        return _number(result)
    return Number(result.high + 0.0, result.low, result.radius)  # no -0.0


def _numbers(names: Sequence[str], results: Sequence[Any]) -> dict[str, Number]:
    """The results by name, of all balls at once: of single numbers each by itself takes longer than the ball."""
    found = {name: np.asarray(result) for name, result in zip(names, results, strict=True)}
    shapes = {name: numbers.shape for name, numbers in found.items() if numbers.dtype == object}
    whole = _number(_joined([found[name] for name in shapes]))
    ends = np.cumsum([found[name].size for name in shapes]).tolist()
    numbers = {name: _number(plain) for name, plain in found.items() if name not in shapes}
    for (name, shape), start, stop in zip(shapes.items(), [0, *ends], ends, strict=False):
        high, low, radius = (part[start:stop].reshape(shape) for part in (whole.high, whole.low, whole.radius))
        numbers[name] = Number(high, low, radius, found[name])
    return numbers


def _together(numbers: Mapping[str, Number]) -> Number:
    """Numbers that were computed in balls, as one array."""
    balls = [number for number in numbers.values() if number.found is not None]
    parts = ([getattr(number, part) for number in balls] for part in ("high", "low", "radius", "found"))
    return Number(*map(_joined, parts))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts, axis=None) if parts else np.zeros(0)


def _number(result: Any) -> Number:
    numbers = np.asarray(result)
    if numbers.dtype != object:
        high = numbers.astype(np.float64)
        return Number(high, np.zeros_like(high), np.zeros_like(high))
    high = floats(numbers)
    finite = np.isfinite(high)
    low = np.where(finite, floats(numbers - to_balls(np.where(finite, high, 0.0))), 0.0)
    return Number(high, low, radii(numbers), numbers)
