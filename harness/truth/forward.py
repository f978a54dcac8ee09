"""Forward mode on whole arrays: values and their slopes along several directions at once, in pairs of float64.

The germs of `germs.py`, x + t dx cut after its first power, where there are many numbers: what moves has a slope for
each direction beside its value. What has no formula here goes through FLINT's power series, element by element. Reads
no derivative of an operation.
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, TypeAlias

import numpy as np
from flint import arb_series
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.operations import OPERATIONS
from .arrays import array
from .germs import coefficient, germs
from .pairs import (
    Pairs,
    UnsettledError,
    add,
    as_balls,
    divide,
    multiply,
    negative,
    of_balls,
    of_floats,
    pairs,
    products_of,
    signs,
)
from .pairs import where as chosen

Function: TypeAlias = Callable[..., Any]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Moving:
    """Numbers that move: their values, and a slope along each direction. What stands still is `Pairs` alone."""

    value: Pairs
    slopes: tuple[Pairs, ...]


def push_along(graph: Graph, inputs: Arrays, directions: Sequence[Arrays]) -> Mapping[str, Moving]:
    """The outputs of the graph, of which each moves. Raises UnsettledError where pairs do not tell.

    `inputs` has floats, and integers and booleans where the graph reads such; each direction has an array for every
    input that moves.
    """
    arguments: list[Any] = []
    for node in graph.inputs:
        x = inputs[node.name]
        still = of_floats(x) if node.kind == "float" else x
        ways = tuple(of_floats(way[node.name]) for way in directions if node.name in way)
        arguments.append(Moving(still, ways) if ways and isinstance(still, Pairs) else still)
    program = emit(expanded(graph, stable=False), namespace(), graph.outputs, operators=False)
    with np.errstate(all="ignore"):
        outputs = program(*arguments)
    if not all(isinstance(output, Moving) for output in outputs):
        raise UnsettledError
    return dict(zip(graph.outputs, outputs, strict=True))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Moving) else x


def _linear(function: Function) -> Function:
    """An operation whose one operand is moved, or added up."""

    def linear(x: Any, *others: Any, **params: Any) -> Any:
        if not isinstance(x, Moving):
            return function(x, *others, **params)
        return _each(x, lambda part: function(part, *others, **params))

    return linear


def _each(x: Moving, function: Callable[[Pairs], Pairs]) -> Moving:
    return Moving(function(x.value), tuple(map(function, x.slopes)))


def _slopes(x: Any, directions: int) -> tuple[Pairs, ...]:
    """Those of what stands still are 0."""
    return x.slopes if isinstance(x, Moving) else (of_floats(np.zeros(x.high.shape)),) * directions


def _directions(xs: Sequence[Any]) -> int:
    return max((len(x.slopes) for x in xs if isinstance(x, Moving)), default=0)


def _together(function: Function) -> Function:
    """An operation that is linear in all of its operands together, as a sum or a choice between them."""

    def linear(*xs: Any, **params: Any) -> Any:
        count = _directions(xs)
        if not count:
            return function(*xs, **params)
        ways = zip(*(_slopes(x, count) for x in xs), strict=True)
        return Moving(function(*map(_value, xs), **params), tuple(function(*way, **params) for way in ways))

    return linear


def _product(function: Function, of_slopes: Function) -> Function:
    """(a + t da)(b + t db) = a b + t (a db + da b)."""

    def product(a: Any, b: Any, **params: Any) -> Any:
        count, value = _directions((a, b)), function(_value(a), _value(b), **params)
        if not count:
            return value
        parts: list[list[Pairs]] = [[] for _ in range(count)]
        for k in range(count):
            if isinstance(b, Moving):
                parts[k].append(of_slopes(_value(a), b.slopes[k], **params))
            if isinstance(a, Moving):
                parts[k].append(of_slopes(a.slopes[k], _value(b), **params))
        return Moving(value, tuple(reduce(add, part) for part in parts))

    return product


def _quotient(a: Any, b: Any) -> Any:
    """q = a / b, and (da - q db) / b."""
    count, value = _directions((a, b)), divide(_value(a), _value(b))
    if not count:
        return value
    pulled = (
        add(da, negative(multiply(value, db))) if isinstance(b, Moving) else da
        for da, db in zip(_slopes(a, count), _slopes(b, count), strict=True)
    )
    return Moving(value, tuple(divide(slope, _value(b)) for slope in pulled))


def _where(condition: Any, a: Any, b: Any) -> Any:
    return _together(lambda x, y: chosen(condition, x, y))(a, b)


def _of_series(name: str, function: Function, still: Function) -> Function:
    """An operation by FLINT's power series. Of one number, f(x + t) tells the slope along every direction."""
    alone = OPERATIONS[name].elementwise
    begin = np.frompyfunc(lambda x, dx: arb_series([x, dx], prec=2), 2, 1)

    def pushed(xs: Sequence[Any], slopes: Sequence[Any], params: Mapping[str, Any]) -> Moving:
        operands = [
            array(begin(as_balls(_value(x)), as_balls(slope))) if isinstance(x, Moving) else as_balls(x)
            for x, slope in zip(xs, slopes, strict=True)
        ]
        result = array(function(*operands, **params))
        return Moving(of_balls(coefficient(result, 0)), (of_balls(coefficient(result, 1)),))

    def series(*xs: Any, **params: Any) -> Any:
        count = _directions(xs)
        if not count:
            return still(*xs, **params)
        if alone and len(xs) == 1:
            found = pushed(xs, [of_floats(np.ones(xs[0].value.high.shape))], params)
            return Moving(found.value, tuple(multiply(found.slopes[0], slope) for slope in xs[0].slopes))
        found = [pushed(xs, [x.slopes[k] if isinstance(x, Moving) else x for x in xs], params) for k in range(count)]
        return Moving(found[0].value, tuple(one.slopes[0] for one in found))

    return series


