"""What the derivatives of a kink may be together: each by itself may lie in its hull, and all of them be of no choice.

At a tie every element of a maximum may have a share of the adjoint, from nothing to all of it; together they have all
of it and no more. So along any direction v of the operands, <terms, v> lies in what some choice of derivatives makes of
v. Germs whose every choice is open enclose that (`germs.py`): each choice may take whatever it can by itself, so that
no number that a choice gives lies outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from .arrays import ZERO
from .choice import NAN
from .germs import Motion, coefficient
from .numbers import to_balls

Array: TypeAlias = NDArray[Any]

LENGTH = 8
ENDS = arb(2) ** -24  # of a hull, whose radius has 30 bits


@dataclass(frozen=True, slots=True)
class Part:
    """Derivatives with respect to one operand: the engine's, where they are `open`, and what rounding may do there."""

    engine: Array
    open: NDArray[np.bool_]
    slack: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outside:
    """Derivatives that are of no choice: `what` they give together, and the ends of what any choice gives there.
    `place`: where, flat, of a step that works element by element."""

    what: str
    given: float
    low: float
    high: float
    place: int = 0

    def __str__(self) -> str:
        ends = f"{self.low:.6g}" if self.low == self.high else f"only {self.low:.6g} to {self.high:.6g}"
        return f"{self.what} {self.given:.6g}, and whatever is chosen at this kink gives {ends}"


def outside(
    move: Motion, inputs: Mapping[str, Array], g: Array, parts: Mapping[str, Part], *, apart: bool = False
) -> Outside | None:
    """The first direction along which derivatives leave what the choices at a kink can give; None where none does.

    `move` are germs with open choices, of a graph with one output of which `g` is the adjoint; `parts` are by input.
    With `apart` element by element, of arrays of one shape, else by the sum of all.
    """
    for what, direction in _directions(parts):
        (germ,) = move(inputs, direction).values()
        steep, slope = coefficient(germ, 1), coefficient(germ, 2)
        most = np.broadcast_to(_unless_steep(steep, slope), g.shape)
        given = [_product(part.engine, direction[name]) for name, part in parts.items()]
        slack = [_product(part.slack, np.abs(direction[name])) for name, part in parts.items()]
        columns = (given, [_product(g, most)], slack)
        for at, numbers in enumerate(zip(*map(_added if apart else _summed, columns), strict=True)):
            total, chosen, loose = numbers
            if chosen.is_finite() and abs(total - chosen.mid()) > chosen.rad() * (1 + ENDS) + loose:
                return Outside(what, *(float(x.mid()) for x in (total, chosen.lower(), chosen.upper())), place=at)
    return None


def _directions(parts: Mapping[str, Part]) -> Iterator[tuple[str, Mapping[str, Array]]]:
    """All that is open as one, each to the side to which its derivative points, and each as far as that."""
    engine = {name: np.where(part.open, part.engine, 0).astype(np.float64) for name, part in parts.items()}
    for what, direction in (
        ("they sum to", {name: np.where(part.open, 1.0, 0.0) for name, part in parts.items()}),
        ("their sizes sum to", {name: np.sign(x) for name, x in engine.items()}),
        ("their squares sum to", engine),
    ):
        if any(v.any() for v in direction.values()):
            yield what, direction


def _product(a: Any, b: Any) -> Any:
    """Element by element; what does not move adds nothing, whatever it is."""
    return np.asarray(_times(to_balls(np.asarray(a)), to_balls(np.asarray(b))), dtype=object)


_times: Any = np.frompyfunc(lambda a, b: ZERO if a.is_zero() or b.is_zero() else a * b, 2, 1)
_unless_steep: Any = np.frompyfunc(lambda steep, slope: slope if steep.is_zero() else NAN, 2, 1)


def _added(arrays: list[Any]) -> list[Any]:
    """The sum of arrays, element by element."""
    total: Any = sum(arrays, ZERO)
    return total.ravel().tolist()


def _summed(arrays: list[Any]) -> list[Any]:
    """The sum of all that is in arrays."""
    return [sum((x for array in arrays for x in array.flat), ZERO)]
