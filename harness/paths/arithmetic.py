"""Balls as the steps of rules reckon with them: what a line gives, and how far a sound optimiser may be from it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import numpy as np

from ..graph.emit import Namespace
from ..graph.graph import Graph
from ..records.evaluation import Array
from ..records.formats import FLOAT32, Format
from ..truth.numbers import balls
from ..truth.rounding import entered, rounded


@dataclass(frozen=True, slots=True)
class Manner:
    """What a sound optimiser may make of numbers next to 0: settings are as the format `held` holds them (an eps of
    1e-8 is 0 in float16), or as they are where that is None; and what it reads below the smallest number is 0 if
    `flushed`."""

    held: Format | None
    flushed: bool


@lru_cache
def stepping(form: Format | None, manner: Manner | None = None, *, sided: bool = False) -> Namespace:
    """Balls, exact or rounded at every operation. Rules say what a step is at a kink too, so that 0 has the sign 0.
    `sided`: what underflows has no other sign than before, so that its ball ends at 0.

    Settings are decimals: one rounding where the format does not hold them. That includes the hyperparameters
    of torch and optax, which are Python floats and rounded once more when they meet a float32 array. They are told
    apart from parameters and state by being single balls.
    """
    exact = balls(ties="decide")
    if manner is not None and manner.held is not None:
        exact = {**exact, "constant": _held(manner.held)}
    if form is None:
        return exact
    wide = dict(rounded(exact, form))
    wide |= {name: exact[name] for name in CHOOSING}  # rounding may turn a choice: then it is open here
    wide |= {name: _by_side(exact[name], BY_SIDE[name]) for name in BY_SIDE}
    plain_root = wide["sqrt"]

    def sqrt(x: Any) -> Any:
        """What is under a root is a sum of squares: its ball may blur below 0, where no engine's number is."""
        return plain_root(_not_negative(x))

    if sided:
        wide |= {name: _on_its_side(name, wide[name], exact[name]) for name in SIDES}
    wide |= {"sqrt": sqrt}
    wide |= {name: _nothing_kept(wide[name], ZEROS[name]) for name in ZEROS}
    return _settings_apart(wide, form) if form.inside else wide


def _settings_apart(wide: Namespace, form: Format) -> Namespace:
    """Half precision, in which what is made of settings alone is kept in single precision, as all optimisers do: 1 -
    0.999 is 0.001. It is rounded where it meets a parameter or its state."""
    single = stepping(FLOAT32)

    def apart(name: str) -> Callable[..., Any]:
        def run(*operands: Any, **params: Any) -> Any:
            alone = [isinstance(x, flint.arb) for x in operands]
            if operands and all(alone):
                return single[name](*operands, **params)
            beside = (met(x, form) if one else x for x, one in zip(operands, alone, strict=True))
            return wide[name](*beside, **params)

        return run

    return {**{name: apart(name) for name in wide}, "constant": single["constant"]}


def met(setting: flint.arb, form: Format) -> flint.arb:
    """A setting beside arrays: one rounding, unless the format holds it."""
    number = float(setting.mid())
    held = setting.is_exact() and float(np.asarray(number).astype(form.dtype)) == number
    return setting if held else entered(setting, form)


@lru_cache
def counting(form: Format | None) -> Namespace:
    """The same for what is computed once a step, where whole numbers are exact: the step's number, and how many came
    before."""
    exact, wide = balls(ties="decide"), stepping(form)
    if form is None:
        return exact
    return {**wide, **{name: _exactly_whole(wide[name], exact[name]) for name in WHOLE}}


def _held(form: Format) -> Callable[[str], flint.arb]:
    return lambda text: flint.arb(float(np.asarray(float(text)).astype(form.dtype)))


def norm(
    arrays: Sequence[Array], form: Format | None, totals: Sequence[Array] = (), share: float | None = None
) -> flint.arb:
    """The Euclidean norm of all arrays together: exactly, or as a sound optimiser may have it, by sums of any order or
    norms of parts. With `totals` it is that of their sums with each array's `share`-th part; what those lose, eight
    roundings of what is added where a mean runs along, moves the norm by no more than its own norm."""
    numbers = _flat(arrays)
    before, part = _flat(totals) if totals else [flint.arb(0)] * len(numbers), flint.arb(share or 1)
    exact = _length([total + number / part for total, number in zip(before, numbers, strict=True)])
    if form is None:
        return exact
    lost = (len(numbers) + len(arrays)) * form.sums.unit + 4 * form.unit
    added = _length([abs(total) + abs(number / part) for total, number in zip(before, numbers, strict=True)])
    apart = 8 * form.unit * added.upper() if totals else flint.arb(0)
    return exact * flint.arb(1, lost) + flint.arb(0, apart) + flint.arb(0, len(numbers) * form.smallest)


def _flat(arrays: Sequence[Array]) -> list[flint.arb]:
    return [flint.arb(number) for array in arrays for number in array.astype(np.float64).ravel().tolist()]


def _length(numbers: Sequence[flint.arb]) -> flint.arb:
    return sum((number**2 for number in numbers), flint.arb(0)).sqrt()


WHOLE = ("add", "subtract", "multiply", "negative", "minimum", "maximum")
CHOOSING = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign")


def _zero(x: Any) -> bool:
    return isinstance(x, flint.arb) and x.is_zero()


def _either(a: Any, b: Any) -> Any:
    return _is_zero(a) | _is_zero(b)


def _both(a: Any, b: Any) -> Any:
    return _is_zero(a) & _is_zero(b)


def _first(a: Any, b: Any) -> Any:
    return _is_zero(a) & np.ones(np.shape(b), dtype=bool)


