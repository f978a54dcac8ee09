"""A program and its surroundings: which tensors are its inputs, and what must be as it was after each run."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from ...harness.hearing.heard import Ask, Refused
from ...harness.hearing.structure import argument_names
from ...harness.words import nearest
from .tensors import DTYPES, PLAIN

Tensor: TypeAlias = torch.Tensor


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor that goes into a run, and its name. `wanted`: its gradient is asked for."""

    name: str
    tensor: Tensor
    wanted: bool


class Program:
    """A function with its arguments, to be run several times from the same state."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], ask: Ask):
        self.function, self.args, self.kwargs, self.ask = function, args, dict(kwargs), ask
        named = [*zip(argument_names(function, len(args)), args, strict=True), *kwargs.items()]
        self.modules = dict(surroundings(function))
        for name, value in named:
            if isinstance(value, nn.Module):
                self.modules.setdefault(name, value)
        self.held: dict[str, Tensor] = {}  # parameters and buffers, by name
        self._parameters: set[int] = set()
        self.paths: dict[int, str] = {}
        for prefix, module in self.modules.items():
            start = f"{prefix}." if prefix else ""
            for path, inner in module.named_modules():
                if isinstance(inner, torch.jit.ScriptModule):
                    where = f", `{start}{path}`" if start or path else ""
                    remedy = "Check the module that it was made of, or give it a meaning with `gradaccord.define`."
                    raise Refused(f"a module of TorchScript{where}, where no listener hears", remedy=remedy)
                self.paths.setdefault(id(inner), f"{start}{path}".strip("."))
            for path, tensor in module.named_parameters():
                self.held.setdefault(f"{start}{path}", tensor)
                self._parameters.add(id(tensor))
            for path, tensor in module.named_buffers():
                self.held.setdefault(f"{start}{path}", tensor)
        own = {id(tensor) for tensor in self.held.values()}
        self.given = {name: t for start, value in named for name, t in leaves(value, start) if id(t) not in own}
        for name, tensor in (*self.held.items(), *self.given.items()):
            _check(name, tensor)
        self.wanted = self._wanted()

    def _wanted(self) -> frozenset[str]:
        floats = [name for name, t in (*self.held.items(), *self.given.items()) if t.is_floating_point()]
        trained = [name for name in floats if name in self.given or self._trains(self.held[name])]
        asked = self.ask.wanted
        if asked is None:
            return frozenset(trained).difference(self.ask.constant)
        chosen = set[str]()
        for start in asked:  # a name stands for all that is below it too, but for buffers
            below = {
                name
                for name in floats
                if name == start or (name.startswith((f"{start}[", f"{start}.")) and not self._is_buffer(name))
            }
            if not below:
                remedy = f"{nearest(start, floats)} There are {', '.join(floats)}"
                raise Refused(f"there is no input `{start}`", remedy=remedy.strip())
            chosen |= below
        return frozenset(chosen)

    def _is_buffer(self, name: str) -> bool:
        return name in self.held and id(self.held[name]) not in self._parameters

    def _trains(self, tensor: Tensor) -> bool:
        return id(tensor) in self._parameters and tensor.requires_grad

    @contextmanager
    def fresh(self) -> Generator[tuple[list[Leaf], Callable[[], Any]]]:
        """One run from the state that was found: its inputs, and how to call it. Afterwards all is as it was."""
        random_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
        attributes = [
            (m, dict(vars(m)), [dict(getattr(m, name)) for name in ("_parameters", "_buffers", "_modules")])
            for outer in self.modules.values()
            for m in outer.modules()
        ]
        kept = [  # what a module remembers in a list or a dict of its own
            (value, list(value.items() if isinstance(value, dict) else value))
            for _, own, _ in attributes
            for value in own.values()
            if isinstance(value, dict | list | set)
        ]
        held = [(name, t, t.data, t.requires_grad) for name, t in self.held.items()]
        generators = [(g, g.get_state()) for g in (*self.args, *self.kwargs.values()) if isinstance(g, torch.Generator)]
        found: list[Leaf] = []
        grad, default = torch.is_grad_enabled(), torch.get_default_dtype()
        try:
            for name, tensor, data, _ in held:
                tensor.data = self._cast(data).clone()
                if tensor.is_floating_point():
                    tensor.requires_grad_(name in self.wanted)
                found.append(Leaf(name, tensor, name in self.wanted))
            copies: dict[int, Tensor] = {}
            for name, tensor in self.given.items():
                if id(tensor) not in copies:
                    copy = self._cast(tensor.detach()).clone()
                    copies[id(tensor)] = copy.requires_grad_(name in self.wanted)
                    found.append(Leaf(name, copies[id(tensor)], name in self.wanted))
            args, kwargs = replaced(self.args, copies), replaced(self.kwargs, copies)
            torch.set_grad_enabled(True)
            yield found, lambda: self.function(*args, **kwargs)
        finally:
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(default)
            for module, own, inner in attributes:
                vars(module).clear()
                vars(module).update(own)
                for name, entries in zip(("_parameters", "_buffers", "_modules"), inner, strict=True):
                    getattr(module, name).clear()
                    getattr(module, name).update(entries)
            for container, entries in kept:
                container.clear()
                container.update(entries) if not isinstance(container, list) else container.extend(entries)
            for _, tensor, data, requires in held:
                tensor.data = data
                tensor.requires_grad_(requires)
            for generator, state in generators:
                generator.set_state(state)
            random.setstate(random_state)
            np.random.set_state(numpy_state)
            torch.set_rng_state(torch_state)

    def _cast(self, tensor: Tensor) -> Tensor:
        return tensor.to(DTYPES[self.ask.dtype]) if self.ask.dtype and tensor.is_floating_point() else tensor


def surroundings(function: Callable[..., Any]) -> Iterator[tuple[str, nn.Module]]:
    """The modules that a function runs on, by what it calls them: itself, the one it is bound to, those that it closes
    over, and those among its globals."""
    if isinstance(function, nn.Module):
        yield "", function
        return
    if isinstance(function, partial):
        yield from surroundings(function.func)
        bound: Any = (*zip(argument_names(function.func, len(function.args)), function.args, strict=True),
                      *function.keywords.items())  # fmt: skip
        for name, value in bound:
            if isinstance(value, nn.Module):
                yield name, value
        return
    owner: Any = getattr(function, "__self__", None)
    if isinstance(owner, nn.Module):
        yield "", owner
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if isinstance(value, nn.Module):
            yield name, value
        elif inspect.isfunction(value) and value is not function:
            yield from surroundings(value)
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, nn.Module):
            yield name, value


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested tuples, lists, dicts and dataclasses, each with its path."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for key in value._fields:
            yield from leaves(getattr(value, key), f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for key, one in enumerate(value):
            yield from leaves(one, f"{name}[{key}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name, None), f"{name}.{field.name}")


def replaced(value: Any, by: Mapping[int, Tensor]) -> Any:
    """The same structure with other tensors."""
    if isinstance(value, Tensor):
        return by.get(id(value), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(replaced(one, by) for one in value))
    if isinstance(value, list | tuple):
        return type(value)(replaced(one, by) for one in value)
    if isinstance(value, dict):
        new = {key: replaced(one, by) for key, one in value.items()}
        return new if type(value) is dict else type(value)(**new)
    if is_dataclass(value) and not isinstance(value, type) and any(True for _ in leaves(value)):
        made = object.__new__(type(value))
        for field in fields(value):
            object.__setattr__(made, field.name, replaced(getattr(value, field.name), by))
        return made
    return value


def _check(name: str, tensor: Tensor) -> None:
    remedy = "Only dense tensors on the CPU are heard."
    if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
        raise Refused(f"`{name}` has no shape yet", remedy="Run the module once before.")
    if type(tensor) not in PLAIN:
        raise Refused(f"`{name}` is a {type(tensor).__name__}, a subclass of Tensor", remedy=remedy)
    if tensor.device.type != "cpu":
        raise Refused(f"`{name}` is on {tensor.device}", remedy='Move the model and its inputs: `.to("cpu")`.')
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        kind = "quantised" if tensor.is_quantized else "nested" if tensor.is_nested else f"laid out as {tensor.layout}"
        raise Refused(f"`{name}` is {kind}", remedy=remedy)
    if tensor.is_complex():
        raise Refused(f"`{name}` is complex", remedy="Give its real and its imaginary part.")
