"""Shaken runs: sound evaluations that err in every operation as far as a sound one may, with signs drawn once.

At every operation each component is off by (c + 1) units roundoff, its own c and one on the way in. A run's twin errs
the opposite way. This is Monte Carlo arithmetic (Parker 1997) with signs that last. What a few such runs do is
measured, not bounded: each is a sound evaluation, so that a number no further from the truth than they are may be one.
What is held against the truth may have added one number after the other, all rounded to one side: there a sum of n
terms is off by n u sum|terms| besides (Higham 2002, 4.4). Engines whose paths are compared add in some better order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import Any, Literal, TypeAlias

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.emit import Namespace, Program, emit
from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.node import Constant, Node
from ..graph.operations import OPERATIONS
from ..records.formats import Format
from . import next_to_one
from .choice import no_number
from .numbers import INFINITY, balls, to_balls
from .pairs import Pairs, UnsettledError, worth_pairs
from .products import COARSE, LEAST, MOST
from .rounding import exact_in, floats, middle

SAMPLES = 8  # shaken paths, an even number: they come in twins
RUNS = 32  # that tell which of many components stand out

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Key: TypeAlias = "tuple[Literal['value', 'adjoint'], str]"
Choices: TypeAlias = Literal["open", "held"]  # whether rounding turns them
Shaken: TypeAlias = Callable[[int], Program]  # by a seed; 2k and 2k + 1 are twins


def spread(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, truth: Mapping[Key, Floats], form: Format
) -> dict[Key, Floats]:
    """How far shaken runs are from the truth: of each component of each value and adjoint the furthest of them all.

    The runs have float64's own rounding on top. NaN where one of them has no number.
    """
    names, seed, places, run = _whole(graph, form)
    operands = {n: x if x.dtype.kind in "bi" else x.astype(np.float64) for n, x in inputs.items()}
    operands[seed] = cotangent.astype(np.float64)
    furthest = {key: np.zeros(truth[key].shape) for key in places}
    for sample in range(RUNS):
        made = run(sample)(*(operands[name][()] for name in names))
        for key, numbers in zip(places, made, strict=True):
            with np.errstate(all="ignore"):
                np.maximum(furthest[key], np.abs(numbers - truth[key]), out=furthest[key])
    return furthest


def spread_in_balls(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, key: Key, truth: Any, form: Format
) -> Turned | None:
    """The same of one value or adjoint, in balls, which have no range; None for what is constant. A run that leaves the
    domain of a step, as one that is shaken at the edge of it may, tells nothing; NaN where none of them has a number.
    """
    names, seed, places, run = _whole(graph, form, key)
    if not places:
        return None
    operands = {**_as_balls(inputs), seed: to_balls(cotangent)}
    runs = [middle(run(sample)(*(operands[name] for name in names))[0]) for sample in range(SAMPLES)]
    with np.errstate(all="ignore"):
        by = np.fmax.reduce([np.abs(floats(made - truth)) for made in runs])
        return Turned(by, _powers([floats(_over(made, truth)) for made in runs]))


def _as_balls(arrays: Mapping[str, Array]) -> Mapping[str, Any]:
    return {name: x if x.dtype.kind in "bi" else to_balls(x) for name, x in arrays.items()}


def enclosed(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, key: Key, form: Format, choices: Choices
) -> tuple[Floats, Floats] | None:
    """Between which numbers every run is of one value or adjoint, whatever it rounds, and whatever choices that turns
    where these are `open`: balls that are widened at each step, and wrap. None of what is constant."""
    names, seed, places, run = _whole(graph, form, key, choices=choices)
    if not places:
        return None
    operands = {**_as_balls(inputs), seed: to_balls(cotangent)}
    (made,) = run(0)(*(operands[name] for name in names))
    return floats(_low(made)), floats(_high(made))


def turned_in_floats(
    graph: Graph, inputs: Mapping[str, Array], cotangent: Array, key: Key, truth: Pairs, form: Format
) -> Turned | None:
    """The same of a large graph in float64, whose own rounding is nothing beside that of a coarse format. None for what
    float64 does not serve: a finer format, few numbers, a number that is next to 0 or far out."""
    if form.unit < COARSE or not worth_pairs(graph, [*inputs.values()]):
        return None
    names, seed, places, run = _whole(graph, form, key, in_range=True)
    if not places:
        return None
    operands = {n: x if x.dtype.kind in "bi" else x.astype(np.float64) for n, x in inputs.items()}
    operands[seed] = cotangent.astype(np.float64)
    try:
        runs = [np.asarray(run(sample)(*(operands[name] for name in names))[0]) for sample in range(SAMPLES)]
    except UnsettledError:
        return None
    with np.errstate(all="ignore"):
        by = np.fmax.reduce([np.abs((made - truth.high) - truth.low) for made in runs])
        size = np.where(truth.high == 0, np.nan, truth.high)
        return Turned(by, _powers([made / size for made in runs]))


def _powers(ratios: Sequence[Floats]) -> Floats:
    """By what power of 2 shaken runs are off, infinite where one of them has another sign."""
    numbers = np.array(ratios)
    powers = np.where(numbers > 0, np.abs(np.log2(numbers)), np.where(np.isnan(numbers), np.nan, inf))
    return np.fmax.reduce(powers)


def _in_range(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The operation on floats. Raises UnsettledError where a result is not finite or next to 0, or has fallen there."""
    row = OPERATIONS.get(name)
    # Of ordinary numbers none of these gives 0 but where it is so.
    keeps_zero = row is None or row.linear or row.moves or row.selects or not row.cost or name in ("divide", "sqrt")

    def ordinary(*operands: Any, **params: Any) -> Any:
        result = function(*operands, **params)
        sizes = np.abs(np.asarray(result, dtype=np.float64))
        least = np.min(np.where(sizes == 0, 1.0, sizes) if keeps_zero else sizes, initial=1.0)
        if not (np.max(sizes, initial=0.0) < MOST and least > LEAST):
            raise UnsettledError
        return result

    return ordinary


