"""What functions of torch hold: their state as users convert it, and another one in its place for a while."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from ...harness.hearing.heard import Refused
from ...harness.hearing.structure import numpy_of, rebuilt
from ...harness.words import nearest
from .state import surroundings
from .tensors import to_torch

Tensor: TypeAlias = torch.Tensor


def arrays(thing: Any) -> Any:
    """Every array of a structure as a tensor of its own memory. Integers are int64, but for bytes."""

    def tensor(_: str, leaf: Any) -> Any:
        array = numpy_of(leaf)
        if array is None:
            return leaf
        return to_torch(array.astype(np.int64) if array.dtype.kind in "iu" and array.dtype != np.uint8 else array)

    return rebuilt(thing, tensor)


def state(function: Callable[..., Any]) -> dict[str, Any] | None:
    """The `state_dict` of a module, a copy, in which tensors share their memory as before. Of a function that runs on
    modules, that of all under the function's names for them; None where it holds nothing."""
    copies: dict[tuple[Any, ...], Tensor] = {}

    def copied(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        key = (value.data_ptr(), tuple(value.shape), value.stride(), value.dtype)
        if key not in copies or not value.numel():
            copies[key] = value.detach().clone()
        return copies[key]

    found = {
        _under(prefix, name): copied(value)
        for prefix, module in surroundings(function)
        for name, value in module.state_dict().items()
    }
    return found or None


@contextmanager
def holding(function: Callable[..., Any], state: Any) -> Generator[Callable[..., Any]]:
    """The function with a state dict in place of its own numbers, or with a module in place of itself; afterwards it
    is as it was. Raises Refused for parameters that are missing, unexpected, or of another shape."""
    if isinstance(state, nn.Module):
        yield state
        return
    if not isinstance(state, Mapping):
        raise Refused(f"a {type(state).__name__} as the state of a module", remedy="Give a state dict, or a module.")
    given: dict[str, Any] = arrays(dict(state))
    modules = dict(surroundings(function))
    held = {id(t): t for m in modules.values() for t in (*m.parameters(), *m.buffers())}
    before = [(tensor, tensor.data) for tensor in held.values()]
    try:
        for prefix, module in modules.items():
            start = _under(prefix, "")
            _load(module, {n.removeprefix(start): given.pop(n) for n in list(given) if n.startswith(start)}, start)
        if given:
            raise Refused(f"no module has {', '.join(f'`{name}`' for name in given)}")
        yield function
    finally:
        for tensor, data in before:
            tensor.data = data


def _load(module: nn.Module, given: Mapping[str, Any], start: str) -> None:
    own = module.state_dict(keep_vars=True)
    shared: dict[int, str] = {}
    for name, tensor in own.items():
        if name not in given or not isinstance(tensor, Tensor):
            continue
        new = given[name]
        if tensor.shape != new.shape:
            found, expected = tuple(new.shape), tuple(tensor.shape)
            raise Refused(f"`{start}{name}` is of shape {found}, where the module has {expected}")
        other = shared.setdefault(id(tensor), name)
        if not torch.equal(given[other].nan_to_num(), new.nan_to_num()):
            raise Refused(f"`{start}{other}` and `{start}{name}` are one parameter, and were given different numbers")
        tensor.data = tensor.data.to(torch.promote_types(tensor.dtype, new.dtype), copy=True)
    found = module.load_state_dict(given, strict=False)
    if found.missing_keys:
        missing = ", ".join(f"`{start}{name}`" for name in found.missing_keys)
        raise Refused(f"nothing was given for {missing}")
    if found.unexpected_keys:
        name = found.unexpected_keys[0]
        raise Refused(f"the module has no `{start}{name}`", remedy=nearest(name, own))


@contextmanager
def within(dtype: str) -> Generator[None]:
    """Floats that are made from Python's are float64 where that is what is heard."""
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64 if dtype == "float64" else before)
        yield
    finally:
        torch.set_default_dtype(before)


def _under(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
