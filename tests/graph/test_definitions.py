"""What a composite means: its textbook and its stable formula in balls, against NumPy and SciPy."""

# SciPy and NumPy functions of many signatures stand in one table.
# pyright: reportUnknownLambdaType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
from scipy import special

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


def standardised(x: Any, axes: tuple[int, ...]) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def convolved(image: Any, kernel: Any, bias: Any) -> Any:
    from scipy import signal  # it imports most of SciPy

    maps = [[sum(map(lambda a, b: signal.correlate2d(a, b, "valid"), x, w)) for w in kernel] for x in image]
    return np.array(maps) + bias[:, None, None]


def attended(q: Any, k: Any, v: Any, visible: Any = True) -> Any:
    scores = np.where(visible, q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), -np.inf)
    return special.softmax(scores, axis=-1) @ v


def spread_out(x: Any, kernel: Any, bias: Any) -> Any:
    """Each number as a copy of the kernel, two apart; of what goes beyond, a column on either side is cut off."""
    y = np.zeros((2, 2, 12, 11))
    for i, j in np.ndindex(x.shape[2:]):
        y[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3] += np.einsum("nc,cokl->nokl", x[:, :, i, j], kernel)
    return y[..., 1:-1] + bias[:, None, None]


def tiled(x: Any) -> Any:
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2)


def shifted(x: Any, by: int) -> Any:
    y = np.full_like(x, -np.inf)
    y[..., max(by, 0) : x.shape[-1] + min(by, 0)] = x[..., max(-by, 0) : x.shape[-1] - max(by, 0)]
    return y


SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017), equation 14
SHARE = special.expit(X)
WEIGHT = np.array([0.5, 2.0, 1.0, 3.0])


def classified(
    x: Any, weight: Any = 1.0, *, ignored: int | None = None, smoothing: float = 0.0, logs: Any = special.log_softmax
) -> Any:
    """The mean cross entropy, example by example."""
    weight = np.broadcast_to(weight, 4)
    total, count = 0.0, 0.0
    for row, k in zip(logs(x, axis=-1), TARGET, strict=True):
        if k != ignored:
            total -= (1 - smoothing) * weight[k] * row[k] + smoothing * np.mean(weight * row)
            count += weight[k]
    return np.float64(total / count)


def as_given(x: Any, axis: int) -> Any:
    return x


def binary(x: Any, t: Any, positive: Any = 1.0) -> Any:
    return -(positive * t * np.log(special.expit(x)) + (1 - t) * np.log(special.expit(-x)))


