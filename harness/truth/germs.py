"""Germs: forward mode by power series, the derivation that the hand-written rules are held against.

A germ is a number that moves: x + t dx, a power series in t cut after its first power (python-flint's
`arb_series`, whose coefficients are balls). FLINT's own formulas push it through a graph; what FLINT
lacks is built here once from what it has. Shares nothing with reverse mode: imports neither
`derivatives.py` nor `gradient.py`, and reads composites in their textbook definitions.

At a kink a germ looks ahead: a comparison of equal constant terms is decided by the slopes, as it
stands for small t > 0, so that derivatives are one-sided. What stays open gives the hull.
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import truediv
from typing import Any, TypeAlias, cast

import numpy as np
from flint import arb, arb_series
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from .arrays import ZERO, array, pad, reduced, structural
from .choice import FALSE, NAN, TRUE, choice, comparisons, max_share, ordered, same, shares
from .numbers import Namespace, balls, constant, to_balls
from .numbers import product as of_balls

Germ: TypeAlias = Any
Array: TypeAlias = NDArray[Any]
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
    outputs = graph.outputs
    program = emit(expanded(graph, stable=False), germs(), outputs, operators=False)

    def pushed(inputs: Mapping[str, Any], directions: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Array]]:
        given = [
            _germs(to_balls(inputs[node.name]), to_balls(directions[node.name]))
            if node.name in directions
            else to_balls(inputs[node.name])
            if node.kind == "float"
            else np.asarray(inputs[node.name])
            for node in graph.inputs
        ]
        results = program(*given)
        values = {name: _coefficients(result, 0) for name, result in zip(outputs, results, strict=True)}
        slopes = {name: _coefficients(result, 1) for name, result in zip(outputs, results, strict=True)}
        return values, slopes

    return pushed


def _germs(x: Any, dx: Any) -> Array:
    return array(_germ(x, dx))


def _coefficients(germs: Array, k: int) -> Array:
    return array(_parts[k](germs))


# --- functions of one germ ----------------------------------------------------------------------------


def germ(x: Any, dx: Any) -> Germ:
    return arb_series([x, dx], prec=2)


def moving(x: Any) -> Germ:
    """A ball as a germ that stands still."""
    return x if isinstance(x, arb_series) else germ(x, 0)


_germ = np.frompyfunc(germ, 2, 1)
_parts = (
    np.frompyfunc(lambda s: s[0] if isinstance(s, arb_series) else s, 1, 1),
    np.frompyfunc(lambda s: s[1] if isinstance(s, arb_series) else ZERO, 1, 1),
)


def _still(function: Callable[[Any], Any]) -> Callable[[Germ], Germ]:
    """A function of the constant term alone: a step, which has no slope."""
    return lambda s: germ(function(s[0]), 0)


def _from(value: Any, s: Germ) -> Germ:
    """The germ with its constant term replaced by an equal ball that is tighter."""
    return germ(value, s[1])


def expm1(s: Germ) -> Germ:
    return _from(s[0].expm1(), s.exp())


def log1p(s: Germ) -> Germ:
    return _from(s[0].log1p(), (1 + s).log())


def sinh(s: Germ) -> Germ:
    e = s.exp()
    return _from(s[0].sinh(), (e - 1 / e) / 2)


def cosh(s: Germ) -> Germ:
    e = s.exp()
    return (e + 1 / e) / 2


def tanh(s: Germ) -> Germ:
    return _from(s[0].tanh(), 1 - 2 / (1 + (2 * s).exp()))


def asinh(s: Germ) -> Germ:
    return _from(s[0].asinh(), (s + (s * s + 1).sqrt()).log())


def acosh(s: Germ) -> Germ:
    return (s + (s * s - 1).sqrt()).log()


def atanh(s: Germ) -> Germ:
    return _from(s[0].atanh(), ((1 + s) / (1 - s)).log() / 2)


def log_gamma(s: Germ, length: int = 2) -> Germ:
    """ln |Gamma|, by reflection left of 0; to `length` coefficients."""
    x = s if length == 2 else arb_series([s[0], 1], prec=length)
    if s[0] > 0:
        return x.lgamma()
    sine = x.sin_pi()
    return (arb.pi() / (sine if sine[0] > 0 else -sine)).log() - (1 - x).lgamma()


def polygamma(s: Germ, n: int) -> Germ:
    """The derivatives n + 1 and n + 2 of ln |Gamma|, as Taylor coefficients."""
    taylor = log_gamma(s, n + 3)
    value = taylor[n + 1] * arb(n + 1).fac()
    return germ(value, taylor[n + 2] * arb(n + 2).fac() * s[1])


def absolute(s: Germ) -> Germ:
    return maximum(s, -s)


UNARY: Mapping[str, Callable[[Germ], Germ]] = {
    "abs": absolute,
    "square": lambda s: s * s,
    "sqrt": arb_series.sqrt,
    "reciprocal": lambda s: 1 / s,
    "exp": arb_series.exp,
    "expm1": expm1,
    "log": arb_series.log,
    "log1p": log1p,
    "log2": lambda s: s.log() / arb.const_log2(),
    "log10": lambda s: s.log() / arb.const_log10(),
    "sin": arb_series.sin,
    "cos": arb_series.cos,
    "tan": arb_series.tan,
    "asin": arb_series.asin,
    "acos": arb_series.acos,
    "atan": arb_series.atan,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
    "erf": arb_series.erf,
    "erfc": arb_series.erfc,
    "lgamma": log_gamma,
    "digamma": lambda s: polygamma(s, 0),
    "sigmoid": lambda s: 1 / (1 + (-s).exp()),
    "softplus": lambda s: log1p(s.exp()),
    "stop_gradient": _still(lambda x: x),
}  # fmt: skip


# --- functions of two germs -----------------------------------------------------------------------------


def power(a: Germ, b: Germ) -> Germ:
    """a^b; for a whole exponent that stands still by multiplication, so for a negative base too."""
    n = b[0].unique_fmpz() if b[1].is_zero() and b[0].is_exact() else None
    if n is not None:
        return a ** int(n) if n >= 0 else 1 / a ** int(-n)
    return (b * a.log()).exp()


def atan2(y: Germ, x: Germ) -> Germ:
    slope = (y / x).atan() if not x[0].contains(0) else -(x / y).atan()
    return _from(arb.atan2(y[0], x[0]), slope)


def maximum(a: Germ, b: Germ) -> Germ:
    return chosen(less(a, b, FALSE), b, a)


def minimum(a: Germ, b: Germ) -> Germ:
    return chosen(less(a, b, FALSE), a, b)


BINARY: Mapping[str, Callable[[Germ, Germ], Germ]] = {
    "pow": power,
    "hypot": lambda a, b: (a * a + b * b).sqrt(),
    "logaddexp": lambda a, b: (a.exp() + b.exp()).log(),
    "atan2": atan2,
    "maximum": maximum,
    "minimum": minimum,
}


# --- choice -----------------------------------------------------------------------------------------------


def less(a: Any, b: Any, at_tie: Any) -> Any:
    """Whether a < b for small t > 0; `at_tie` where both terms are equal."""
    a, b = moving(a), moving(b)
    return ordered(a[1], b[1], at_tie) if a[0] == b[0] else ordered(a[0], b[0], at_tie)


def equal(a: Any, b: Any, at_tie: Any) -> Any:
    a, b = moving(a), moving(b)
    return same(a[1], b[1], at_tie) if a[0] == b[0] else same(a[0], b[0], at_tie)


def chosen(condition: Any, a: Any, b: Any) -> Any:
    if condition is TRUE or condition is FALSE:
        return a if condition is TRUE else b
    if condition.is_exact():
        return b if condition.is_zero() else a
    a, b = moving(a), moving(b)
    return germ(a[0].union(b[0]), a[1].union(b[1]))


# --- the namespace ------------------------------------------------------------------------------------------


def product(a: Array, b: Array) -> Array:
    """The product of two matrices of germs: A0 B0 + (A0 B1 + A1 B0) t, each by FLINT."""
    (a0, a1), (b0, b1) = _split(a), _split(b)
    value = of_balls(a0, b0)
    if a1 is None and b1 is None:
        return value
    ahead = ZERO if b1 is None else of_balls(a0, b1)
    behind = ZERO if a1 is None else of_balls(a1, b0)
    return _germs(value, ahead + behind)


def _split(x: Array) -> tuple[Array, Array | None]:
    """Both coefficients of a matrix; no second one where nothing moves."""
    still = not any(isinstance(s, arb_series) for s in x.ravel().tolist())
    return (x, None) if still else (_coefficients(x, 0), _coefficients(x, 1))


@cache
def germs() -> Namespace:
    """Every primitive operation on arrays of germs; a ball among them is a germ that stands still."""
    largest = cast(np.ufunc, np.frompyfunc(lambda a, b: maximum(moving(a), moving(b)), 2, 1))
    decided = balls(ties="decide")
    table: dict[str, Callable[..., Any]] = {
        **structural(product),
        **{name: _elementwise(function, 1) for name, function in UNARY.items()},
        **{name: _elementwise(function, 2) for name, function in BINARY.items()},
        **{name: _constant_terms(decided[name]) for name in ("sign", "floor", "ceil")},
        **comparisons(less, equal, decide=True),
        "divide": np.frompyfunc(_defined(truediv), 2, 1),
        "polygamma": lambda x, *, n: _elementwise(lambda s: polygamma(s, n), 1)(x),
        "where": choice(chosen),
        "max": lambda x, *, axis, keepdims: reduced(largest, x, axis, keepdims),
        "max_share": lambda x, *, axis: max_share(_coefficients(x, 0), axis, lambda row: shares(row, decide=True)),
        "pad": lambda x, *, widths, value: pad(x, widths=widths, value=constant(repr(value))),
        "astype": decided["astype"],
    }
    return {"constant": constant, **{name: _kept_in_arrays(function) for name, function in table.items()}}


def _elementwise(function: Callable[..., Germ], operands: int) -> Callable[..., Any]:
    return np.frompyfunc(_defined(lambda *xs: function(*map(moving, xs))), operands, 1)


def _defined(function: Callable[..., Germ]) -> Callable[..., Germ]:
    """At a pole, where FLINT raises since the quotient is no power series, NaN: as balls say there."""

    def total(*xs: Any) -> Germ:
        try:
            return function(*xs)
        except (ValueError, ZeroDivisionError):
            return germ(NAN, NAN)

    return total


def _constant_terms(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(_coefficients(x, 0))


def _kept_in_arrays(function: Callable[..., Any]) -> Callable[..., Array]:
    """A germ alone would look like a sequence of coefficients to NumPy, so none ever leaves its array."""
    return lambda *xs, **parameters: array(function(*map(array, xs), **parameters))
