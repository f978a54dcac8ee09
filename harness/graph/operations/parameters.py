"""Checks of an operation's parameters, one for each name: a name means the same in every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from ...words import nearest
from ..node import GraphError, Param, Params
from ..shapes import index_of
from .operation import REQUIRED, Operation

Check = Callable[[object], "Param | None"]  # the value in its one form, or None where it does not fit


def _integer(least: int) -> Check:
    return lambda v: v if isinstance(v, int) and not isinstance(v, bool) and v >= least else None


def _truth(v: object) -> Param:
    return v if isinstance(v, bool) else None


def _number(v: object) -> Param:
    return v if isinstance(v, int | float) and not isinstance(v, bool) else None


def _positive(v: object) -> Param:
    return v if isinstance(v, int | float) and not isinstance(v, bool) and v > 0 else None


def _integers(v: object) -> Param:
    if isinstance(v, tuple) and all(
        isinstance(n, int) and not isinstance(n, bool) for n in cast("tuple[object, ...]", v)
    ):
        return cast("tuple[int, ...]", v)
    return None


def _lengths(v: object) -> Param:
    """One number is a list of it, as in `reshape(x, -1)`."""
    return _integers((v,) if isinstance(v, int) else v)


def _axis(v: object) -> Param:
    return v if isinstance(v, int) and not isinstance(v, bool) else _integers(v)


def _pair(least: int) -> Check:
    def check(v: object) -> Param:
        pair = (v, v) if isinstance(v, int) else _integers(v)
        return (
            pair if isinstance(pair, tuple) and len(pair) == 2 and min(cast("tuple[int, int]", pair)) >= least else None
        )

    return check


def _widths(v: object) -> Param:
    if isinstance(v, tuple) and all(_integers(w) is not None for w in cast("tuple[object, ...]", v)):
        return cast("tuple[tuple[int, ...], ...]", v)
    return None


def _index(v: object) -> Param:
    if not isinstance(v, str):
        return None
    try:
        index_of(v)
    except ValueError:
        return None
    return v


CHECKS: Mapping[str, tuple[Check, str]] = {
    "axis": (_axis, "an integer or a list of integers"),
    "axes": (_integers, "a list of integers"),
    "shape": (_lengths, "an integer or a list of integers"),
    "shift": (_integer(-(2**62)), "an integer"),
    "keepdims": (_truth, "True or False"),
    "n": (_integer(1), "an integer of at least 1"),
    "size": (_integer(0), "an integer, not negative"),
    "groups": (_integer(1), "an integer of at least 1"),
    "stride": (_pair(1), "an integer or two, at least 1"),
    "dilation": (_pair(1), "an integer or two, at least 1"),
    "kernel": (_pair(1), "an integer or two, at least 1"),
    "output_size": (_pair(1), "an integer or two, at least 1"),
    "output_padding": (_pair(0), "an integer or two, not negative"),
    "count_include_pad": (_truth, "True or False"),
    "padding": (_pair(0), "an integer or two, not negative"),
    "widths": (_widths, "a list of [before, after], one for each axis"),
    "negative_slope": (_number, "a number"),
    "alpha": (_number, "a number"),
    "eps": (_number, "a number"),
    "value": (_number, "a number"),
    "correction": (_number, "a number"),
    "scale": (_number, "a number"),
    "causal": (_truth, "True or False"),
    "padding_index": (_integer(0), "an integer, not negative"),
    "approximate": (lambda v: v if v in ("none", "tanh") else None, "'none' or 'tanh'"),
    "subscripts": (lambda v: v if isinstance(v, str) else None, 'text such as "ij,jk->ik"'),
    "reduction": (lambda v: v if v in ("none", "mean", "sum", "batchmean") else None, "'none', 'mean' or 'sum'"),
    "label_smoothing": (_number, "a number"),
    "ignore_index": (_integer(-(2**62)), "an integer"),
    "min_val": (_number, "a number"),
    "max_val": (_number, "a number"),
    "lambd": (_number, "a number"),
    "factor": (_integer(1), "an integer of at least 1"),
    "repeats": (_lengths, "an integer or a list of integers"),
    "beta": (_positive, "a number above 0"),
    "delta": (_positive, "a number above 0"),
    "log_target": (_truth, "True or False"),
    "index": (_index, "a basic index such as '1:3, 0'"),
}  # fmt: skip


# Names that other libraries have for parameters.
ELSEWHERE: Mapping[str, str] = {"dim": "axis", "dims": "axes", "keepdim": "keepdims", "ddof": "correction"}


def unknown_parameter(operation: Operation, name: str) -> GraphError:
    """What is wrong with a parameter that an operation does not have."""
    return GraphError(
        f"`{operation.name}` has no parameter `{name}`",
        f"one of: {', '.join(operation.parameters)}" if operation.parameters else "operands alone",
        nearest(ELSEWHERE.get(name, name), operation.parameters) or f"its signature is {operation.written}",
    )


def checked(operation: Operation, values: Mapping[str, object]) -> Params:
    """Every parameter of the operation, defaults filled in, in the order of its signature.

    Raises GraphError for one that is missing, unknown or of the wrong type.
    """
    if not values and not operation.parameters:
        return ()
    for name in values:
        if name not in operation.parameters:
            raise unknown_parameter(operation, name)
    params: list[tuple[str, Param]] = []
    for name, default in operation.parameters.items():
        value = values.get(name, default)
        if value == REQUIRED and name not in values:
            raise GraphError(f"`{operation.name}` without `{name}`", operation.written)
        if name in values and not (value is None and default is None):
            check, expected = CHECKS[name]
            value = check(value)
            if value is None:
                raise GraphError(f"{name}={values[name]!r} of `{operation.name}`", f"{expected}", parameter=name)
        params.append((name, cast(Param, value)))
    return tuple(params)
