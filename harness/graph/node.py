"""Nodes: the assignments that a computation is made of, as frozen plain data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["float", "int", "bool"]
Shape: TypeAlias = tuple[int, ...]
Param: TypeAlias = None | bool | int | float | str | tuple[int, ...] | tuple[tuple[int, ...], ...]
Params: TypeAlias = tuple[tuple[str, Param], ...]

NAMED_CONSTANTS = ("pi", "e", "inf")


class Use(NamedTuple):
    """One use of a node: the node that consumes it, and at which operand."""

    consumer: str
    position: int

    def __str__(self) -> str:
        return f"{self.consumer}[{self.position}]"


@lru_cache(maxsize=4096)
def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number inside an expression, kept as the decimal that was written.

    `text` is a decimal (`0.10`, `-3`, `1e-5`), or one of `pi`, `e`, `inf`, `-inf`, `-pi`, `-e`.
    """

    text: str

    @property
    def exact(self) -> Fraction | None:
        """The decimal as a fraction; None for pi, e and the infinities."""
        return _fraction(self.text)


Arg: TypeAlias = str | Constant


@dataclass(frozen=True, slots=True)
class Node:
    """One assignment: `name = op(*args, **params)`.

    `op` is an operation of the graph's vocabulary, or `input`. `args` are names of earlier nodes, or constants.
    `params` holds every parameter that was given, in the order of the operation's signature.
    `shape` and `kind` are static. `constant` marks what no derivative passes: an input that has no
    gradient, the result of a step such as `sign`. `dtype` names the precision of a float, empty for that of the run.
    """

    name: str
    op: str
    args: tuple[Arg, ...]
    params: Params
    shape: Shape
    kind: Kind
    constant: bool = False
    dtype: str = ""


class GraphError(ValueError):
    """A computation that makes no sense: what was found, what was expected, what to do.

    `parameter` names the one that is to blame, if one is.
    """

    def __init__(self, found: str, expected: str, remedy: str = "", *, parameter: str = "") -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.parameter = parameter
        super().__init__("; ".join(part for part in (found, expected, remedy) if part))
