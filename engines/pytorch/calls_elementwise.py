"""torch's calls that work element by element."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import torch

from .calls import FLAT, Step, Unheard, decimal, row

SAME: Mapping[str, str] = {
    # one operand
    "exp": "exp", "expm1": "expm1 special_expm1", "log": "log", "log1p": "log1p special_log1p", "log2": "log2",
    "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin arcsin", "acos": "acos arccos",
    "atan": "atan arctan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh arcsinh",
    "acosh": "acosh arccosh", "atanh": "atanh arctanh", "sigmoid": "sigmoid special_expit",
    "abs": "abs absolute", "sqrt": "sqrt", "square": "square", "negative": "neg negative",
    "reciprocal": "reciprocal", "erf": "erf special_erf", "erfc": "erfc special_erfc", "relu": "relu",
    "floor": "floor", "ceil": "ceil", "sign": "sign sgn", "lgamma": "lgamma special_gammaln",
    "digamma": "digamma special_digamma special_psi", "silu": "silu", "log_sigmoid": "log_sigmoid",
    "mish": "mish", "selu": "selu", "relu6": "relu6", "hardsigmoid": "hardsigmoid", "hardswish": "hardswish",
    "softsign": "softsign", "rsqrt": "rsqrt", "exp2": "exp2 special_exp2", "copy": "positive",
    # two
    "maximum": "maximum fmax", "minimum": "minimum fmin", "logaddexp": "logaddexp", "atan2": "atan2 arctan2",
    "hypot": "hypot", "logaddexp2": "logaddexp2", "multiply": "mul multiply", "xlogy": "xlogy special_xlogy",
    "less": "lt less", "less_equal": "le less_equal", "greater": "gt greater", "greater_equal": "ge greater_equal",
    "equal": "eq", "not_equal": "ne not_equal",
}  # fmt: skip


def _same(op: str, count: int) -> Any:
    return (lambda x: Step(op, [x])) if count == 1 else (lambda x, other: Step(op, [x, other]))


_TWO = {
    "maximum", "minimum", "logaddexp", "logaddexp2", "atan2", "hypot", "multiply", "xlogy",
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal",
}  # fmt: skip
for _op, _names in SAME.items():
    row(*_names.split())(_same(_op, 2 if _op in _TWO else 1))

# Texts of one operand, without parameters.
TEXTS: Mapping[str, str] = {
    "sinc special_sinc": "where(x0 == 0, 1, sin(pi * x0) / where(x0 == 0, 1, pi * x0))",
    "deg2rad": "x0 * pi / 180",
    "rad2deg": "x0 * 180 / pi",
    "tanhshrink": "x0 - tanh(x0)",
    "special_ndtr": "0.5 * erfc(-x0 * sqrt(0.5))",
    "frac": "x0 - where(x0 >= 0, floor(x0), ceil(x0))",
    "special_entr": "-x0 * log(where(x0 == 0, 1, x0))",
}


def _texted(op: str, text: str) -> Any:
    return lambda x: Step(op, [x], text=text)


for _names, _text in TEXTS.items():
    row(*_names.split())(_texted(_names.split()[0], _text))

FLAT.update({
    "round", "trunc", "fix", "heaviside", "floor_divide", "__floordiv__", "nextafter", "zeros_like",
    "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like", "bernoulli",
    "multinomial", "poisson", "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "signbit",
})  # fmt: skip


def scaled(op: str, alpha: Any, x: Any, other: Any) -> Step:
    if alpha == 1:
        return Step(op, [x, other])
    return Step(f"{op}_scaled", [x, other], text=f"x0 {'+' if op == 'add' else '-'} {decimal(alpha)} * x1")


row("add")(lambda x, other, alpha=1: scaled("add", alpha, x, other))
row("sub", "subtract")(lambda x, other, alpha=1: scaled("subtract", alpha, x, other))
row("rsub")(lambda x, other, alpha=1: scaled("subtract", alpha, other, x))


@row("div", "divide", "true_divide")
def _(x: Any, other: Any, rounding_mode: Any = None) -> Step:
    if rounding_mode is not None:
        raise Unheard(f"`div` with rounding_mode={rounding_mode!r}", "Round a detached quotient.")
    return Step("divide", [x, other])


@row("pow", "float_power")
def _(x: Any, exponent: Any) -> Step:
    return Step("pow", [x, exponent])


row("remainder")(lambda x, other: Step("remainder", [x, other], text="x0 - x1 * floor(x0 / x1)"))
row("fmod")(lambda x, other: Step("fmod", [x, other], text="q = x0 / x1; x0 - x1 * where(q >= 0, floor(q), ceil(q))"))
row("ldexp")(lambda x, other: Step("ldexp", [x, as_float(other)], text="x0 * exp(x1 * log(2))", stable="x0 * 2 ** x1"))


@row("copysign")
def _(x: Any, other: Any) -> Step:
    sign = torch.as_tensor(other)
    negative_zero = (sign == 0) & torch.signbit(sign)
    if not bool(negative_zero.any()):
        return Step("copysign", [x, other], text="where(x1 >= 0, abs(x0), -abs(x0))")
    above = negative_zero.to(sign.dtype)  # the case language knows no negative 0: it is not above this, as 0 is
    return Step("copysign", [x, other, above], text="where(x1 >= x2, abs(x0), -abs(x0))")


row("special_xlog1py")(
    lambda x, other: Step("xlog1py", [x, other], text="x0 * log1p(where(x0 == 0, where(x1 > -1, x1, 0), x1))")
)
row("polygamma", "special_polygamma")(lambda n, x: Step("polygamma", [x], {"n": int(n)}) if n else Step("digamma", [x]))


def as_float(x: Any) -> Any:
    return x.double() if isinstance(x, torch.Tensor) and not x.is_floating_point() else x


@row("clamp", "clip")
def _(x: Any, min: Any = None, max: Any = None) -> Step:  # noqa: A002 torch's own names
    match min is None, max is None:
        case False, False:
            return Step("clip", [x, min, max])
        case False, True:
            return Step("maximum", [x, min])
        case True, False:
            return Step("minimum", [x, max])
        case _:
            raise Unheard("`clamp` without bounds")


row("clamp_min")(lambda x, min: Step("maximum", [x, min]))  # noqa: A006
row("clamp_max")(lambda x, max: Step("minimum", [x, max]))  # noqa: A006


@row("hardtanh")
def _(x: Any, min_val: float = -1, max_val: float = 1) -> Step:
    low, high = met(min_val, x.dtype), met(max_val, x.dtype)
    if is_met(low, min_val) and is_met(high, max_val):
        return Step("hardtanh", [x], {"min_val": min_val, "max_val": max_val})
    return Step("hardtanh", [x], text=f"clip(x0, {low}, {high})")


def met(bound: float, dtype: Any) -> str:
    """A bound as the run has it, to the last digit: a number that a bound of its own gave may meet it."""
    text = str(Decimal(torch.tensor(bound, dtype=dtype).item())).lower()
    return f"({text})" if text.startswith("-") or "inf" in text else text


def is_met(text: str, bound: float) -> bool:
    """Whether a bound is what its decimal says."""
    return Decimal(text.strip("()")) == Decimal(repr(float(bound)))


@row("where")
def _(condition: Any, x: Any, other: Any) -> Step:
    if isinstance(x, torch.Tensor) and x.dtype == torch.bool and condition.dtype != torch.bool:
        condition, x = x, condition  # the method: x.where(condition, other)
    return Step("where", [condition, x, other])


@row("masked_fill")
def _(x: Any, mask: Any, value: Any) -> Step:
    return Step("where", [mask, value, x])


@row("nan_to_num")
def _(x: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Step:
    if not bool(torch.isfinite(x.detach()).all()):
        raise Unheard("`nan_to_num` of numbers that are not finite")
    return Step("copy", [x])


row("lerp")(lambda x, end, weight: Step("lerp", [x, end, weight], text="x0 + x2 * (x1 - x0)"))
row("addcmul")(
    lambda x, tensor1, tensor2, value=1: Step("addcmul", [x, tensor1, tensor2], text=f"x0 + {decimal(value)} * x1 * x2")
)
row("addcdiv")(
    lambda x, tensor1, tensor2, value=1: Step("addcdiv", [x, tensor1, tensor2], text=f"x0 + {decimal(value)} * x1 / x2")
)


@row("logit", "special_logit")
def _(x: Any, eps: Any = None) -> Step:
    z = "x0" if eps is None else f"clip(x0, {decimal(eps)}, {decimal(1 - eps)})"
    return Step("logit", [x], text=f"z = {z}; log(z / (1 - z))" if eps is not None else "log(x0 / (1 - x0))")


# --- activations with parameters -----------------------------------------------------------------------------


@row("gelu")
def _(x: Any, approximate: str = "none") -> Step:
    return Step("gelu", [x], {"approximate": approximate})


@row("leaky_relu")
def _(x: Any, negative_slope: float = 0.01) -> Step:
    return Step("leaky_relu", [x], {"negative_slope": float(negative_slope)})


@row("elu")
def _(x: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Step:
    if scale != 1 or input_scale != 1:
        raise Unheard("`elu` with a scale")
    return Step("elu", [x], {"alpha": float(alpha)})


@row("celu")
def _(x: Any, alpha: float = 1) -> Step:
    return Step("celu", [x], {"alpha": float(alpha)})


@row("softplus")
def _(x: Any, beta: float = 1, threshold: float = 20) -> Step:
    if beta == 1 and threshold == 20:
        return Step("softplus", [x])
    b, t = decimal(beta), decimal(threshold)
    return Step("softplus", [x], text=f"where(x0 * {b} > {t}, x0, softplus(x0 * {b}) / {b})")


@row("prelu", "_prelu_kernel")
def _(x: Any, weight: Any) -> Step:
    shape = [1] * x.ndim
    if weight.numel() > 1 and weight.ndim == 1:
        shape[1 if x.ndim > 1 else 0] = weight.numel()
    w = f"reshape(x1, shape={shape})" if weight.ndim != x.ndim else "x1"
    return Step("prelu", [x, weight], text=f"where(x0 > 0, x0, {w} * x0)")


@row("threshold")
def _(x: Any, threshold: float, value: float) -> Step:
    bound = met(threshold, torch.promote_types(x.dtype, torch.float32))  # compared there
    return Step("threshold", [x], text=f"where(x0 > {bound}, x0, {decimal(value)})")


@row("hardshrink")
def _(x: Any, lambd: float = 0.5) -> Step:
    bound = met(lambd, torch.promote_types(x.dtype, torch.float32))
    if is_met(bound, lambd):
        return Step("hardshrink", [x], {"lambd": float(lambd)})
    return Step("hardshrink", [x], text=f"where(abs(x0) > {bound}, x0, 0)")


@row("softshrink")
def _(x: Any, lambd: float = 0.5) -> Step:
    b = met(lambd, torch.promote_types(x.dtype, torch.float32))
    if is_met(b, lambd):
        return Step("softshrink", [x], {"lambd": float(lambd)})
    return Step("softshrink", [x], text=f"where(x0 > {b}, x0 - {b}, where(x0 < -{b}, x0 + {b}, 0))")


@row("glu")
def _(x: Any, dim: int = -1) -> Step:
    n = x.shape[dim] // 2
    before = ":, " * (dim % x.ndim)
    return Step("glu", [x], text=f"x0[{before}:{n}] * sigmoid(x0[{before}{n}:])")


@row("dropout", "feature_dropout")
def _(x: Any, p: float, train: bool, again: Any) -> Step:
    """The draw is a constant of the run."""
    if not train or p == 0:
        return Step("copy", [x])
    return Step("dropout", [x, again(torch.ones_like(x), p, train)], text="x0 * x1")


@row("alpha_dropout", "feature_alpha_dropout")
def _(x: Any, p: float, train: bool, again: Any) -> Step:
    if not train or p == 0:
        return Step("copy", [x])
    zero, one = again(torch.zeros_like(x), p, train), again(torch.ones_like(x), p, train)
    return Step("alpha_dropout", [x, one - zero, zero], text="x0 * x1 + x2")


@row("rrelu", "rrelu_with_noise")
def _(x: Any, lower: float, upper: float, training: bool = False, *, again: Any) -> Step:
    if not training:
        return Step("leaky_relu", [x], {"negative_slope": (lower + upper) / 2})
    drawn = again(torch.where(x > 0, 1.0, -1.0).to(x.dtype), lower, upper, True)
    return Step("rrelu", [x, drawn.abs()], text="x0 * x1")
