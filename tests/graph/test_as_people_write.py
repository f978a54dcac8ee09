"""Calls as people write them in NumPy, torch and JAX: tuples, and parameters without their names."""

from __future__ import annotations

import numpy as np
import pytest

from gradaccord.harness.arithmetic.arrays import namespace
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import ExpressionError, Parser
from gradaccord.harness.graph.node import Kind

INPUTS: dict[str, tuple[tuple[int, ...], Kind]] = {
    "t": ((3, 4), "float"), "r": ((3, 4), "float"), "v": ((3,), "float"), "w": ((4, 2), "float"),
    "i": ((2, 2), "int"), "m": ((3,), "bool"), "s": ((3, 3), "float"),
    "image": ((1, 1, 4, 4), "float"), "kernel": ((2, 1, 2, 2), "float"),
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
    ("reshape(t, 2, 6)", "reshape(t, shape=[2, 6])"),
    ("reshape(t, -1)", "reshape(t, shape=[-1])"),
    ("permute_dims(t, 1, 0)", "permute_dims(t, axes=[1, 0])"),
    ("tile(v, 2)", "tile(v, repeats=[2])"),
    ("where(t > 0 and t < 1, t, r)", "where(logical_and(t > 0, t < 1), t, r)"),
    ("where((t > 0) | ~(t < 1), t, r)", "where(logical_or(t > 0, logical_not(t < 1)), t, r)"),
    ("where(t > 0 or t < 1 or r > 0, t, r)", "where(logical_or(logical_or(t > 0, t < 1), r > 0), t, r)"),
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
        ("reshape(t, 5, 2)", 11, "shape=[5, 2] for 12 elements"),
        ("permute_dims(t, 1, 1)", 16, "axes=[1, 1]"),
        ("where(t and r, t, r)", 8, "`t` is float, as `a` of `logical_and`"),
        ('einsum("ii->", t)', 0, "index i with lengths 3 and 4"),
        ('einsum("ii", s)', 0, "subscripts 'ii'"),
        ("reshape(t, [" + "1, " * 40 + "12])", 0, "41 axes"),
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


@pytest.mark.parametrize("text", ["ii->", "ii->i", "ab,aa->b", "aba,bc->c", "abab->ba"])
def test_an_index_that_repeats_reads_the_diagonal(text: str) -> None:
    """As `numpy.einsum` does."""
    generator = np.random.default_rng(0)
    terms, lengths = text.partition("->")[0].split(","), {"i": 3, "a": 2, "b": 3, "c": 2}
    arrays = [generator.normal(size=[lengths[letter] for letter in term]) for term in terms]
    builder = Builder()
    for k, array in enumerate(arrays):
        builder.input(f"x{k}", array.shape)
    Parser(builder).define("f", f'einsum("{text}", {", ".join(f"x{k}" for k in range(len(arrays)))})')
    (found,) = emit(builder.graph(["f"]), namespace("float64"), ["f"])(*arrays)
    np.testing.assert_allclose(found, np.einsum(text, *arrays), rtol=1e-14)


@pytest.mark.parametrize(
    "text, kind, shape",
    [
        ("reshape(i, -1)", "int", (4,)),
        ("permute_dims(i, (1, 0))", "int", (2, 2)),
        ("concat([i, i[0:1]])", "int", (3, 2)),
        ("stack([m, m])", "bool", (2, 3)),
        ("flip(expand_dims(m, 1), 0)", "bool", (3, 1)),
    ],
)
def test_what_only_moves_integers_and_conditions_keeps_their_kind(text: str, kind: str, shape: tuple[int, ...]) -> None:
    output = graph_of(text).output
    assert (output.kind, output.shape) == (kind, shape)


@pytest.mark.parametrize("text", ["concat([i, t])", "pad(i, ((0, 1), (0, 0)))", "sum(i)", "i + 1", "stack([i, 1])"])
def test_what_computes_takes_floats_alone(text: str) -> None:
    with pytest.raises(ExpressionError, match="is int, as"):
        graph_of(text)
