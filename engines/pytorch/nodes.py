"""Which tensor of a run is which node: nodes with their numbers, and the tags whose gradients are the terms."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# pyright: reportPrivateUsage=false
# The counter of a tensor's changes, `_version`, is torch's own.

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from ...harness.graph.node import Arg, Use
from ...harness.hearing.heard import Place, Refused
from ...harness.hearing.recording import Call, Recording, number
from .arguments import tensors_of, walk
from .calls import Step
from .memory import Memory, Move
from .places import Places
from .tensors import to_numpy

Tensor: TypeAlias = torch.Tensor
# The tags of one call, by identity: each with the tensor that it stands for.
Tags: TypeAlias = dict[int, tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Known:
    """A tensor whose node is known. `moves`: a wanted float reaches it."""

    tensor: Tensor
    node: str
    moves: bool
    version: int


class Nodes:
    """Nodes of a run. Where it is not `taped`, there are no tags, and a `detach` is an identity."""

    def __init__(self, recording: Recording, places: Places, move: Move, *, taped: bool) -> None:
        self.recording, self.places, self.taped = recording, places, taped
        self.memory = Memory(move)
        self.known: dict[int, Known] = {}
        self.shown: dict[str, Tensor] = {}  # node -> its tensor
        self.tags: list[tuple[Use, Tensor]] = []
        self.bare: list[tuple[Use, Tensor, Tensor]] = []  # uses without a tag: the result, and the operand
        self.taped_memory: set[int] = set()  # where numbers lie that the tape counts on
        self.weights: list[str] = []  # inputs that are none of the user's
        self._kept: list[Tensor] = []  # so that no other tensor gets their identity
        self._stopped: dict[str, str] = {}
        self._flat: dict[int, Tensor] = {}

    def input(self, name: str, tensor: Tensor, *, moves: bool) -> str:
        """A leaf of the run under its own name."""
        node = self.recording.input(name, array(tensor, copy=not moves), constant=not moves)
        self.keep(tensor, node, moves)
        return node

    def node_of(self, tensor: Tensor) -> str:
        """The node of what a tensor holds now; what is not known is a constant of the run."""
        tensor = self.memory.current(tensor)
        _not_of_inference(tensor, self.places.here())
        known = self.known_as(tensor)
        if known is None:
            place = self.places.here()
            node = self.recording.input("constant", array(tensor, copy=True), constant=True, place=place)
            known = self.keep(tensor, node, moves=False)
        return known.node

    def moves(self, tensor: Tensor) -> bool:
        known = self.known_as(tensor)
        return known is not None and known.moves and (tensor.requires_grad or not self.taped)

    def depends(self, tensor: Tensor) -> bool:
        """Whether a wanted float reaches a tensor, be it on the tape or not."""
        known = self.known_as(tensor)
        return known is not None and known.moves

    def keep(self, tensor: Tensor, node: str, moves: bool) -> Known:
        known = self.known[id(tensor)] = Known(tensor, node, moves, tensor._version)
        self.shown.setdefault(node, tensor)
        if moves and tensor.requires_grad and tensor.numel():
            self.taped_memory.add(tensor.untyped_storage().data_ptr())
        return known

    def weigh(self, tensor: Tensor) -> None:
        """What a derivative is weighed by, to be differentiated by in its turn, as `jvp` and `hvp` of
        `torch.autograd.functional` do: an input of the run until that is done."""
        if self.known_as(tensor) is None:
            self.weights.append(self.input("cotangent", tensor, moves=True))

    def known_as(self, tensor: Tensor) -> Known | None:
        known = self.known.get(id(tensor))
        return known if known is not None and known.version == tensor._version else None

    def flat(self, out: Any) -> Any:
        """What torch has made of numbers that a wanted float reaches, and of which nothing flows back, is remembered
        where a meaning is asked for: it is a constant of the run, and none that comes from behind torch's back."""
        if not self.taped:
            self._flat.update((id(t), t) for t in tensors_of(out))
        return out

    def folded(self, operands: Any, out: Any) -> Any:
        """The result of a call that no wanted float reaches: flat where an operand is."""
        return self.flat(out) if any(map(self.is_flat, tensors_of(operands))) else out

    def is_flat(self, tensor: Tensor) -> bool:
        return id(tensor) in self._flat

    def tagged(self, args: Any, kwargs: Any, bare: Sequence[Tensor] = ()) -> tuple[Any, Any, Tags]:
        """Every moving operand behind an identity, but those that stay bare. autograd runs the youngest first: that of
        the first operand, so that where one call reads a tensor twice its terms are added in the plain run's order."""
        bared = {id(t) for t in bare}
        found = [t for t in tensors_of((args, kwargs)) if self.moves(t) and id(t) not in bared]
        if not self.taped:
            return args, kwargs, {}
        fresh = [torch.ops.aten.alias.default(t) for t in reversed(found)][::-1]
        waiting = iter(fresh)

        def tag(t: Tensor) -> Tensor:
            return next(waiting) if self.moves(t) and id(t) not in bared else t

        tagged = walk(args, tag), {key: walk(value, tag) for key, value in kwargs.items()}
        return *tagged, {id(u): (u, t) for u, t in zip(fresh, found, strict=True)}

    def read_often(self, out: Tensor, tags: Tags) -> list[Tensor]:
        """The operands that a call reads more than once inside, such as x in x / sqrt(mean(x^2)). A tag would add up
        what comes of it before anything else is added: (a + b) + c would become a + (b + c)."""
        ends = {t.grad_fn: original for t, original in tags.values() if t.grad_fn is not None}
        read, ahead, seen = Counter[Any](), [out.grad_fn], set[Any]()
        while ahead:
            node = ahead.pop()
            if node is None or node in seen or node in ends:
                continue
            seen.add(node)
            ahead += (inner := [fed for fed, _ in node.next_functions])
            read.update(fed for fed in inner if fed in ends)
        held = Counter(id(original) for _, original in tags.values())
        return [original for end, original in ends.items() if read[end] > 1 and held[id(original)] == 1]

    def laid_out(self, now: Tensor, view: Tensor) -> Tensor:
        """What a view holds that is changed in place, with a gradient that lies in memory as the view does: torch takes
        it from that of the base. Kernels that read it go through memory in another order, and so have other bits."""
        known = self.known_as(now)
        if known is None or view._base is None or not self.moves(now):
            return now
        with torch.no_grad():
            strides = torch.empty_like(view).stride()  # those of a copy

        def lay(g: Tensor) -> Tensor:
            return torch.empty_strided(g.shape, strides, dtype=g.dtype).copy_(g)

        laid = torch.ops.aten.alias.default(now)
        laid.register_hook(lay)
        return self.keep(laid, known.node, moves=True).tensor

    def record(self, step: Step, out: Tensor, place: Place, tags: Tags, bare: Sequence[Tensor] = ()) -> str:
        """The node of a step that gave `out`. `tags` are those that stand for its operands."""
        if out.is_complex() or out.is_quantized or out.layout != torch.strided or out.device.type != "cpu":
            raise Refused(f"a result that is {unusual(out)}", place, "Only dense floats on the CPU are heard.")
        _not_of_inference(out, place)
        vocabulary = self.recording.builder.vocabulary
        kinds = None if step.text else [operand.kind for operand in vocabulary[step.op].operands]
        names: list[Arg] = []
        stopped = self.taped and not out.requires_grad and step.op != "stop_gradient" and out.is_floating_point()
        for position, x in enumerate(step.args):
            if not isinstance(x, Tensor):
                names.append(number(x))
                continue
            original = tags[id(x)][1] if id(x) in tags else x
            kind = kinds[min(position, len(kinds) - 1)] if kinds else "any"
            if kind == "float" and not original.is_floating_point():
                original = self._converted(original, out)
            elif kind == "int" and original.dtype != torch.int64:
                original = original.to(torch.int64)
                self._kept.append(original)
            node = self.node_of(original)
            if stopped and self.depends(original) and original.is_floating_point():
                node = self._stop(node, place)
            names.append(node)
        if not self.taped and step.op == "stop_gradient":
            known = self.known.get(id(step.args[0]))
            self.keep(out, names[0] if isinstance(names[0], str) else "", known is not None and known.moves)
            return str(names[0])
        base = f"{place.module}.{step.op}" if place.module else step.op
        call = Call(step.op, names, step.params, step.text, step.stable)
        node = self.recording.call(call, array(out), place, base)
        self.keep(out, node, moves=any(self.depends(t) for t in originals(step, tags)))
        uses = [(Use(node, k), x) for k, x in enumerate(step.args) if isinstance(x, Tensor)]
        self.tags += [(use, x) for use, x in uses if id(x) in tags]
        self.bare += [(use, out, x) for use, x in uses if any(x is other for other in bare)]
        return node

    def _converted(self, tensor: Tensor, out: Tensor) -> Tensor:
        converted = tensor.to(out.dtype if out.is_floating_point() else torch.get_default_dtype())
        if self.depends(tensor):
            self.record(Step("astype", [tensor]), converted, self.places.here(), {})
        self._kept.append(converted)
        return converted

    def _stop(self, node: str, place: Place) -> str:
        """A node whose number is read where nothing flows back."""
        if node not in self._stopped:
            value = self.recording.values[node]
            self._stopped[node] = self.recording.call(Call("stop_gradient", [node], {}), value, place)
        return self._stopped[node]


