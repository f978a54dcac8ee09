"""The vocabulary: one row per operation. A new operation begins here.

A row is a signature, a shape rule and either a definition in the case language (a composite) or a
meaning in words (a primitive, which then has a row in `derivatives.py`). Shape rules live in
`shapes.py`. Names follow the Python array API standard, then SciPy special, then PyTorch and ONNX.

The contract of a row, stated once:

* The signature is that of a Python function. Operands are floats unless annotated (`int`, `bool`),
  `*xs` takes a list, `bias=None` may be left out; what follows the bare `*` are parameters.
* `definition` is the textbook formula: what the operation *means*, judged against. `stable` is what
  the hand-written engine runs where the textbook formula would overflow or cancel. Both see the
  operands, the parameters and `size(x, axis=...)`; a definition that depends on which operands or
  parameters were given is a function of the bound arguments `p`.
* `cost` is c: one sound evaluation is within c units roundoff of the exact value (0: exact).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from . import shapes
from .graph import Kind, Param, Shape

REQUIRED = "required"

# What a definition function sees: parameters by name, and for each operand its shape (None: left out).
Bound: TypeAlias = Mapping[str, object]
Definition: TypeAlias = str | Callable[[Bound], str]


@dataclass(frozen=True, slots=True)
class Operand:
    name: str
    kind: Kind = "float"
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    signature: str
    operands: tuple[Operand, ...]
    parameters: Mapping[str, Param]  # name -> default, or REQUIRED
    shape: shapes.ShapeRule
    kind: Kind
    cost: float
    meaning: str
    definition: Definition | None
    stable: Definition | None
    operator: str
    differentiable: bool

    @property
    def primitive(self) -> bool:
        return self.definition is None

    @property
    def written(self) -> str:
        """Its signature behind its name, as in `less(a, b) -> bool`."""
        arguments, arrow, kind = self.signature.partition(" -> ")
        return f"{self.name}({arguments}){arrow}{kind}"

    def formula(self, bound: Bound, *, stable: bool) -> str:
        """The text of the definition for these arguments, in the case language."""
        chosen = self.stable if stable and self.stable is not None else self.definition
        assert chosen is not None, f"{self.name} is primitive"
        return chosen if isinstance(chosen, str) else chosen(bound)


OPERATIONS: dict[str, Operation] = {}


def row(
    name: str,
    signature: str,
    shape: shapes.ShapeRule = shapes.elementwise,
    *,
    cost: float = 0,
    meaning: str = "",
    definition: Definition | None = None,
    stable: Definition | None = None,
    operator: str = "",
    differentiable: bool = True,
) -> None:
    """Add one operation. Raises SyntaxError for a signature that Python would not take."""
    definition_node = cast(ast.FunctionDef, ast.parse(f"def f({signature.replace('->', ') ->') if '->' in signature else signature + ')'}: ...").body[0])
    arguments = definition_node.args
    optional = len(arguments.args) - len(arguments.defaults)
    operands = [
        Operand(argument.arg, _kind(argument.annotation), optional=place >= optional)
        for place, argument in enumerate(arguments.args)
    ]
    if arguments.vararg is not None:
        operands.append(Operand(arguments.vararg.arg, variadic=True))
    parameters: dict[str, Param] = {
        argument.arg: REQUIRED if default is None else cast(Param, ast.literal_eval(default))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    assert name not in OPERATIONS, f"{name} has two rows"
    OPERATIONS[name] = Operation(
        name, signature, tuple(operands), parameters, shape, _kind(definition_node.returns),
        cost, meaning, definition, stable, operator, differentiable,
    )  # fmt: skip


def _kind(annotation: ast.expr | None) -> Kind:
    return "float" if annotation is None else cast(Kind, ast.unparse(annotation))


def halved_product(p: Bound) -> str:
    """The product along each axis by halves: no division, so its derivative holds where a factor is zero."""
    shape = list(cast(Shape, p["x"]))
    axes = shapes.axes_of(p["axis"], len(shape))
    lines = ["y = x"]
    for axis in axes:
        before = ":, " * axis
        while shape[axis] > 1:
            half, odd = divmod(shape[axis], 2)
            product = f"y[{before}:{half}] * y[{before}{half}:{2 * half}]"
            lines.append(f"y = concat([{product}, y[{before}{2 * half}:]], axis={axis})" if odd else f"y = {product}")
            shape[axis] = half + odd
        if shape[axis] == 0:
            shape[axis] = 1
            lines.append(f"y = broadcast_to(1, shape={shape})")
    lines.append("y" if p["keepdims"] or not axes else f"squeeze(y, axis={list(axes)})")
    return "; ".join(lines)


# A cost c: how many units roundoff, relative to its result, one sound computation of the operation may be off, beyond
# one rounding of what it reads. An ulp is one to two of them. 0: exact, only signs or places change. A composite has
# none: it is rounded step by step in its stable formula. What engines really use stands in every report; beside a row, the
# largest error in u of torch, XLA and NumPy (with SVML), defects aside, over a million numbers in float32 and in float64.

# --- arithmetic: + - * / are correctly rounded by IEEE 754 (1), a quotient by a reciprocal is one that read a rounded
# divisor; roots may be formed by a refined reciprocal (2), powers and lengths go through several roundings (4) ------------------
row("add", "a, b", cost=1, operator="+", meaning="a + b")
row("subtract", "a, b", cost=1, operator="-", meaning="a - b")
row("multiply", "a, b", cost=1, operator="*", meaning="a * b")
row("divide", "a, b", cost=1, operator="/", meaning="a / b")
row("negative", "x", meaning="-x")
row("abs", "x", meaning="|x|")
row("sign", "x", differentiable=False, meaning="-1, 0 or 1")
row("square", "x", cost=1, meaning="x^2")
row("sqrt", "x", cost=2, meaning="the root that is not negative")  # 1.5
row("reciprocal", "x", cost=1, meaning="1 / x")
row("pow", "a, b", cost=4, operator="**", meaning="a^b")  # 1.9
row("hypot", "a, b", cost=4, meaning="sqrt(a^2 + b^2)")  # 2.5

# --- exponentials and logarithms: libraries are within 1 to 2 ulp (4); XLA makes expm1 of tanh(x / 2) (e^x + 1) (8);
# logaddexp is an exponential, of which little is left, and a logarithm (6) ----------------------------------------------------
row("exp", "x", cost=4, meaning="e^x")  # 3.4
row("expm1", "x", cost=8, meaning="e^x - 1")  # 6.4
row("log", "x", cost=4, meaning="ln x")  # 3.9
row("log1p", "x", cost=4, meaning="ln(1 + x)")  # 3.3
row("log2", "x", cost=4, meaning="ln x / ln 2")  # 2.8
row("log10", "x", cost=4, meaning="ln x / ln 10")  # 3.6
row("logaddexp", "a, b", cost=6, meaning="ln(e^a + e^b)")

# --- trigonometric and hyperbolic: sin, cos and tan are polynomials after an exact reduction (3), their inverses 4; but XLA
# takes x for atan x up to 1e-3 (6) and SVML promises 4 ulp of asin (8); those built from logarithms 6, from exponentials 8 --------
row("sin", "x", cost=3, meaning="sine of x in radians")  # 1.9
row("cos", "x", cost=3, meaning="cosine of x in radians")  # 1.9
row("tan", "x", cost=3, meaning="sin x / cos x")  # 3.2
row("asin", "x", cost=8, meaning="inverse sine, in [-pi/2, pi/2]")  # 6.0
row("acos", "x", cost=4, meaning="inverse cosine, in [0, pi]")  # 3.5
row("atan", "x", cost=6, meaning="inverse tangent, in [-pi/2, pi/2]")  # 5.6
row("atan2", "y, x", cost=4, meaning="angle of the point (x, y), in [-pi, pi]")  # 3.8
row("sinh", "x", cost=8, meaning="(e^x - e^-x) / 2")
row("cosh", "x", cost=8, meaning="(e^x + e^-x) / 2")
row("tanh", "x", cost=8, meaning="sinh x / cosh x")  # 7.4
row("asinh", "x", cost=6, meaning="ln(x + sqrt(x^2 + 1))")  # 3.9
row("acosh", "x", cost=6, meaning="ln(x + sqrt(x^2 - 1))")  # 5.1
row("atanh", "x", cost=6, meaning="ln((1 + x) / (1 - x)) / 2")  # 3.2

# --- special functions: rational approximations, 8; erfc as 1 - erf up to x = 1, where erf is 5 times as large, 16; digamma
# climbs ten steps to its asymptotic series, 10 for the sum of their sizes; polygamma sums a dozen powers, 16 ------------------------
row("erf", "x", cost=8, meaning="2/sqrt(pi) * integral of e^(-t^2) from 0 to x")  # 5.5
row("erfc", "x", cost=16, meaning="1 - erf(x)")  # 14.9
row("lgamma", "x", cost=8, meaning="ln |Gamma(x)|")
row("digamma", "x", cost=10, meaning="d/dx ln |Gamma(x)|")
row("polygamma", "x, *, n", cost=16, meaning="n-th derivative of digamma, n >= 1")

# --- activations: an exponential and a quotient, whose errors partly cancel (4); softplus like logaddexp (6) --------------------
row("sigmoid", "x", cost=4, meaning="1 / (1 + e^-x)")  # 4.6
row("softplus", "x", cost=6, meaning="ln(1 + e^x)")  # 3.8
row("relu", "x", definition="where(x > 0, x, 0)")
row("leaky_relu", "x, *, negative_slope=0.01", definition="where(x > 0, x, negative_slope * x)")
row("elu", "x, *, alpha=1", definition="where(x > 0, x, alpha * (exp(x) - 1))",
    stable="where(x > 0, x, alpha * expm1(where(x > 0, 0, x)))")  # fmt: skip
row("silu", "x", definition="x / (1 + exp(-x))", stable="x * sigmoid(x)")
row("gelu", "x, *, approximate='none'",
    definition=lambda p: "x * (1 + erf(x / sqrt(2))) / 2" if p["approximate"] == "none"
    else "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))) / 2",
    stable=lambda p: "0.5 * x * erfc(-x * sqrt(0.5))" if p["approximate"] == "none"
    else "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))")  # fmt: skip

# --- choice: exact ----------------------------------------------------------------------------------------
row("maximum", "a, b", meaning="the larger")
row("minimum", "a, b", meaning="the smaller")
row("clip", "x, min, max", definition="minimum(maximum(x, min), max)")
row("where", "condition: bool, a, b", meaning="a where the condition holds, else b")
row("floor", "x", differentiable=False, meaning="the largest integer <= x")
row("ceil", "x", differentiable=False, meaning="the smallest integer >= x")
row("less", "a, b -> bool", operator="<", differentiable=False, meaning="a < b")
row("less_equal", "a, b -> bool", operator="<=", differentiable=False, meaning="a <= b")
row("greater", "a, b -> bool", operator=">", differentiable=False, meaning="a > b")
row("greater_equal", "a, b -> bool", operator=">=", differentiable=False, meaning="a >= b")
row("equal", "a, b -> bool", operator="==", differentiable=False, meaning="a == b")
row("not_equal", "a, b -> bool", operator="!=", differentiable=False, meaning="a != b")
row("stop_gradient", "x", differentiable=False, meaning="x, held constant by every derivative")
row("copy", "x", meaning="x")

# --- reductions: a sum of n terms may lose (n - 1) u sum|terms|, which the judge adds by itself; 1 for each addition -------------
row("sum", "x, *, axis=None, keepdims=False", shapes.reduction, cost=1, meaning="sum over the axes")
row("mean", "x, *, axis=None, keepdims=False", shapes.reduction,
    definition="sum(x, axis=axis, keepdims=keepdims) / size(x, axis=axis)")  # fmt: skip
row("prod", "x, *, axis=None, keepdims=False", shapes.reduction, definition=halved_product)
row("max", "x, *, axis=None, keepdims=False", shapes.extremum, meaning="the largest over the axes")
row("min", "x, *, axis=None, keepdims=False", shapes.extremum, definition="-max(-x, axis=axis, keepdims=keepdims)")
row("max_share", "x, *, axis=None", shapes.same, differentiable=False, meaning="1 / (number of largest) at each largest element over the axes, else 0")
row("var", "x, *, axis=None, correction=0, keepdims=False", shapes.reduction,
    definition="sum(square(x - mean(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims) / (size(x, axis=axis) - correction)")  # fmt: skip
row("std", "x, *, axis=None, correction=0, keepdims=False", shapes.reduction,
    definition="sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))")  # fmt: skip
row("norm", "x, *, axis=None, keepdims=False", shapes.reduction,
    definition="sqrt(sum(square(x), axis=axis, keepdims=keepdims))")  # fmt: skip
row("logsumexp", "x, *, axis=None, keepdims=False", shapes.reduction,
    definition="log(sum(exp(x), axis=axis, keepdims=keepdims))",
    stable="log(sum(exp(x - stop_gradient(max(x, axis=axis, keepdims=True))), axis=axis, keepdims=keepdims)) + stop_gradient(max(x, axis=axis, keepdims=keepdims))")  # fmt: skip
row("softmax", "x, *, axis=-1", shapes.same,
    definition="exp(x) / sum(exp(x), axis=axis, keepdims=True)",
    stable="e = exp(x - stop_gradient(max(x, axis=axis, keepdims=True))); e / sum(e, axis=axis, keepdims=True)")  # fmt: skip
row("log_softmax", "x, *, axis=-1", shapes.same,
    definition="x - log(sum(exp(x), axis=axis, keepdims=True))",
    stable="c = x - stop_gradient(max(x, axis=axis, keepdims=True)); c - log(sum(exp(c), axis=axis, keepdims=True))")  # fmt: skip
row("cumsum", "x, *, axis", shapes.same, cost=1, meaning="running sum along the axis")

# --- linear algebra: a product of inner length n may lose n u |X||Y|: 1 for each product and addition ----------------------------
row("matmul", "a, b", shapes.matmul, cost=1, operator="@", meaning="matrix product of the last two axes; a vector is a row or a column")
row("vecdot", "a, b, *, axis=-1", shapes.vecdot, definition="sum(a * b, axis=axis)")
row("outer", "a, b", shapes.outer, definition="expand_dims(a, axis=1) * expand_dims(b, axis=0)")
row("einsum", "*xs, subscripts", shapes.einsum, cost=1, meaning="sum of products over the indices that the output does not name")
row("linear", "x, weight, bias=None", shapes.linear,
    definition=lambda p: "x @ matrix_transpose(weight)" + ("" if p["bias"] is None else " + bias"))  # fmt: skip
row("conv2d", "x, weight, bias=None, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1", shapes.conv2d,
    definition=lambda p: "correlate2d(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)"
    + ("" if p["bias"] is None else " + reshape(bias, shape=[size(bias), 1, 1])"))  # fmt: skip
row("correlate2d", "x, weight, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1", shapes.conv2d,
    cost=1, meaning="y[n, o, i, j] = sum over c, k, l of x[n, c, i s + k d - p, j s + l d - p] weight[o, c, k, l]")  # fmt: skip
row("correlate2d_input", "g, weight, *, shape, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1", shapes.given,
    cost=1, meaning="the transpose of correlate2d in its input, of the given shape")  # fmt: skip
row("correlate2d_weight", "g, x, *, shape, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1", shapes.given,
    cost=1, meaning="the transpose of correlate2d in its weight, of the given shape")  # fmt: skip

# --- shape and selection: exact; scatter_add sums what meets at an index, 1 for each addition --------------------------------------
row("permute_dims", "x, *, axes", shapes.permute_dims, meaning="axis i of the result is axis axes[i] of x")
row("matrix_transpose", "x", shapes.matrix_transpose, meaning="the last two axes swapped")
row("reshape", "x, *, shape", shapes.reshape, meaning="the same elements in row-major order; one -1 is inferred")
row("broadcast_to", "x, *, shape", shapes.broadcast_to, meaning="repeated along new axes and axes of length 1")
row("expand_dims", "x, *, axis", shapes.expand_dims, meaning="a new axis of length 1")
row("squeeze", "x, *, axis", shapes.squeeze, meaning="axes of length 1 removed")
row("concat", "*xs, axis=0", shapes.concat, meaning="joined along an axis")
row("stack", "*xs, axis=0", shapes.stack, meaning="joined along a new axis")
row("getitem", "x, *, index", shapes.getitem, meaning="x[index], basic indexing")
row("place", "x, *, index, shape", shapes.given, meaning="zeros of the given shape with x at [index]: the transpose of getitem")
row("take", "x, indices: int, *, axis", shapes.take, meaning="elements along the axis at the indices")
row("scatter_add", "x, indices: int, *, axis, size", shapes.scatter_add,
    cost=1, meaning="zeros with the elements of x added at the indices: the transpose of take")  # fmt: skip
row("flip", "x, *, axis=None", shapes.same, meaning="reversed along the axes")
row("roll", "x, *, shift, axis", shapes.same, meaning="rotated along the axis")
row("pad", "x, *, widths, value=0", shapes.pad, meaning="value added before and after, [before, after] per axis")
row("one_hot", "indices: int, *, size", shapes.one_hot, differentiable=False, meaning="1 at the index along a new last axis, else 0")
row("astype", "x: any", differentiable=False, meaning="an integer or condition as a float")

# --- losses and layers --------------------------------------------------------------------------------------
row("mse_loss", "x, target", shapes.scalar, definition="mean(square(x - target))")
row("cross_entropy", "x, target: int", shapes.cross_entropy,
    definition="-mean(sum(where(one_hot(target, size=size(x, axis=-1)) > 0.5, log_softmax(x, axis=-1), 0), axis=-1))")  # fmt: skip
row("layer_norm", "x, weight=None, bias=None, *, axis=-1, eps=1e-05", shapes.same,
    definition=lambda p: "(x - mean(x, axis=axis, keepdims=True)) / sqrt(var(x, axis=axis, keepdims=True) + eps)"
    + ("" if p["weight"] is None else " * weight") + ("" if p["bias"] is None else " + bias"))  # fmt: skip
