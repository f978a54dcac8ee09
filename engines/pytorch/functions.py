"""torch's functions by name: what each is called, which change their operand, which are looked into."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch._jit_internal import boolean_dispatched
from torch._library.custom_ops import CustomOpDef
from torch.overrides import resolve_name

from .calls import ROWS


@dataclass(frozen=True, slots=True)
class Named:
    """A function: its one name, the one that users know it by, whether it changes its first operand, whether it only
    looks at shapes and settings, whether it sets an attribute, and whether users do not call it themselves."""

    name: str
    shown: str
    in_place: bool = False
    passive: bool = False
    setter: bool = False
    private: bool = False


# Numbers that leave torch.
LEAVES = frozenset((
    "item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__index__", "__array__", "__complex__",
    "__contains__", "allclose", "equal", "is_nonzero", "__repr__", "__format__",
))  # fmt: skip
# A result for each piece of the operand.
PIECES = frozenset(
    ["split", "split_with_sizes", "chunk", "unbind", "tensor_split", "unsafe_split", "unsafe_chunk", "hsplit", "vsplit"]
)
# In place, these change the shape alone.
RESHAPES = frozenset(["squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims", "detach"])
# In place, these forget what was there.
CHANGES = frozenset((
    "zero", "fill", "normal", "uniform", "bernoulli", "exponential", "random", "geometric", "cauchy",
    "log_normal", "copy", "fill_diagonal", "constant",
))  # fmt: skip
# Names that end in an underscore and change nothing.
_STAY = frozenset(["requires_grad_", "rename_", "share_memory_", "retain_grad"])
# What an attribute gives that is made of the numbers themselves.
_NUMBERS = frozenset(["T", "mT", "H", "mH", "data", "real", "imag"])

REFUSED: Mapping[str, tuple[str, str, str]] = {
    "backward": (
        "torch._tensor",
        "`backward` inside the function",
        "Return the number that is differentiated, and let `check` pull it back.",
    ),
}

_DUNDERS: Mapping[str, str] = {
    "truediv": "div", "itruediv": "idiv", "rdiv": "rdiv", "rtruediv": "rdiv", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "invert": "bitwise_not", "rpow": "rpow", "rmatmul": "rmatmul", "mod": "remainder",
}  # fmt: skip
_IN_PLACE = frozenset(["iadd", "isub", "imul", "idiv", "ipow", "imod"])


@lru_cache(maxsize=4096)
def named(func: Any) -> Named:
    """What a function is called."""
    name = getattr(func, "__name__", type(func).__name__)
    shown = resolve_name(func) or f"{getattr(func, '__module__', '')}.{name}".strip(".")
    module = getattr(func, "__module__", None) or ""
    private = "_C" in module or "_VF" in shown or module.startswith("torch._ops") or shown.startswith("torch._")
    if name in ("__get__", "__set__", "__delete__"):
        owner = getattr(func, "__self__", None)
        name = getattr(owner, "__name__", "")
        return Named(name, f"torch.Tensor.{name}", setter=shown.endswith("set__"), passive=name not in _NUMBERS)
    if isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        name, private = name.partition(".")[0], False
        shown = f"torch.ops.{func}"
        if not str(func).startswith("aten."):
            return Named(f"{func}", shown)
    if name in LEAVES:
        return Named(name, shown)
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        bare = _DUNDERS.get(bare, bare)
        if bare in _IN_PLACE:
            return Named(bare[1:], shown, in_place=True)
        return Named(bare, shown, passive=bare in _LOOKS)
    in_place = name.endswith("_") and name not in _STAY
    return Named(name.rstrip("_") if in_place else name, shown, in_place, name in _LOOKS, private=private)


_LOOKS = frozenset((
    "dim", "ndimension", "size", "numel", "nelement", "stride", "storage_offset", "is_contiguous",
    "is_floating_point", "is_complex", "is_nonzero", "element_size", "data_ptr", "untyped_storage", "storage",
    "storage_type", "get_device", "is_pinned", "is_sparse", "requires_grad_", "retain_grad", "is_signed",
    "is_inference", "is_same_size", "hash", "len", "dir", "has_names", "names", "is_shared", "result_type",
    "can_cast", "is_tensor", "is_storage", "iscomplexobj", "__len__", "__hash__", "__dir__", "_is_view",
    "is_set_to", "is_coalesced", "sym_numel", "sym_size", "sym_stride", "_assert", "promote_types",
    "broadcast_shapes", "_assert_async", "is_distributed", "is_cuda", "is_neg", "is_conj", "_is_zerotensor",
    "dtype", "register_post_accumulate_grad_hook", "rename_",
))  # fmt: skip


def out_of_place(what: Named) -> Callable[..., Any]:
    """The function that does the same and leaves its operand alone. Raises AttributeError where torch has none."""
    for owner in (torch, torch._C._nn, torch.Tensor, F):
        found = getattr(owner, what.name, None)
        if found is not None:
            return found
    raise AttributeError(f"torch has no `{what.name}` beside `{what.name}_`")


def _broadcast(*tensors: Any) -> tuple[Any, ...]:
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = torch.broadcast_shapes(*(t.shape for t in tensors))
    return tuple(t if t.shape == shape else t.expand(shape) for t in tensors)


def _grid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    axes = list(range(len(tensors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = [1, 0]
    shape = [tensors[axes.index(k)].numel() for k in range(len(tensors))]
    return tuple(
        t.reshape([-1 if j == k else 1 for j in range(len(shape))]).expand(shape)
        for t, k in zip(tensors, axes, strict=True)
    )


# What is heard in place of a function that gives several tensors, each made of one of its operands.
INSTEAD: Mapping[str, Callable[..., Any]] = {"broadcast_tensors": _broadcast, "meshgrid": _grid, "_meshgrid": _grid}


@lru_cache(maxsize=1024)
def inside_of(func: Any) -> Callable[..., Any] | None:
    """A function of torch that is written in Python, so that its own calls are heard; None for another one, and for one
    that has a row of its own."""
    if func in boolean_dispatched:
        return _one_of_two(boolean_dispatched[func])
    if (getattr(func, "__module__", None) or "").startswith("torch") and func.__name__ in INSTEAD:
        return INSTEAD[func.__name__]
    func = getattr(func, "__wrapped__", func)
    code, module = getattr(func, "__code__", None), getattr(func, "__module__", None) or ""
    if code is None or not module.startswith("torch"):
        return None
    if module != "torch.nn.functional" and named(func).name in ROWS:
        return None
    if named(func).passive or named(func).name in LEAVES:
        return None
    made = types.FunctionType(
        code, _without_overrides(module, func), func.__name__, func.__defaults__, func.__closure__
    )
    made.__kwdefaults__ = func.__kwdefaults__
    return made


def _one_of_two(choice: Mapping[str, Any]) -> Callable[..., Any]:
    """A function that is another one by a flag among its arguments, such as `max_pool2d` with or without indices."""

    def chosen(*args: Any, **kwargs: Any) -> Any:
        place, default = choice["index"], choice["default"]
        flag = kwargs.get(choice["arg_name"], args[place] if place < len(args) else default)
        inner = choice["if_true"] if flag else choice["if_false"]
        return (inside_of(inner) or inner)(*args, **kwargs)

    return chosen


_GLOBALS: dict[int, dict[str, Any]] = {}


def _without_overrides(module: str, func: Any) -> dict[str, Any]:
    """The globals of a function, in which it does not hand itself to a mode again."""
    if id(func.__globals__) not in _GLOBALS:
        never = dict.fromkeys(
            ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), lambda *_, **__: False
        )
        _GLOBALS[id(func.__globals__)] = {**func.__globals__, **never}
    return _GLOBALS[id(func.__globals__)]


def is_torchs(function: Any) -> bool:
    """Whether calls of a function come to a mode: torch's own, and operators that are registered with it."""
    module = getattr(function, "__module__", None) or ""
    return module == "torch" or module.startswith("torch.") or isinstance(function, CustomOpDef)


def same_function(asked: Any, called: Any) -> bool:
    """Whether a call is one of a function that is defined: the method `x.det()` is `torch.det`, `torch.linalg.det`."""
    if asked is called:
        return True
    if isinstance(asked, CustomOpDef):
        return called is asked._opoverload or called is asked._opoverload.overloadpacket
    if not is_torchs(asked) or named(called).in_place:
        return False
    bare = {name.removeprefix("linalg_").removeprefix("special_") for name in (named(asked).name, named(called).name)}
    return len(bare) == 1 and named(called).shown.startswith(("torch.", "aten."))
