"""Python floats, for graphs in which every node is one number: the namespace that `emit` runs on.

Enters: float64 numbers alone. Python's `math` raises where IEEE arithmetic gives inf or NaN
(`log(-1)`, `1 / 0`, `exp(1000)`), and `**` of a negative base is complex. Nothing of that is hidden
here: whoever runs the program catches `TROUBLE` and runs it again on NumPy scalars, which follow IEEE.
Imports the standard library and `special`; no framework.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from . import special

# What a program may raise where IEEE arithmetic would go on; a complex operand is a TypeError.
TROUBLE = (ArithmeticError, ValueError, TypeError)


def constant(text: str) -> float:
    """The float nearest to a decimal, `pi`, `e` or `inf`, with or without a sign."""
    sign, name = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    return sign * {"pi": math.pi, "e": math.e}[name] if name in ("pi", "e") else float(text)


def divide(a: float, b: float) -> float:
    return a / b


def power(a: float, b: float) -> float | complex:
    return a**b


def square(x: float) -> float:
    return x * x


def reciprocal(x: float) -> float:
    return 1.0 / x


def sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x


def maximum(a: float, b: float) -> float:
    """The larger; NaN where one of them is."""
    return a if a > b or a != a else b


def minimum(a: float, b: float) -> float:
    """The smaller; NaN where one of them is."""
    return a if a < b or a != a else b


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), by the exponential that does not overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def logaddexp(a: float, b: float) -> float:
    """ln(e^a + e^b), by the exponential that does not overflow."""
    if a == b:
        return a + 0.6931471805599453
    return maximum(a, b) + math.log1p(math.exp(-math.fabs(a - b)))


def softplus(x: float) -> float:
    return logaddexp(x, 0.0)


def floor(x: float) -> float:
    """The largest whole number up to x; `math.floor` gives an integer, which has no -0."""
    return math.copysign(math.floor(x), x)


def ceil(x: float) -> float:
    """The smallest whole number from x; -0 as in `floor`."""
    return math.copysign(math.ceil(x), x)


def where(condition: bool, a: float, b: float) -> float:
    return a if condition else b


def _same(x: float, **parameters: object) -> float:
    """Reductions and changes of shape, where there is one number."""
    return x


def whole_share(x: float, axis: object) -> float:
    """The share of the largest of one number."""
    return 1.0


def _on_arrays(function: Callable[..., Any]) -> Callable[..., float]:
    def on_a_number(x: float, **parameters: int) -> float:
        return float(function(x, **parameters))

    return on_a_number


NAMESPACE: Mapping[str, Any] = {
    "constant": constant,
    # --- arithmetic
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": divide,
    "negative": operator.neg,
    "abs": math.fabs,
    "sign": sign,
    "square": square,
    "sqrt": math.sqrt,
    "reciprocal": reciprocal,
    "pow": power,
    "hypot": math.hypot,
    # --- exponentials and logarithms
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "log2": math.log2,
    "log10": math.log10,
    "logaddexp": logaddexp,
    # --- trigonometric and hyperbolic
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    # --- special functions
    "erf": math.erf,
    "erfc": math.erfc,
    "lgamma": _on_arrays(special.lgamma),
    "digamma": _on_arrays(special.digamma),
    "polygamma": _on_arrays(special.polygamma),
    "sigmoid": sigmoid,
    "softplus": softplus,
    # --- choice
    "maximum": maximum,
    "minimum": minimum,
    "where": where,
    "floor": floor,
    "ceil": ceil,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "stop_gradient": _same,
    "copy": _same,
    "astype": float,
    # --- one number is its own sum, and its own shape
    "sum": _same,
    "max": _same,
    "max_share": whole_share,
    "reshape": _same,
    "broadcast_to": _same,
    "permute_dims": _same,
    "flip": _same,
}