def _still(function: Function) -> Function:
    """An operation whose result does not move."""
    return lambda *xs, **params: function(*map(_value, xs), **params)


@cache
def namespace() -> Mapping[str, Function]:
    """Every primitive operation on what moves, and `constant`."""
    still, one = pairs(), of_floats(np.array(1.0))
    primitives = [operation for operation in OPERATIONS.values() if operation.primitive]
    times, einsum = _product(still["multiply"], multiply), still["einsum"]
    einsums = {1: _linear(einsum), 2: _product(einsum, einsum)}
    through_series = {name: _of_series(name, f, still[name]) for name, f in germs().items() if name in OPERATIONS}
    linear = ("negative", "sum", "take", "take_along_axis")
    return {
        **through_series,
        **{operation.name: _still(still[operation.name]) for operation in primitives if operation.selects},
        "stop_gradient": _value,
        **{operation.name: _linear(still[operation.name]) for operation in primitives if operation.moves},
        **{name: _linear(still[name]) for name in linear},
        **{name: _together(still[name]) for name in ("add", "subtract", "concat", "stack")},
        **{
            operation.name: _product(still[operation.name], products_of(operation.name, (2,)))
            for operation in primitives
            if operation.products
        },
        **{name: still[name] for name in ("constant", "astype", "one_hot")},
        "einsum": lambda *xs, subscripts: einsums.get(len(xs), through_series["einsum"])(*xs, subscripts=subscripts),
        "multiply": times,
        "square": lambda x: times(x, x),
        "divide": _quotient,
        "reciprocal": lambda x: _quotient(one, x),
        "where": _where,
        "abs": lambda x: _where(signs(_value(x)) > 0, x, _linear(negative)(x)),
        "maximum": lambda a, b: _where(signs(still["subtract"](_value(a), _value(b))) > 0, a, b),
        "minimum": lambda a, b: _where(signs(still["subtract"](_value(a), _value(b))) < 0, a, b),
    }
