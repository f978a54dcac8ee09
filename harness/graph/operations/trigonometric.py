"""Trigonometric and hyperbolic functions and their inverses.

sin, cos and tan are polynomials after an exact reduction (cost 3), their inverses 4; but XLA takes x for atan x up to
1e-3 (6) and SVML promises 4 ulp of asin (8); those built from logarithms 6, from exponentials 8.
"""

from .operation import row

# fmt: off
row("sin", "x", cost=3, meaning="sine of x in radians", derivative="g * cos(x)", analytic=True)  # 1.9
row("cos", "x", cost=3, meaning="cosine of x in radians", derivative="-g * sin(x)", analytic=True)  # 1.9
row("tan", "x", cost=3, meaning="sin x / cos x", derivative="g * (1 + y * y)", analytic=True)  # 3.2
row("asin", "x", cost=8, half=3, meaning="inverse sine, in [-pi/2, pi/2]", derivative="g / sqrt((1 - x) * (1 + x))", analytic=True)  # 6.0
row(
    "acos", "x", cost=4, half=3, meaning="inverse cosine, in [0, pi]", derivative="-g / sqrt((1 - x) * (1 + x))", analytic=True
)  # 3.5
row(
    "atan", "x", cost=6, meaning="inverse tangent, in [-pi/2, pi/2]", derivative="g / (1 + x * x)", analytic=True
)  # 5.6
row(
    "atan2",
    "y, x",
    cost=4,
    meaning="angle of the point (x, y), in [-pi, pi]",
    derivative=("g * (x / (x * x + y * y))", "-g * (y / (x * x + y * y))"),
)  # 3.8
row("sinh", "x", cost=8, meaning="(e^x - e^-x) / 2", derivative="g * cosh(x)", analytic=True)
row("cosh", "x", cost=8, meaning="(e^x + e^-x) / 2", derivative="g * sinh(x)", analytic=True)
row("tanh", "x", cost=8, meaning="sinh x / cosh x", derivative="g * (1 - square(y))", analytic=True)  # 7.4
row("asinh", "x", cost=6, half=3, meaning="ln(x + sqrt(x^2 + 1))", derivative="g / sqrt(x * x + 1)", analytic=True)  # 3.9
row(
    "acosh", "x", cost=6, half=3, meaning="ln(x + sqrt(x^2 - 1))", derivative="g / sqrt((x - 1) * (x + 1))", analytic=True
)  # 5.1
row(
    "atanh", "x", cost=6, half=3, meaning="ln((1 + x) / (1 - x)) / 2", derivative="g / ((1 - x) * (1 + x))", analytic=True
)  # 3.2
