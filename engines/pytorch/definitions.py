"""Functions that somebody has defined: calls of them are found, whoever wrote them and whatever they are called by."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from torch.overrides import _get_current_function_mode, _pop_mode_temporarily

from ...harness.hearing.heard import Defined
from .arguments import tensors_of
from .functions import is_torchs
from .hearing import Hearing

HOOK = "__gradaccord_defined__"


@contextmanager
def heard_definitions(defined: Sequence[Defined]) -> Generator[None]:
    """Python functions that are defined hand their calls to the hearing that is under way, if one is."""
    changed: list[tuple[types.FunctionType, types.CodeType]] = []
    try:
        for definition in defined:
            function = definition.functions.get("torch")
            if isinstance(function, types.FunctionType) and not is_torchs(function):
                changed.append((function, function.__code__))
                _hand_over(function, definition)
        yield
    finally:
        for function, code in reversed(changed):
            function.__code__ = code
            function.__globals__.pop(HOOK, None)


def _hand_over(function: types.FunctionType, definition: Defined) -> None:
    """Give a function, which others may hold under any name, a body that asks the hearing."""
    original = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    original.__kwdefaults__ = function.__kwdefaults__

    def asked(*args: Any, **kwargs: Any) -> Any:
        mode = _get_current_function_mode()
        if not isinstance(mode, Hearing) or not any(map(mode.nodes.depends, tensors_of((args, kwargs)))):
            return original(*args, **kwargs)
        with _pop_mode_temporarily():
            return mode.own(definition, original, args, kwargs)

    hooks: dict[int, Callable[..., Any]] = function.__globals__.setdefault(HOOK, {})
    hooks[id(function)] = asked
    space: dict[str, Any] = {}
    exec(f"def body(*args, **kwargs): return {HOOK}[{id(function)}](*args, **kwargs)", space)
    function.__code__ = space["body"].__code__.replace(co_freevars=function.__code__.co_freevars)
