"""Which framework a function is of, told without importing any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from dis import get_instructions
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

from ..errors import CommandError

# Packages whose functions, modules and arrays are a framework's.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "torch": ("torch", "torchvision", "timm", "transformers", "torchdiffeq"),
    "jax": ("jax", "jaxlib", "flax", "equinox", "optax", "haiku", "diffrax"),
}
WRAPPING = ("func", "__wrapped__", "__func__", "__self__")
DEEPEST = 8  # levels of nested arguments that are looked at


def framework_of(function: Any, inputs: Iterable[Any]) -> str:
    """The framework that a function and its inputs belong to: by the types of the inputs, else by what the function is,
    else by what its code reads, else by what its module imports. Raises CommandError where none can be told."""
    for things in (inputs, (function,)):
        for thing in things:
            for leaf in _leaves(thing, DEEPEST):
                if name := _by_type(leaf):
                    return name
    for inner in _unwrapped(function):
        if name := _by_type(inner) or _by_code(inner) or _only(getattr(inner, "__globals__", {}).values()):
            return name
    raise CommandError(
        f"no framework of {_name(function)} can be told: none of its inputs is a tensor or an array of one. "
        f"Pass them as such, or say which: framework={' or '.join(map(repr, PACKAGES))}."
    )


def _by_type(thing: object) -> str:
    roots = {base.__module__.partition(".")[0] for base in type(thing).__mro__}
    return next((name for name, packages in PACKAGES.items() if not roots.isdisjoint(packages)), "")


def _by_code(function: Any) -> str:
    """By the first modules and functions of a framework that its code reads, or that of functions which it calls."""
    waiting, seen = [function], set[int]()
    while waiting:
        read = [x for inner in waiting for x in _read(inner)]
        if name := _only(read):
            return name
        seen |= {*map(id, waiting)}
        waiting = [x for x in read if isinstance(x, FunctionType) and id(x) not in seen]
    return ""


def _read(function: Any) -> Iterator[Any]:
    """What a function's code reads by name, from around it and from its module."""
    names: Mapping[str, Any] = getattr(function, "__globals__", {})
    codes = [getattr(function, "__code__", None)]
    while codes:
        code = codes.pop()
        if isinstance(code, CodeType):
            read = {step.argval for step in get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
            yield from (names[name] for name in read if name in names)
            codes += code.co_consts
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _only(things: Iterable[Any]) -> str:
    """The framework of modules, functions and objects; empty where there is none, or more than one."""
    things = list(things)
    roots = {str(getattr(x, "__name__" if isinstance(x, ModuleType) else "__module__", "")).partition(".")[0]
             for x in things if isinstance(x, ModuleType) or callable(x)}  # fmt: skip
    found = {name for name, packages in PACKAGES.items() if not roots.isdisjoint(packages)}
    found |= {name for x in things if (name := _by_type(x))}
    return found.pop() if len(found) == 1 else ""


def _unwrapped(function: Any) -> Iterator[Any]:
    """A function, and what it wraps: a partial's, a bound method's and its owner."""
    waiting, seen = [function], set[int]()
    while waiting:
        inner = waiting.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        waiting += [getattr(inner, name) for name in WRAPPING if hasattr(inner, name)]
        waiting += [base.__call__ for base in type(inner).__mro__[:-1] if hasattr(base.__call__, "__globals__")]


def _leaves(thing: Any, deep: int) -> Iterator[Any]:
    if deep and isinstance(thing, Mapping):
        for item in cast("Mapping[Any, Any]", thing).values():
            yield from _leaves(item, deep - 1)
    elif deep and isinstance(thing, list | tuple | set):
        for item in cast("Iterable[Any]", thing):
            yield from _leaves(item, deep - 1)
    elif deep and is_dataclass(thing) and not isinstance(thing, type):
        yield thing
        for field in fields(thing):
            yield from _leaves(getattr(thing, field.name, None), deep - 1)
    else:
        yield thing


def _name(function: Any) -> str:
    return f"`{getattr(function, '__qualname__', type(function).__name__)}`"
