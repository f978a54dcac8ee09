"""What derivatives at a kink may be together: every mixture of the derivatives around it, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import arb

from gradaccord.harness.truth.beside import beside
from gradaccord.harness.truth.germs import mover
from gradaccord.harness.truth.poles import HAIR
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.together import LENGTH, Outside, Part, outside

from ..subject import subject

TIED = [1.0, 3.0, 3.0, 3.0]
# A graph at a kink, and derivatives each of which a choice can give, all together none.
KINKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "max(x)": ({"x": TIED}, {"x": [0.0, 1.0, 1.0, 1.0]}),
    "min(x)": ({"x": [3.0, 1.0, 1.0]}, {"x": [0.0, 0.2, 0.2]}),
    "maximum(a, b)": ({"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 1.0}),
    "where(a > b, a, b)": ({"a": 2.0, "b": 2.0}, {"a": 0.0, "b": 0.0}),
    "abs(a - b)": ({"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 1.0}),
    "abs(a) - abs(a - b)": ({"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 3.0}),
    "norm(x)": ({"x": [0.0, 0.0, 0.0]}, {"x": [1.0, 1.0, 1.0]}),
    "hypot(a, b) - 2 * norm(x)": ({"a": 0.0, "b": 0.0, "x": [0.0, 0.0]}, {"a": 0.9, "b": 0.9, "x": [0.0, 0.0]}),
    "sqrt(sum(x * x))": ({"x": [0.0, 0.0]}, {"x": [0.8, 0.8]}),
    "sum(x ** 2) ** 0.5": ({"x": [0.0, 0.0]}, {"x": [0.8, -0.8]}),
    "max(abs(x))": ({"x": [3.0, -3.0, 1.0]}, {"x": [0.5, -0.2, 0.0]}),
    "relu(max(x) - 3)": ({"x": TIED}, {"x": [0.0, 1.0, 1.0, 0.0]}),
    "sum(max_pool(x, kernel=2, stride=1))": ({"x": [[[1.0, 1.0, 1.0, 0.0]]]}, {"x": [[[1.0, 2.0, 1.0, 0.0]]]}),
    "exp(max(x)) * x[1]": ({"x": TIED}, {"x": [0.0, 80.0, 60.0, 60.0]}),
}


def asked(text: str, inputs: dict[str, Any], derivatives: dict[str, Any]) -> Outside | None:
    about = subject(text, **inputs)
    parts = {
        name: Part(np.asarray(x, dtype=float), np.ones(np.shape(x), dtype=bool), np.full(np.shape(x), 1e-12))
        for name, x in derivatives.items()
    }
    with working():
        move = mover(about.graph, power=2, length=LENGTH, ties="open")
        return outside(move, about.inputs, about.cotangent, parts)


@pytest.mark.parametrize("text", KINKS)
def test_what_no_choice_gives_is_outside(text: str) -> None:
    inputs, derivatives = KINKS[text]
    found = asked(text, inputs, derivatives)
    assert found is not None and not found.low <= found.given <= found.high
    assert f"{found.given:.6g}" in str(found)


@pytest.mark.parametrize("text", KINKS)
def test_mixtures_of_the_derivatives_around_are_not(text: str) -> None:
    inputs, _ = KINKS[text]
    about, random = subject(text, **inputs), np.random.default_rng(1)
    with working():
        there = beside(about.graph, about.inputs, about.cotangent)
    around = list[dict[str, Any]]()
    for _ in range(12):
        way = {name: random.integers(-999, 1000, np.shape(x)) for name, x in about.inputs.items()}
        _, slopes = there(way, HAIR)
        around.append({name: np.vectorize(_middle)(slope) for name, slope in slopes.items()})
    for weights in (*np.eye(12), *random.dirichlet(np.ones(12), 12), *random.dirichlet(np.full(12, 0.1), 12)):
        mixed = {name: sum(w * slope[name] for w, slope in zip(weights, around, strict=True)) for name in around[0]}
        assert asked(text, inputs, mixed) is None


def _middle(ball: arb) -> float:
    return float(ball.mid())