@dataclass(frozen=True, slots=True)
class Turned:
    """How far shaken runs are from the truth: `by` how much, and by what power of 2, infinite where one of them has
    another sign."""

    by: Floats
    power: Floats


_low: Any = np.frompyfunc(lambda ball: ball.lower() if ball.is_finite() else -INFINITY, 1, 1)
_high: Any = np.frompyfunc(lambda ball: ball.upper() if ball.is_finite() else INFINITY, 1, 1)
_over: Any = np.frompyfunc(lambda a, b: a / b if not b.is_zero() else arb.nan(), 2, 1)


@lru_cache(maxsize=16)
def _whole(
    graph: Graph, form: Format, key: Key | None = None, *, in_range: bool = False, choices: Choices | None = None
) -> tuple[list[str], str, list[Key], Shaken]:
    """The inputs of the gradient graph, its cotangent's name, what its shaken program gives, and that: of everything in
    float64, or of one number in balls, or in float64 as long as nothing leaves the range; or of one number in all
    runs at once, with their `choices`."""
    derived = gradient(_with_casts(graph), seeded=True)
    places: dict[Key, str] = {("value", node.name): node.name for node in graph.operations if node.kind == "float"}
    places |= {("adjoint", name): arg for name, arg in derived.adjoints.items() if isinstance(arg, str)}
    if key is not None:
        places = {key: places[key]} if key in places else {}
    namespace = balls(ties="decide") if key and not in_range else arrays.namespace("float64")
    if choices == "held":
        namespace = {**namespace, **{name: _at_middle(namespace[name]) for name in SELECTING}}
    if in_range:
        namespace = {name: _in_range(name, function) for name, function in namespace.items()}
    program = shaken(derived.graph, namespace, list(places.values()), form, held=True, either_way=choices is not None)
    return [node.name for node in derived.graph.inputs], derived.seed, list(places), program


SELECTING = [name for name, row in OPERATIONS.items() if row.selects]


