"""Functions of germs, power series in t for small t > 0, and the choices between them.

FLINT's own formulas, and what it lacks built once from what it has; nothing here is a derivative of an operation.
"""

# The tables have lambdas of one and two operands.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flint import arb, arb_series

from .arrays import ONE, ZERO
from .choice import EITHER, FALSE, NAN, STRICTLY, TRUE, no_number, ordered, same
from .laurent import LONGEST, Germ, Laurent, germ_of, known, quotient

# --- functions of one germ ----------------------------------------------------------------------------


NOWHERE = arb_series([NAN] * LONGEST, prec=LONGEST)  # of a step that does not exist, or is no power series


def germ(x: Any, dx: Any) -> Germ:
    return arb_series([x, dx], prec=2)


def moving(x: Any) -> Germ:
    """A ball as a germ that stands still."""
    return arb_series([x], prec=LONGEST) if isinstance(x, arb) else x


def still(function: Callable[[Any], Any]) -> Callable[[Germ], Germ]:
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
    "floor": lambda s: still(arb.floor)(s) - (1 if _leaves(s, -1) else 0),
    "ceil": lambda s: still(arb.ceil)(s) + (1 if _leaves(s, 1) else 0),
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
    "stop_gradient": still(lambda x: x),
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
    return NOWHERE if lost(a, b) else chosen(less(a, b, STRICTLY), b, a)


def minimum(a: Germ, b: Germ) -> Germ:
    return NOWHERE if lost(a, b) else chosen(less(a, b, STRICTLY), a, b)


def lost(*germs: Germ) -> bool:
    """Whether one is known to be no number: neither the larger nor the smaller is one then."""
    return any(isinstance(s, arb_series) and no_number(s[0]) for s in germs)


def logaddexp(a: Germ, b: Germ) -> Germ:
    if any(infinite(x) and x[0] < 0 for x in (a, b)):
        return b if infinite(a) else a
    return (a.exp() + b.exp()).log()


def infinite(s: Germ) -> bool:
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


# --- every choice of derivatives ------------------------------------------------------------------------------


def _either(a: Germ, b: Germ) -> Germ:
    """Both germs at a tie of their constant terms, whatever comes behind these: the hull."""
    if isinstance(a, Laurent) or isinstance(b, Laurent) or not (infinite(a) or infinite(b) or a[0] == b[0]):
        return maximum(a, b)
    return maximum(a, b) if infinite(a) or infinite(b) else chosen(EITHER, a, b)


def _either_sign(root: Germ, vanished: bool) -> Germ:
    """A root of what vanishes: |t| with the slopes of both sides, as of a norm at 0."""
    if not vanished or not isinstance(root, arb_series):
        return root
    return arb_series([root[k].union(-root[k]) for k in range(root.prec)], prec=root.prec)


def _vanishes(s: Germ) -> bool:
    return isinstance(s, arb_series) and bool(s[0].is_zero())


def _root(s: Germ) -> Germ:
    return _either_sign(_sqrt(s), _vanishes(s))


def tied(a: Any, b: Any, at_tie: Any) -> Any:
    """Whether a < b at t = 0, `at_tie` where the constant terms are equal."""
    a, b = moving(a), moving(b)
    return less(a, b, at_tie) if isinstance(a, Laurent) or isinstance(b, Laurent) else ordered(a[0], b[0], at_tie)


def tied_equal(a: Any, b: Any, at_tie: Any) -> Any:
    a, b = moving(a), moving(b)
    return equal(a, b, at_tie) if isinstance(a, Laurent) or isinstance(b, Laurent) else same(a[0], b[0], at_tie)


def seen_through(function: Callable[..., Germ]) -> Callable[..., Germ]:
    """The function; NaN where it has no derivative somewhere in a hull that it reads. FLINT may not tell so of a series
    whose first coefficients are 0: the root of what is anything from 0 to 1."""

    def guarded(*xs: Germ) -> Germ:
        wide = [isinstance(x, arb_series) and x[0].is_finite() and x[0].rad() > abs(x[0].mid()) * HULL for x in xs]
        if any(wide):
            slope = function(*(arb_series([x[0], 1], prec=2) if w else x for w, x in zip(wide, xs, strict=True)))
            if not (isinstance(slope, arb_series) and slope[1].is_finite()):
                return NOWHERE
        return function(*xs)

    return guarded


HULL = arb(2) ** -40  # a ball that is so wide for its size is no rounding of one number

# At a tie these are what any choice of derivatives makes of a direction, and not what comes for small t > 0.
_sqrt, _power = seen_through(sqrt), seen_through(power)
OPEN_UNARY: Mapping[str, Callable[[Germ], Germ]] = {"abs": lambda s: _either(s, -s), "sqrt": _root}
OPEN_BINARY: Mapping[str, Callable[[Germ, Germ], Germ]] = {
    "hypot": lambda a, b: _root(a * a + b * b),
    "pow": lambda a, b: _either_sign(_power(a, b), _vanishes(a) and not b[0].is_integer()),
    "maximum": _either,
    "minimum": lambda a, b: -_either(-a, -b),
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
    if infinite(a) and infinite(b):
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
