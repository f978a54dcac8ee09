"""Choice and comparison: exact.

At a tie the share of an adjoint is halved, as torch and JAX do; the judge allows every share.
"""

from .operation import row

# fmt: off
row("maximum", "a, b", meaning="the larger", shares="operands",
    derivative=("where(equal(a, b), 0.5 * g, where(greater(a, b), g, 0))", "where(equal(b, a), 0.5 * g, where(greater(b, a), g, 0))"))
row("minimum", "a, b", meaning="the smaller", shares="operands",
    derivative=("where(equal(b, a), 0.5 * g, where(greater(b, a), g, 0))", "where(equal(a, b), 0.5 * g, where(greater(a, b), g, 0))"))
row("clip", "x, min, max", definition="minimum(maximum(x, min), max)", shares="operands")
row("where", "condition: bool, a, b", meaning="a where the condition holds, else b",
    derivative=(None, "where(condition, g, 0)", "where(condition, 0, g)"))
row("floor", "x", differentiable=False, meaning="the largest integer <= x", selects=True)
row("ceil", "x", differentiable=False, meaning="the smallest integer >= x", selects=True)
row("less", "a, b -> bool", operator="<", differentiable=False, meaning="a < b", selects=True)
row("less_equal", "a, b -> bool", operator="<=", differentiable=False, meaning="a <= b", selects=True)
row("greater", "a, b -> bool", operator=">", differentiable=False, meaning="a > b", selects=True)
row("greater_equal", "a, b -> bool", operator=">=", differentiable=False, meaning="a >= b", selects=True)
row("equal", "a, b -> bool", operator="==", differentiable=False, meaning="a == b", selects=True)
row("not_equal", "a, b -> bool", operator="!=", differentiable=False, meaning="a != b", selects=True)
row("logical_and", "a: bool, b: bool -> bool", definition="astype(a) * astype(b) > 0.5")
row("logical_or", "a: bool, b: bool -> bool", definition="astype(a) + astype(b) > 0.5")
row("logical_not", "a: bool -> bool", definition="astype(a) < 0.5")
row("stop_gradient", "x", differentiable=False, meaning="x, held constant by every derivative")
row("copy", "x", meaning="x", derivative="g", linear=True, moves=True, analytic=True)