def of_one_call(out: Tensor, x: Tensor, g: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What comes to an operand of one call alone; and what it is the sum of, a part for each time it is read inside."""
    end, parts = torch.autograd.graph.get_gradient_edge(x), list[Tensor]()

    def keep(places: Sequence[int], inner: Sequence[Tensor | None]) -> None:
        parts.extend(g.clone() for k in places if (g := inner[k]) is not None)

    ahead, seen, handles = [out.grad_fn], set[Any](), list[Any]()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen or node == end.node:
            continue
        seen.add(node)
        places = [k for k, fed in enumerate(node.next_functions) if fed == (end.node, end.output_nr)]
        if places:
            handles.append(node.register_hook(lambda inner, _, places=places: keep(places, inner)))
        ahead += [fed for fed, _ in node.next_functions]
    try:
        (term,) = torch.autograd.grad(out, [x], g, retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()
    return term, parts


def _not_of_inference(tensor: Tensor, place: Place) -> None:
    if tensor.is_inference():
        raise Refused("a tensor of inference mode, which has no gradient", place, "Use torch.no_grad() in its place.")


def originals(step: Step, tags: Tags) -> Iterator[Tensor]:
    for x in step.args:
        if isinstance(x, Tensor):
            yield tags[id(x)][1] if id(x) in tags else x


def unusual(tensor: Tensor) -> str:
    kinds = (
        ("complex", tensor.is_complex()),
        ("quantised", tensor.is_quantized),
        (f"on {tensor.device}", tensor.device.type != "cpu"),
    )
    return next((kind for kind, found in kinds if found), f"laid out as {tensor.layout}")


def array(tensor: Tensor, *, copy: bool = False) -> Any:
    found = to_numpy(tensor.detach().resolve_conj().resolve_neg())
    return found.copy() if copy else found
