"""Rounding that one sound evaluation may make, as balls: a namespace whose every result is inflated.

The bounds are the textbook's (Higham 2002, "Accuracy and Stability of Numerical Algorithms"): fl(a op b) =
(a op b)(1 + d) with |d| <= u (2.4); a sum of n terms in any order loses at most (n - 1) u sum|terms|
(4.4); a product of inner length n loses n u |X||Y| (3.13). Both hold as they stand, without higher powers
of u and for every n, in any order of summation (Jeannerod & Rump 2013, "Improved error bounds for inner
products in floating-point arithmetic"). Half precisions add in float32: there u is 2^-24 in sums and products,
and their result is rounded once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, cast

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..graph.node import Constant
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..records.formats import Format
from . import next_to_one
from .next_to_one import EITHER_WAY, units

Balls = Any  # an object array of arb, or one arb
Floats: TypeAlias = NDArray[np.float64]


def middle(ball: Balls) -> Balls:
    return _middle(ball)


_middle = np.frompyfunc(lambda v: v.mid() if isinstance(v, arb) else v, 1, 1)


def rounded(
    namespace: Mapping[str, Callable[..., Balls]], form: Format, *, reads_log: bool = False
) -> Mapping[str, Callable[..., Balls]]:
    """The operations of a namespace, each result widened by the rounding that a sound engine may make.

    `reads_log`: where they divide by a sum, the engine may read the logarithm of it.
    """
    functions = {name: _rounding(name, function, form, namespace) for name, function in namespace.items()}
    # Where each addition rounds to the format itself, a sum may lose more than its logarithm does.
    return {**functions, "divide": _by_logarithm(functions["divide"], form)} if reads_log and form.inside else functions


def _rounding(
    name: str, function: Callable[..., Balls], form: Format, namespace: Mapping[str, Callable[..., Balls]]
) -> Callable[..., Balls]:
    if name in _OF_ITS_OWN:
        return _OF_ITS_OWN[name](function, form)
    operation = OPERATIONS[name]
    if operation.selects:  # by numbers that it reads unperturbed: the balls' middles
        return lambda *operands, **params: function(*map(middle, operands), **params)
    if operation.sums is not None:
        return _accumulation(operation, function, form, namespace["abs"])
    return _widened(name, function, form) if operation.cost else function


def _widened(name: str, function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """Every result times (1 ± c u), by the operation's own c."""
    factor, noise = arb(1, units(name, form) * form.step), underflow(form)
    radius = next_to_one.radius(name, form)

    def widened(*operands: Balls, **params: Any) -> Balls:
        result = function(*operands, **params)
        wide = unless_infinite(result * factor + noise(result), result)
        if radius is None:
            return wide
        off = radius(operands[0])
        return next_to_one.closer(next_to_one.snapped(result, off), wide, off)

    return widened


def _larger(function: Callable[..., Balls]) -> Callable[..., Balls]:
    """The larger or smaller of two balls: the one that it is beyond doubt, be the other as wide as it may; else around
    that of their middles, so that a tie remains one for what chooses after it."""

    def around(a: arb, b: arb, either: arb) -> arb:
        if not either.is_finite():
            return either
        of_middles = cast(arb, function(a.mid(), b.mid()))
        if not a.overlaps(b):
            return a if of_middles == a.mid() else b
        return arb(of_middles, a.rad().max(b.rad()))  # |max(a, b) - max(c, d)| <= max(|a - c|, |b - d|)

    elements: Callable[..., Balls] = np.frompyfunc(around, 3, 1)

    def larger(a: Balls, b: Balls) -> Balls:
        return elements(a, b, function(a, b))

    return larger


_is_finite = np.frompyfunc(arb.is_finite, 1, 1)
_unless_infinite = np.frompyfunc(lambda wide, exact: wide if exact.is_finite() else exact, 2, 1)


def unless_infinite(wide: Balls, exact: Balls) -> Balls:
    """The wider balls. But an infinity is exact: widened it would be a ball that says nothing."""
    return wide if np.all(_is_finite(wide)) else _unless_infinite(wide, exact)


def _constant(function: Callable[[str], Balls], form: Format) -> Callable[[str], Balls]:
    def rounded_in(text: str) -> Balls:
        return function(text) if exact_in(text, form) else entered(function(text), form)

    return rounded_in


