"""Activations.

sigmoid is an exponential and a quotient, whose errors partly cancel (cost 4); softplus is like logaddexp (6).
"""

from .operation import row

# fmt: off
row("sigmoid", "x", cost=4, half=3, meaning="1 / (1 + e^-x)", derivative="g * (y * (1 - y))", analytic=True)  # 4.6
row("softplus", "x", cost=6, half=3, meaning="ln(1 + e^x)", derivative="g * sigmoid(x)", analytic=True, log_of_sum=True)  # 3.8
row("log_sigmoid", "x", definition="-log(1 + exp(-x))", stable="-softplus(-x)")
row("relu", "x", definition="where(x <= 0, 0, x)")
row("leaky_relu", "x, *, negative_slope=0.01", definition="where(x > 0, x, negative_slope * x)")
row("elu", "x, *, alpha=1", definition="where(x > 0, x, alpha * (exp(x) - 1))",
    stable="where(x > 0, x, alpha * expm1(where(x > 0, 0, x)))")
row("silu", "x", definition="x / (1 + exp(-x))", stable="x * sigmoid(x)")
row("gelu", "x, *, approximate='none'",
    definition=lambda p: "x * (1 + erf(x / sqrt(2))) / 2" if p["approximate"] == "none"
    else "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))) / 2",
    stable=lambda p: "0.5 * x * erfc(-x * sqrt(0.5))" if p["approximate"] == "none"
    else "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))")
row("mish", "x", definition="x * tanh(log(1 + exp(x)))", stable="x * tanh(softplus(x))")
row("selu", "x", definition="1.0507009873554805 * elu(x, alpha=1.6732632423543772)")
row("celu", "x, *, alpha=1", definition="where(x > 0, x, alpha * (exp(x / alpha) - 1))",
    stable="where(x > 0, x, alpha * expm1(where(x > 0, 0, x) / alpha))")
row("relu6", "x", definition="clip(x, 0, 6)")
row("hardtanh", "x, *, min_val=-1, max_val=1", definition="clip(x, min_val, max_val)")
row("hardsigmoid", "x", definition="clip(x + 3, 0, 6) / 6")
row("hardswish", "x", definition="x * hardsigmoid(x)")
row("hardshrink", "x, *, lambd=0.5", definition="where(abs(x) > lambd, x, 0)")
row("softshrink", "x, *, lambd=0.5", definition="where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0))")
row("softsign", "x", definition="x / (1 + abs(x))")
