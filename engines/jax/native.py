"""Functions of JAX and optax that a case names in place of a definition's text, looked up."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import jax

from ...harness.graph.native import Native
from ...harness.graph.node import GraphError


def resolve(native: Native) -> Any:
    """The function that a case names, one that JAX or optax made. Raises GraphError for anything else."""
    path, function = f"{native.module}.{native.name}", getattr(import_module(native.module), native.name, None)
    if function is None:
        raise GraphError(f"jax {jax.__version__} has no `{path}`", "a function that it has")
    made_by = str(getattr(function, "__module__", "")).partition(".")[0]
    if not callable(function) or isinstance(function, type) or made_by not in ("jax", "optax"):
        raise GraphError(f"`{path}` of jax {jax.__version__}", "a function of arrays")
    return function
