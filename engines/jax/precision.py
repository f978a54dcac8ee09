"""How JAX is called: with 64-bit numbers, with what was compiled before at hand, and with one context for its programs.

64-bit numbers are switched on by JAX's context manager around every call. The global flag would do the same, and change
every other array of the process as well, those of a user's own test suite included.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import jax
from jax._src.interpreters import mlir

from ...harness.records.evaluation import Array
from .cache import remember

LOWERING = cast("Any", mlir)
_new_context = LOWERING.make_ir_context


@contextmanager
def mode(*, wide: bool = True) -> Generator[None]:
    """64-bit numbers, or none where `wide` is False, within a `with`."""
    remember()
    before, LOWERING.make_ir_context = LOWERING.make_ir_context, shared
    try:
        with jax.enable_x64(wide):
            yield
    finally:
        LOWERING.make_ir_context = before


@cache
def shared() -> Any:
    """The context of MLIR that programs are written in. JAX makes one for each, of some thousand single operations too:
    two thirds of what lowering them takes. The programs are the same to the last byte."""
    return _new_context()


def release() -> None:
    """Forget what was compiled here, and the context, which keeps the constants of every program."""
    jax.clear_caches()
    shared.cache_clear()


def to_jax(array: Array, dtype: Any = None) -> Any:
    """An array of JAX's own, in that dtype or as it is: `jnp.array` would compile a program for each shape."""
    return jax.device_put(array.astype(array.dtype if dtype is None else dtype))
