"""Exponentials and logarithms.

Libraries are within 1 to 2 ulp (cost 4); XLA makes expm1 of tanh(x / 2) (e^x + 1) (8); logaddexp is an exponential,
of which little is left, and a logarithm (6).
"""

from .operation import row

# fmt: off
row("exp", "x", cost=4, meaning="e^x", derivative="g * y", analytic=True)  # 3.4
row("expm1", "x", cost=8, half=3, meaning="e^x - 1", derivative="g * exp(x)", analytic=True)  # 6.4
row("log", "x", cost=4, meaning="ln x", derivative="g / x", analytic=True)  # 3.9
row("log1p", "x", cost=4, meaning="ln(1 + x)", derivative="g / (1 + x)", analytic=True)  # 3.3
row("log2", "x", cost=4, half=3, meaning="ln x / ln 2", derivative="g / (x * log(2))", analytic=True)  # 2.8
row("log10", "x", cost=4, half=3, meaning="ln x / ln 10", derivative="g / (x * log(10))", analytic=True)  # 3.6
row("logaddexp", "a, b", cost=6, half=6, meaning="ln(e^a + e^b)", derivative=("g * sigmoid(a - b)", "g * sigmoid(b - a)"), analytic=True, log_of_sum=True)
row("xlogy", "x, y", definition="x * log(where(x == 0, where(y > 0, y, 1), y))")
row("exp2", "x", definition="2 ** x")
row("logaddexp2", "a, b", definition="log2(2 ** a + 2 ** b)", stable="logaddexp(a * log(2), b * log(2)) / log(2)")
