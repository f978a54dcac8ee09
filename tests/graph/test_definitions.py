"""What a composite means: its textbook and its stable formula in balls, against NumPy and SciPy."""

# SciPy and NumPy functions of many signatures stand in one table.
# pyright: reportUnknownLambdaType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
from scipy import signal, special

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.expand import expanded
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import GraphError
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.truth.numbers import balls, to_balls

random = np.random.default_rng(7)
X = random.normal(size=(3, 4))
V, W = random.normal(size=4), random.normal(size=(2, 4))
IMAGE, KERNEL = random.normal(size=(2, 3, 6, 5)), random.normal(size=(2, 3, 2, 3))
TARGET = np.array([2, 0, 3])


@pytest.fixture(autouse=True)
def precision() -> Any:
    with flint.ctx.workprec(128):
        yield


def gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def normalised(x: Any, eps: float) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def convolved(image: Any, kernel: Any, bias: Any) -> Any:
    maps = [[sum(map(lambda a, b: signal.correlate2d(a, b, "valid"), x, w)) for w in kernel] for x in image]
    return np.array(maps) + bias[:, None, None]


# operation -> (call, operands, the same by other means)
MEANINGS: dict[str, list[tuple[str, list[Any], Callable[..., Any]]]] = {
    "relu": [("relu(a)", [X], lambda x: np.maximum(x, 0))],
    "leaky_relu": [("leaky_relu(a, negative_slope=0.2)", [X], lambda x: np.where(x > 0, x, 0.2 * x))],
    "elu": [("elu(a, alpha=1.5)", [X], lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)))],
    "silu": [("silu(a)", [X], lambda x: x * special.expit(x))],
    "gelu": [
        ("gelu(a)", [X], lambda x: x * special.ndtr(x)),
        ("gelu(a, approximate='tanh')", [X], gelu_tanh),
    ],
    "clip": [("clip(a, -0.5, 0.3)", [X], lambda x: np.clip(x, -0.5, 0.3))],
    "mean": [("mean(a, axis=0)", [X], lambda x: x.mean(0))],
    "prod": [
        ("prod(a, axis=1, keepdims=True)", [X], lambda x: x.prod(1, keepdims=True)),
        ("prod(a)", [X[:, :3]], np.prod),
        ("prod(a, axis=0)", [X[:0]], lambda x: x.prod(0)),
    ],
    "min": [("min(a, axis=-1)", [X], lambda x: x.min(-1))],
    "var": [("var(a, axis=1, correction=1)", [X], lambda x: x.var(1, ddof=1)), ("var(a)", [X], np.var)],
    "std": [("std(a, axis=0, correction=1)", [X], lambda x: x.std(0, ddof=1)), ("std(a)", [X], np.std)],
    "norm": [("norm(a)", [X], np.linalg.norm), ("norm(a, axis=1)", [X], lambda x: np.linalg.norm(x, axis=1))],
    "logsumexp": [
        ("logsumexp(a, axis=1)", [X], lambda x: special.logsumexp(x, axis=1)),
        ("logsumexp(a)", [300 * X], special.logsumexp),
    ],
    "softmax": [("softmax(a, axis=0)", [300 * X], lambda x: special.softmax(x, axis=0))],
    "log_softmax": [("log_softmax(a)", [5 * X], lambda x: special.log_softmax(x, axis=-1))],
    "vecdot": [("vecdot(a, b)", [X, V], lambda x, v: x @ v)],
    "outer": [("outer(a, b)", [V, W[0]], np.outer)],
    "linear": [
        ("linear(a, b)", [X, W], lambda x, w: x @ w.T),
        ("linear(a, b, c)", [X, W, V[:2]], lambda x, w, b: x @ w.T + b),
    ],
    "conv2d": [("conv2d(a, b, c)", [IMAGE, KERNEL, V[:2]], convolved)],
    "mse_loss": [("mse_loss(a, b)", [X, 2 * X], lambda x, t: np.mean((x - t) ** 2))],
    "cross_entropy": [
        (
            "cross_entropy(a, target)",
            [50 * X],
            lambda x: -np.mean(special.log_softmax(x, axis=-1)[np.arange(3), TARGET]),
        )
    ],
    "layer_norm": [
        ("layer_norm(a)", [X], lambda x: normalised(x, 1e-5)),
        ("layer_norm(a, b, c, eps=0.1)", [X, V, W[0]], lambda x, w, b: normalised(x, 0.1) * w + b),
    ],
}


def by_definition(text: str, operands: list[Any], *, stable: bool) -> Any:
    builder = Builder()
    names = "abc"[: len(operands)]
    for name, operand in zip(names, operands, strict=True):
        builder.input(name, operand.shape)
    given: list[Any] = [to_balls(operand) for operand in operands]
    if "target" in text:
        builder.input("target", TARGET.shape, "int")
        given.append(TARGET)
    Parser(builder).define("y", text)
    graph = expanded(builder.graph(["y"]), stable=stable)
    (value,) = emit(graph, balls(ties="decide"), ["y"], operators=False)(*given)
    return np.vectorize(float, otypes=[float])(np.asarray(value, dtype=object))


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("text,operands,meaning", [row for rows in MEANINGS.values() for row in rows])
def test_a_definition_means_what_its_name_says(
    text: str, operands: list[Any], meaning: Callable[..., Any], stable: bool
) -> None:
    expected = np.asarray(meaning(*operands))
    np.testing.assert_allclose(by_definition(text, operands, stable=stable), expected, rtol=1e-11, strict=True)


def test_every_composite_has_its_meaning_checked() -> None:
    assert set(MEANINGS) == {name for name, operation in OPERATIONS.items() if not operation.primitive}


@pytest.mark.parametrize("op", ["max", "min"])
def test_nothing_is_the_largest_of_no_elements(op: str) -> None:
    with pytest.raises(GraphError, match=r"axis 1 of shape .* is empty"):
        by_definition(f"{op}(a, axis=1)", [X[:, :0]], stable=False)
    assert by_definition(f"{op}(a, axis=1)", [X[:0]], stable=False).shape == (0,)
