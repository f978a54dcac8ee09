"""Forms: what a value of a case file may look like. One table yields the checks and the JSON Schema for editors.

A form reads a located value into a plain one, or notes every mistake in it and gives None. The table of a
case's keys stands in `keys.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .elsewhere import near
from .yaml_text import List, Map, Scalar, Source, Value, kind_of

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
NO_COLON = "write a colon and a space after each name"
MAX_DIGITS = 1000
MAX_EXPONENT = 9999

Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """`read(source, value)` gives the plain value or None.

    `schema` says for editors, and `expected` for people, what it accepts.
    """

    expected: str
    schema: Schema
    read: Callable[[Source, Value], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    form: Form
    about: str
    required: bool = False


def _scalar(expected: str, schema: Schema, meaning: Callable[[Scalar], Any], remedy: str = "") -> Form:
    """A form for scalars: `meaning` gives None where the text does not fit."""

    def read(source: Source, value: Value) -> Any:
        content = meaning(value) if isinstance(value, Scalar) else None
        if content is None:
            source.error(value, f"{kind_of(value)} as `{source.key}`", expected, remedy)
        return content

    return Form(expected, schema, read)


def decimal(scalar: Scalar) -> str | None:
    """The decimal as written, without a plus sign; `inf`, `-inf` and `nan` for YAML's `.inf`, `-.inf`, `.nan`."""
    text = scalar.text
    if scalar.style or len(text) > MAX_DIGITS:
        return None
    if NUMBER.fullmatch(text):
        exponent = text.lower().partition("e")[2]
        return text.lstrip("+") if not exponent or abs(int(exponent)) <= MAX_EXPONENT else None
    return text.lower().replace(".", "").lstrip("+") if SPECIAL.fullmatch(text) else None


def _finite(scalar: Scalar) -> float | None:
    text = decimal(scalar)
    return None if text is None or (not text[-1].isdigit() and text[-1] != ".") else float(text)


def _integer(scalar: Scalar) -> int | None:
    return (
        int(scalar.text)
        if not scalar.style and len(scalar.text) < 30 and re.fullmatch(r"[-+]?[0-9]+", scalar.text)
        else None
    )


def _boolean(scalar: Scalar) -> bool | None:
    return {"true": True, "false": False}.get(scalar.text) if not scalar.style else None


def _is_text(scalar: Scalar) -> bool:
    return bool(scalar.style or scalar.text)


TEXT = _scalar("text", {"type": "string"}, lambda s: s if _is_text(s) else None)
EXPRESSION_TEXT = _scalar(
    "an expression",
    {"type": ["string", "number"]},
    lambda s: s if _is_text(s) else None,
    "quote an expression that begins with `[` or `{`",
)
INTEGER = _scalar("a whole number", {"type": "integer"}, _integer)
COUNT = _scalar(
    "a whole number that is not negative",
    {"type": "integer", "minimum": 0},
    lambda s: n if (n := _integer(s)) is not None and n >= 0 else None,
)
FINITE = _scalar("a number", {"type": "number"}, _finite)
SIZE = _scalar(
    "a number above 0, or `.inf`",
    {"type": "number", "exclusiveMinimum": 0},
    lambda s: n if (text := decimal(s)) is not None and text != "nan" and (n := float(text)) > 0 else None,
)
BOOLEAN = _scalar("true or false", {"type": "boolean"}, _boolean)


def pattern(expected: str, regex: str, remedy: str = "") -> Form:
    """Text that matches a regular expression as a whole."""
    compiled = re.compile(regex)
    return _scalar(
        expected,
        {"type": "string", "pattern": f"^(?:{regex})$"},
        lambda s: s.text if compiled.fullmatch(s.text) else None,
        remedy,
    )


def one_of(words: tuple[str, ...]) -> Form:
    """One of a few words."""

    def read(source: Source, value: Value) -> str | None:
        if isinstance(value, Scalar) and value.text in words:
            return value.text
        text = value.text if isinstance(value, Scalar) else ""
        source.error(value, f"{kind_of(value)} as `{source.key}`", f"one of: {', '.join(words)}", near(text, words))
        return None

    return Form(f"one of: {', '.join(words)}", {"enum": list(words)}, read)


