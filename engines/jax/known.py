"""What is known of JAX and XLA on CPUs, in every case: formulas that they run, defects that they have. Of JAX 0.10.2.

Ceilings are measured over thousands of points; `tests/engines/test_known.py` holds each entry at some of them.
"""

from __future__ import annotations

from typing import Literal

from ...harness.records.known import Defect, Entry, Formula

VERSIONS = ">=0.8,<1"
EXPM1 = "https://github.com/jax-ml/jax/issues/39794"
ELU = "https://github.com/jax-ml/jax/issues/39795"
TANH = "https://github.com/jax-ml/jax/issues/40315"
OVERFLOW = "0 where e^-x overflows, from -11.1 on down"
OVERFLOWING: tuple[tuple[str, Literal["value", "term"]], ...] = (
    ("sigmoid", "value"),
    ("silu", "value"),
    ("silu", "term"),
)
WHOLE = 2.0**11  # units roundoff of float16: all of a number


def _hypot(dtype: str, units: float, low: str, high: str) -> Defect:
    larger = "maximum(abs(a), abs(b))"
    return Defect(
        operation="hypot",
        quantity="term",
        reason="the slope divides by squares of the operands, which vanish or overflow: NaN, or off by half",
        within=units,
        of=f"where({larger} > {high}, g, where({larger} < {low}, g, 0))",
        finite=False,
        dtypes=(dtype,),
        versions=VERSIONS,
    )


KNOWN: tuple[Entry, ...] = (
    Formula(
        operation="expm1",
        text="g * (y + 1)",
        digits=8,
        source="jax/_src/lax/lax.py, expm1_p: mul(g, add(ans, 1))",
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
        operation="softplus",
        text="g * exp(x - y)",
        digits=2,
        dtypes=("float64", "float32"),
        source="jax/_src/lax/other.py, _logaddexp_jvp: exp(x1 - primal_out)",
        versions=VERSIONS,
    ),
    Defect(
        operation="elu",
        quantity="term",
        reason="the slope is computed as expm1(x) + 1, which cancels until nothing is left",
        within=1,
        of="g * alpha",
        link=ELU,
        versions=VERSIONS,
    ),
    Defect(
        operation="celu",
        quantity="term",
        reason="the slope is computed as expm1(x / alpha) + 1, which cancels until nothing is left",
        within=1,
        of="g",
        versions=VERSIONS,
    ),
    Defect(
        operation="selu",
        quantity="term",
        reason="the slope is computed as expm1(x) + 1, which cancels until nothing is left",
        within=1,
        of="g * 1.7580993408473766",
        link=ELU,
        versions=VERSIONS,
    ),
    Defect(
        operation="tanh",
        quantity="plain",
        reason="its slope is h + h y, h = g (1 - y), added one by one: left of 0 they cancel, what is beside is lost",
        within=1,
        of="where(x < -1, g * (1 - tanh(x)), 0)",
        link=TANH,
        versions=VERSIONS,
    ),
    Defect(
        operation="lgamma",
        quantity="value",
        reason="the approximation is right to so much of 1, not of its result: it cancels next to the roots",
        within=64,
        of="1",
        dtypes=("float64", "float32"),
        versions=VERSIONS,
    ),
    Defect(
        operation="log1p",
        quantity="value",
        reason="an expansion for x above -0.29 is used down to -0.41",
        within=320,
        of="where(x < -0.29, where(x > -0.42, exact, 0), 0)",
        dtypes=("float64",),
        versions=VERSIONS,
    ),
    Defect(
        operation="atanh",
        quantity="value",
        reason="it is half of log1p(x) - log1p(-x), and log1p is off from -0.29 to -0.41",
        within=200,
        of="where(abs(x) > 0.29, where(abs(x) < 0.42, exact, 0), 0)",
        dtypes=("float64",),
        versions=VERSIONS,
    ),
    *(
        Defect(
            operation=operation,
            quantity=quantity,
            reason=OVERFLOW,
            within=WHOLE,
            of="where(x < -11, exact, 0)",
            dtypes=("float16",),
            versions=VERSIONS,
        )
        for operation, quantity in OVERFLOWING
    ),
    _hypot("float64", 2.0**53, "1.5e-154", "1.3e154"),
    _hypot("float32", 2.0**24, "1.1e-19", "1.8e19"),
)
