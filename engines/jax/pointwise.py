"""Primitives that work element by element, in the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...harness.graph.node import Constant
from ...harness.hearing.heard import Refused
from .equation import Equation, Meaning, Row

# Ours: JAX's.
SAME = {
    "add": "add add_any",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "negative": "neg",
    "abs": "abs",
    "sign": "sign",
    "square": "square",
    "sqrt": "sqrt",
    "pow": "pow",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "atan2": "atan2",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "asinh",
    "acosh": "acosh",
    "atanh": "atanh",
    "sigmoid": "logistic",
    "erf": "erf",
    "erfc": "erfc",
    "lgamma": "lgamma",
    "digamma": "digamma",
    "maximum": "max",
    "minimum": "min",
    "floor": "floor",
    "ceil": "ceil",
    "stop_gradient": "stop_gradient",
    "less": "lt lt_to",
    "less_equal": "le le_to",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
}
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}
TEXTS = {
    "rsqrt": "1 / sqrt(x0)",
    "exp2": "2 ** x0",
    "cbrt": "sign(x0) * abs(x0) ** (1 / 3)",
}
# Results without a derivative and without a row: taken from the run.
STEPS = {"round", "nextafter"}


def same(name: str) -> Row:
    return lambda e: Meaning(name, range(len(e.shapes)))


def by_text(name: str, text: str) -> Row:
    return lambda e: Meaning(name, [0], text=text)


def integer_pow(e: Equation) -> Meaning:
    y = int(e.params["y"])
    if y == 2:
        return Meaning("square", [0])
    return Meaning("reciprocal", [0]) if y == -1 else Meaning("pow", [0, Constant(str(y))])


def select(e: Equation) -> Meaning:
    """The case that the selector names: JAX's first case is that of False."""
    cases = range(1, len(e.shapes))
    if len(cases) == 2:
        chosen = e.integers(0) if e.kinds[0] != "b" else None
        return Meaning("where", [0 if chosen is None else chosen != 0, 2, 1])
    chosen, text = e.integers(0), "x0"
    masks = [chosen == k for k in cases[:-1]]
    for k in range(1, len(cases)):
        text = f"where(x{len(cases) + k - 1}, x{k}, {text})"
    return Meaning("select_n", [*cases, *[chosen == k for k in range(1, len(masks) + 1)]], text=text)


def remainder(e: Equation) -> Meaning:
    """a - b trunc(a / b), with the sign of a; the whole quotient is taken from the run."""
    a, b, left = (np.asarray(x, dtype=np.float64) for x in (e.operand(0), e.operand(1), e.result(0)))
    with np.errstate(all="ignore"):
        whole = np.rint((a - left) / b)
    if not np.isfinite(whole).all() or (np.abs(whole) > 2**52).any():
        raise Refused("`rem` of a quotient beyond the integers that a float holds")
    return Meaning("rem", [0, 1, whole.astype(e.results[0].dtype)], text="x0 - x1 * x2")


def polygamma(e: Equation) -> Meaning:
    orders = np.unique(e.integers(0))
    if len(orders) != 1 or orders[0] < 1:
        raise Refused("`polygamma` of several orders, or of order 0")
    return Meaning("polygamma", [1], {"n": int(orders[0])})


def erf_inv(e: Equation) -> Meaning:
    """The run's own result after a step of Newton's, which doubles its digits; the derivative is that at the result."""
    text = "x1 + (x0 - erf(x1)) * (sqrt(pi) / 2 * exp(x1 * x1))"
    return Meaning("erf_inv", [0, np.asarray(e.result(0))], text=text)


def reduce_precision(e: Equation) -> Meaning:
    form = np.finfo(e.results[0].dtype) if e.results[0].dtype.kind == "f" else None
    if form is None or (e.params["exponent_bits"], e.params["mantissa_bits"]) != (form.iexp, form.nmant):
        raise Refused("`reduce_precision`: a rounding to a format that no array has")
    return Meaning("copy", [0])


ROWS: Mapping[str, Row] = {
    **{name: same(ours) for ours, theirs in SAME.items() for name in theirs.split()},
    **{name: by_text(name, text) for name, text in TEXTS.items()},
    "integer_pow": integer_pow,
    "clamp": lambda e: Meaning("clip", [1, 0, 2]),
    "select_n": select,
    "rem": remainder,
    "polygamma": polygamma,
    "reduce_precision": reduce_precision,
    "erf_inv": erf_inv,
}