def list_of(item: Form, expected: str, least: int = 0, *, whole: bool = True) -> Form:
    """A list of one form; where any item is wrong None, or, unless `whole`, the items that are right."""

    def read(source: Source, value: Value) -> list[Any] | None:
        if not isinstance(value, List) or len(value.items) < least:
            problem = "an empty list" if isinstance(value, List) else kind_of(value)
            source.error(value, f"{problem} as `{source.key}`", expected)
            return None
        entries = [item.read(source, entry) for entry in value.items]
        right = [entry for entry in entries if entry is not None]
        return None if whole and len(right) < len(entries) else right

    return Form(expected, {"type": "array", "items": item.schema, "minItems": least}, read)


def mapping_of(item: Form, expected: str, least: int = 0, fixed: Mapping[str, Key] | None = None) -> Form:
    """A mapping from free names to one form, apart from some `fixed` keys: a dict name -> (key, read value or None)."""
    fixed = fixed or {}
    schema = {
        "type": "object",
        "properties": {name: {"description": key.about, **key.form.schema} for name, key in fixed.items()},
        "required": [name for name, key in fixed.items() if key.required],
        "additionalProperties": item.schema,
        "minProperties": least,
    }

    def read(source: Source, value: Value) -> dict[str, tuple[Scalar, Any]] | None:
        pairs = unique(source, value, expected)
        if pairs is None:
            return None
        if len(pairs) < least:
            source.error(value, f"an empty mapping as `{source.key}`", expected)
            return None
        missing(source, value, fixed, pairs)
        entries: dict[str, tuple[Scalar, Any]] = {}
        for name, (key, entry) in pairs.items():
            source.key = name
            entries[name] = (key, (fixed[name].form if name in fixed else item).read(source, entry))
        return entries

    return Form(expected, schema, read)


def record(keys: Mapping[str, Key], expected: str) -> Form:
    """A mapping with these keys alone: a dict of what was read, None for a value that is wrong."""
    schema = {
        "type": "object",
        "properties": {name: {"description": key.about, **key.form.schema} for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }

    def read(source: Source, value: Value) -> dict[str, Any] | None:
        pairs = unique(source, value, expected)
        if pairs is None:
            return None
        entries: dict[str, Any] = {}
        meant: set[str] = set()
        for name, (key, entry) in pairs.items():
            if name in keys:
                source.key = name
                entries[name] = keys[name].form.read(source, entry)
            else:
                hint = near(name, [known for known in keys if known not in pairs])
                meant.update(hint.split("`")[1:2])
                source.error(key, f"unknown key `{name}`", f"one of: {', '.join(keys)}", hint)
        entries.update(dict.fromkeys(meant))
        entries.update(dict.fromkeys(missing(source, value, keys, {**pairs, **dict.fromkeys(meant)})))
        return entries

    return Form(expected, schema, read)


def either(
    expected: str, schema: Schema, scalar: Form | None = None, items: Form | None = None, mapping: Form | None = None
) -> Form:
    """A form for each kind of value."""

    def read(source: Source, value: Value) -> Any:
        form = mapping if isinstance(value, Map) else items if isinstance(value, List) else scalar
        if form is None:
            source.error(value, f"{kind_of(value)} as `{source.key}`", expected)
            return None
        return form.read(source, value)

    return Form(expected, schema, read)


def located(form: Form) -> Form:
    """A form as it is, but what was read comes with its value's place, as a pair, or None."""

    def read(source: Source, value: Value) -> tuple[Value, Any] | None:
        content = form.read(source, value)
        return None if content is None else (value, content)

    return Form(form.expected, form.schema, read)


def missing(source: Source, value: Value, keys: Mapping[str, Key], pairs: Mapping[str, object]) -> list[str]:
    """The required keys that are not given, each noted."""
    absent = [name for name, key in keys.items() if key.required and name not in pairs]
    for name in absent:
        source.error(value, f"no key `{name}`", f"`{name}`: {keys[name].about}")
    return absent


def unique(source: Source, value: Value, expected: str) -> dict[str, tuple[Scalar, Value]] | None:
    """The pairs of a mapping by key; a key that comes twice is noted and the first one stays."""
    if not isinstance(value, Map):
        remedy = NO_COLON if isinstance(value, Scalar) and value.text and not value.style else ""
        source.error(value, f"{kind_of(value)} as `{source.key}`", expected, remedy)
        return None
    pairs: dict[str, tuple[Scalar, Value]] = {}
    for key, entry in value.pairs:
        if key.text in pairs:
            first = pairs[key.text][0]
            source.error(
                key,
                f"`{key.text}` is given twice, first on line {first.line + 1}",
                "each key once",
                "rename or remove one of them",
            )
            source.lose(first, entry)
        else:
            pairs[key.text] = (key, entry)
    return pairs
