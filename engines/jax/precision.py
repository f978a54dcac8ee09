"""How JAX is called: with 64-bit numbers, and with what was compiled before at hand.

64-bit numbers are switched on by JAX's context manager around every call. The global flag would do the same, and change
every other array of the process as well, those of a user's own test suite included.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import jax

from ...harness.records.evaluation import Array
from .cache import remember


def mode(*, wide: bool = True) -> Any:
    """64-bit numbers, or none where `wide` is False, within a `with`."""
    remember()
    return jax.enable_x64(wide)


def to_jax(array: Array, dtype: Any = None) -> Any:
    """An array of JAX's own, in that dtype or as it is: `jnp.array` would compile a program for each shape."""
    return jax.device_put(array.astype(array.dtype if dtype is None else dtype))
