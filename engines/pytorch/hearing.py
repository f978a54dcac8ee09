"""A function of torch, heard while it runs: a mode that every call of torch goes through, before the tape.

Each call that a wanted float reaches becomes a node with its own number. Each of its operands goes through an identity,
`aten.alias`, which changes no bit and no stride, and whose gradient is the term. What no wanted float reaches is a
constant of the run.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch.overrides import TorchFunctionMode

from ...harness.graph.node import Use
from ...harness.hearing.heard import Defined, Place, Refused
from ...harness.hearing.recording import Recording, number
from . import (
    autocast,
    calls_elementwise,
    calls_layers,
    calls_losses,
    calls_matrices,
    calls_movement,
    calls_products,
    calls_recurrent,
    calls_reduction,
    running,
)
from .arguments import tensors_of, walk
from .calls import CASTING, FLAT, MOVES, ROWS, Step, Steps, Unheard, index_map, taken, told
from .changes import change
from .derivatives import heard_grad
from .functions import LEAVES, PIECES, REFUSED, Named, inside_of, named, same_function
from .nodes import Nodes, Tags, array, unusual
from .places import Places
from .tensors import PLAIN

assert all((
    calls_elementwise, calls_layers, calls_losses, calls_matrices, calls_movement, calls_products, calls_recurrent,
    calls_reduction,
))  # fmt: skip

Tensor: TypeAlias = torch.Tensor
TRANSFORM = "`torch.autograd.grad(..., create_graph=True)` is heard; or give the whole a meaning: `gradaccord.define`"
COMPLEX = "Give a function around it, which makes real numbers of it, a meaning with `gradaccord.define`"
DEFINE = '`gradaccord.define("f(x)", "its formula", torch=f)` makes one node of it'


class Hearing(TorchFunctionMode):
    """Hears what runs under it into a recording. Where it is not `taped`, it hears what a function means, such as the
    forward of a custom rule: without tags, and a `detach` is an identity."""

    def __init__(
        self,
        recording: Recording,
        places: Places,
        *,
        taped: bool = True,
        defined: Sequence[Defined] = (),
        intended: Mapping[Any, str] | None = None,
        outer: Hearing | None = None,
    ) -> None:
        super().__init__()
        self.recording, self.places, self.taped, self.outer = recording, places, taped, outer
        self.defined, self.intended = defined, intended or {}
        self.nodes = Nodes(recording, places, self.moved, taped=taped)
        self.memory = self.nodes.memory
        self.casts = autocast.Casts()
        self.notes: dict[str, None] = {}
        self._inside: list[Any] = []  # Python functions of torch that are looked into

    # --- one call ---------------------------------------------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        what, named_args = named(func), dict(kwargs or {})
        if torch._C._functorch.peek_interpreter_stack() is not None:
            inside = Named("func", "torch.func")
            raise self.refused("a transform inside, such as grad, vmap or jacrev", inside, TRANSFORM)
        if what.name in ("_make_dual", "make_dual"):
            raise self.refused("forward mode inside, such as jvp or linearize", what, TRANSFORM)
        if what.name == "grad" and getattr(func, "__module__", "") == "torch.autograd":
            return heard_grad(self, what, *args, **named_args)
        if what.name in REFUSED and getattr(func, "__module__", "") == REFUSED[what.name][0]:
            raise self.refused(REFUSED[what.name][1], what, REFUSED[what.name][2])
        if what.setter:
            return self._set(func, what, args)
        if what.name == "register_hook":
            return func(self.memory.current(args[0]), self.watched(args[1], self.place(what)))
        definition = next((one for one in self.defined if same_function(one.functions.get("torch"), func)), None)
        inner = inside_of(func) if definition is None else None
        if inner is not None and (not self._inside or self._inside[-1] is not func):
            self._inside.append(func)
            try:
                with self:
                    return inner(*args, **named_args)
            finally:
                self._inside.pop()
        if what.name == "setitem" or what.in_place:
            return change(self, func, what, args, named_args)
        args, named_args = self.current(args), self.current(named_args)
        moving = [t for t in tensors_of((args, named_args)) if self.reached(t, what)]
        if not moving:
            return self.nodes.folded((args, named_args), func(*args, **named_args))
        if what.name in LEAVES:
            return self._left(func, what, args, named_args)
        if what.passive:
            return func(*args, **named_args)
        if definition is not None:
            return self.own(definition, func, args, named_args)
        return self._heard(func, what, args, named_args)

    def reached(self, tensor: Tensor, what: Named) -> bool:
        """Whether a wanted float reaches an operand. Raises Refused for what was made behind the listener's back."""
        if self.nodes.depends(tensor):
            return True
        if type(tensor) not in PLAIN and tensor.requires_grad:
            raise self.refused(f"a {type(tensor).__name__}, which is a subclass of Tensor", what, DEFINE)
        if self.outer is not None and self.outer.nodes.depends(tensor):
            raise self.refused("a custom rule that reads a tensor which is no operand of its own", what, "Hand it in.")
        if self.taped and tensor.requires_grad and self.nodes.known_as(tensor) is None and not what.passive:
            if tensor.grad_fn is not None:
                made = tensor.grad_fn.name()
                raise self.refused(
                    f"an operand made where no listener hears ({made}): TorchScript or C++", what, DEFINE
                )
            self.note("a tensor with `requires_grad` that is no input is held constant", what)
            self.memory.replace(tensor, tensor.detach())
        return False

    def _heard(self, func: Any, what: Named, args: Any, kwargs: Any) -> Any:
        """A call that a wanted float reaches."""
        name = what.name
        args, kwargs = self.current(args), self.current(kwargs)  # what was just held constant
        if self.taped and torch.is_autocast_enabled("cpu"):
            args, kwargs = self.casts.cast(name, args, kwargs, self.under)
        if name in FLAT or not (name in ROWS or name in MOVES):
            return self._without_row(func, what, args, kwargs)
        if name in PIECES:
            return self._pieces(func, what, args, kwargs)
        args, kwargs = self._cast_first(name, args, kwargs)
        state, statistics = torch.get_rng_state(), running.updates(self.nodes, name, args)
        args, kwargs, tags, out, bare = self._tagged_run(func, args, kwargs, state)
        if isinstance(out, Tensor) and id(out) in tags:  # it gave its operand back
            return tags[id(out)][1]
        place = self.place(what)
        whole, outs = self.whole_of(out)
        if whole is None:
            self.note("a choice by floats, taken from the run", what)
            return self.nodes.flat(out)
        extra = {"name": name, "out": out, "result": whole, "again": lambda *again: self._again(func, state, again)}
        try:
            if name in MOVES:
                step: Steps = index_map(func, args, kwargs, whole)
            else:
                step = told(name, args, kwargs, extra)
            assert isinstance(step, Step)
            self.nodes.record(step, whole, place, tags, bare)
            running.changed(self.nodes, statistics, place)
        except (Unheard, Refused) as error:
            flows = (
                whole.requires_grad if self.taped else any(t.is_floating_point() for t in tensors_of((args, kwargs)))
            )
            if not flows or whole.dtype == torch.bool:
                self.note("taken from the run", what)  # nothing flows back
                return self.nodes.flat(out)
            raise self._placed(error, place) from None
        return self.parts_of(out, whole, outs)

    def _tagged_run(self, func: Any, args: Any, kwargs: Any, state: Tensor) -> tuple[Any, Any, Tags, Any, list[Tensor]]:
        """A call with its operands tagged; once more with those bare that it reads several times inside."""
        tagged, named_args, tags = self.nodes.tagged(args, kwargs)
        out = func(*tagged, **named_args)
        bare = self.nodes.read_often(out, tags) if isinstance(out, Tensor) and id(out) not in tags else []
        if bare:
            tagged, named_args, tags = self.nodes.tagged(args, kwargs, bare)
            torch.set_rng_state(state)
            out = func(*tagged, **named_args)
        return tagged, named_args, tags, out, bare

    def _cast_first(self, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """A `dtype` that a call computes in is a cast of its own, as it is inside of torch."""
        asked = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.dtype)), None)
        first = args[0] if args else kwargs.get("input")
        if name not in CASTING or asked is None or not isinstance(first, Tensor) or first.dtype == asked:
            return args, kwargs
        cast = self.under(first.to, asked)

        def swapped(x: Any) -> Any:
            return cast if x is first else None if isinstance(x, torch.dtype) else x

        return tuple(map(swapped, args)), {key: swapped(value) for key, value in kwargs.items()}

    def own(self, definition: Defined, func: Any, args: Any, kwargs: Any) -> Any:
        """A call of a function that somebody has defined, as one node."""
        place = self.place(named(func))
        args, kwargs, tags = self.nodes.tagged(self.current(args), self.current(kwargs))
        out = func(*args, **kwargs)
        operation = definition.operation
        names = [operand.name for operand in operation.operands] + list(operation.parameters)
        if len(args) > len(names) or not set(kwargs) <= set(names):
            raise Refused(f"`{place.call}` with other arguments than its definition `{operation.written}`", place)
        bound = dict(zip(names, args, strict=False)) | dict(kwargs)
        operands = [bound.pop(operand.name) for operand in operation.operands if operand.name in bound]
        if not isinstance(out, Tensor):
            raise Refused(f"`{place.call}` with several results", place, "Define a function that gives one of them.")
        if out.is_complex():
            raise Refused(f"`{place.call}` with a result that is complex", place, COMPLEX)
        arrays = [
            self.nodes.node_of(tags[id(x)][1] if id(x) in tags else x) if isinstance(x, Tensor) else number(x)
            for x in operands
        ]
        node = self.recording.own(operation, arrays, bound, array(out), place)
        self.nodes.keep(out, node, moves=True)
        self.nodes.tags += [
            (Use(node, k), x) for k, x in enumerate(operands) if isinstance(x, Tensor) and id(x) in tags
        ]
        return out

    # --- kinds of calls ---------------------------------------------------------------------------------------------

    def _without_row(self, func: Any, what: Named, args: Any, kwargs: Any) -> Any:
        """A call that the tables lack: a choice, of which nothing flows back, or refused."""
        if what.name in FLAT:
            detached = walk(args, Tensor.detach), {key: walk(value, Tensor.detach) for key, value in kwargs.items()}
            out = func(*detached[0], **detached[1])
        else:
            out = func(*args, **kwargs)
        floats = [t for t in tensors_of(out) if t.is_floating_point() or t.is_complex()]
        flows = any(t.requires_grad for t in floats) if self.taped else bool(floats)
        if flows and what.name not in FLAT:
            odd = next((unusual(t) for t in floats if t.is_complex() or t.layout != torch.strided), "")
            if odd:
                raise self.refused(f"a result that is {odd}", what, COMPLEX if odd == "complex" else DEFINE)
            raise self.refused(f"`{what.shown}` has no meaning here yet", what, DEFINE)
        self.note("taken from the run", what)
        return self.nodes.flat(out)

    def _pieces(self, func: Any, what: Named, args: Any, kwargs: Any) -> Any:
        """A call that cuts its operand up: one call for each piece, since each has a term of its own."""
        whole, place = func(*args, **kwargs), self.place(what)
        steps = self._try(what.name, args, kwargs, {"result": whole}, place)
        assert isinstance(steps, list)
        pieces: list[Tensor] = []
        for k, step in enumerate(steps):
            tagged, keywords, tags = self.nodes.tagged(args, kwargs)
            piece = func(*tagged, **keywords)[k]
            one = replace(step, args=[tagged[0] if "self" not in keywords else keywords["self"]])
            self.nodes.record(one, piece, place, tags)
            pieces.append(piece)
        return type(whole)(pieces)

    def _left(self, func: Any, what: Named, args: Any, kwargs: Any) -> Any:
        """Numbers that leave torch: whatever is done with them is no node."""
        if not self.taped and what.name != "__bool__":
            raise self.refused("a custom rule whose forward leaves torch", what, DEFINE)
        self.note("a branch" if what.name == "__bool__" else "numbers that leave torch, taken from the run", what)
        return func(*args, **kwargs)

    def _set(self, func: Any, what: Named, args: Sequence[Any]) -> Any:
        target = args[0]
        if what.name == "data" and isinstance(target, Tensor) and self.nodes.depends(self.memory.current(target)):
            raise self.refused("an assignment to `.data` of what a wanted float reaches", what, "Assign to a new name.")
        if what.name == "data":
            self.memory.forget(target)
        return func(*args)

    def moved(self, name: str, operands: list[Tensor], places: Tensor) -> Tensor:
        """Elements of the operands, counted through, at the places, as a heard call."""
        tagged, _, tags = self.nodes.tagged(tuple(operands), {})
        flats = [t.reshape(-1) for t in tagged]
        out = (flats[0] if len(flats) == 1 else torch.cat(flats))[places]
        if any(map(self.nodes.depends, operands)):
            self.nodes.record(taken(name, tagged, places), out, self.place(Named(name, name)), tags)
            return out
        return self.nodes.folded(operands, out)

    # --- tools ------------------------------------------------------------------------------------------------------

    def under(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call of our own that is heard."""
        with self:
            return function(*args, **kwargs)

    def whole_of(self, out: Any) -> tuple[Tensor | None, list[Tensor]]:
        """The one float that a call gave, several as one; and all of them. Conditions count where they are alone."""
        found = list(tensors_of(out))
        floats = [t for t in found if t.is_floating_point() or t.is_complex()]
        if not floats:
            return (found[0] if len(found) == 1 and found[0].dtype == torch.bool else None), []
        return (floats[0] if len(floats) == 1 else torch.cat([t.reshape(-1) for t in floats])), floats

    def parts_of(self, out: Any, whole: Tensor, outs: list[Tensor]) -> Any:
        """The results of a call that gave several floats, cut out of all of them."""
        if len(outs) < 2:
            return out
        cut: dict[int, Tensor] = {}
        start = 0
        for one in outs:
            stop = start + one.numel()
            cut[id(one)] = self.under(lambda a=start, b=stop, shape=one.shape: whole[a:b].reshape(shape))
            start = stop
        return walk(out, lambda t: cut.get(id(t), t))

    def _try(self, name: str, args: Any, kwargs: Any, extra: Mapping[str, Any], place: Place) -> Steps:
        try:
            return told(name, args, kwargs, {"name": name, **extra})
        except Unheard as error:
            raise self._placed(error, place) from None

    def _again(self, func: Any, state: Tensor, args: Sequence[Any]) -> Any:
        after = torch.get_rng_state()
        torch.set_rng_state(state)
        try:
            with torch.no_grad():
                return func(*args)
        finally:
            torch.set_rng_state(after)

    def current(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(one, self.memory.current) for key, one in value.items()}
        return walk(value, self.memory.current)

    def watched(self, hook: Callable[..., Any], place: Place) -> Callable[..., Any]:
        """A hook that may look at a gradient, and not change it."""

        def watch(*given: Any) -> Any:
            found = hook(*given)
            told = list(given) if len(given) < 3 else list(given[1:])  # a module's hook is told the module first
            if found is not None and not _same(found, told[0]):
                remedy = "Check the function without the hook: what it does is no derivative."
                raise Refused("a hook that changes a gradient", place, remedy)
            return found

        return watch

    def place(self, what: Named) -> Place:
        shown = named(self._inside[-1]).shown if what.private and self._inside else what.shown
        return self.places.here(shown)

    def refused(self, why: str, what: Named, remedy: str = "") -> Refused:
        return Refused(why, self.place(what), remedy)

    def _placed(self, error: Unheard | Refused, place: Place) -> Refused:
        if isinstance(error, Refused):
            return error if str(error.place) else Refused(error.what, place, error.remedy)
        return Refused(error.what, place, error.remedy or DEFINE)

    def note(self, text: str, what: Named) -> None:
        self.notes[f"{text}: {self.place(what)}"] = None


def _same(found: Any, given: Any) -> bool:
    ours, theirs = list(tensors_of(found)), list(tensors_of(given))
    return len(ours) == len(theirs) and all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
