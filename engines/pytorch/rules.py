"""Custom rules, `torch.autograd.Function`: each call is one node that means its own forward, heard by itself.

All calls end up in `_SingleLevelFunction.apply`, under whatever name the user keeps them. The user's forward and the
user's rule run as they are; the forward runs once more, on tensors of its own, to be written down as a definition.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch.autograd import function as functions
from torch.overrides import _get_current_function_mode, _pop_mode_temporarily

from ...harness.graph.graph import Graph
from ...harness.graph.language.printing import text_of
from ...harness.hearing.heard import Place, Refused
from .arguments import tensors_of
from .calls import Step, joined
from .hearing import DEFINE, Hearing

Tensor: TypeAlias = torch.Tensor
LEVEL: Any = functions._SingleLevelFunction


@contextmanager
def heard_rules() -> Generator[None]:
    """Custom rules are heard by the hearing that is under way, if one is."""
    original = LEVEL.apply

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        mode = _get_current_function_mode()
        run = original.__func__ if hasattr(original, "__func__") else None

        def plain(*args: Any) -> Any:
            return run(cls, *args, **kwargs) if run else super(LEVEL, cls).apply(*args, **kwargs)

        if not isinstance(mode, Hearing):
            return plain(*args)
        with _pop_mode_temporarily():
            return _heard(mode, cls, plain, args)

    LEVEL.apply = classmethod(apply)
    try:
        yield
    finally:
        del LEVEL.apply


def _heard(hearing: Hearing, cls: Any, plain: Any, args: Sequence[Any]) -> Any:
    args = [hearing.memory.current(x) if isinstance(x, Tensor) else x for x in args]
    place = hearing.places.here(f"{cls.__module__}.{cls.__qualname__}.apply", written_at(cls))
    if any(hearing.nodes.depends(t) for x in args if not isinstance(x, Tensor) for t in tensors_of(x)):
        raise Refused("a custom rule with tensors inside of lists", place, "Hand each tensor in by itself.")
    if not any(hearing.nodes.depends(x) for x in args if isinstance(x, Tensor)):
        return plain(*args)
    if not hearing.taped:  # a rule within the forward of another: what counts is what it computes
        return hearing.under(lambda: cls.forward(*args) if _separate(cls) else cls.forward(Context(args), *args))
    state, versions = torch.get_rng_state(), [x._version if isinstance(x, Tensor) else 0 for x in args]
    tagged, _, tags = hearing.nodes.tagged(tuple(args), {})
    before = [x.detach().clone() if isinstance(x, Tensor) else None for x in args]
    out = plain(*tagged)
    if versions != [x._version if isinstance(x, Tensor) else 0 for x in args]:
        raise Refused("a custom rule that changes its operand", place, "Let its forward return a new tensor.")
    changed = [was is not None and not torch.equal(x.detach(), was) for x, was in zip(args, before, strict=True)]
    if any(changed):  # past the version counter, as in `x.data[k] = y`: run on copies, operands stay as they were
        for x, was, other in zip(args, before, changed, strict=True):
            _ = x.data.copy_(was) if other else None
        torch.set_rng_state(state)
        out = plain(*(x.clone() if other else x for x, other in zip(tagged, changed, strict=True)))
    if cls.__name__ == "BackwardHookFunction":  # full backward hooks of modules: it hands on what it gets
        for x, y in zip(tagged, out if isinstance(out, tuple) else (out,), strict=True):
            if isinstance(y, Tensor) and id(x) in tags:
                hearing.nodes.record(Step("copy", [x]), y, place, tags)
        return out
    whole, outs = hearing.whole_of(_flowing(out))
    if whole is None:
        return out
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    try:
        text, constants = _meaning(hearing, cls, args, place)
    finally:
        torch.set_rng_state(after)
    step = Step(cls.__name__, [*(x for x in tagged if isinstance(x, Tensor)), *constants], text=text)
    hearing.nodes.record(step, whole, place, tags)
    return hearing.parts_of(out, whole, outs)


def _flowing(out: Any) -> Any:
    """The results that have a gradient."""
    found = [t for t in tensors_of(out) if t.requires_grad]
    return tuple(found)


def written_at(cls: Any) -> str:
    """A rule and where it is written, as in `Clip at model.py:12`."""
    try:
        line = inspect.getsourcelines(cls)[1]
        return f"{cls.__name__} at {Path(inspect.getsourcefile(cls) or '').name}:{line}"
    except (OSError, TypeError):
        return cls.__name__


class Context:
    """What stands in for `ctx` while a forward is heard: it keeps what it is told."""

    def __init__(self, args: Sequence[Any]) -> None:
        self.needs_input_grad = tuple(isinstance(x, Tensor) and x.is_floating_point() for x in args)
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None: ...

    def mark_non_differentiable(self, *tensors: Any) -> None: ...

    def mark_dirty(self, *tensors: Any) -> None: ...

    def set_materialize_grads(self, value: bool) -> None: ...


def _separate(cls: Any) -> bool:
    """Whether a rule has its forward without `ctx`."""
    return functions._is_setup_context_defined(cls.setup_context)


def _meaning(hearing: Hearing, cls: Any, args: Sequence[Any], place: Place) -> tuple[str, list[Tensor]]:
    """The forward of a rule as text in x0, x1, ..., its tensors, and the constants behind these that it reads."""
    inner = hearing.recording.inside()
    own = Hearing(inner, hearing.places, taped=False, outer=hearing, defined=hearing.defined)
    own.notes = hearing.notes
    names: dict[str, str] = {}
    fresh: list[Any] = []
    for x in args:
        if isinstance(x, Tensor):
            x = x.detach().clone()
            node = own.nodes.input(f"x{len(names)}", x, moves=x.is_floating_point())
            names[node] = f"x{len(names)}"
        fresh.append(x)
    try:
        with torch.no_grad(), own:
            y = cls.forward(*fresh) if _separate(cls) else cls.forward(Context(fresh), *fresh)
    except Refused as error:
        remedy = error.remedy or DEFINE
        raise Refused(f"{error.what}, in the forward of {cls.__name__}", error.place or place, remedy) from None
    results = [own.memory.current(t) for t in tensors_of(y) if t.is_floating_point()]
    for t in results:
        if not (own.nodes.depends(t) or own.nodes.is_flat(t)):
            raise Refused(
                f"a forward of {cls.__name__} whose result no call of torch has made", place,
                f"Give it a meaning: intended={{{cls.__name__}: 'its formula in x0'}}, or {DEFINE}",
            )  # fmt: skip
    nodes = [own.nodes.node_of(t) for t in results]
    graph = inner.builder.graph(nodes)
    constants: list[Tensor] = []
    for node in graph.inputs:
        if node.name not in names:
            names[node.name] = f"x{len(names)}"
            constants.append(own.nodes.shown[node.name])
    for k, node in enumerate(graph.operations):
        names[node.name] = f"t{k}"
    text = _written(graph, names, nodes)
    hearing.recording.include(inner)
    surrogate = hearing.intended.get(cls, hearing.intended.get(cls.__name__))
    if surrogate is not None:
        text = _stopped(text, _renamed(surrogate, cls, args))
    return text, constants


def _written(graph: Graph, names: dict[str, str], outputs: Sequence[str]) -> str:
    needed = graph.pruned(outputs)
    lines = text_of(replace(needed, outputs=tuple(outputs)), names)
    statements = [f"{name} = {text}" for name, text in lines.items()]
    last = joined(*(names[name] for name in outputs)) if len(outputs) > 1 else names[outputs[0]]
    if len(outputs) == 1 and statements and statements[-1].startswith(f"{last} = "):
        last = statements.pop().partition(" = ")[2]
    return "; ".join([*statements, last])


def _renamed(text: str, cls: Any, args: Sequence[Any]) -> str:
    """A surrogate that reads the forward's own argument names, in x0, x1, ..."""
    parameters = list(inspect.signature(cls.forward).parameters)
    parameters = parameters if _separate(cls) else parameters[1:]
    tensors = [name for name, x in zip(parameters, args, strict=False) if isinstance(x, Tensor)]
    names = {name: f"x{k}" for k, name in enumerate(tensors)}
    return re.sub(r"\b[A-Za-z_]\w*\b(?!\s*\()", lambda match: names.get(match[0], match[0]), text)


def _stopped(forward: str, surrogate: str) -> str:
    """The forward's value with the surrogate's derivative."""
    *before, value = forward.split("; ")
    *within, last = (part.strip() for part in surrogate.split(";"))
    return "; ".join(
        [*before, f"forward = {value}", *within, f"s = {last}", "stop_gradient(forward) + (s - stop_gradient(s))"]
    )
