"""Changes in place, heard out of place: each is a node of its own. Whoever reads the tensor gets what it holds now."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# pyright: reportPrivateUsage=false
# Of what a tensor is a view, `_base`, is torch's own.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from .arguments import tensors_of
from .calls import Step
from .functions import CHANGES, RESHAPES, Named, out_of_place
from .memory import indexed

if TYPE_CHECKING:
    from .hearing import Hearing

Tensor: TypeAlias = torch.Tensor


def change(hearing: Hearing, func: Any, what: Named, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A call that changes its first operand in place."""
    if not args:  # by name, as in `nn.init.uniform_(tensor=w)`
        kwargs = dict(kwargs)
        args = (kwargs.pop(next(key for key, value in kwargs.items() if isinstance(value, Tensor))),)
    target, rest = args[0], hearing.current(tuple(args[1:]))
    kwargs = hearing.current(kwargs)
    now = hearing.memory.current(target)
    reached = [t for t in (now, *tensors_of((rest, kwargs))) if hearing.reached(t, what)]
    behind = hearing.taped and not (now.requires_grad and torch.is_grad_enabled())
    if behind and target.untyped_storage().data_ptr() in hearing.nodes.taped_memory:
        return _behind(hearing, func, what, (target, now), rest, kwargs)
    if not reached and not hearing.memory.changed(target) and now is target:
        return func(target, *rest, **kwargs)
    if what.name == "setitem":
        new = _assigned(hearing, now, rest[0], rest[1])
    elif what.name in RESHAPES:
        hearing.memory.replace(target, hearing.under(out_of_place(what), now, *rest, **kwargs))
        return target
    elif what.name in CHANGES:
        new = now.detach().clone()
        func(new, *rest, **kwargs)
        if what.name == "copy":
            new = hearing.under(lambda: rest[0].to(now.dtype).expand(now.shape))
    else:
        new = hearing.under(out_of_place(what), hearing.nodes.laid_out(now, target), *rest, **kwargs)
        if new.dtype != now.dtype:
            new = hearing.under(new.to, now.dtype)
        if target._base is not None and new.requires_grad:
            new.register_hook(torch.Tensor.contiguous)  # torch hands the rule of a changed view a gradient that is
    hearing.memory.write(target, new)
    return target if what.name != "setitem" else None


def _behind(
    hearing: Hearing,
    func: Any,
    what: Named,
    held: tuple[Tensor, Tensor],
    rest: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """A change, behind the tape, of numbers that are on it: they are others, and what flows back is as it was."""
    target, now = held
    changed = now.detach().clone()
    func(changed, *rest, **kwargs)
    if torch.equal(changed, now.detach()):  # such as a clamp that meets nothing
        return target
    own = now.requires_grad and not target.is_leaf
    if not own or what.name in CHANGES or what.name in RESHAPES or what.name == "setitem":
        raise hearing.refused("a change, behind the tape, of numbers that are on it", what, "Change a clone.")
    with torch.no_grad():
        changed = hearing.under(out_of_place(what), now, *rest, **kwargs)
    with torch.enable_grad():
        (tagged, read), _, tags = hearing.nodes.tagged((now, changed), {})
        new = _StraightThrough.apply(tagged, read)
    text = "stop_gradient(x1) + (x0 - stop_gradient(x0))"
    hearing.nodes.record(Step(what.name, [tagged, read], text=text), new, hearing.place(what), tags)
    hearing.memory.write(target, new)
    return target


class _StraightThrough(torch.autograd.Function):
    """The second operand's numbers with the first one's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, changed: Tensor) -> Tensor:
        return changed.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, None]:
        return grads[0], None


def _assigned(hearing: Hearing, now: Tensor, index: Any, value: Any) -> Tensor:
    """`now[index] = value`, out of place."""
    places = indexed(now.shape, index)
    value = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=now.dtype)
    lead = value.shape[: max(value.ndim - places.ndim, 0)]

    def fitted() -> Tensor:
        given = value.reshape(value.shape[len(lead) :]) if lead else value
        given = given.to(now.dtype) if given.dtype != now.dtype else given
        return given.expand(places.shape) if given.shape != places.shape else given

    new = hearing.under(fitted)
    into = torch.arange(now.numel())
    into[places.reshape(-1)] = now.numel() + torch.arange(new.numel())
    return hearing.moved("write", [now, new], into.reshape(now.shape))
