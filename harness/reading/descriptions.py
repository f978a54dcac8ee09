"""The form of an input in a case file: a number, nested lists, or a mapping that describes an array.

`inputs.py` makes the array.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..graph.node import Kind
from .schema import (
    BOOLEAN,
    COUNT,
    EXPRESSION_TEXT,
    FINITE,
    INTEGER,
    TEXT,
    Form,
    Key,
    either,
    list_of,
    located,
    one_of,
    record,
)

KINDS: Mapping[str, Kind] = {"float64": "float", "int64": "int", "bool": "bool"}

RAW = Form("a number or nested lists of numbers", {"$ref": "#/$defs/numbers"}, lambda source, value: value)

NORMAL = {
    "seed": Key(COUNT, "seed of numpy's PCG64", required=True),
    "mean": Key(FINITE, "mean, 0 unless given"),
    "std": Key(FINITE, "standard deviation, 1 unless given"),
}
UNIFORM = {
    "seed": Key(COUNT, "seed of numpy's PCG64", required=True),
    "low": Key(FINITE, "lower bound, 0 unless given"),
    "high": Key(FINITE, "upper bound, 1 unless given"),
}
INTEGERS = {
    "seed": Key(COUNT, "seed of numpy's PCG64", required=True),
    "low": Key(INTEGER, "smallest integer, 0 unless given"),
    "high": Key(INTEGER, "one more than the largest integer", required=True),
}
DESCRIPTION = {
    "values": Key(RAW, "a number or nested lists of numbers"),
    "normal": Key(record(NORMAL, "a mapping with `seed`"), "normally distributed numbers"),
    "uniform": Key(record(UNIFORM, "a mapping with `seed`"), "uniformly distributed numbers"),
    "integers": Key(record(INTEGERS, "a mapping with `seed` and `high`"), "integers drawn from low <= n < high"),
    "formula": Key(located(EXPRESSION_TEXT), "an expression in the indices i, j, k, l along the axes, counted from 0"),
    "file": Key(located(TEXT), "a .npy file in the folder of the case"),
    "shape": Key(located(list_of(COUNT, "a list of lengths, [] for a scalar")), "lengths of the axes"),
    "dtype": Key(one_of(tuple(KINDS)), "float64 unless given; int64 for indices, bool for conditions"),
    "constant": Key(BOOLEAN, "true leaves the input out of the gradient"),
}
ORIGINS = ("values", "normal", "uniform", "integers", "formula", "file")
EXPECTED = "a number, nested lists, or a description such as {shape: [3], normal: {seed: 0}}"
_SCHEMA = {"anyOf": [{"$ref": "#/$defs/numbers"}, {"$ref": "#/$defs/description"}]}
DESCRIPTION_FORM = record(DESCRIPTION, EXPECTED)
INPUT = located(either(EXPECTED, _SCHEMA, scalar=RAW, items=RAW, mapping=DESCRIPTION_FORM))
