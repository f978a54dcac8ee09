"""Every reverse rule of the hand-written engine, off by a small factor: caught, and pinned to its operation.

A rule is broken while the engine prepares, and mended before the judge looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.judging.judge import judge

from ..derivatives import DIFFERENTIATED, plant, rule_of
from ..subject import SMALLEST_FAULT, evaluated, first_off, subject

IMAGE, KERNEL = np.arange(1.0, 10).reshape(1, 1, 3, 3) / 7, np.arange(1.0, 5).reshape(1, 1, 2, 2) / 3

# A smooth point for each rule; a function of one number is looked at where nothing else is said.
SMOOTH: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    **{op: (f"{op}(a)", (0.7,)) for op in DIFFERENTIATED if OPERATIONS[op].signature == "x"},
    "add": ("a + b", (1.5, 0.25)),
    "subtract": ("a - b", (1.5, 0.25)),
    "multiply": ("a * b", (1.5, 0.3)),
    "divide": ("a / b", (1.5, 0.3)),
    "negative": ("-a", (1.5,)),
    "abs": ("abs(a)", (-1.5,)),
    "sqrt": ("sqrt(a)", (1.3,)),
    "reciprocal": ("reciprocal(a)", (1.3,)),
    "pow": ("a ** b", (1.3, 0.7)),
    "hypot": ("hypot(a, b)", (1.3, 0.7)),
    "log": ("log(a)", (1.3,)),
    "log2": ("log2(a)", (1.3,)),
    "log10": ("log10(a)", (1.3,)),
    "logaddexp": ("logaddexp(a, b)", (0.3, 0.9)),
    "asin": ("asin(a)", (0.3,)),
    "acos": ("acos(a)", (0.3,)),
    "atan": ("atan(a)", (0.3,)),
    "atan2": ("atan2(a, b)", (0.3, 0.7)),
    "acosh": ("acosh(a)", (1.7,)),
    "atanh": ("atanh(a)", (0.3,)),
    "lgamma": ("lgamma(a)", (3.3,)),
    "digamma": ("digamma(a)", (3.3,)),
    "polygamma": ("polygamma(a, n=1)", (3.3,)),
    "maximum": ("maximum(a, b)", (0.7, 0.2)),
    "minimum": ("minimum(a, b)", (0.2, 0.7)),
    "where": ("where(a > 0, a, b)", (0.2, 0.7)),
    "max": ("max(a)", ([0.2, 0.9],)),
    "sum": ("sum(a, axis=0)", ([[0.2, 0.9]],)),
    "cumsum": ("cumsum(a, axis=0)", ([0.2, 0.9],)),
    "matmul": ("a @ b", ([[0.2, 0.9]], [[0.3], [0.7]])),
    "einsum": ('einsum("ij,jk->ik", a, b)', ([[0.2, 0.9]], [[0.3], [0.7]])),
    "correlate2d": ("correlate2d(a, b)", (IMAGE, KERNEL)),
    "permute_dims": ("permute_dims(a, axes=[1, 0])", ([[0.2, 0.9]],)),
    "matrix_transpose": ("matrix_transpose(a)", ([[0.2, 0.9]],)),
    "reshape": ("reshape(a, shape=[2, 1])", ([0.2, 0.9],)),
    "expand_dims": ("expand_dims(a, axis=0)", ([0.2, 0.9],)),
    "squeeze": ("squeeze(a, axis=0)", ([[0.2, 0.9]],)),
    "broadcast_to": ("broadcast_to(a, shape=[2, 2])", ([0.2, 0.9],)),
    "concat": ("concat([a, b])", ([0.2], [0.9])),
    "stack": ("stack([a, b])", ([0.2], [0.9])),
    "getitem": ("a[1:]", ([0.2, 0.9],)),
    "place": ('place(a, index="1:", shape=[3])', ([0.2, 0.9],)),
    "take": ("take(a, i, axis=0)", ([0.2, 0.9],)),
    "scatter_add": ("scatter_add(a, i, axis=0, size=3)", ([0.2, 0.9],)),
    "take_along_axis": ("take_along_axis(a, i, axis=0)", ([0.2, 0.9],)),
    "scatter_add_along_axis": ("scatter_add_along_axis(a, i, axis=0, size=3)", ([0.2, 0.9],)),
    "flip": ("flip(a, axis=0)", ([0.2, 0.9],)),
    "roll": ("roll(a, shift=1, axis=0)", ([0.2, 0.9],)),
    "pad": ("pad(a, widths=[[1, 1]])", ([0.2, 0.9],)),
    "correlate2d_input": ("correlate2d_input(a, b, shape=[1, 1, 3, 3])", (KERNEL, KERNEL)),
    "correlate2d_weight": ("correlate2d_weight(a, b, shape=[1, 1, 2, 2])", (KERNEL, IMAGE)),
}


def test_every_rule_is_broken_below() -> None:
    assert set(SMOOTH) == set(DIFFERENTIATED)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", SMOOTH)
def test_a_rule_off_by_a_small_factor_is_caught_and_pinned_to_its_operation(
    op: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, values = SMOOTH[op]
    inputs: dict[str, Any] = dict(zip("ab", values, strict=False))
    if "i" in text.replace("axis", "").replace("size", "").split("(")[-1].split(", "):
        inputs["i"] = np.array([1, 0])
    about = subject({"h": text, "out": "tanh(h)"}, dtype, **inputs)
    assert not first_off(judge(about, "backprop", evaluated(about)))
    sound = rule_of(op)

    def broken(g: Any, y: Any, *xs: Any, **params: Any) -> Any:
        terms: Any = sound(g, y, *xs, **params)
        return [None if term is None else term * (1 + SMALLEST_FAULT[dtype]) for term in terms]

    with monkeypatch.context() as patch:
        plant(patch, op, broken)
        wrong = evaluated(about)
    off = first_off(judge(about, "backprop", wrong))
    assert off, f"{op} got past the judge"
    assert all(node.startswith("term of ") for node in off)
    # tanh's own rule multiplies too: what is named is the broken operation, or the first of its kind.
    assert any("in h" in node or op in ("multiply", "tanh", "subtract") for node in off)


FOLDED = {"z": "x * 1e30", "w": "z * 1e-30", "y": "w * 1e-30"}


def test_a_constant_that_the_format_does_not_hold_is_known_from_the_graph() -> None:
    """The adjoint of z is 1e-60, which is 0 in float32; compilers fold it, and the gradient is 1e-30."""
    about = subject(FOLDED, "float32", x=1e-30)
    sound = evaluated(about)
    assert sound.adjoints is not None and sound.adjoints["z"] == 0 and sound.gradients["x"] == np.float32(1e-30)
    assert not [row for row in judge(about, "x", sound) if row.finding]


@pytest.mark.parametrize("fault", [1 + 1e-5, -1, 5])
def test_what_does_not_follow_from_the_folded_constant_is_wrong(fault: float) -> None:
    about = subject(FOLDED, "float32", x=1e-30)
    sound = evaluated(about)
    assert sound.adjoints is not None and sound.terms is not None
    number = np.float32(1e-30 * fault)
    faulty = replace(
        sound,
        gradients={"x": np.asarray(number)},
        adjoints={**sound.adjoints, "x": np.asarray(number)},
        terms={**sound.terms, Use("z", 0): np.asarray(number)},
    )
    rows = judge(about, "x", faulty)
    assert first_off(rows) == {"term of x in z[0]"}
