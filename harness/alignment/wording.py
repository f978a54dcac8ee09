"""Reasons in the field's words."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, isfinite, isqrt

import numpy as np

from ..graph.node import Constant, Node
from ..hearing.heard import Place
from ..records.evaluation import Array
from .side import Side

SMALL = 1e-2  # what is added and no larger is there for safety
OPERATIONS_AS_SAID = {"sqrt": "the root (sqrt)", "pow": "the power"}
VERBS = {"multiply": "multiplied", "divide": "divided", "add": "added", "subtract": "subtracted"}
LARGEST = 65536  # whole numbers that a factor is told by


def short(place: Place) -> str:
    """As in `model.py:12`; where no line is the user's, the call that it is."""
    return place.spot or place.call or "the other side"


def shown(x: float) -> str:
    return f"{x:.10g}"


def rough(x: float) -> str:
    return f"{x:.4g}"


def listed(words: Sequence[str]) -> str:
    """As in `mean, var and multiply`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def factor(x: float) -> str:
    """A number, and what it may be: a whole one, a share, a root."""
    size = abs(x)
    if not isfinite(size) or not 1e-150 < size < 1e150:
        return shown(x)
    whole = round(size)
    if size and 1 < whole <= LARGEST and isclose(size, whole, rel_tol=1e-9):
        return shown(x)
    if 0 < size < 1 and 1 < round(1 / size) <= LARGEST and isclose(1 / size, round(1 / size), rel_tol=1e-9):
        return f"{'-' if x < 0 else ''}1/{round(1 / size)}"
    for turned, form in ((size, "sqrt({})"), (1 / size if size else 0.0, "1/sqrt({})")):
        squared = round(turned * turned)
        if 1 < squared <= LARGEST and isqrt(squared) ** 2 != squared and isclose(turned**2, squared, rel_tol=1e-9):
            return f"{shown(x)} = {'-' if x < 0 else ''}{form.format(squared)}"
    if size > 0:
        share = 1 / (1 - 1 / size) if size > 1 else 1 / (1 - size)
        whole = round(share)
        if 2 <= whole <= LARGEST and isclose(share, whole, rel_tol=1e-7):
            return f"{whole}/{whole - 1}" if size > 1 else f"{whole - 1}/{whole}"
    return shown(x)


def constant(given: Constant) -> str:
    return given.text if given.exact is None or len(given.text) < 9 else factor(float(given.exact))


def setting(side: Side, node: Node, value: Constant) -> str:
    """What a number inside a step is called: the parameter of its call that has it, or by what it is there for."""
    call = side.heard.graph.by_name.get(side.owner(node.name))
    for name, given in call.params if call is not None else ():
        if (
            isinstance(given, int | float)
            and not isinstance(given, bool)
            and Constant(repr(given)).exact == value.exact
        ):
            return name
    if node.op in ("add", "maximum") and value.exact is not None and 0 < abs(value.exact) <= SMALL:
        return "eps"
    if node.op == "pow":
        return "the power"
    if node.op in ("maximum", "minimum"):
        return "the bound"
    if node.op in ("multiply", "divide"):
        return "the factor"
    return "the constant"


def what(side: Side, name: str) -> str:
    """A step as its user knows it: the call of the framework."""
    call = side.place(name).call.rpartition(".")[2]
    return call or side.graph[name].op


def step(side: Side, name: str) -> str:
    """The same, and inside of a call of several steps which of them."""
    call, op = what(side, name), side.graph[name].op
    made = side.heard.graph.by_name.get(side.owner(name))
    inside = made is not None and made.op != op
    return f"{OPERATIONS_AS_SAID.get(op, op)} inside of {call}" if inside and op not in call else call


def tables(mine: Array, other: Array) -> str:
    """How one constant array differs from another of its shape."""
    if mine.dtype.kind == "b" and other.dtype.kind == "b":
        return _masks(mine, other)
    with np.errstate(all="ignore"):
        apart = other.astype(float) - mine
        hidden = mine <= -1e4 if mine.dtype.kind == "f" else np.zeros(mine.shape, bool)
        if hidden.any() and np.array_equal(mine[~hidden], other[~hidden]):
            return f"the mask fills in {shown(float(other[hidden].flat[0]))} for {shown(float(mine[hidden].flat[0]))}"
        finite = np.isfinite(apart)
        if finite.any() and np.ptp(apart[finite]) == 0 and apart[finite].flat[0] != 0:
            by = apart[finite].flat[0]
            if mine.dtype.kind in "iu":
                return f"its indices are off by {'one' if abs(by) == 1 else shown(abs(by))}"
            return f"it is {shown(abs(by))} {'higher' if by > 0 else 'lower'}"
        if mine.dtype.kind == "f" and finite.all() and np.all(np.abs(apart) <= 1e-5 * np.abs(mine) + 1e-9):
            return "it is the same to single precision: it was computed in float32"
        if np.array_equal(other, 1 - mine):
            return "it is inverted (1 - x)"
        share = other / mine
        told = np.isfinite(share)
        first = float(share[told].flat[0]) if told.any() else 0.0
        if mine.dtype.kind == "f" and first and np.allclose(share[told], first, rtol=1e-12):
            return f"it is {factor(first)} times that"
    for axis in range(mine.ndim):
        if np.array_equal(np.flip(mine, axis), other):
            return f"it is reversed along axis {axis}"
        for by in (1, -1):
            if np.array_equal(np.roll(mine, by, axis), other):
                return f"it is off by one along axis {axis}"
    count = int(np.count_nonzero(mine != other))
    return f"{count} of {mine.size} numbers are others"


def _masks(mine: Array, other: Array) -> str:
    if mine.ndim > 1 and all((x.sum(-1) == 1).all() for x in (mine, other)) and mine.shape[-1] > 2:
        return f"it picks others (labels, indices): {tables(mine.argmax(-1), other.argmax(-1))}"
    if np.array_equal(mine, ~other):
        return "the mask is inverted"
    if mine.ndim >= 2 and mine.shape[-1] == mine.shape[-2]:
        if np.array_equal(mine.swapaxes(-1, -2), other):
            return "the mask is transposed"
        for turned, word in ((mine, ""), (~mine, " and inverted")):
            square = turned.reshape(-1, *turned.shape[-2:])[0]
            seen = other.reshape(-1, *other.shape[-2:])[0]
            for offset in (-2, -1, 0, 1, 2):
                for cut in (np.tril, np.triu):
                    if np.array_equal(cut(np.ones_like(square), offset), seen):
                        for mine_offset in (-2, -1, 0, 1, 2):
                            if mine_offset != offset and np.array_equal(cut(np.ones_like(square), mine_offset), square):
                                by = abs(offset - mine_offset)
                                return f"the mask is off by {'one' if by == 1 else by}{word}"
    count = int(np.count_nonzero(mine != other))
    return f"the mask is another at {count} of {mine.size} places"


def moved(node: Node) -> str:
    """A step that only moves numbers, in short."""
    params = dict(node.params)
    for name in ("shape", "axes", "axis"):
        if name in params:
            return f"{node.op} {params[name]}"
    return node.op


def slices(here: str, there: str) -> str:
    """What is another in the second of two indices, where that has a name."""
    mine, theirs = ([part.strip().split(":") for part in text.split(",")] for text in (here, there))
    strided = [any(len(part) == 3 and part[2] not in ("", "1") for part in parts) for parts in (mine, theirs)]
    if strided[0] != strided[1]:
        return " (interleaved neighbours on one side, halves or stretches on the other)"
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=False) if a != b]
    for a, b in pairs:
        if a[0].lstrip("-").isdigit() and b[0].lstrip("-").isdigit() and abs(int(a[0]) - int(b[0])) == 1:
            return " (off by one, shifted)"
    return ""
