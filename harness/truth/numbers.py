"""Balls: the numbers of truth. A ball (python-flint's `arb`) is a midpoint and a rigorous radius.

Arrays are NumPy object arrays of balls, a ball alone stands for one of shape (). `balls()` is the
namespace in which an emitted graph runs on them: the result of every operation encloses what exact
arithmetic would give, at any `flint.ctx.prec`. A ball that reaches over the edge of a domain (sqrt,
asin, acos, acosh) stands for its part inside; outside the domain is NaN, known to be so (`NO_NUMBER`).
Takes graphs with composites written out, emitted with `operators=False`, and knows nothing of engines.

Conditions, and operations that choose, are in `choice.py`.
"""

# The namespace has lambdas of one to many operands, more than a type of fixed arity can say.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from math import inf
from operator import mul, truediv
from typing import Any, TypeAlias, cast

import flint
import numpy as np
from flint import arb, arb_mat, arb_series, fmpq
from numpy.typing import NDArray

from .arrays import ONE, ZERO, array, pad, reduced, structural
from .choice import NO_NUMBER, Ties, choice, chosen, comparisons, max_share, no_number, ordered, same, shares, sign

Ball: TypeAlias = Any
Array: TypeAlias = NDArray[Any]
Namespace: TypeAlias = Mapping[str, Callable[..., Any]]

INFINITY, NAN = arb.pos_inf(), arb.nan()


# --- from numbers to balls ----------------------------------------------------------------------------


def to_balls(numbers: Any) -> Array:
    """An array of floats, integers, booleans or fractions as balls: exact, but for fractions that are not dyadic."""
    numbers = array(numbers)
    if numbers.dtype.kind == "b":
        numbers = numbers.astype(np.int64)
    convert = _ball if numbers.dtype == object else _exact
    result = np.empty(numbers.shape, dtype=object)
    result[...] = convert(numbers)
    return result


def ball(number: Any) -> Ball:
    """One number as a ball: a ball, a fraction, an integer, a boolean or a float."""
    if isinstance(number, arb):
        return number
    if isinstance(number, Fraction):
        return arb(fmpq(number.numerator, number.denominator))
    plain = number.item() if isinstance(number, np.generic) else number
    return arb(+plain)  # the plus makes an integer of a boolean


_exact = np.frompyfunc(arb, 1, 1)
_ball = np.frompyfunc(ball, 1, 1)

_NAMED: Mapping[str, Callable[[], Ball]] = {"pi": arb.pi, "e": arb.const_e, "inf": lambda: INFINITY}


def constant(text: str) -> Ball:
    """A decimal, `pi`, `e` or `inf`, perhaps after a minus, at the present precision."""
    return _constant(text, flint.ctx.prec)


@lru_cache(maxsize=4096)
def _constant(text: str, precision: int) -> Ball:
    named = _NAMED.get(text.removeprefix("-"))
    if named is None:
        return ball(Fraction(text))
    return -named() if text.startswith("-") else named()


# --- functions of one element -----------------------------------------------------------------------------


def _ends(function: Callable[[Ball], Ball], low: Ball, high: Ball) -> Callable[[Ball], Ball]:
    """The function with its limits at -inf and inf, for which `arb` often has only the whole line."""

    def extended(x: Ball) -> Ball:
        if x.is_finite():
            return function(x)
        return high if x == INFINITY else low if x == -INFINITY else NAN

    return extended


def _within(function: Callable[[Ball], Ball], low: int, high: float) -> Callable[[Ball], Ball]:
    """A monotone function on the part of the ball inside its closed domain; NaN for a ball outside."""

    def restricted(x: Ball) -> Ball:
        if x < low or x > high:
            return NO_NUMBER
        y = function(x)
        if not y.is_nan() or x.is_exact() or not x.is_finite():
            return y
        return function(x.lower().max(low)).union(function(x.upper().min(high)))

    return restricted


def absolute(x: Ball) -> Ball:
    y = abs(x)
    return y if y > 0 or x.is_exact() or not x.is_finite() else y.nonnegative_part()


def square(x: Ball) -> Ball:
    y = x * x
    return y if y > 0 or x.is_exact() or not x.is_finite() else ZERO.union(abs(x).upper() ** 2)


def log(x: Ball) -> Ball:
    return -INFINITY if x.is_zero() else NO_NUMBER if x < 0 else x.log()


def log1p(x: Ball) -> Ball:
    return -INFINITY if x == -1 else NO_NUMBER if x < -1 else x.log1p()