def _all(x: Any, *, axis: Any, keepdims: bool) -> Any:
    return np.all(np.asarray(_is_zero(x), dtype=bool), axis=axis, keepdims=keepdims)


_is_zero: Any = np.frompyfunc(_zero, 1, 1)
_zero_where = np.frompyfunc(lambda zero, x: flint.arb(0) if zero and x.is_finite() else x, 2, 1)
ZEROS: Mapping[str, Callable[..., Any]] = {
    "multiply": _either,
    "divide": _first,
    "add": _both,
    "subtract": _both,
    "square": _is_zero,
    "sqrt": _is_zero,
    "sum": _all,
}


def _nothing_kept(operation: Callable[..., Any], zero: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, whose result is 0 where it is one of zeros: nothing underflows there."""

    def kept(*operands: Any, **params: Any) -> Any:
        result, nothing = operation(*operands, **params), zero(*operands, **params)
        return _zero_where(nothing, result) if np.any(nothing) else result

    return kept


def _exactly_whole(operation: Callable[..., Any], exact: Callable[..., Any]) -> Callable[..., Any]:
    def kept(*operands: Any) -> Any:
        result, plain = operation(*operands), exact(*operands)
        return _if_whole(plain, result)

    return kept


def _whole(exact: Any, wide: Any) -> Any:
    return exact if exact.is_exact() and exact.is_integer() and abs(exact) < 2**24 else wide


_if_whole = np.frompyfunc(_whole, 2, 1)


# --- which side of 0 ------------------------------------------------------------------------------------------

SPILL = 2.0**-24  # what a ball that ends at 0 may reach beyond it, as a part of itself: its radius has 30 bits


def compares(graph: Graph, arrays: Container[str]) -> bool:
    """Whether a line chooses by what it makes of numbers of the parameter: of a product next to 0 the sign counts."""
    made = {*(node.name for node in graph.inputs if node.name in arrays)}
    for node in graph.nodes:
        if not made.isdisjoint(arg for arg in node.args if isinstance(arg, str)):
            if node.op in CHOOSING:
                return True
            made.add(node.name)
    return False


def _side(ball: Any) -> int:
    """1 of what is not negative, -1 of what is not positive; 0 of what may be either, and of 0 itself."""
    if not isinstance(ball, flint.arb) or not ball.is_finite():
        return 0
    low, high = ball.lower(), ball.upper()
    return 1 if high > 0 and low >= -high * SPILL else -1 if low < 0 and high <= -low * SPILL else 0


def _side_of_difference(a: Any, b: Any) -> int:
    return _side(a - b)


def _answer(found: Any, side: int, answers: Mapping[int, flint.arb]) -> Any:
    return found if found.is_exact() else answers.get(side, found)


def _holds_zero(ball: Any) -> bool:
    return isinstance(ball, flint.arb) and bool(ball.lower() < 0 < ball.upper())


def _exactly_known(ball: Any) -> bool:
    return bool(ball.is_exact())


_difference: Any = np.frompyfunc(_side_of_difference, 2, 1)
_sides: Any = np.frompyfunc(_side, 1, 1)
_known: Any = np.frompyfunc(_answer, 3, 1)
_crosses: Any = np.frompyfunc(_holds_zero, 1, 1)
_is_exact: Any = np.frompyfunc(_exactly_known, 1, 1)
NO, YES = flint.arb(0), flint.arb(1)
BY_SIDE: Mapping[str, Mapping[int, flint.arb]] = {
    "sign": {1: NO.union(YES), -1: NO.union(-YES)},
    "less": {1: NO}, "greater_equal": {1: YES},
    "greater": {-1: NO}, "less_equal": {-1: YES},
}  # fmt: skip


def _by_side(choose: Callable[..., Any], answers: Mapping[int, flint.arb]) -> Callable[..., Any]:
    """A choice, which of a number that may be 0 but has no other sign is not open both ways."""

    def chosen(*operands: Any) -> Any:
        found = choose(*operands)
        if np.all(_is_exact(found)):
            return found
        sides = _sides(*operands) if len(operands) == 1 else _difference(*operands)
        return _known(found, sides, answers)

    return chosen


def _on_its_side(name: str, wide: Callable[..., Any], exact: Callable[..., Any]) -> Callable[..., Any]:
    """An operation, whose result may become 0 by underflow and not go beyond."""

    def kept(*operands: Any) -> Any:
        result = wide(*operands)
        if not np.any(_crosses(result)):
            return result
        return _cut(result, SIDES[name](*operands, exact(*operands)))

    return kept


def _of_product(a: Any, b: Any, _: Any) -> Any:
    return _sides(a) * _sides(b)


def _of_square(a: Any, _: Any) -> Any:
    return _sides(a) ** 2


def _of_sum(a: Any, b: Any, exact: Any) -> Any:
    return _together(_sides(a), _sides(b), exact)


def _of_difference(a: Any, b: Any, exact: Any) -> Any:
    return _together(_sides(a), -_sides(b), exact)


SIDES: Mapping[str, Callable[..., Any]] = {
    "multiply": _of_product, "divide": _of_product, "square": _of_square, "add": _of_sum, "subtract": _of_difference
}  # fmt: skip


def _one_side(a: int, b: int, exact: Any) -> int:
    return a if a == b != 0 else _side(exact)


_together: Any = np.frompyfunc(_one_side, 3, 1)


def _cut_one(ball: Any, side: int) -> Any:
    if not side or not _holds_zero(ball):
        return ball
    return NO.union(ball.upper() if side > 0 else ball.lower())


_cut: Any = np.frompyfunc(_cut_one, 2, 1)


def _clipped(ball: Any) -> Any:
    return flint.arb(0).union(ball.upper()) if ball.lower() < 0 <= ball.upper() else ball


_not_negative = np.frompyfunc(_clipped, 1, 1)
