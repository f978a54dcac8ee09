"""Digits that a run in float64 loses on the way: a number that is narrowed, a constant that is one of float32."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import Literal

if TYPE_CHECKING:
    from .walk import Value

WIDENED = ("a constant of", "float32 widened to float64")


def lost_digits(e: Any, values: Sequence[Value]) -> tuple[str, str] | None:
    """What an equation loses, as the two parts of a note."""
    if e.primitive.name == "convert_element_type":
        return _by_cast(values[0], e.outvars[0].aval.dtype)
    live = any(value.node for value in values)
    return WIDENED if live and any(isinstance(x, Literal) and _is_of_float32(x) for x in e.invars) else None


def _by_cast(value: Value, dtype: Any) -> tuple[str, str] | None:
    source = value.aval.dtype
    if not value.is_float or source == dtype:
        return None
    if value.node:
        narrowed = source == np.float64 and np.dtype(dtype).kind not in "iubc"
        return ("float64", f"narrowed to {dtype}") if narrowed else None
    if source != np.float32 or dtype != np.float64:
        return None
    with np.errstate(over="ignore"):
        short = np.asarray(value.array, np.float16).astype(np.float64)  # what half precision holds lacks no digits
    return None if np.array_equal(short, np.asarray(value.array, np.float64), equal_nan=True) else WIDENED


def _is_of_float32(x: Any) -> bool:
    """Whether a number in float64 has the digits of one in float32: more than 20 bits, and no more than 24."""
    if x.aval.dtype != np.float64 or x.aval.shape:
        return False
    mantissa = np.frexp(float(x.val))[0]
    return bool(np.isfinite(mantissa) and mantissa * 2**24 % 1 == 0 and mantissa * 2**20 % 1 != 0)