def exact_in(text: str, form: Format) -> bool:
    """Whether a constant is a number of the format (its range aside), and so is not rounded on its way in."""
    exact = Constant(text).exact
    if exact is None:
        return "inf" in text
    return exact == 0 or (_odd(exact.denominator) == 1 and abs(_odd(exact.numerator)) < 1 / form.unit)


def _odd(number: int) -> int:
    """What is left of a number other than 0 once it is divided by 2 as often as it can be."""
    return number // (number & -number)


def _power(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """a^b of a base that is not positive exists for whole b alone: there the exponent is read unperturbed."""
    factor, noise = arb(1, units("pow", form) * form.step), underflow(form)

    def whole(base: Any, exponent: Any) -> Any:
        return (
            exponent.mid() if not base > 0 and isinstance(exponent, arb) and exponent.mid().is_integer() else exponent
        )

    choose = np.frompyfunc(whole, 2, 1)

    def widened(a: Balls, b: Balls) -> Balls:
        result = function(a, choose(a, b))
        return result * factor + noise(result)

    return widened


def _log_of_sum(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """max + log1p(e^-|a - b|): next to the root, e^a + e^b = 1, they cancel, and what each was rounded by is left."""
    cost = units("logaddexp", form)
    factor = arb(1, cost * form.unit)

    def widened(a: Balls, b: Balls) -> Balls:
        result = function(a, b)
        wide = result * factor + _around_zero(
            np.abs(np.maximum(floats(a), floats(b))) * (cost * form.unit) + form.smallest
        )
        return unless_infinite(wide, result)

    return widened


def log_of_sum_read(cost: float, operands: Sequence[NDArray[Any]], result: NDArray[Any], form: Format) -> Balls:
    """By how much e^(a - y), of a rule that reads y = log(e^a + e^b), is off since y was rounded; as balls around 0.

    y lies above the larger of both by log1p(e^-|a - b|). It is rounded to the larger or not twice as far, or else is
    off by units roundoff of its parts. The worst of all where terms are sums, because operands were broadcast.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (*operands, 0.0)[:2])
    y = result.astype(np.float64)
    with np.errstate(all="ignore"):
        larger, above = np.maximum(a, b), np.log1p(np.exp(-np.abs(a - b)))
        units = cost * form.unit * np.maximum(np.abs(y), np.abs(larger))
        lost = np.expm1(np.minimum(units, np.abs(y - larger) + 2 * above))
    lost = np.where(np.isfinite(lost), lost, 0.0)
    return _around_zero(lost if all(x.shape == y.shape for x in operands) else np.max(lost, initial=0.0))


def _by_logarithm(divide: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """e^(x - y) of y = log(sum) in place of e^x / sum: y is rounded, and so is x - y, each by u log(sum) at most.

    What else y and x - y are rounded by, u max|x| and u |x - max|, is in e^x already.
    """
    spread = np.frompyfunc(lambda b: arb(0, float(2 * form.unit * abs(b).log())) if abs(b) > 1 else arb(0), 1, 1)

    def widened(a: Balls, b: Balls) -> Balls:
        result = divide(a, b)
        return result + result * spread(b)

    return widened


def _digamma(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """log 10 - sum of 1 / (x + k) on the way up to 10, left of 0 by psi(1 - x) - pi cot(pi x) (A&S 6.3.6, 6.3.7).

    Next to a root these cancel, and what each was rounded by is left.
    """
    cost = units("digamma", form)

    def widened(x: Balls) -> Balls:
        result = function(x)
        values, mirrored = floats(result), floats(function(_right_of_0(x)))
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(mirrored), 2 * np.log(10) - mirrored) + np.abs(mirrored - values)
            wide = result + _around_zero(size * (cost * form.step) + form.smallest)
        return unless_infinite(wide, result)

    return widened


_right_of_0 = np.frompyfunc(lambda x: 1 - x if x < 0 else x, 1, 1)


def _polygamma(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """Left of 0 by sin(pi x) (A&S 6.4.7): pi is rounded, and so is its product with x."""
    twice = arb(1, 2 * form.step)
    turned = np.frompyfunc(lambda x: x * twice if x < 0 else x, 1, 1)

    def reflected(x: Balls, *, n: int) -> Balls:
        return function(turned(x), n=n)

    return _widened("polygamma", reflected, form)


def _padded(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """The value that is padded with is a constant, rounded on its way in like every other."""

    def widened(x: Balls, *, widths: Any, value: float) -> Balls:
        result = function(x, widths=widths, value=value)
        return result if exact_in(repr(value), form) else entered(result, form)

    return widened


def entered(x: Balls, form: Format, units: float = 1) -> Balls:
    """One rounding of every number that enters, since compilers fuse and fold: x (1 ± u), and near zero x ± eta / 2."""
    wide = x * arb(1, units * form.unit)
    if not form.gradual:
        return wide
    half = form.smallest / 2
    near_zero: Balls = abs(x) * form.unit < half
    return wide + near_zero * arb(0, half)


def _accumulation(
    operation: Operation, function: Callable[..., Balls], form: Format, absolute: Callable[..., Balls]
) -> Callable[..., Balls]:
    """An operation that adds products: its bound is the same operation on absolute values."""
    assert operation.sums is not None
    length, joints = operation.sums, operation.joints if form.inside else None

    def widened(*operands: Balls, **params: Any) -> Balls:
        exact, shapes = function(*operands, **params), [*map(np.shape, operands)]
        n = length(*shapes, **params)
        if n == 0:
            return exact
        sizes = [absolute(operand) if np.asarray(operand).dtype == object else operand for operand in operands]
        lost = n * form.sums.step + (joints(*shapes, **params) * form.step if joints else 0)
        bound = function(*sizes, **params) * lost + n * form.sums.smallest
        return rounded_out(exact + bound * EITHER_WAY, form)

    return widened


def rounded_out(result: Balls, form: Format) -> Balls:
    """A sum on its way out of an operation that kept it in a finer format."""
    return result if form.inside is None else result * arb(1, form.step) + underflow(form)(result)


@cache
def underflow(form: Format) -> Callable[[Balls], Balls]:
    """What rounding next to zero may add to a result: eta. Where subnormals are kept, only to one that may be small."""
    eta, nothing = arb(0, form.smallest), arb(0)
    if not form.gradual:
        return lambda result: eta
    return np.frompyfunc(lambda x: nothing if abs(x) * form.unit >= form.smallest else eta, 1, 1)


def _product(function: Callable[..., Balls], form: Format) -> Callable[..., Balls]:
    """A matrix product: the exact product of the middles, and all that radii and rounding may add to it.

    The bound is a product of sizes in float64, itself widened by its own rounding, (n + 2) 2^-52 of it.
    """

    def widened(a: Balls, b: Balls) -> Balls:
        with np.errstate(all="ignore"):
            radius_a, radius_b = radii(a), radii(b)
            size_a, size_b = np.abs(floats(a)) + radius_a, np.abs(floats(b)) + radius_b
            n = np.shape(a)[-1]
            spread = size_a @ radius_b + radius_a @ size_b + n * form.sums.step * (size_a @ size_b)
            bound = spread * (1 + (n + 4) * 2.0**-52) + (n * form.sums.smallest + 5e-324)
        return rounded_out(function(_mid(a), _mid(b)) + _around_zero(bound), form)

    return widened


_around_zero = np.frompyfunc(lambda radius: arb(0, radius), 1, 1)


# What rounding does to these is no multiple of their result.
_OF_ITS_OWN: Mapping[str, Callable[[Callable[..., Balls], Format], Callable[..., Balls]]] = {
    "constant": _constant,
    "pow": _power,
    "maximum": lambda function, form: _larger(function),
    "minimum": lambda function, form: _larger(function),
    "logaddexp": _log_of_sum,
    "digamma": _digamma,
    "polygamma": _polygamma,
    "matmul": _product,
    "pad": _padded,
}


def floats(balls: Balls) -> Floats:
    """The float64 nearest to every ball's middle."""
    return np.asarray(_mid(balls), dtype=object).astype(np.float64)


def radii(balls: Balls) -> Floats:
    """Every ball's radius as a float64, to nearest."""
    return np.asarray(_rad(balls), dtype=object).astype(np.float64)


_mid = np.frompyfunc(arb.mid, 1, 1)
_rad = np.frompyfunc(arb.rad, 1, 1)
