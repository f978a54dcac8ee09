"""Functions that somebody has given a meaning: while a program is traced, each call of one is marked, and is one node.

A call is marked by a compiled function with a name of its own, which no primitive of JAX has.
"""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax

from ...harness.graph.operations.operation import Operation
from ...harness.hearing.heard import Defined, Refused

MARK = "gradaccord_defined_"


@dataclass(frozen=True, slots=True)
class Marked:
    """One call: what it means, and the parameters that it was given."""

    operation: Operation
    params: Mapping[str, Any]


@contextmanager
def marking(defined: Sequence[Defined]) -> Generator[dict[str, Marked]]:
    """Within this, every module has marking functions in place of those that are defined. Yields the marks by name."""
    marks = dict[str, Marked]()
    put: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for one in defined:
            function = one.functions.get("jax")
            if function is None:
                continue
            replacement = _marks(function, one.operation, marks)
            for module in list(sys.modules.values()):
                namespace = getattr(module, "__dict__", {})
                for name in [name for name, value in list(namespace.items()) if value is function]:
                    put.append((namespace, name, function))
                    namespace[name] = replacement
        if put:
            jax.clear_caches()  # what was traced before has no marks
        yield marks
    finally:
        for namespace, name, function in put:
            namespace[name] = function


def _marks(function: Callable[..., Any], operation: Operation, marks: dict[str, Marked]) -> Callable[..., Any]:
    operands, parameters = [operand.name for operand in operation.operands], list(operation.parameters)

    @functools.wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip([*operands, *parameters], args, strict=False)) | kwargs
        if strange := set(given) - {*operands, *parameters}:
            known = ", ".join([*operands, *parameters])
            raise Refused(f"`{operation.name}` with {', '.join(sorted(strange))}", remedy=f"Its definition has {known}")
        named = {name: kwargs[name] for name in kwargs if name in operands}
        numbers = [*args[: len(operands)], *named.values()]
        settings = args[len(operands) :], {name: value for name, value in kwargs.items() if name not in operands}

        def call(*xs: Any) -> Any:
            placed = dict(zip(named, xs[len(xs) - len(named) :], strict=True))
            return function(*xs[: len(xs) - len(named)], *settings[0], **placed, **settings[1])

        call.__name__ = call.__qualname__ = f"{MARK}{len(marks)}"
        marks[call.__name__] = Marked(operation, {name: given[name] for name in parameters if name in given})
        return jax.jit(call)(*numbers)

    return marked
