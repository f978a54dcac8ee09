"""What is known of PyTorch on CPUs, in every case: formulas that it runs, defects and failures. Of torch 2.13.

Ceilings are measured over thousands of points; `tests/engines/test_known.py` holds each entry at some of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...harness.graph.operations.loss import over
from ...harness.graph.operations.operation import Bound
from ...harness.records.known import Defect, Entry, Failure, Formula

WIDE_TANGENT, WIDER_BOUND, IN_PLACE = "wide tangent", "wider bound", "in place"
VERSIONS = ">=2.6,<3"
EXPM1 = "https://github.com/pytorch/pytorch/issues/192406"
TRIGAMMA = "https://github.com/pytorch/pytorch/pull/4399"
IN_FLOAT32 = "2 ** -16"  # its roundoff, of that of bfloat16
LOGITS = "https://github.com/pytorch/pytorch/issues/195677"
SOFTPLUS = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html"


def _erf(dtype: str, digits: str) -> Defect:
    return Defect(
        operation="erf",
        quantity="value",
        reason="a polynomial that is right to 3e-7 of 1, not of its result: 0 for what is smaller",
        within=1,
        of=f"where(abs(x) < 0.004, 3e-7 * {digits} + abs(exact), 0)",
        dtypes=(dtype,),
        versions=VERSIONS,
    )


def _gelu(dtypes: tuple[str, ...], value: str, term: str) -> Iterator[Defect]:
    quantities: tuple[tuple[Literal["value", "term"], str], ...] = (("value", value), ("term", term))
    for quantity, of in quantities:
        yield Defect(
            operation="gelu",
            quantity=quantity,
            reason="1 + erf(x / sqrt 2) cancels in the tail until nothing is left; erfc would not",
            within=1,
            of=of,
            dtypes=dtypes,
            versions=VERSIONS,
        )


def _beyond_float16(operation: str, what: str, where: str) -> Defect:
    return Defect(
        operation=operation,
        quantity="term",
        reason=f"its slope divides by {what}, which leaves the range of float16: 0",
        within=2.0**11,  # all of it
        of=f"where({where}, exact, 0)",
        dtypes=("float16",),
        versions=VERSIONS,
    )


def _with_logits(p: Bound) -> str:
    positive = "" if p["pos_weight"] is None else "((pos_weight - 1) * target + 1) * "
    return over(p, f"((1 - target) * x - {positive}log_sigmoid(x))")


def _slope_with_logits(p: Bound) -> str:
    """What has the slope (pos_weight target + 1 - target) sigmoid(x) - pos_weight target."""
    positive = "target" if p["pos_weight"] is None else "(pos_weight * target)"
    weights = "" if p["pos_weight"] is None else f"({positive} + 1 - target) * "
    return over(p, f"({weights}softplus(x) - {positive} * x)")


KNOWN: tuple[Entry, ...] = (
    Formula(
        operation="gelu",
        params=(("approximate", "none"),),
        text="0.5 * x * (1 + erf(x * sqrt(0.5)))",
        digits=8,
        rounding=3,  # of its erf in float32, in arrays of eight numbers and more
        dtypes=("float64", "float32"),  # half numbers are computed in float32
        source="aten/src/ATen/native/cpu/Activation.cpp, GeluKernelImpl and GeluBackwardKernelImpl",
        versions=VERSIONS,
    ),
    *_gelu(("float64", "float32"), "6 * abs(x)", "2 * abs(g)"),
    *_gelu(("bfloat16",), f"{IN_FLOAT32} * 6 * abs(x) + abs(exact)", f"{IN_FLOAT32} * 2 * abs(g) + abs(exact)"),
    _erf("bfloat16", "2 ** 8"),
    _erf("float16", "2 ** 11"),
    Formula(
        operation="expm1",
        text="g * (y + 1)",
        digits=8,
        source="tools/autograd/derivatives.yaml, expm1: grad * (result + 1)",
        versions=VERSIONS,
    ),
    Defect(
        operation="expm1",
        quantity="term",
        reason="the slope is computed as expm1(x) + 1, which cancels until nothing is left",
        within=1,
        of="g",
        link=EXPM1,
        versions=VERSIONS,
    ),
    Formula(
        operation="binary_cross_entropy_with_logits",
        quantity="value",
        text="(1 - target) * x - log_sigmoid(x)",
        stable=_with_logits,
        digits=8,
        source="aten/src/ATen/native/Loss.cpp, binary_cross_entropy_with_logits",
        versions=VERSIONS,
    ),
    Formula(
        operation="binary_cross_entropy_with_logits",
        quantity="term",
        text="softplus(x) - target * x",
        stable=_slope_with_logits,
        digits=8,
        source="tools/autograd/derivatives.yaml, binary_cross_entropy_with_logits: sigmoid(x) - target",
        versions=VERSIONS,
    ),
    Defect(
        operation="binary_cross_entropy_with_logits",
        quantity="value",
        reason="(1 - target) x and log_sigmoid(x) cancel on the right side far out until nothing is left",
        within=2,
        of="x * (1 + abs(weight)) * (1 + abs(pos_weight))",
        link=LOGITS,
        versions=VERSIONS,
    ),
    Defect(
        operation="binary_cross_entropy_with_logits",
        quantity="term",
        reason="the slope is a sigmoid less the target, which cancel on the right side far out until nothing is left",
        within=4,
        of="g * (1 + abs(weight)) * (1 + abs(pos_weight))",
        operand=0,
        link=LOGITS,
        versions=VERSIONS,
    ),
    Defect(
        operation="softplus",
        quantity="value",
        reason="softplus is x beyond its threshold of 20",
        within=2.0**53,  # all of what is cut off
        of="where(x > 20, exp(-x), 0)",
        dtypes=("float64",),
        link=SOFTPLUS,
        versions=VERSIONS,
    ),
    Defect(
        operation="softplus",
        quantity="term",
        reason="its slope is 1 beyond x = 20, not the sigmoid of x",
        within=2.0**53,
        of="where(x > 20, g * exp(-x), 0)",
        dtypes=("float64",),
        link=SOFTPLUS,
        versions=VERSIONS,
    ),
    Defect(
        operation="digamma",
        quantity="term",
        reason="the slope of digamma is a trigamma cut off after six terms",
        within=1.6e7,
        dtypes=("float64",),
        link=TRIGAMMA,
        versions=VERSIONS,
    ),
    Defect(
        operation="polygamma",
        quantity="value",
        reason="trigamma is an expansion right to about ten digits",
        within=1.6e7,
        params=(("n", 1),),
        dtypes=("float64",),
        link=TRIGAMMA,
        versions=VERSIONS,
    ),
    Defect(
        operation="hardsigmoid",
        quantity="term",
        reason="its slope of a sixth is one of float32",
        within=2.0**29,
        dtypes=("float64",),
        versions=VERSIONS,
    ),
    Defect(
        operation="celu",
        quantity="term",
        reason="alpha and its reciprocal are read in float32",
        within=2.0**29,
        of="exact * (1 - x / alpha)",
        dtypes=("float64",),
        versions=VERSIONS,
    ),
    _beyond_float16("atan", "x^2 + 1", "abs(x) > 255"),
    _beyond_float16("asinh", "the root of x^2 + 1", "abs(x) > 255"),
    _beyond_float16("logaddexp", "1 + exp(b - a)", "abs(a - b) > 11"),
    Failure(
        name=WIDER_BOUND,
        reason="clamp with gradients refuses a bound that is wider than x",
        versions=VERSIONS,
    ),
)

FORWARD: tuple[Entry, ...] = (
    Failure(
        name=WIDE_TANGENT,
        reason="a Python float times a tensor without axes of a lower precision has a float64 tangent",
        link="https://github.com/pytorch/pytorch/issues/90065",
        versions=VERSIONS,
    ),
)
FORWARD_REVERSE: tuple[Entry, ...] = (
    Failure(
        name=IN_PLACE,
        reason="the forward rule of mse_loss's backward divides a target without a tangent in place",
        link="https://github.com/pytorch/pytorch/issues/123996",
        versions=VERSIONS,
    ),
)
REVERSE_FORWARD: tuple[Entry, ...] = (
    Defect(
        operation="layer_norm",
        quantity="hessian_product",
        reason="the forward rule of layer_norm takes the saved mean and deviation for constants",
        within=20,
        link="https://github.com/pytorch/pytorch/issues/198017",
        versions=VERSIONS,
    ),
)
