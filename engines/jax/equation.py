"""What a row of the listener's tables sees of one equation of a jaxpr, and what it says of each result."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from jax._src import source_info_util

from ...harness.graph.node import Constant
from ...harness.graph.operations.operation import Operation
from ...harness.hearing.heard import Refused
from ...harness.records.evaluation import Array

# An operand of the equation by its place, an array that the run has settled, or a number.
Operand: TypeAlias = int | Array | Constant


@dataclass(frozen=True, slots=True)
class Meaning:
    """One result as a call of the vocabulary, or, where `text` is given, as a definition in x0, x1, ..."""

    op: str
    operands: Sequence[Operand]
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    text: str = ""
    stable: str = ""
    operation: Operation | None = None  # that of somebody else


# For each result: what it is, None for a constant of the run, or why nobody may read it.
Told: TypeAlias = Meaning | Refused | None
Meanings: TypeAlias = Meaning | Sequence[Told]


class Parameters(Mapping[str, Any]):
    """Parameters of an equation that remember which of them were read."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params, self._read = params, set[str]()

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def unread(self) -> dict[str, Any]:
        """Those that nobody has read and that say something."""
        return {
            name: value
            for name, value in self._params.items()
            if name not in self._read and name not in HARMLESS and value is not None and value is not False
        }


# Hints that change no meaning: how accurate or where a result is, what indices are promised to be.
HARMLESS = {
    "accuracy",
    "out_sharding",
    "sharding",
    "weak_type",
    "unique_indices",
    "indices_are_sorted",
    "preferred_element_type",
    "out_dtype",
}


def bound(e: Any, arrays: Sequence[Any]) -> Any:
    """What an equation of JAX gives for these operands, under its own scopes (`jax.core.eval_jaxpr` does the same)."""
    info = e.source_info
    names = source_info_util.current_name_stack() + info.name_stack
    with source_info_util.user_context(info.traceback, name_stack=names), e.ctx.manager:
        return e.primitive.bind(*arrays, **e.primitive.get_bind_params(e.params))


@dataclass(frozen=True)
class Equation:
    """An equation with the numbers of its operands and results; `operand(k)` is computed when a row asks for it.

    `again(*arrays)` is the same primitive with the same parameters on other operands.
    """

    primitive: str
    params: Parameters
    shapes: Sequence[tuple[int, ...]]
    kinds: Sequence[str]  # of NumPy's dtypes of the operands: "f", "i", "b"
    results: Sequence[Any]  # what has a shape and a dtype
    operand: Callable[[int], Any]
    result: Callable[[int], Any]
    again: Callable[..., Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the first result."""
        return tuple(self.results[0].shape)

    def integers(self, k: int) -> Array:
        return np.asarray(self.operand(k))

    def positions(self, k: int = 0) -> Array:
        """Of an equation that only moves: where in operand k each element of the result comes from, told by itself on
        positions. Negative where it comes from nowhere."""
        shape = self.shapes[k]
        arrays = [self.operand(j) if j != k else None for j in range(len(self.shapes))]
        arrays[k] = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
        moved = self.again(*arrays)
        return np.asarray(moved[0] if isinstance(moved, (list, tuple)) else moved).astype(np.int64)


Row: TypeAlias = Callable[[Equation], Meanings]


def read(row: Row, equation: Equation) -> list[Told]:
    """What a row says of each result. Raises Refused where the equation has a parameter that the row does not know."""
    said = row(equation)
    for name, value in equation.params.unread().items():
        raise Refused(f"`{equation.primitive}` with {name}={value}")
    return [said] if isinstance(said, Meaning) else list(said)
