"""Germs: forward mode by power series, the derivation that the hand-written rules are held against.

A germ is a number that moves: x + t dx, a power series in t cut after its first power, or a later one (python-flint's
`arb_series`, whose coefficients are balls). FLINT's own formulas push it through a graph; what FLINT
lacks is built here once from what it has. Shares nothing with reverse mode: reads no derivative of an operation, and
composites in their textbook definitions.

At a kink a germ looks ahead: a comparison of equal constant terms is decided by the first coefficients that
differ, as it stands for small t > 0, so that derivatives are one-sided. What stays open gives the hull. Longer
germs see through what vanishes to first order: sqrt(x^2) at 0 is |x|, and sin(x) / x is 1 there (`laurent.py`). A germ
whose constant term is infinite (a mask of -inf) is that infinity, wherever it moves.
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import truediv
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from flint import arb_series
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from .arrays import ONE, ZERO, array, pad, reduced, structural
from .choice import EITHER, FALSE, NAN, NO_NUMBER, STRICTLY, TRUE, choice, comparisons, max_share, no_number, shares
from .laurent import LONGEST, Laurent, quotient
from .numbers import BINARY as OF_BALLS_TWO
from .numbers import INFINITY, Namespace, balls, constant, to_balls
from .numbers import UNARY as OF_BALLS
from .numbers import product as of_balls
from .series import (
    BINARY,
    NOWHERE,
    OPEN_BINARY,
    OPEN_UNARY,
    STEPS,
    UNARY,
    Germ,
    chosen,
    equal,
    infinite,
    less,
    maximum,
    moving,
    polygamma,
    seen_through,
    tied,
    tied_equal,
)  # fmt: skip

Array: TypeAlias = NDArray[Any]
AtTies: TypeAlias = Literal["zero", "ahead", "open"]
Motion: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], "dict[str, Array]"]
Push: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], "tuple[dict[str, Array], dict[str, Array]]"]


def push(
    graph: Graph, inputs: Mapping[str, Any], directions: Mapping[str, Any]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values and directional derivatives of the graph's outputs, as balls in arrays of their shapes.

    `inputs` has every input: floats, fractions or balls, and plain integers or booleans where the graph
    reads such. `directions` has the direction of each float input that moves, in the input's shape.
    """
    return pusher(graph)(inputs, directions)


def pusher(graph: Graph) -> Push:
    """`push` for one graph, compiled once."""
    run = mover(graph)

    def pushed(inputs: Mapping[str, Any], directions: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Array]]:
        germs = run(inputs, directions)
        values = {name: coefficient(germ, 0) for name, germ in germs.items()}
        return values, {name: coefficient(germ, 1) for name, germ in germs.items()}

    return pushed


def mover(graph: Graph, power: int = 1, length: int = 2, *, ties: AtTies = "zero") -> Motion:
    """The germs of the outputs where each input moves as x + dx t^power, to `length` coefficients at most.

    With t^2 in place of t square roots of what moves are power series too. At ties, step functions are what they are
    at t = 0 ("zero"), or for small t > 0 ("ahead"); "open": each choice by itself takes all that any choice of
    derivatives makes of the direction.
    """
    outputs = graph.outputs
    program = emit(expanded(graph, stable=False), germs(ties), outputs, operators=False)
    begin = np.frompyfunc(lambda x, dx: arb_series([x, *[0] * (power - 1), dx], prec=length), 2, 1)

    def moved(inputs: Mapping[str, Any], directions: Mapping[str, Any]) -> dict[str, Array]:
        arguments = [
            array(begin(to_balls(inputs[node.name]), to_balls(directions[node.name])))
            if node.name in directions
            else to_balls(inputs[node.name])
            if node.kind == "float"
            else np.asarray(inputs[node.name])
            for node in graph.inputs
        ]
        return dict(zip(outputs, program(*arguments), strict=True))

    return moved


def coefficient(germs: Array, k: int) -> Array:
    return array(_coefficient(germs, k))


def _coefficient_of(s: Any, k: int) -> Any:
    if isinstance(s, arb_series):
        return s[k] if k < s.prec else NAN
    return NAN if isinstance(s, Laurent) else ZERO if k else s


_coefficient = np.frompyfunc(_coefficient_of, 2, 1)


# --- the namespace ------------------------------------------------------------------------------------------


def product(a: Array, b: Array) -> Array:
    """The product of two matrices of germs: A0 B0 + (A0 B1 + A1 B0) t + ..., each product by FLINT."""
    ahead, behind = _split(a), _split(b)
    length = min(len(part) for part in (ahead, behind) if len(part) > 1) if len(ahead) + len(behind) > 2 else 1
    terms = [
        sum(of_balls(ahead[i], behind[k - i]) for i in range(k + 1) if i < len(ahead) and k - i < len(behind))
        for k in range(length)
    ]
    if length == 1:
        return array(terms[0])
    gathered = np.frompyfunc(lambda *coefficients: arb_series(list(coefficients), prec=length), length, 1)
    return array(gathered(*terms))


def _split(x: Array) -> list[Array]:
    """The coefficients of a matrix, as matrices; only the first where nothing moves. Those not known are NaN."""
    lengths = [s.prec for s in x.ravel().tolist() if isinstance(s, arb_series)]
    return [coefficient(x, k) for k in range(max(lengths, default=1))]


