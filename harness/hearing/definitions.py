"""Functions that people give a meaning: one node in every run that is heard, judged by its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import CommandError
from ..graph.define import argument_names, signature_of
from ..graph.define import define as defined
from ..graph.language.expression import ExpressionError
from ..graph.language.mistakes import body_mistakes
from ..graph.node import GraphError
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from .heard import Defined

_known: dict[str, Defined] = {}


def define(signature: str, text: str, *, stable: str = "", **functions: Callable[..., Any]) -> Operation:
    """Give functions of frameworks a meaning: `define("logit(x)", "log(x / (1 - x))", torch=torch.special.logit)`.

    `signature` has operands, `i: int` and `m: bool` among them, and behind a `*` parameters; `text` is the textbook
    formula in the case language, `stable` what is computed where that overflows or cancels. From here on `check` and
    `trace` hear each call of one of the functions as one node of that name. Raises CommandError for what makes no
    sense. A definition of the same name replaces the one before.
    """
    try:
        within = tuple(one.operation for one in _known.values())
        arguments = argument_names(signature_of(signature)[1])
        for formula in filter(None, (text, stable)):
            for error in body_mistakes(formula, arguments, [inner.name for inner in within]):
                raise error
        operation = defined(signature, text, stable=stable, within=within)
    except ExpressionError as error:
        raise CommandError(f"{error} in `{signature}: {text}`") from None
    except GraphError as error:
        raise CommandError(str(error)) from None
    if operation.name in OPERATIONS:
        raise CommandError(f"`{operation.name}` is an operation already: `gradaccord ops {operation.name}`")
    for framework, function in functions.items():
        if not callable(function):
            raise CommandError(f"{framework}={function!r} of `{operation.name}`, expected a function")
    if not functions:
        raise CommandError(f"`{operation.name}` has no function: define(..., torch=function) or jax=function")
    _known[operation.name] = Defined(operation, functions)
    return operation


def known(framework: str) -> tuple[Defined, ...]:
    """What has been defined for a framework."""
    return tuple(one for one in _known.values() if framework in one.functions)


def forget() -> None:
    """Nothing is defined any more."""
    _known.clear()
