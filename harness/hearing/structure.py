"""Nested tuples, lists, dicts and dataclasses with arrays in them, whatever framework those are of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any, cast

import numpy as np

from ..records.evaluation import DTYPES, Array

UNREAD = (type, np.bool_, np.integer)  # they have the looks of an array, and are none


def numpy_of(thing: Any) -> Array | None:
    """An array of any framework as one of NumPy's, on its memory where that can be; None for what holds no numbers.

    A NumPy integer is none: it stands for an index or an axis as often as not.
    """
    if not all(hasattr(thing, name) for name in ("__array__", "dtype", "shape")) or isinstance(thing, UNREAD):
        return None
    array: Any = thing
    try:
        array = array.detach() if hasattr(array, "detach") else array
        if str(array.dtype) == "torch.bfloat16":  # which NumPy has no memory for
            return np.asarray(array.float()).astype(DTYPES["bfloat16"])
        found: Array = np.asarray(array)
    except (TypeError, RuntimeError):  # a key of JAX's, a tensor on another device
        return None
    return found if found.dtype.kind in "biufc" or found.dtype.name in DTYPES else None


def rebuilt(thing: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """The same structure with each leaf as `change(name, leaf)` gives it; names as in `batch['x'][0]`."""
    kind: Any = cast("type[Any]", type(thing))
    old: Any = thing
    if isinstance(thing, Mapping):
        made = {key: rebuilt(one, change, f"{name}[{key!r}]" if name else str(key)) for key, one in old.items()}
        if not isinstance(thing, dict):
            return kind(made)
        new = copy(old)
        for key, one in made.items():
            new[key] = one
        return new
    if isinstance(thing, tuple) and hasattr(old, "_fields"):
        return kind(*(rebuilt(getattr(old, field), change, f"{name}.{field}") for field in old._fields))
    if isinstance(thing, list | tuple):
        return kind(rebuilt(one, change, f"{name}[{k}]") for k, one in enumerate(old))
    if is_dataclass(kind):
        own = {field.name: getattr(old, field.name, None) for field in fields(kind)}
        changed = {field: rebuilt(one, change, f"{name}.{field}") for field, one in own.items()}
        if all(changed[field] is one for field, one in own.items()):
            return old
        new = copy(old)
        for field, one in changed.items():
            object.__setattr__(new, field, one)
        return new
    return change(name, old)


def leaves(thing: Any, name: str = "") -> dict[str, Array]:
    """The arrays of a structure as NumPy's, by name."""
    found: dict[str, Array] = {}

    def keep(name: str, leaf: Any) -> Any:
        if (array := numpy_of(leaf)) is not None:
            found[name] = array
        return leaf

    rebuilt(thing, keep, name)
    return found


def with_leaves(thing: Any, numbers: Mapping[str, Any], name: str = "") -> Any:
    """The same structure with other numbers, by name."""
    return rebuilt(thing, numbers.get, name)


def argument_names(function: Any, count: int) -> list[str]:
    """What a function calls its first arguments; of a torch module, what its `forward` does."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
        if hasattr(function, "forward") and parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
            parameters = [*inspect.signature(function.forward).parameters.values()]
    except (TypeError, ValueError):
        return [f"x{k}" for k in range(count)]
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return (names + [f"x{k}" for k in range(len(names), count)])[:count]
