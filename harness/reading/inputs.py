"""Inputs: numbers, nested lists and descriptions of a case file -> arrays.

A description draws from a seed, evaluates a formula or reads a file beside the case. What it gives is
rounded to nine significant digits, and those decimals *are* the inputs: so they are the same on every
machine, whatever its sine does in the last place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..graph.build import MAX_AXES
from ..graph.language.expression import ExpressionError
from ..graph.node import Kind, Shape
from ..words import nearest
from .descriptions import KINDS, ORIGINS
from .formula import evaluate
from .schema import MAX_DIGITS, MAX_EXPONENT, NUMBER, decimal
from .yaml_text import List, Map, Scalar, Source, Value, kind_of, shortened

MAX_ELEMENTS = 2**24
MAX_MADE = 2_000_000  # numbers that are drawn or computed while a file is read: a microsecond each
DIGITS = 9
INDICES = ("i", "j", "k", "l")

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """An input's numbers: `array` is float64, int64 or bool.

    `texts` keeps the decimals as they were written; where it is None, the shortest decimal of each float
    is the number meant (`binary`: the float itself, as it came from a file).
    """

    array: Array
    kind: Kind = "float"
    constant: bool = False
    texts: tuple[str, ...] | None = None
    binary: bool = False

    @property
    def shape(self) -> Shape:
        return self.array.shape

    def rounded(self, dtype: np.dtype[Any]) -> Array:
        """The numbers in the dtype of a run; integers and conditions stay as they are."""
        if self.kind != "float":
            return self.array
        with np.errstate(over="ignore"):
            return self.array.astype(dtype)

    def exact(self) -> NDArray[np.object_]:
        """The numbers as written: Fraction, int or bool; NaN and the infinities stay floats."""
        flat: list[Any] = self.array.ravel().tolist()
        if self.kind == "float":
            texts = self.texts if self.texts is not None else flat if self.binary else map(repr, flat)
            flat = [
                x if not math.isfinite(x) and not _decimal(t) else Fraction(t) for x, t in zip(flat, texts, strict=True)
            ]
        result = np.empty(len(flat), dtype=object)
        result[:] = flat
        return result.reshape(self.array.shape)


def _decimal(text: object) -> bool:
    """Whether a text is a finite decimal, though its float may be infinite (1e400)."""
    return isinstance(text, str) and any(c.isdigit() for c in text)


def numbers(
    source: Source, value: Value, meaning: Callable[[Scalar], Any], expected: str, remedy: str = ""
) -> tuple[Shape, list[Any]] | None:
    """The shape and the elements, in row-major order, of a number or of nested lists.

    None where anything is wrong, after noting every mistake.
    """
    flat: list[Any] = []
    before = len(source.errors)

    def walk(entry: Value) -> Shape | None:
        if isinstance(entry, Scalar):
            element = meaning(entry)
            if element is None:
                source.error(entry, f"{kind_of(entry)} in `{source.key}`", expected, remedy)
            flat.append(element)
            return ()
        if isinstance(entry, Map):
            source.error(entry, f"a mapping in `{source.key}`", f"{expected}, or lists of them")
            return None
        shapes = [walk(item) for item in entry.items]
        first = shapes[0] if shapes else ()
        for item, shape in zip(entry.items, shapes, strict=True):
            if shape != first and shape is not None and first is not None:
                source.error(
                    item,
                    f"an element of shape {shape} after one of shape {first}",
                    f"elements of equal shape, here {first}",
                    "make all rows equally long",
                )
                return None
        return None if first is None else (len(shapes), *first)

    shape = walk(value)
    if shape is not None and len(shape) > MAX_AXES:
        source.error(value, f"{len(shape)} axes in `{source.key}`", f"at most {MAX_AXES}")
    return None if shape is None or len(source.errors) > before else (shape, flat)


# --- reading one ----------------------------------------------------------------------------------------


def build(source: Source, read: tuple[Value, Any], base: Input | None = None) -> Input | None:
    """The input that was read as `INPUT`: a value with its place.

    At a further point `base` is the input that it stands for, whose kind and shape it inherits.
    """
    value, form = read
    if not isinstance(form, dict):
        return _literal(source, value, base.kind if base else "float", base.constant if base else False)
    entries = cast("dict[str, Any]", form)
    if None in entries.values():
        return None
    origins = [name for name in ORIGINS if name in entries]
    if len(origins) != 1:
        text = " and ".join(f"`{name}`" for name in origins) or "none"
        source.error(value, f"{text} of values, normal, uniform, integers, formula and file", "one of them")
        return None
    origin = origins[0]
    kind: Kind = (
        KINDS[entries["dtype"]]
        if "dtype" in entries
        else "int"
        if origin == "integers"
        else base.kind
        if base
        else "float"
    )
    constant = bool(entries.get("constant", base.constant if base else False))
    if (origin in ("normal", "uniform") and kind != "float") or (origin == "integers" and kind != "int"):
        source.error(
            value,
            f"`{origin}` for dtype {entries.get('dtype', kind)}",
            "float64 for normal and uniform, int64 for integers",
        )
        return None
    if base is not None and ("constant" in entries or "dtype" in entries):
        source.error(value, "`constant` or `dtype` at a point", "both where the input is first given")
        return None
    shape = _shape(source, entries, base)
    if origin == "values":
        made = _literal(source, entries["values"], kind, constant)
        if made is not None and shape is not None and made.array.size == math.prod(shape) == 0:
            return Input(made.array.reshape(shape), kind, constant)
        return _fits(source, value, made, shape)
    if origin == "file":
        return _fits(source, value, _file(source, entries["file"][0], kind, constant), shape)
    if shape is None:
        if "shape" not in entries:
            source.error(
                value, f"`{origin}` without `shape`", "the lengths of the axes, as in {shape: [3], normal: {seed: 0}}"
            )
        return None
    source.made += math.prod(shape)
    if source.made > MAX_MADE:
        remedy = "keep large arrays as `{file: w.npy}` beside the case"
        source.error(value, f"more than {MAX_MADE:,} numbers drawn or computed", "a smaller shape", remedy)
        return None
    if origin == "formula":
        return _formula(source, entries["formula"][0], shape, kind, constant)
    return _drawn(source, value, origin, entries[origin], shape, constant)


def _shape(source: Source, entries: Mapping[str, Any], base: Input | None) -> Shape | None:
    if "shape" not in entries:
        return base.shape if base else None
    place, lengths = cast("tuple[Value, list[int]]", entries["shape"])
    shape = tuple(lengths)
    if len(shape) > MAX_AXES:
        source.error(place, f"{len(shape)} axes", f"at most {MAX_AXES}")
        return None
    if math.prod(shape) > MAX_ELEMENTS:
        source.error(
            place,
            f"{math.prod(shape):,} elements",
            f"at most {MAX_ELEMENTS:,}, which fits into memory",
            "make the shape smaller",
        )
        return None
    return shape


def _fits(source: Source, value: Value, made: Input | None, shape: Shape | None) -> Input | None:
    if made is not None and shape is not None and made.shape != shape:
        source.error(value, f"values of shape {made.shape}", f"shape {shape}")
        return None
    return made


WHOLE = re.compile(r"[-+]?[0-9]+")


def _whole(scalar: Scalar) -> int | None:
    number = int(scalar.text) if not scalar.style and len(scalar.text) < 30 and WHOLE.fullmatch(scalar.text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _truth(scalar: Scalar) -> bool | None:
    return {"true": True, "false": False}.get(scalar.text) if not scalar.style else None


def _literal(source: Source, value: Value, kind: Kind, constant: bool) -> Input | None:
    if kind == "float":
        pair = numbers(source, value, decimal, "a number", _number_remedy(value))
        if pair is None:
            return None
        shape, texts = pair
        array = np.array([float(text) for text in texts], dtype=np.float64).reshape(shape)
        return Input(array, kind, constant, tuple(texts))
    meaning, expected = (_whole, "an integer") if kind == "int" else (_truth, "true or false")
    pair = numbers(source, value, meaning, expected)
    if pair is None:
        return None
    return Input(np.array(pair[1], dtype=np.int64 if kind == "int" else np.bool_).reshape(pair[0]), kind, constant)


def _number_remedy(value: Value) -> str:
    while isinstance(value, List) and value.items:
        value = value.items[0]
    if not isinstance(value, Scalar):
        return ""
    if value.text in ("true", "false") and not value.style:
        return "a condition is given as {dtype: bool, values: ...}"
    if value.style and decimal(Scalar(value.text, "", 0, 0)):
        return "take the quotes away"
    if value.text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return "YAML writes .nan, .inf and -.inf"
    if decimal(value):
        return ""
    if NUMBER.fullmatch(value.text):
        return (
            f"numbers have at most {MAX_DIGITS} characters and an exponent of at most {len(str(MAX_EXPONENT))} digits"
        )
    return "an expression is given as {shape: [], formula: ...}"


def decimals(array: Array) -> Array:
    """Floats rounded to nine significant decimal digits."""
    flat = [float(f"{x:.{DIGITS}g}") for x in cast("list[float]", array.ravel().tolist())]
    return np.array(flat, dtype=np.float64).reshape(array.shape)


def _drawn(
    source: Source, value: Value, origin: str, settings: Mapping[str, Any], shape: Shape, constant: bool
) -> Input | None:
    generator = np.random.Generator(np.random.PCG64(settings["seed"]))
    if None in settings.values():
        return None
    low, high = settings.get("low", 0), settings.get("high", 1)
    if origin != "normal" and not low < high:
        source.error(value, f"low {low:g} and high {high:g}", "low below high")
        return None
    if origin != "integers":
        with np.errstate(over="ignore", invalid="ignore"):
            if origin == "normal":
                drawn = settings.get("mean", 0.0) + settings.get("std", 1.0) * generator.standard_normal(shape)
            else:
                drawn = low + (high - low) * generator.random(shape)
        if not np.isfinite(drawn).all():
            source.error(value, "drawn numbers beyond those of float64", "smaller ones")
            return None
        return Input(decimals(drawn), "float", constant)
    if not -(2**63) <= low < high <= 2**63:
        source.error(value, f"low {low} and high {high}", "integers of 64 bits")
        return None
    return Input(np.asarray(generator.integers(low, high, shape), dtype=np.int64), "int", constant)


def _formula(source: Source, scalar: Scalar, shape: Shape, kind: Kind, constant: bool) -> Input | None:
    if len(shape) > len(INDICES):
        source.error(
            scalar, f"a formula for {len(shape)} axes", f"at most {len(INDICES)}, with the indices {', '.join(INDICES)}"
        )
        return None
    try:
        result = evaluate(scalar.text, shape, INDICES[: len(shape)])
    except ExpressionError as error:
        place = offset_of(scalar.text, error)
        source.error(
            scalar, f"{error.found} in the formula `{shortened(scalar.text)}`", error.expected, error.remedy, place
        )
        return None
    if kind == "float" and result.dtype != np.bool_:
        return Input(decimals(result), kind, constant)
    if kind == "bool" and result.dtype == np.bool_:
        return Input(result, kind, constant)
    if (
        kind == "int"
        and result.dtype != np.bool_
        and bool(np.all(result == np.floor(result)))
        and bool(np.all(np.abs(result) < 2**53))
    ):
        return Input(result.astype(np.int64), kind, constant)
    outcome = "conditions" if result.dtype == np.bool_ else "numbers that are not whole" if kind == "int" else "numbers"
    expected = {"float": "numbers, or dtype: bool", "int": "whole numbers", "bool": "a comparison"}[kind]
    source.error(scalar, f"the formula `{shortened(scalar.text)}` gives {outcome}", expected)
    return None


def offset_of(text: str, error: ExpressionError) -> int:
    """Where in the stripped text of an expression an error is, counted in characters."""
    lines = text.strip().split("\n")
    return sum(len(line) + 1 for line in lines[: error.line]) + error.column


def _file(source: Source, place: Scalar, kind: Kind, constant: bool) -> Input | None:
    name = place.text
    folder = source.path.parent.resolve()
    path = folder / name
    try:
        inside = not Path(name).is_absolute() and path.resolve().is_relative_to(folder)
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):
        inside = there = False
    if not inside or not name.endswith(".npy"):
        source.error(
            place,
            f"the file `{shortened(name)}`",
            "a .npy file inside the folder of the case",
            "a case opens no other file",
        )
        return None
    if not there:
        have = sorted(str(p.name) for p in folder.glob("*.npy"))
        source.error(
            place,
            f"no file `{shortened(name)}` beside the case",
            "a .npy file inside the folder of the case",
            nearest(name, have),
        )
        return None
    try:
        mapped: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.size > MAX_ELEMENTS:
            source.error(place, f"`{name}` has {mapped.size:,} elements", f"at most {MAX_ELEMENTS:,}")
            return None
        array = np.array(mapped)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError) as error:
        source.error(
            place,
            f"`{name}` cannot be read: {shortened(str(error))}",
            "an array saved by numpy.save, no pickled objects",
        )
        return None
    wanted: Sequence[type[np.generic]] = {"float": (np.floating,), "int": (np.integer,), "bool": (np.bool_,)}[kind]
    if not any(np.issubdtype(array.dtype, family) for family in wanted) or array.dtype.itemsize > 8:
        source.error(
            place,
            f"`{name}` holds {array.dtype}",
            {
                "float": "floats of at most 64 bits, or a `dtype` beside the file",
                "int": "integers",
                "bool": "conditions",
            }[kind],
        )
        return None
    return Input(
        array.astype({"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]), kind, constant, binary=True
    )