# operation -> (call, operands, the same by other means)
MEANINGS: dict[str, list[tuple[str, list[Any], Callable[..., Any]]]] = {
    "logical_and": [("astype(logical_and(a > 0, a < 1))", [X], lambda x: 1.0 * ((x > 0) & (x < 1)))],
    "logical_or": [("astype(logical_or(a < 0, a > 1))", [X], lambda x: 1.0 * ((x < 0) | (x > 1)))],
    "logical_not": [("astype(logical_not(a > 0))", [X], lambda x: 1.0 * (x <= 0))],
    "relu": [("relu(a)", [X], lambda x: np.maximum(x, 0))],
    "leaky_relu": [("leaky_relu(a, negative_slope=0.2)", [X], lambda x: np.where(x > 0, x, 0.2 * x))],
    "elu": [("elu(a, alpha=1.5)", [X], lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)))],
    "silu": [("silu(a)", [X], lambda x: x * special.expit(x))],
    "gelu": [
        ("gelu(a)", [X], lambda x: x * special.ndtr(x)),
        ("gelu(a, approximate='tanh')", [X], gelu_tanh),
    ],
    "mish": [("mish(a)", [X], lambda x: x * np.tanh(np.log1p(np.exp(x))))],
    "selu": [("selu(a)", [X], lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x)))],
    "celu": [("celu(a, alpha=2)", [X], lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2)))],
    "relu6": [("relu6(a)", [9 * X], lambda x: np.clip(x, 0, 6))],
    "hardtanh": [("hardtanh(a, max_val=0.5)", [X], lambda x: np.clip(x, -1, 0.5))],
    "hardsigmoid": [("hardsigmoid(a)", [4 * X], lambda x: np.clip(x / 6 + 0.5, 0, 1))],
    "hardswish": [("hardswish(a)", [4 * X], lambda x: x * np.clip(x / 6 + 0.5, 0, 1))],
    "hardshrink": [("hardshrink(a)", [X], lambda x: x * (np.abs(x) > 0.5))],
    "softshrink": [("softshrink(a)", [X], lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0))],
    "softsign": [("softsign(a)", [X], lambda x: x / (1 + np.abs(x)))],
    "exp2": [("exp2(a)", [X], np.exp2)],
    "logaddexp2": [("logaddexp2(a, b)", [9 * X, V], np.logaddexp2)],
    "rsqrt": [("rsqrt(a)", [SHARE], lambda x: x**-0.5)],
    "cumprod": [("cumprod(a, axis=1)", [X], lambda x: np.cumprod(x, axis=1))],
    "tile": [("tile(a, repeats=[2, 1, 2])", [X], lambda x: np.tile(x, (2, 1, 2)))],
    "pixel_shuffle": [
        (
            "pixel_shuffle(a, factor=2)",
            [np.arange(8.0).reshape(1, 4, 1, 2)],
            lambda x: np.array([[[[0.0, 2, 1, 3], [4, 6, 5, 7]]]]),
        )
    ],
    "upsample_nearest": [("upsample_nearest(a, factor=2)", [IMAGE], lambda x: x.repeat(2, -1).repeat(2, -2))],
    "instance_norm": [("instance_norm(a)", [IMAGE], lambda x: standardised(x, (2, 3)))],
    "pad_reflect": [
        ("pad_reflect(a, widths=[[1, 2], [3, 0]])", [X], lambda x: np.pad(x, ((1, 2), (3, 0)), mode="reflect"))
    ],
    "pad_replicate": [
        ("pad_replicate(a, widths=[[1, 2], [3, 0]])", [X], lambda x: np.pad(x, ((1, 2), (3, 0)), mode="edge"))
    ],
    "pad_circular": [
        ("pad_circular(a, widths=[[1, 2], [3, 0]])", [X], lambda x: np.pad(x, ((1, 2), (3, 0)), mode="wrap"))
    ],
    "upsample_linear": [
        (
            "upsample_linear(a, factor=3)",
            [IMAGE[:1, :1, 0]],
            lambda x: np.interp((np.arange(15) + 0.5) / 3 - 0.5, np.arange(5), x[0, 0])[None, None],
        )
    ],
    "unfold": [
        (
            "unfold(a, kernel=[2, 3])",
            [IMAGE],
            lambda x: (
                np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))
                .transpose(0, 1, 4, 5, 2, 3)
                .reshape(2, 18, 15)
            ),
        )
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
    "conv1d": [
        (
            "conv1d(a, b, c)",
            [IMAGE[..., 0], KERNEL[..., 0], V[:2]],
            lambda x, w, b: convolved(x[..., None], w[..., None], b)[..., 0],
        )
    ],
    "conv_transpose": [
        ("conv_transpose(a, b, c, stride=2, padding=[0, 1])", [IMAGE, np.swapaxes(KERNEL, 0, 1), V[:2]], spread_out),
        (
            "conv_transpose(a, b)",
            [IMAGE[:1, :1, 0], KERNEL[:1, :1, 0]],
            lambda x, w: np.convolve(x[0, 0], w[0, 0])[None, None],
        ),
    ],
    "max_pool": [
        ("max_pool(a, kernel=2)", [IMAGE], lambda x: tiled(x[..., :4]).max((3, 5))),
        (
            "max_pool(a, kernel=3, stride=1, padding=1)",
            [IMAGE[:, :, 0]],
            lambda x: np.maximum(x, np.maximum(shifted(x, 1), shifted(x, -1))),
        ),
    ],
    "avg_pool": [
        ("avg_pool(a, kernel=2)", [IMAGE], lambda x: tiled(x[..., :4]).mean((3, 5))),
        (
            "avg_pool(a, kernel=3, stride=1, padding=1, count_include_pad=False)",
            [IMAGE[:, :, 0, :2]],
            lambda x: np.repeat(x.mean(-1, keepdims=True), 2, -1),
        ),
    ],
    "adaptive_avg_pool": [
        ("adaptive_avg_pool(a, output_size=[3, 2])", [IMAGE[..., :4]], lambda x: tiled(x).mean((3, 5)))
    ],
    "mse_loss": [
        ("mse_loss(a, b)", [X, 2 * X], lambda x, t: np.mean((x - t) ** 2)),
        ("mse_loss(a, b, reduction='none')", [X, V], lambda x, t: (x - t) ** 2),
    ],
    "l1_loss": [("l1_loss(a, b, reduction='sum')", [X, V], lambda x, t: np.sum(np.abs(x - t)))],
    "smooth_l1_loss": [
        ("smooth_l1_loss(a, b, beta=0.5)", [X, V], lambda x, t: np.mean(special.huber(0.5, x - t)) / 0.5),
    ],
    "huber_loss": [("huber_loss(a, b, delta=0.7)", [X, V], lambda x, t: np.mean(special.huber(0.7, x - t)))],
    "kl_div": [
        (
            "kl_div(a, b, reduction='batchmean')",
            [X, SHARE],
            lambda x, t: np.sum(special.kl_div(t, np.exp(x)) + t - np.exp(x)) / 3,
        ),
        ("kl_div(a, b, log_target=True)", [X, V], lambda x, t: np.mean(np.exp(t) * (t - x))),
    ],
    "binary_cross_entropy": [
        (
            "binary_cross_entropy(a, b, c)",
            [SHARE, SHARE[::-1], WEIGHT],
            lambda x, t, w: np.mean(w * binary(special.logit(x), t)),
        )
    ],
    "binary_cross_entropy_with_logits": [
        ("binary_cross_entropy_with_logits(a, b)", [X, SHARE], lambda x, t: np.mean(binary(x, t))),
        (
            "binary_cross_entropy_with_logits(a, b, 2, c, reduction='sum')",
            [X, SHARE, WEIGHT],
            lambda x, t, p: np.sum(2 * binary(x, t, p)),
        ),
    ],
    "nll_loss": [
        ("nll_loss(a, target)", [X], lambda x: classified(x, logs=as_given)),
        (
            "nll_loss(a, target, b, ignore_index=0)",
            [X, WEIGHT],
            lambda x, w: classified(x, w, ignored=0, logs=as_given),
        ),
    ],
    "xlogy": [("xlogy(a, b)", [np.array([0, 0.5, 0.0]), np.array([0.0, 2, 3])], special.xlogy)],
    "log_sigmoid": [("log_sigmoid(a)", [30 * X], special.log_expit)],
    "cross_entropy": [
        (
            "cross_entropy(a, target)",
            [50 * X],
            lambda x: -np.mean(special.log_softmax(x, axis=-1)[np.arange(3), TARGET]),
        ),
        (
            "cross_entropy(a, target, b, label_smoothing=0.3)",
            [X, WEIGHT],
            lambda x, w: classified(x, w, smoothing=0.3),
        ),
        ("cross_entropy(a, target, ignore_index=3)", [X], lambda x: classified(x, ignored=3)),
    ],
    "layer_norm": [
        ("layer_norm(a)", [X], lambda x: normalised(x, 1e-5)),
        ("layer_norm(a, b, c, eps=0.1)", [X, V, W[0]], lambda x, w, b: normalised(x, 0.1) * w + b),
    ],
    "rms_norm": [("rms_norm(a, b)", [X, V], lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w)],
    "batch_norm": [
        ("batch_norm(a, b, c)", [X, V, W[0]], lambda x, w, b: normalised(x.T, 1e-5).T * w + b),
        ("batch_norm(a)", [IMAGE], lambda x: standardised(x, (0, 2, 3))),
    ],
    "batch_norm_evaluation": [
        (
            "batch_norm_evaluation(a, b, c)",
            [IMAGE, V[:3], V[1:] ** 2],
            lambda x, m, v: (x - m[:, None, None]) / np.sqrt(v[:, None, None] + 1e-5),
        )
    ],
    "group_norm": [
        ("group_norm(a, groups=1)", [IMAGE], lambda x: standardised(x, (1, 2, 3))),
        (
            "group_norm(a, b, c, groups=3)",
            [IMAGE, V[:3], V[1:]],
            lambda x, w, b: standardised(x, (2, 3)) * w[:, None, None] + b[:, None, None],
        ),
    ],
    "scaled_dot_product_attention": [
        ("scaled_dot_product_attention(a, b, c)", [W, X, 2 * X[:, 1:]], attended),
        ("scaled_dot_product_attention(a, b, c, a[:, :3] < 9)", [W, X, X], attended),
        (
            "scaled_dot_product_attention(a, b, c, causal=True, scale=0.5)",
            [X, 3 * X, X],
            lambda q, k, v: attended(q, k, v, np.tri(3, dtype=bool)),
        ),
    ],
    "embedding": [("embedding(target, a, padding_index=2)", [X.T], lambda w: w[TARGET])],
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


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize(
    "text, operands, expected",
    [
        ("softmax(a, axis=1)", [X[:, :0]], X[:, :0]),
        ("log_softmax(a, axis=1)", [X[:, :0]], X[:, :0]),
        ("logsumexp(a, axis=1)", [X[:0]], X[:0, 0]),
        ("cross_entropy(a, target, reduction='none')", [X[:, :0]], np.full(3, -0.0)),
        ("instance_norm(a)", [IMAGE[:, :0]], IMAGE[:, :0]),
        ("scaled_dot_product_attention(a, b, c)", [X, X[:0], X[:0]], np.zeros((3, 4))),
    ],
)
def test_of_no_elements_there_is_a_formula_too(text: str, operands: list[Any], expected: Any, stable: bool) -> None:
    np.testing.assert_array_equal(by_definition(text, operands, stable=stable), expected, strict=True)


def test_no_kernel_is_transposed_that_has_no_elements() -> None:
    with pytest.raises(GraphError, match="at least one element along each axis of space"):
        by_definition("conv_transpose(a, b)", [IMAGE[:, :2], KERNEL[:, :, :0]], stable=False)