def sigmoid(x: Ball) -> Ball:
    if x.rad() > 0.25:  # it increases
        return sigmoid(x.lower()).union(sigmoid(x.upper()))
    if x > -30:
        return 1 / (1 + (-x).exp())
    e = x.exp()  # exp(-x) might be beyond every exponent
    return e / (1 + e)


def softplus(x: Ball) -> Ball:
    """ln(1 + e^x), with all its digits at both ends."""
    return x + (-x).exp().log1p() if x > 1 else x.exp().log1p()


def lgamma(x: Ball) -> Ball:
    """ln |Gamma(x)|; by reflection left of 0 (Abramowitz & Stegun 6.1.17)."""
    return x.lgamma() if x > 0 else (arb.pi() / abs(x.sin_pi())).log() - (1 - x).lgamma()


def digamma(x: Ball) -> Ball:
    """Between its poles it increases from end to end of a ball, of which FLINT's enclosure is wide left of 0."""
    low, high = x.lower(), x.upper()
    if x.is_exact() or x > 0 or low.floor() != high.floor():
        return x.digamma()
    return low.digamma().union(high.digamma())


def polygamma(x: Ball, n: int) -> Ball:
    """The n-th derivative of digamma by Hurwitz' zeta (A&S 6.4.10), by reflection left of 0 (6.4.7)."""
    if x > 0:
        value = arb(n).fac() * arb(n + 1).zeta(x)
        return value if n % 2 else -value
    if not x < 1:
        return NAN
    cotangent = arb_series([x, 1], prec=n + 1).cot_pi()[n] * arb(n).fac() * arb.pi()
    mirrored = polygamma(1 - x, n)
    return -(cotangent + mirrored) if n % 2 else mirrored - cotangent


def floor(x: Ball) -> Ball:
    return _stepped(x, arb.floor)


def ceil(x: Ball) -> Ball:
    return _stepped(x, arb.ceil)


def _stepped(x: Ball, step: Callable[[Ball], Ball]) -> Ball:
    if not x.is_finite():
        return x
    if x.is_exact():
        return step(x)
    low, high = step(x.lower()), step(x.upper())
    return low if low == high else low.union(high)


# --- functions of two elements ----------------------------------------------------------------------------


def power(a: Ball, b: Ball) -> Ball:
    """a^b: by multiplication for a whole exponent, also of a base that is negative or may be zero."""
    if b.is_exact() and b.is_integer():
        if b.is_zero():
            return ONE
        if a.is_finite() and not a.is_exact() and a.contains(0):
            return _power_through_zero(a, b)
        return ZERO if a.is_zero() and b > 0 else a**b
    if a.is_zero():
        return ZERO if b > 0 else NAN
    if a.is_finite() and a.contains(0) and b > 0 and not b.contains_integer():
        return ZERO.union(a.upper() ** b)
    return NO_NUMBER if a < 0 and b.is_finite() and not b.contains_integer() else a**b


def _power_through_zero(a: Ball, b: Ball) -> Ball:
    if b < 0:
        return NAN
    if int(b.unique_fmpz()) % 2:
        return (a.lower() ** b).union(a.upper() ** b)
    return ZERO.union(abs(a).upper() ** b)


def hypot(a: Ball, b: Ball) -> Ball:
    if abs(a) == INFINITY or abs(b) == INFINITY:
        return INFINITY
    return square_root(square(a) + square(b))


def logaddexp(a: Ball, b: Ball) -> Ball:
    """m + ln(1 + (e^(a-m) - 1) + e^(b-m)) with m the larger middle: no overflow, no term twice."""
    if a == -INFINITY or b == -INFINITY:
        return b if a == -INFINITY else a
    if a == INFINITY or b == INFINITY:
        return INFINITY
    if a.rad().max(b.rad()) > 0.25:  # it increases
        return logaddexp(a.lower(), b.lower()).union(logaddexp(a.upper(), b.upper()))
    if b.mid() > a.mid():
        a, b = b, a
    m = a.mid()
    return m + ((a - m).expm1() + (b - m).exp()).log1p()


def atan2(y: Ball, x: Ball) -> Ball:
    return arb.atan2(y, x)


square_root = _ends(_within(arb.sqrt, 0, inf), NO_NUMBER, INFINITY)