@cache
def germs(ties: AtTies = "zero") -> Namespace:
    """Every primitive operation on arrays of germs; a ball among them is a germ that stands still."""
    ahead, divide, compared = ties == "ahead", quotient, comparisons(less, equal, "decide")
    unary, binary = UNARY, BINARY
    if ties == "open":
        unary, binary = ({name: seen_through(f) for name, f in table.items()} for table in (UNARY, BINARY))
        unary, binary, divide = {**unary, **OPEN_UNARY}, {**binary, **OPEN_BINARY}, seen_through(quotient)
        compared = comparisons(tied, tied_equal, "hull")
    larger = binary["maximum"]
    largest = cast(np.ufunc, np.frompyfunc(lambda a, b: larger(moving(a), moving(b)), 2, 1))
    still = balls(ties="hull" if ties == "open" else "decide")
    table: dict[str, Callable[..., Any]] = {
        **structural(product),
        **{name: _elementwise(_far_out(name, function, OF_BALLS.get(name)), 1) for name, function in unary.items()},
        **{name: _elementwise(_far_out(name, function, OF_BALLS_TWO[name]), 2) for name, function in binary.items()},
        **{name: _elementwise(step, 1) if ahead else _constant_terms(still[name]) for name, step in STEPS.items()},
        **compared,
        "multiply": np.frompyfunc(_times, 2, 1),
        "divide": _elementwise(_far_out("divide", divide, truediv), 2),
        "polygamma": lambda x, *, n: _elementwise(lambda s: polygamma(s, n), 1)(x),
        "where": choice(chosen),
        "max": lambda x, *, axis, keepdims: reduced(largest, x, axis, keepdims),
        "max_share": (lambda x, *, axis: max_share(x, axis, _shares_ahead))
        if ahead
        else (lambda x, *, axis: max_share(coefficient(x, 0), axis, lambda row: shares(row, decide=ties != "open"))),
        "pad": lambda x, *, widths, value: pad(x, widths=widths, value=constant(repr(value))),
        "astype": still["astype"],
    }
    return {"constant": constant, **{name: _kept_in_arrays(function) for name, function in table.items()}}


# At a pole these are what they are at infinity, but for less than any power of t.
FLAT = frozenset(("exp", "expm1", "tanh", "sigmoid", "softplus", "erf", "erfc"))
ALGEBRAIC = frozenset(("abs", "square", "sqrt", "reciprocal", "pow", "hypot", "maximum", "minimum", "divide"))


def _times(a: Any, b: Any) -> Any:
    y = a * b
    known = not isinstance(y, Laurent) and not _coefficient_of(y, 0).is_nan()
    return y if known or not any(no_number(_coefficient_of(x, 0)) for x in (a, b)) else NO_NUMBER


def _shares_ahead(row: list[Germ]) -> list[Germ]:
    """How the largest of a row share it for small t > 0."""
    largest = moving(row[0])
    for s in row[1:]:
        largest = maximum(largest, moving(s))
    smaller = [less(s, largest, STRICTLY) for s in row]
    if any(s is EITHER for s in smaller):
        return [moving(ZERO if s is TRUE else EITHER) for s in smaller]
    return [moving(ONE / smaller.count(FALSE) if s is FALSE else ZERO) for s in smaller]


def _far_out(name: str, function: Callable[..., Germ], of_balls: Callable[..., Any] | None) -> Callable[..., Germ]:
    """The function, with its limits where an operand is infinite: of power series FLINT has none there."""

    def extended(*xs: Any) -> Germ:
        if name not in ALGEBRAIC and any(isinstance(x, Laurent) for x in xs):
            limit = of_balls(INFINITY if xs[0].positive else -INFINITY) if of_balls and name in FLAT else NAN
            return arb_series([limit], prec=LONGEST if limit.is_finite() else 1)
        result = _defined(function)(*xs)
        if not (of_balls and isinstance(result, arb_series)) or result[0].is_finite():
            return result
        still = of_balls(*(ZERO if isinstance(x, Laurent) else x[0] for x in xs))
        if no_number(still) or any(no_number(x[0]) for x in xs if isinstance(x, arb_series)):
            return arb_series([NO_NUMBER] * LONGEST, prec=LONGEST)
        return arb_series([still], prec=LONGEST) if any(map(infinite, xs)) else result

    return extended


def _elementwise(function: Callable[..., Germ], operands: int) -> Callable[..., Any]:
    return np.frompyfunc(_defined(lambda *xs: function(*map(moving, xs))), operands, 1)


def _defined(function: Callable[..., Germ]) -> Callable[..., Germ]:
    """At a pole, where FLINT raises since the quotient is no power series, NaN: as balls say there."""

    def total(*xs: Any) -> Germ:
        try:
            return function(*xs)
        except (ValueError, ZeroDivisionError):
            return NOWHERE

    return total


def _constant_terms(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(coefficient(x, 0))


def _kept_in_arrays(function: Callable[..., Any]) -> Callable[..., Array]:
    """A germ alone would look like a sequence of coefficients to NumPy, so none ever leaves its array."""
    return lambda *xs, **parameters: array(function(*map(array, xs), **parameters))
