"""Arithmetic, roots and powers.

A cost c is how many units roundoff one sound computation may be off. What engines really use stands in every
report; beside a row, here and in the other families, the largest error in u of torch, XLA and NumPy (with SVML),
defects aside, over a million numbers in float32 and in float64. + - * / are correctly rounded by IEEE 754 (1), a
quotient by a reciprocal is one that read a rounded divisor; roots may be formed by a refined reciprocal (2), powers and
lengths go through several roundings (4).
"""

from __future__ import annotations

from ..node import Constant, Node
from .operation import row


def whole_exponent(node: Node) -> bool:
    """Whether a power has a constant whole exponent: elsewhere it has a cut."""
    exponent = node.args[1].exact if isinstance(node.args[1], Constant) else None
    return exponent is not None and exponent.denominator == 1 and abs(exponent) <= 64


# fmt: off
row("add", "a, b", cost=1, operator="+", meaning="a + b", derivative=("g", "g"), linear=True, analytic=True)
row("subtract", "a, b", cost=1, operator="-", meaning="a - b", derivative=("g", "-g"), linear=True, analytic=True)
row("multiply", "a, b", cost=1, operator="*", meaning="a * b", derivative=("g * b", "g * a"), linear=True, analytic=True)
row("divide", "a, b", cost=1, operator="/", meaning="a / b", derivative=("g / b", "-g * y / b"), analytic=True)
row("negative", "x", meaning="-x", derivative="-g", linear=True, analytic=True)
row("abs", "x", meaning="|x|", derivative="g * sign(x)")
row("sign", "x", differentiable=False, meaning="-1, 0 or 1", selects=True)
row("square", "x", cost=1, meaning="x^2", derivative="g * (2 * x)", linear=True, analytic=True)
row("sqrt", "x", cost=2, meaning="the root that is not negative", derivative="g / (2 * y)", analytic=True)  # 1.5
row("reciprocal", "x", cost=1, meaning="1 / x", derivative="-g * (y * y)", analytic=True)
row("pow", "a, b", cost=4, operator="**", meaning="a^b", derivative=("g * (b * a ** (b - 1))", "g * (y * log(a))"), analytic=whole_exponent)  # 1.9
row("hypot", "a, b", cost=4, half=3, meaning="sqrt(a^2 + b^2)", derivative=("g * (a / y)", "g * (b / y)"))  # 2.5
row("rsqrt", "x", definition="1 / sqrt(x)")
