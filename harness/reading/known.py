"""What a case file says is known: the numbers that it expects and the disagreements that it accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isnan
from pathlib import PurePath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.node import Node
from ..records.known import covers
from ..records.rows import Quantity
from ..records.verdicts import Verdict
from ..words import nearest
from .elsewhere import near
from .inputs import numbers
from .keys import text_in
from .schema import decimal
from .statements import Assembly
from .yaml_text import Scalar, Source, Value


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """Numbers that are known for a value or a gradient: decimals as written, in an object array of str.

    `places` are line and column, from 1, of each number in row-major order.
    """

    quantity: Quantity
    name: str
    values: NDArray[np.object_]
    places: tuple[tuple[int, int], ...]


def half_unit(text: str) -> Fraction:
    """How far a decimal as written may be from the truth: half a unit of its last digit; 0 for an integer."""
    mantissa, _, exponent = text.lower().partition("e")
    if "." not in mantissa and not exponent:
        return Fraction(0)
    return Fraction(10) ** (int(exponent or 0) - len(mantissa.partition(".")[2])) / 2


SIZED: frozenset[Verdict] = frozenset(("wrong", "imprecise"))  # verdicts on numbers that are off by so much
HALF = 2.0**-11  # what is right as far as half precision goes: as far as an entry holds that says no more


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of the ledger: a disagreement that is known. None matches every name, point or dtype.

    A number that is off is known as far as `within`, a part of the right number.
    """

    engine: str
    quantity: Quantity
    verdict: Verdict
    reason: str
    name: str | None
    point: int | None
    dtype: str | None
    link: str
    versions: str
    line: int
    within: float = HALF
    file: str = ""  # where it stands, if not in the case

    def holds_for(self, off: float) -> bool:
        """Whether it was made for a number so far off. Other verdicts, such as `not finite`, have no size.

        NaN is what nothing known explains.
        """
        return not isnan(off) and (self.verdict not in SIZED or off <= self.within)

    def matches(self, engine: str) -> bool:
        """Whether it is about an engine of that name. A file is known by its own name, whatever folder it lies in."""
        if ".py" not in self.engine:
            return engine == self.engine
        named, there = (PurePath(name).parts for name in (self.engine, engine))
        return there[-len(named) :] == named

    def covers(self, version: str) -> bool:
        """Whether an engine's version, such as `torch 2.13.0`, lies within the entry's bounds."""
        return covers(self.versions, version)


# --- reading them ----------------------------------------------------------------------------------------

Pairs: TypeAlias = Mapping[str, tuple[Scalar, Any]]  # name -> (key, what was read)


def expectations(source: Source, assembly: Assembly, expect: Pairs | None, result: str = "") -> tuple[Expectation, ...]:
    """What `expect` says, of names and shapes that the graph has; or of the `result` of code, whose shape nobody knows
    before it runs."""
    entries: list[Expectation | None] = []
    for name, (key, form) in (expect or {}).items():
        if name == "gradient":
            gradients: Pairs = form or {}
            entries += [_expectation(source, assembly, "gradient", k, f) for k, f in gradients.values()]
        elif result and name == result and form is not None:
            entries.append(_written(source, "value", name, form[0]))
        else:
            entries.append(_expectation(source, assembly, "value", key, form, result))
    return tuple(e for e in entries if e is not None)


def _expectation(
    source: Source,
    assembly: Assembly,
    quantity: Quantity,
    key: Scalar,
    form: tuple[Value, Value] | None,
    result: str = "",
) -> Expectation | None:
    name, names = key.text, assembly.names
    node = assembly.node(name)
    if node is None:
        if not names.excused(name):
            known = [n for n in (*names.ready, result) if n and n not in names.failed]
            expected = f"an input, or the result `{result}`" if result else "an input or a node of the graph"
            source.error(key, f"undefined name `{name}`", expected, near(name, [*known, "gradient"]))
        return None
    if form is None:
        return None
    if quantity == "gradient" and name not in assembly.active:
        what = "constant" if node.kind == "float" else node.kind
        source.error(
            key, f"the gradient of `{name}`, which is {what}", "a float that depends on an input with a gradient"
        )
        return None
    return _written(source, quantity, name, form[0], node)


def _written(
    source: Source, quantity: Quantity, name: str, value: Value, node: Node | None = None
) -> Expectation | None:
    """The numbers of an expectation, in the shape of the node if there is one."""
    source.key = name
    truths = node is not None and node.kind == "bool"
    meaning, expected = (_truth, "true or false") if truths else (_finite, "a finite number")
    places: list[tuple[int, int]] = []

    def noted(scalar: Scalar) -> str | None:
        places.append((scalar.line + 1, scalar.column + 1))
        return meaning(scalar)

    read_numbers = numbers(source, value, noted, expected)
    if read_numbers is None:
        return None
    shape, texts = read_numbers
    if node is not None and shape != node.shape:
        source.error(value, f"numbers of shape {shape} for the {quantity} of `{name}`", f"shape {node.shape}")
        return None
    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    return Expectation(quantity, name, values.reshape(shape), tuple(places))


def _finite(scalar: Scalar) -> str | None:
    text = decimal(scalar)
    return None if text in ("nan", "inf", "-inf") else text


def _truth(scalar: Scalar) -> str | None:
    return {"true": "1", "false": "0"}.get(scalar.text)


def acceptances(
    source: Source,
    is_known: Callable[[str], bool],
    names: Sequence[str],
    ledger: Sequence[tuple[Value, Mapping[str, Any]]],
    points: int,
    *,
    any_name: bool = False,
) -> tuple[Acceptance, ...]:
    """The ledger's entries, of points and `names` that the case has; of `any_name` where code has others."""
    entries: list[Acceptance] = []
    for place, form in ledger:
        name = form.get("name")
        point = form.get("point")
        if name is not None and not any_name and not is_known(name[1].text):
            found, expected = f"undefined name `{name[1].text}`", "an input or a node of the graph"
            source.error(name[0], found, expected, nearest(name[1].text, names))
        if point is not None and point[1] >= points:
            source.error(point[0], f"point {point[1]}", f"at most {points - 1}: the case has {points}")
        if None in form.values():
            continue
        within = form.get("within")
        if within is not None and form["verdict"] not in SIZED:
            what = f"`within` of `{form['verdict']}`, which has no size"
            source.error(within[0], what, f"`within` only for one of: {', '.join(sorted(SIZED))}", "remove `within`")
        entries.append(Acceptance(
            form["engine"][1], form["quantity"], form["verdict"], text_in(form["reason"]),
            name[1].text if name else None, point[1] if point else None, form.get("dtype"),
            text_in(form.get("link")), form.get("versions", ""), place.line + 1, within[1] if within else HALF,
        ))  # fmt: skip
    return tuple(entries)
