"""Balls as the steps of rules reckon with them: what a line gives, and how far a sound optimiser may be from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import numpy as np

from ..graph.emit import Namespace
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
def stepping(form: Format | None, manner: Manner | None = None) -> Namespace:
    """Balls, exact or rounded at every operation. Rules say what a step is at a kink too, so that 0 has the sign 0.

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
    plain_root = wide["sqrt"]

    def sqrt(x: Any) -> Any:
        """What is under a root is a sum of squares: its ball may blur below 0, where no engine's number is."""
        return plain_root(_not_negative(x))

    wide |= {"sqrt": sqrt, **{name: _nothing_kept(wide[name], ZEROS[name]) for name in ZEROS}}
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


_is_zero: Any = np.frompyfunc(_zero, 1, 1)
_zero_where = np.frompyfunc(lambda zero, x: flint.arb(0) if zero and x.is_finite() else x, 2, 1)
ZEROS: Mapping[str, Callable[..., Any]] = {
    "multiply": _either,
    "divide": _first,
    "add": _both,
    "subtract": _both,
    "square": _is_zero,
}


def _nothing_kept(operation: Callable[..., Any], zero: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, whose result is 0 where it is one of zeros: nothing underflows there."""

    def kept(*operands: Any) -> Any:
        result, nothing = operation(*operands), zero(*operands)
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


def _clipped(ball: Any) -> Any:
    return flint.arb(0).union(ball.upper()) if ball.lower() < 0 <= ball.upper() else ball


_not_negative = np.frompyfunc(_clipped, 1, 1)
