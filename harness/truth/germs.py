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
from typing import Any, TypeAlias, cast

import numpy as np
from flint import arb, arb_series
from numpy.typing import NDArray

from ..graph.emit import emit
from ..graph.expand import expanded
from ..graph.graph import Graph
from .arrays import ONE, ZERO, array, pad, reduced, structural
from .choice import FALSE, NAN, STRICTLY, TRUE, choice, comparisons, max_share, ordered, same, shares
from .laurent import LONGEST, Laurent, germ_of, known, quotient
from .numbers import BINARY as OF_BALLS_TWO
from .numbers import INFINITY, Namespace, balls, constant, to_balls
from .numbers import UNARY as OF_BALLS
from .numbers import product as of_balls

Germ: TypeAlias = Any
Array: TypeAlias = NDArray[Any]
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


def mover(graph: Graph, power: int = 1, length: int = 2, *, ahead: bool = False) -> Motion:
    """The germs of the outputs where each input moves as x + dx t^power, to `length` coefficients at most.

    With t^2 in place of t square roots of what moves are power series too. `ahead`: step functions are what they are
    for small t > 0, and not at t = 0.
    """
    outputs = graph.outputs
    program = emit(expanded(graph, stable=False), germs(ahead=ahead), outputs, operators=False)
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


# --- functions of one germ ----------------------------------------------------------------------------


NOWHERE = arb_series([NAN] * LONGEST, prec=LONGEST)  # of a step that does not exist, or is no power series


def germ(x: Any, dx: Any) -> Germ:
    return arb_series([x, dx], prec=2)


def moving(x: Any) -> Germ:
    """A ball as a germ that stands still."""
    return arb_series([x], prec=LONGEST) if isinstance(x, arb) else x


def _still(function: Callable[[Any], Any]) -> Callable[[Germ], Germ]:
    """A function of the constant term alone: a step, which has no slope."""
    return lambda s: arb_series([function(s[0])], prec=s.prec)


def _from(value: Any, s: Germ) -> Germ:
    """The germ with its constant term replaced by an equal ball that is tighter."""
    return arb_series([value, *s.coeffs()[1:]], prec=s.prec)