def _at_middle(choice: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands, **params: choice(*map(middle, operands), **params)


def _with_casts(graph: Graph) -> Graph:
    """The graph with its casts as steps that round: their definition does nothing, and would leave no step to shake."""

    def rounding(node: Node) -> Node:
        own = graph.operation(node) if graph.defines(node) else None
        cast = own is not None and len(own.operands) == 1 and own.definition == own.operands[0].name
        return replace(node, op="multiply", args=(*node.args, Constant("1"))) if cast else node

    nodes = tuple(map(rounding, graph.nodes))
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def shaken(
    graph: Graph,
    namespace: Namespace,
    outputs: Sequence[str],
    form: Format,
    *,
    held: bool = False,
    either_way: bool = False,
) -> Shaken:
    """Programs of the graph, which err as far as sound ones in `form` may, at each call the same way. `held`: as what
    is held against the truth, with sums that add one number after the other."""
    signs = _EitherWay(form) if either_way else _Signs(form, held=held)
    size = namespace["abs"] if held else None
    functions = {name: _shaking(name, function, signs, size) for name, function in namespace.items()}
    program = emit(graph, functions, outputs, operators=False)

    def of(seed: int) -> Program:
        def run(*inputs: Any) -> tuple[Any, ...]:
            signs.begin(seed)
            with np.errstate(all="ignore"):
                return program(*inputs)

        return run

    return of


class _Signs:
    """Random signs in the order of a program's operations."""

    def __init__(self, form: Format, *, held: bool = False) -> None:
        self.form, self.held = form, held
        self.begin(0)

    def begin(self, seed: int) -> None:
        self._random = np.random.default_rng(seed // 2)
        self._way = -1 if seed % 2 else 1
        self._uneven = self.held and seed // 2 % 2 == 1

    def _drawn(self, x: Any) -> Any:
        """Signs; of every second pair of runs that are held against the truth some are smaller: two steps of as many
        units roundoff take each other's away in half of all runs."""
        signs = self._random.integers(0, 2, np.shape(x)) * 2 - 1
        return signs * self._random.uniform(0.5, 1, np.shape(x)) if self._uneven else signs

    def off_by(self, x: Any, units: Any, form: Format | None = None) -> Any:
        kind = np.asarray(x).dtype
        if kind.kind in "bi":  # a condition or an index
            return x
        signs = self._drawn(x)
        return x + x * np.asarray(units * self._way * (form or self.form).unit * signs).astype(kind)

    def apart(self, x: Any, size: Any, units: float) -> Any:
        """Numbers off by units roundoff of sums of a size."""
        signs = self._drawn(x)
        return x + size * np.asarray(units * self._way * self.form.sums.unit * signs).astype(np.asarray(x).dtype)


class _EitherWay(_Signs):
    """All signs at once, and what underflow may lose, of balls."""

    def off_by(self, x: Any, units: Any, form: Format | None = None) -> Any:
        if np.asarray(x).dtype.kind in "bi":
            return x
        off = np.asarray(units).astype(object) * arb(0, (form or self.form).unit)
        return _where_known(x + (x * off + arb(0, self.form.smallest)), x)

    def apart(self, x: Any, size: Any, units: float) -> Any:
        return _where_known(x + size * arb(0, units * self.form.sums.unit), x)


_where_known: Any = np.frompyfunc(lambda widened, x: x if no_number(x) else widened, 2, 1)


def _shaking(
    name: str, function: Callable[..., Any], signs: _Signs, size: Callable[..., Any] | None
) -> Callable[..., Any]:
    def constant(text: str) -> Any:
        return function(text) if exact_in(text, signs.form) else signs.off_by(function(text), 1)

    def sum_of_products(x: Any, *others: Any, **params: Any) -> Any:
        if signs.form.inside is None:
            return in_turn(function(signs.off_by(x, 2), *others, **params), x, *others, **params)
        # Half precisions add in float32: what enters is rounded once, and so is what comes out.
        total = function(signs.off_by(signs.off_by(x, 1), 1, signs.form.sums), *others, **params)
        return signs.off_by(in_turn(total, x, *others, **params), 1)

    def in_turn(total: Any, *operands: Any, **params: Any) -> Any:
        length = OPERATIONS[name].sums
        if size is None or length is None:
            return total
        sizes = function(*(x if np.asarray(x).dtype.kind in "bi" else size(x) for x in operands), **params)
        return signs.apart(total, sizes, length(*map(np.shape, operands), **params))

    def operation(*operands: Any, **params: Any) -> Any:
        result = function(*operands, **params)
        far: Any = next_to_one.units(name, signs.form) + 1
        if radius is not None:  # there y is 1, or nearly
            off = radius(operands[0])
            result = next_to_one.snapped(result, off)
            off = np.where(off < arb(2) ** (32 - flint.ctx.prec), 0.0, off)  # less than balls hold beside 1
            far = np.where(next_to_one.known(off), off / signs.form.unit, far)
        return signs.off_by(result, far)

    radius = next_to_one.radius(name, signs.form)
    if name == "constant":
        return constant
    if OPERATIONS[name].sums is not None:
        return sum_of_products
    return operation if OPERATIONS[name].cost else function
