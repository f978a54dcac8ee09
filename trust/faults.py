"""What is planted: ways in which a derivative goes wrong, each one small function.

Most bend one term as an array, with arithmetic that NumPy, torch, JAX and Python floats share. The others
say what they do to a whole sweep; `planting.py` does it in each engine. Imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, nan
from typing import Any

TRANSPOSED, SWAPPED = "transposed", "operands swapped"
UNSUMMED, OVERWRITTEN = "broadcast sum missing", "overwritten, not added"
SLIGHT = {"float64": 1e-12, "float32": 1e-5, "float16": 0.0625, "bfloat16": 0.5}

Bend = Callable[[Any], Any]


def transposed(term: Any) -> Any:
    """The last two axes swapped, the numbers in a shape that fits."""
    if len(getattr(term, "shape", ())) < 2:
        return term
    return term.swapaxes(-1, -2).reshape(term.shape)


def scales(dtype: str) -> Mapping[str, tuple[float, float]]:
    """What a term is multiplied by, and what is added to it then."""
    return {
        "sign flipped": (-1, 0),
        "factor 2": (2, 0),
        f"factor 1 + {SLIGHT[dtype]:g}": (1 + SLIGHT[dtype], 0),
        "zero": (0, 0),
        "NaN": (nan, 0),
        "infinity": (0, inf),
        "constant": (0, 1),
    }


def bends(dtype: str) -> Mapping[str, Bend]:
    return {name: _scaled(*scale) for name, scale in scales(dtype).items()} | {TRANSPOSED: transposed}


def _scaled(factor: float, shift: float) -> Bend:
    return lambda term: term * factor + shift


def names(dtype: str) -> list[str]:
    return [*bends(dtype), SWAPPED, UNSUMMED, OVERWRITTEN]


def first_slice(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[Any, ...]:
    """The index that takes the first instead of the sum where an operand of shape `target` was repeated to `shape`."""
    extra = len(shape) - len(target)
    return (0,) * extra + tuple(
        slice(0, 1) if n != 1 and m == 1 else slice(None) for n, m in zip(shape[extra:], target, strict=True)
    )