def sqrt(s: Germ) -> Germ:
    """The square root; of t^(2k) a it is t^k times that of a."""
    if isinstance(s, Laurent):
        return germ_of(s.order // 2, known(s.series.sqrt())[1]) if s.order % 2 == 0 else NOWHERE
    if not s[0].is_zero() or s.length() > s.prec:
        return s.sqrt()
    order = s.valuation() if s.length() else s.prec
    if order >= s.prec:
        return arb_series([0], prec=max((s.prec + 1) // 2, 1))
    root = arb_series(s.coeffs()[order:], prec=s.prec - order).sqrt()
    if order % 2:
        return germ(0, NAN) if root[0] > 0 else NOWHERE
    return _shifted(root, order // 2, s.prec - order // 2)


def _shifted(s: Germ, order: int, length: int) -> Germ:
    """t^order s."""
    return arb_series([0] * order + s.coeffs(), prec=length)


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
    return _from(s[0].asinh(), (s + sqrt(s * s + 1)).log())


def acosh(s: Germ) -> Germ:
    return (s + sqrt(s * s - 1)).log()


def asin(s: Germ) -> Germ:
    """At the ends of its domain by the half angle (Abramowitz & Stegun 4.3.20), whose root FLINT's series lacks."""
    return 2 * (s / (1 + sqrt(1 - s * s))).atan() if abs(s[0]) == 1 else s.asin()


def atanh(s: Germ) -> Germ:
    return _from(s[0].atanh(), ((1 + s) / (1 - s)).log() / 2)


def log_gamma(s: Germ) -> Germ:
    """ln |Gamma|, by reflection left of 0."""
    if s[0] > 0:
        return s.lgamma()
    sine = s.sin_pi()
    return (arb.pi() / (sine if sine[0] > 0 else -sine)).log() - (1 - s).lgamma()


def polygamma(s: Germ, n: int) -> Germ:
    """The derivative n + 1 of ln |Gamma|, by its Taylor series at the constant term."""
    taylor = log_gamma(arb_series([s[0], 1], prec=n + 1 + s.prec))
    for _ in range(n + 1):
        taylor = taylor.derivative()
    return taylor(s - s[0])


def absolute(s: Germ) -> Germ:
    return maximum(s, -s)


def sign(s: Germ) -> Germ:
    """That for small t > 0."""
    if isinstance(s, Laurent):
        return moving(ONE if s.positive else -ONE)
    ahead = next((s[k] for k in range(s.length()) if not s[k].is_zero()), ZERO)
    return arb_series([ahead.sgn() if not ahead.is_nan() else NAN], prec=s.prec)


def _leaves(s: Germ, way: int) -> bool:
    """Whether a germ begins at a whole number and goes down from it, or up."""
    if not s[0].is_integer():
        return False
    moved = next((s[k] for k in range(1, s.length()) if not s[k].is_zero()), ZERO)
    return bool(moved * way > 0)


STEPS: Mapping[str, Callable[[Germ], Germ]] = {
    "sign": sign,
    "floor": lambda s: _still(arb.floor)(s) - (1 if _leaves(s, -1) else 0),
    "ceil": lambda s: _still(arb.ceil)(s) + (1 if _leaves(s, 1) else 0),
}
UNARY: Mapping[str, Callable[[Germ], Germ]] = {
    "abs": absolute,
    "square": lambda s: s * s,
    "sqrt": sqrt,
    "reciprocal": lambda s: quotient(ONE, s),
    "exp": arb_series.exp,
    "expm1": expm1,
    "log": arb_series.log,
    "log1p": log1p,
    "log2": lambda s: s.log() / arb.const_log2(),
    "log10": lambda s: s.log() / arb.const_log10(),
    "sin": arb_series.sin,
    "cos": arb_series.cos,
    "tan": arb_series.tan,
    "asin": asin,
    "acos": lambda s: arb.pi() / 2 - asin(s) if abs(s[0]) == 1 else s.acos(),
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
    n = b[0].unique_fmpz() if b.length() <= 1 and b[0].is_exact() else None
    if n is not None:
        return a ** int(n) if n >= 0 else quotient(ONE, a ** int(-n))
    if isinstance(a, Laurent):
        whole = a.order * b[0]
        if b.length() > 1 or not whole.is_integer():
            return NOWHERE
        return germ_of(int(whole.unique_fmpz()), known((b * a.series.log()).exp())[1])
    if not a.length() and a.prec == LONGEST and b[0] > 0:
        return a  # 0 stays 0 while the exponent moves
    order = a.valuation() if a[0].is_zero() and a.length() else 0
    if order == 0 or b.length() > 1 or not (b[0] * order).is_integer() or not b[0] > 0:
        return (b * a.log()).exp()
    rest = arb_series(a.coeffs()[order:], prec=a.prec - order)
    return _shifted((b * rest.log()).exp(), int((b[0] * order).unique_fmpz()), a.prec - order)


def atan2(y: Germ, x: Germ) -> Germ:
    slope = quotient(y, x) if not x[0].contains(0) else -quotient(x, y)
    slope = (quotient(y, x) if isinstance(slope, Laurent) else slope).atan()
    known = min(y.prec, x.prec)
    k = next((k for k in range(known) if not (y[k].is_zero() and x[k].is_zero())), 0)  # from there the angle is seen
    return _from(arb.atan2(y[k], x[k]), slope)


def maximum(a: Germ, b: Germ) -> Germ:
    return chosen(less(a, b, STRICTLY), b, a)


def minimum(a: Germ, b: Germ) -> Germ:
    return chosen(less(a, b, STRICTLY), a, b)


def logaddexp(a: Germ, b: Germ) -> Germ:
    if any(_infinite(x) and x[0] < 0 for x in (a, b)):
        return b if _infinite(a) else a
    return (a.exp() + b.exp()).log()


def _infinite(s: Germ) -> bool:
    """Whether a germ is an infinity, and none that it passes through at t = 0 alone."""
    return isinstance(s, arb_series) and not s[0].is_finite() and not s[0].is_nan() and bool(s[0].rad().is_zero())


BINARY: Mapping[str, Callable[[Germ, Germ], Germ]] = {
    "pow": power,
    "hypot": lambda a, b: sqrt(a * a + b * b),
    "logaddexp": logaddexp,
    "atan2": atan2,
    "maximum": maximum,
    "minimum": minimum,
}


# --- choice -----------------------------------------------------------------------------------------------


def less(a: Any, b: Any, at_tie: Any) -> Any:
    """Whether a < b for small t > 0; `at_tie` where all coefficients are equal."""
    return ordered(*_first_to_differ(a, b), at_tie)


def equal(a: Any, b: Any, at_tie: Any) -> Any:
    return same(*_first_to_differ(a, b), at_tie)


def _first_to_differ(a: Any, b: Any) -> tuple[Any, Any]:
    a, b = moving(a), moving(b)
    if isinstance(a, Laurent) or isinstance(b, Laurent):
        a, b = a - b, arb_series([0], prec=LONGEST)
        if isinstance(a, Laurent):
            return a.series[0], ZERO
    if _infinite(a) and _infinite(b):
        return a[0], b[0]
    for k in range(min(a.prec, b.prec, max(a.length(), b.length()))):
        if a[k] == b[k]:
            continue
        return a[k], b[k]
    return ZERO, ZERO


def chosen(condition: Any, a: Any, b: Any) -> Any:
    if condition is TRUE or condition is FALSE:
        return a if condition is TRUE else b
    if condition.is_exact():
        return b if condition.is_zero() else a
    a, b = moving(a), moving(b)
    if isinstance(a, Laurent) or isinstance(b, Laurent):
        return NOWHERE
    length = min(a.prec, b.prec)
    return arb_series([a[k].union(b[k]) for k in range(length)], prec=length)


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
def germs(*, ahead: bool = False) -> Namespace:
    """Every primitive operation on arrays of germs; a ball among them is a germ that stands still."""
    largest = cast(np.ufunc, np.frompyfunc(lambda a, b: maximum(moving(a), moving(b)), 2, 1))
    decided = balls(ties="decide")
    table: dict[str, Callable[..., Any]] = {
        **structural(product),
        **{name: _elementwise(_far_out(name, function, OF_BALLS.get(name)), 1) for name, function in UNARY.items()},
        **{name: _elementwise(_far_out(name, function, OF_BALLS_TWO[name]), 2) for name, function in BINARY.items()},
        **{name: _elementwise(step, 1) if ahead else _constant_terms(decided[name]) for name, step in STEPS.items()},
        **comparisons(less, equal, "decide"),
        "divide": _elementwise(_far_out("divide", quotient, truediv), 2),
        "polygamma": lambda x, *, n: _elementwise(lambda s: polygamma(s, n), 1)(x),
        "where": choice(chosen),
        "max": lambda x, *, axis, keepdims: reduced(largest, x, axis, keepdims),
        "max_share": lambda x, *, axis: max_share(coefficient(x, 0), axis, lambda row: shares(row, decide=True)),
        "pad": lambda x, *, widths, value: pad(x, widths=widths, value=constant(repr(value))),
        "astype": decided["astype"],
    }
    return {"constant": constant, **{name: _kept_in_arrays(function) for name, function in table.items()}}


# At a pole these are what they are at infinity, but for less than any power of t.
FLAT = frozenset(("exp", "expm1", "tanh", "sigmoid", "softplus", "erf", "erfc"))
ALGEBRAIC = frozenset(("abs", "square", "sqrt", "reciprocal", "pow", "hypot", "maximum", "minimum", "divide"))


def _far_out(name: str, function: Callable[..., Germ], of_balls: Callable[..., Any] | None) -> Callable[..., Germ]:
    """The function, with its limits where an operand is infinite: of power series FLINT has none there."""

    def extended(*xs: Any) -> Germ:
        if name not in ALGEBRAIC and any(isinstance(x, Laurent) for x in xs):
            limit = of_balls(INFINITY if xs[0].positive else -INFINITY) if of_balls and name in FLAT else NAN
            return arb_series([limit], prec=LONGEST if limit.is_finite() else 1)
        result = function(*xs)
        if of_balls and isinstance(result, arb_series) and not result[0].is_finite() and any(map(_infinite, xs)):
            return arb_series([of_balls(*(ZERO if isinstance(x, Laurent) else x[0] for x in xs))], prec=LONGEST)
        return result

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
