"""torch's calls in the vocabulary: what a row is, and the tables by name.

A row takes what the call of that name takes, and tells the step that it is: an operation of the vocabulary, or a
definition by text, whose operands are x0, x1, ... A row has every parameter that it uses and no other: a call that
gives more is refused. Beside those a row may ask for `result`, the float that the call gave, `out`, all that it gave,
and `again`, which runs the call on other operands under the same random state. The families are in `calls_*.py`.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, TypeAlias

import torch

from .arguments import tensors_of

Tensor: TypeAlias = torch.Tensor


class Unheard(Exception):
    """What a row cannot say: why, and a way out. The place is added by who hears."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(frozen=True, slots=True)
class Step:
    """One node: an operation with its parameters, or a definition by `text`. `args` are tensors and numbers."""

    op: str
    args: Sequence[Any]
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    text: str = ""
    stable: str = ""


# A call whose results are pieces of its operand has a step for each; one with several other floats gives all of them in
# one, flat and behind one another.
Steps: TypeAlias = Step | list[Step]


@dataclass(frozen=True, slots=True)
class Row:
    tell: Callable[..., Steps]
    asks: frozenset[str]


ROWS: dict[str, Row] = {}
# Functions that only move numbers, or fill with zeros: they are run on positions.
MOVES: set[str] = set()
# Functions whose derivative is zero: their results are taken from the run.
FLAT: set[str] = set()


# Functions that may be told a `dtype` to compute in.
CASTING: frozenset[str] = frozenset((
    "sum", "mean", "prod", "nansum", "cumsum", "cumprod", "softmax", "special_softmax", "log_softmax",
    "special_log_softmax", "norm", "linalg_vector_norm", "linalg_norm", "linalg_matrix_norm",
))  # fmt: skip


def row(*names: str) -> Callable[[Callable[..., Steps]], Callable[..., Steps]]:
    """Enter a row under torch's names."""

    def enter(tell: Callable[..., Steps]) -> Callable[..., Steps]:
        asks = frozenset(signature(tell).parameters) & {"result", "again", "name", "out"}
        for name in names:
            assert name not in ROWS, f"{name} has two rows"
            ROWS[name] = Row(tell, asks)
        return tell

    return enter


# Of torch's keywords that have two names, the one that rows have.
KEYWORDS: Mapping[str, str] = {
    "input": "x", "self": "x", "axis": "dim", "keepdims": "keepdim", "mat1": "a", "batch1": "a", "mat": "a",
    "mat2": "b", "batch2": "b", "vec": "b", "tensor": "x",
}  # fmt: skip


def told(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], extra: Mapping[str, Any]) -> Steps:
    """What the row of a call says of it. Raises Unheard where it has none for these parameters."""
    row = ROWS[name]
    named = {KEYWORDS.get(key, key): value for key, value in kwargs.items() if key != "out" or value is not None}
    try:
        return row.tell(*args, **named, **{key: extra[key] for key in row.asks})
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        said = str(error).partition("() ")[2] or str(error)
        raise Unheard(f"`{name}` with parameters that are not known here: {said}") from None


def flat(x: str) -> str:
    return f"reshape({x}, shape=[-1])"


def joined(*texts: str) -> str:
    """Several results as one, flat and behind one another."""
    return f"concat([{', '.join(map(flat, texts))}])"


def ints(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(n) for n in values)


def listed(values: Sequence[Any]) -> str:
    return f"[{', '.join(str(int(n)) for n in values)}]"


def decimal(x: float | int) -> str:
    """A number in the language."""
    if isinstance(x, Tensor):
        raise Unheard("a parameter that is a tensor")
    if x != x:
        raise Unheard("a parameter that is NaN")
    text = "inf" if x == float("inf") else "-inf" if x == -float("inf") else repr(float(x))
    return f"({text})" if text.startswith("-") else text


def given(*xs: Any) -> list[Any]:
    """Those that are not None."""
    return [x for x in xs if x is not None]


def axis_of(dim: Any) -> int | tuple[int, ...] | None:
    """torch's `dim`, where no axes at all means every axis."""
    if dim is None or isinstance(dim, int):
        return dim
    return ints(dim) or None


def index_map(function: Callable[..., Any], args: Any, kwargs: Any, result: Tensor) -> Step:
    """What a call that only moves numbers does, found by running it on positions: a `take` of its operands."""
    operands: list[Tensor] = []
    count = 1  # position 0 is a zero that the call puts in

    def positions(x: Any) -> Any:
        nonlocal count
        if isinstance(x, Tensor):
            if not x.is_floating_point():
                return x
            operands.append(x)
            start, count = count, count + x.numel()
            numbered = torch.arange(start, count, dtype=torch.float64).reshape(x.shape)
            return torch.empty_like(x, dtype=torch.float64).copy_(numbered)  # in memory as x is
        if isinstance(x, list | tuple) and not isinstance(x, torch.Size):
            return type(x)(map(positions, x)) if type(x) in (list, tuple) else x
        return x

    with torch.no_grad():
        made = function(*positions(tuple(args)), **{key: positions(value) for key, value in kwargs.items()})
        places = next(t for t in tensors_of(made) if t.is_floating_point()).to(torch.int64)
        whole = torch.cat([result.new_zeros(1), *(x.detach().reshape(-1).to(result.dtype) for x in operands)])
        filled = bool((places == 0).any())
        same = places.shape == result.shape and places.numel() == result.numel()
        inside = same and bool(((places >= 0) & (places < count)).all())
        if not inside or not torch.equal(torch.nan_to_num(whole[places]), torch.nan_to_num(result.detach())):
            raise Unheard("a call that does more than move numbers")
    name = getattr(function, "__name__", "moved").strip("_")
    return taken(name, operands, places if filled else places - 1, filled)


def taken(name: str, operands: Sequence[Tensor], places: Tensor, filled: bool = False) -> Step:
    """Elements of all operands, counted through, at their places; `filled`: place 0 is a zero before them."""
    flats = ["broadcast_to(0, shape=[1])"] * filled + [flat(f"x{k}") for k in range(len(operands))]
    whole = flats[0] if len(flats) == 1 else f"concat([{', '.join(flats)}])"
    return Step(name, [*operands, places], text=f"take({whole}, x{len(operands)}, axis=0)")