UNARY: Mapping[str, Callable[[Ball], Ball]] = {
    "abs": absolute,
    "square": square,
    "sqrt": square_root,
    "reciprocal": lambda x: 1 / x,
    "exp": _ends(arb.exp, ZERO, INFINITY),
    "expm1": _ends(arb.expm1, -ONE, INFINITY),
    "log": _ends(log, NO_NUMBER, INFINITY),
    "log1p": _ends(log1p, NO_NUMBER, INFINITY),
    "log2": _ends(lambda x: log(x) / arb.const_log2(), NO_NUMBER, INFINITY),
    "log10": _ends(lambda x: log(x) / arb.const_log10(), NO_NUMBER, INFINITY),
    "sin": _ends(arb.sin, NO_NUMBER, NO_NUMBER),
    "cos": _ends(arb.cos, NO_NUMBER, NO_NUMBER),
    "tan": _ends(arb.tan, NO_NUMBER, NO_NUMBER),
    "asin": _within(arb.asin, -1, 1),
    "acos": _within(arb.acos, -1, 1),
    "atan": arb.atan,
    "sinh": _ends(arb.sinh, -INFINITY, INFINITY),
    "cosh": _ends(arb.cosh, INFINITY, INFINITY),
    "tanh": arb.tanh,
    "asinh": _ends(arb.asinh, -INFINITY, INFINITY),
    "acosh": _ends(_within(arb.acosh, 1, inf), NO_NUMBER, INFINITY),
    "atanh": lambda x: NO_NUMBER if abs(x) > 1 else x.atanh(),
    "erf": _ends(arb.erf, -ONE, ONE),
    "erfc": _ends(arb.erfc, arb(2), ZERO),
    "lgamma": _ends(lgamma, INFINITY, INFINITY),
    "digamma": _ends(digamma, NO_NUMBER, INFINITY),
    "sigmoid": _ends(sigmoid, ZERO, ONE),
    "softplus": _ends(softplus, ZERO, INFINITY),
    "floor": floor,
    "ceil": ceil,
}
BINARY: Mapping[str, Callable[[Ball, Ball], Ball]] = {
    "pow": power,
    "hypot": hypot,
    "logaddexp": logaddexp,
    "atan2": atan2,
    "maximum": arb.max,
    "minimum": arb.min,
}


# --- the namespace ------------------------------------------------------------------------------------------


def lasting(function: Callable[..., Ball]) -> Callable[..., Ball]:
    """The function, whose result is known to be no number where an operand is: of that balls know nothing."""

    def lasted(*xs: Ball) -> Ball:
        y = function(*xs)
        return NO_NUMBER if y.is_nan() and any(map(no_number, xs)) else y

    return lasted


def _lasting_in_arrays(function: Callable[..., Any], arity: int) -> Callable[..., Any]:
    """`lasting` of a function of arrays, which asks each operand only where a result is NaN."""
    one_by_one = np.frompyfunc(lasting(function), arity, 1)

    def lasted(*xs: Any) -> Any:
        y = function(*xs)
        return one_by_one(*xs) if any(map(arb.is_nan, array(y).ravel().tolist())) else y

    return lasted


def product(a: Array, b: Array) -> Array:
    """The product of two matrices of balls, by FLINT."""
    rows, inner, columns = a.shape[0], a.shape[1], b.shape[1]
    result = arb_mat(rows, inner, a.ravel().tolist()) * arb_mat(inner, columns, b.ravel().tolist())
    entries = np.empty(rows * columns, dtype=object)
    entries[:] = result.entries()
    return entries.reshape(rows, columns)


@cache
def balls(*, ties: Ties) -> Namespace:
    """Every primitive operation on balls, and `constant`.

    `ties` says what a comparison of two exactly equal points is: "decide" follows IEEE 754, "hull" leaves
    it open, as a kink: [0, 1], for sign [-1, 1], for max_share [0, 1] each. Comparisons that overlapping
    balls cannot decide are open in both. "above" and "below" take one side at every tie, with 1 or -1 for sign.
    """
    largest = cast(np.ufunc, np.frompyfunc(arb.max, 2, 1))
    return {
        **structural(product),
        **{name: _lasting_in_arrays(np.frompyfunc(function, 1, 1), 1) for name, function in UNARY.items()},
        **{name: _lasting_in_arrays(np.frompyfunc(function, 2, 1), 2) for name, function in BINARY.items()},
        **comparisons(ordered, same, ties),
        "constant": constant,
        "multiply": _lasting_in_arrays(mul, 2),
        "divide": _lasting_in_arrays(truediv, 2),
        "sign": np.frompyfunc(lambda x: sign(x, ties), 1, 1),
        "polygamma": lambda x, *, n: np.frompyfunc(lambda element: polygamma(element, n), 1, 1)(x),
        "where": choice(chosen),
        "max": lambda x, *, axis, keepdims: reduced(largest, x, axis, keepdims),
        "max_share": lambda x, *, axis: max_share(x, axis, lambda row: shares(row, decide=ties == "decide")),
        "pad": lambda x, *, widths, value: pad(x, widths=widths, value=constant(repr(value))),
        "astype": lambda x: x if array(x).dtype == object else to_balls(x),
    }
