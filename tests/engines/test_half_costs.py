"""In half precision a function is computed in float32 and rounded once, or as often as its row says: every bfloat16."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from gradaccord.harness.arithmetic import arrays
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.records.formats import FORMATS
from gradaccord.harness.running.loading import load

from ..subject import subject

NAMES = (
    "tanh", "sigmoid", "exp", "expm1", "log", "log1p", "log2", "log10", "softplus", "erfc", "sinh", "cosh", "sin",
    "cos", "tan", "atan", "asinh", "acosh", "atanh", "asin", "acos", "sqrt", "reciprocal", "lgamma", "digamma",
)  # fmt: skip
FORM = FORMATS["bfloat16"]
EVERY = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(ml_dtypes.bfloat16)
SIZES = np.abs(EVERY.astype(np.float32))
USUAL = EVERY[(SIZES > 2.0**-20) & (SIZES < 80)]  # 80: whose exponential is a float32


@pytest.mark.parametrize("engine", ["backprop", "torch", "jax"])
def test_every_bfloat16_is_rounded_as_often_as_its_row_says(engine: str) -> None:
    if engine != "backprop":
        pytest.importorskip(engine)
    text = " + ".join(f"sum({name}(x))" for name in NAMES)
    about = subject(text, "bfloat16", x=USUAL)
    with np.errstate(all="ignore"):
        shown = load(engine).prepare(about.graph, "bfloat16")(about.inputs, about.cotangent).values
    nodes = {node.op: node.name for node in about.graph.operations if node.op in NAMES}
    assert nodes.keys() == set(NAMES)
    for op, name in nodes.items():
        row = OPERATIONS[op]
        with np.errstate(all="ignore"):
            true = arrays.namespace("float64")[op](USUAL.astype(np.float64))
            ordinary = (np.abs(true) < FORM.largest) & (np.abs(true) > FORM.smallest / FORM.unit)
            units = np.abs(shown[name].astype(np.float64) - true) / np.abs(true) / FORM.unit
        if op == "digamma":  # next to a root its parts cancel
            ordinary &= np.abs(true) > 1
        worst = int(np.argmax(np.where(ordinary, units, 0)))
        assert units[worst] <= FORM.units(row.cost, row.half), (op, USUAL[worst], units[worst])
