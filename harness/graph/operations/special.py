"""Special functions.

Rational approximations (cost 8); erfc as 1 - erf up to x = 1, where erf is 5 times as large (16); digamma climbs ten
steps to its asymptotic series, 10 for the sum of their sizes; polygamma sums a dozen powers (16).
"""

from .operation import row

# fmt: off
row("erf", "x", cost=8, meaning="2/sqrt(pi) * integral of e^(-t^2) from 0 to x", derivative="g * (2 / sqrt(pi) * exp(-(x * x)))")  # 5.5
row("erfc", "x", cost=16, meaning="1 - erf(x)", derivative="-g * (2 / sqrt(pi) * exp(-(x * x)))")  # 14.9
row("lgamma", "x", cost=8, meaning="ln |Gamma(x)|", derivative="g * digamma(x)")
row("digamma", "x", cost=10, meaning="d/dx ln |Gamma(x)|", derivative="g * polygamma(x, n=1)")
row(
    "polygamma",
    "x, *, n",
    cost=16, half=16,
    meaning="n-th derivative of digamma, n >= 1",
    derivative="g * polygamma(x, n=n + 1)",
)
