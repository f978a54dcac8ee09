"""Germs: forward mode that shares nothing with the reverse rules, and one-sided derivatives at kinks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.gradient import gradient
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.truth.germs import coefficient, germs, mover, push
from gradaccord.harness.truth.numbers import ball, balls, to_balls

from ..derivatives import DIFFERENTIATED, plant
from ..examples import EXAMPLES, Example


@pytest.fixture(autouse=True)
def precision() -> Any:
    with flint.ctx.workprec(128):
        yield


def only(numbers: Any) -> Any:
    """The one ball in an array of shape ()."""
    return np.asarray(numbers, dtype=object)[()]


def graph_of(text: str, **shapes: tuple[int, ...]) -> Graph:
    builder = Builder()
    for name, shape in shapes.items():
        builder.input(name, shape)
    Parser(builder).define("result", text)
    return builder.graph(["result"])


def slope(text: str, at: float, along: float) -> Any:
    _, slopes = push(graph_of(text, x=()), {"x": np.float64(at)}, {"x": np.float64(along)})
    return only(slopes["result"])


# --- what germs share with reverse mode: nothing ------------------------------------------------------------


def germs_of(call: Example) -> list[str]:
    """Every coefficient of an example's germs, to all digits."""
    random = np.random.default_rng(1)
    inputs = {name: draw.at(random) for name, draw in call.operands.items()}
    directions = {node.name: random.integers(1, 9, node.shape) for node in call.graph.wanted}
    found = mover(call.graph, length=3)(inputs, directions)
    return [
        f"{x.mid().str(60, radius=False)} {x.rad()}"
        for germ in found.values()
        for k in range(3)
        for x in coefficient(germ, k).ravel().tolist()
    ]


def test_germs_are_the_same_bit_for_bit_with_every_derivative_poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [call for calls in EXAMPLES.values() for call in calls]
    before = [germs_of(call) for call in calls]
    for op in DIFFERENTIATED:
        plant(monkeypatch, op, poisoned)
    with pytest.raises(AssertionError, match="a derivative was read"):
        gradient(EXAMPLES["exp"][0].graph)
    germs.cache_clear()
    assert [germs_of(call) for call in calls] == before


def poisoned(*symbols: Any, **parameters: Any) -> list[Any]:
    raise AssertionError("a derivative was read")


# --- known derivatives ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,at,expected",
    [
        ("x ** 3", 2, 12),
        ("1 / x", 4, -1 / 16),
        ("x * abs(x)", -3, 6),
        ("exp(x)", 0, 1),
        ("tanh(x)", 0, 1),
        ("where(x > 1, x * x, x)", 3, 6),
        ("max(stack([x, 2 * x, x * x]))", 1.5, 2),
        ("x * stop_gradient(x)", 5, 5),
        ("floor(x) * x", 2.5, 2),
        ("hypot(x, 4)", 3, Fraction(3, 5)),
    ],
)
def test_a_germ_carries_the_derivative_known_from_paper(text: str, at: float, expected: Any) -> None:
    assert slope(text, at, 1).overlaps(ball(expected))
    assert float(slope(text, at, 1)) == pytest.approx(float(expected), rel=1e-15)
    assert float(slope(text, at, -2)) == pytest.approx(float(-2 * expected), rel=1e-15)


def test_every_input_moves_along_its_own_direction() -> None:
    graph = graph_of("sum(a * b) + norm(c)", a=(2,), b=(2,), c=(2,))
    inputs = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 5.0]), "c": np.array([3.0, 4.0])}
    values, slopes = push(graph, inputs, {"a": np.array([1, 1]), "c": np.array([5, 0])})
    assert float(only(values["result"])) == 18
    assert float(only(slopes["result"])) == 3 + 5 + 3


# --- kinks --------------------------------------------------------------------------------------------------

KINKS = [
    ("abs(x)", 0, 1, 1),
    ("relu(x)", 0, 1, 0),
    ("relu(x) - relu(-x)", 0, 1, -1),
    ("leaky_relu(x, negative_slope=0.5)", 0, 1, -0.5),
    ("maximum(x, 2)", 2, 1, 0),
    ("minimum(x, 3 * x)", 0, 1, -3),
    ("clip(x, -1, 1)", 1, 0, -1),
    ("max(stack([x, -2 * x, 0 * x]))", 0, 1, 2),
    ("where(x >= 0, x, 4 * x)", 0, 1, -4),
]


@pytest.mark.parametrize("text,at,right,left", KINKS)
def test_at_a_kink_a_germ_gives_the_derivative_of_each_side(text: str, at: float, right: float, left: float) -> None:
    assert slope(text, at, 1) == right
    assert slope(text, at, -1) == left


@pytest.mark.parametrize("text,at,right,left", KINKS)
def test_the_hull_of_the_gradient_holds_both_sides(text: str, at: float, right: float, left: float) -> None:
    graph = gradient(graph_of(text, x=()), stable=False).graph
    program = emit(graph, balls(ties="hull"), graph.outputs, operators=False)
    _, hull = program(to_balls(np.float64(at)))
    found = only(hull)
    assert found.is_finite()
    assert found.contains(right)
    assert found.contains(-left)
    assert not found.is_exact()


def test_what_no_slope_decides_stays_open() -> None:
    _, slopes = push(
        graph_of("where(x > y, 3 * z, 5 * z)", x=(), y=(), z=()),
        {"x": np.array(flint.arb(0, 1), dtype=object), "y": np.float64(0), "z": np.float64(1)},
        {"z": np.float64(1)},
    )
    found = only(slopes["result"])
    assert found.contains(3)
    assert found.contains(5)
