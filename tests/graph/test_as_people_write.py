"""Calls as people write them in NumPy, torch and JAX: tuples, and parameters without their names."""

from __future__ import annotations

import pytest

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import ExpressionError, Parser
from gradaccord.harness.graph.node import Kind

INPUTS: dict[str, tuple[tuple[int, ...], Kind]] = {
    "t": ((3, 4), "float"), "r": ((3, 4), "float"), "v": ((3,), "float"), "w": ((4, 2), "float"),
    "i": ((2, 2), "int"), "image": ((1, 1, 4, 4), "float"), "kernel": ((2, 1, 2, 2), "float"),
}  # fmt: skip


def graph_of(text: str) -> Graph:
    builder = Builder()
    for name, (shape, kind) in INPUTS.items():
        builder.input(name, shape, kind)
    Parser(builder).define("f", text)
    return builder.graph(["f"])


SAME = [
    ("reshape(t, (2, 6))", "reshape(t, shape=[2, 6])"),
    ("reshape(t, [2, 6])", "reshape(t, shape=[2, 6])"),
    ("reshape(t, shape=(2, 6))", "reshape(t, shape=[2, 6])"),
    ("permute_dims(t, (1, 0))", "permute_dims(t, axes=[1, 0])"),
    ("sum(t, 1)", "sum(t, axis=1)"),
    ("sum(t, (0, 1))", "sum(t, axis=[0, 1])"),
    ("sum(t, -1, True)", "sum(t, axis=-1, keepdims=True)"),
    ("mean(t, None)", "mean(t)"),
    ("softmax(t, 0)", "softmax(t, axis=0)"),
    ("concat((t, r), 1)", "concat([t, r], axis=1)"),
    ("stack((v, v))", "stack([v, v], axis=0)"),
    ("take(w, i, 0)", "take(w, i, axis=0)"),
    ("broadcast_to(v, (2, 3))", "broadcast_to(v, shape=[2, 3])"),
    ("pad(v, ((1, 2),))", "pad(v, widths=[[1, 2]])"),
    ("leaky_relu(v, 0.2)", "leaky_relu(v, negative_slope=0.2)"),
    ("gelu(v, 'tanh')", "gelu(v, approximate='tanh')"),
    ("broadcast_to(v, [size(t, axis=1), 3])", "broadcast_to(v, shape=[4, 3])"),
    ("roll(v, 1, 0)", "roll(v, shift=1, axis=0)"),
    ("conv2d(image, kernel)", "conv2d(image, kernel, stride=1)"),
]


@pytest.mark.parametrize("text, meant", SAME)
def test_it_means_the_same_as_with_names(text: str, meant: str) -> None:
    assert graph_of(text) == graph_of(meant)


@pytest.mark.parametrize(
    "text, column, said",
    [
        ("max(t, 0)", 0, "maximum"),  # a habit of Python's: one more operand
        ("norm(t, 2)", 0, "operands"),
        ("sum(t, 7)", 7, "axis 7"),
        ("sum(t, 1, axis=0)", 7, "given twice"),
        ("reshape(t, (2.5, 6))", 11, "shape"),
        ("sum(t, r)", 0, "2 operands"),
        ("sum(t, 1, True, 5)", 10, "True"),
        ("scatter_add(t, i, 0, 2)", 0, "indices of shape (2, 2)"),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, column: int, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        graph_of(text)
    assert said in str(caught.value)
    assert caught.value.column == column


def test_indices_of_any_shape_take_the_place_of_the_axis() -> None:
    assert graph_of("take(w, i, axis=0)").output.shape == (2, 2, 2)
    assert graph_of("take(t, i, axis=-1)").output.shape == (3, 2, 2)
