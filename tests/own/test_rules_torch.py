"""Custom rules of torch, right and wrong in small ways: a right one passes in every precision, a wrong one in none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

import gradaccord

Forward: TypeAlias = Callable[..., Tensor]
Backward: TypeAlias = Callable[..., Any]
Row: TypeAlias = tuple[str, Forward, Backward, Sequence[Tensor]]

X = torch.tensor([0.3, -1.25, 2.0, 0.7])
A = torch.linspace(-1.3, 1.7, 12).reshape(3, 4)
KINK = torch.tensor([0.0, 1.0, -1.0])
ROWS = torch.tensor([0, 0, 1])


def square(x: Tensor) -> Tensor:
    return x * x


def product(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def layer(x: Tensor, w: Tensor) -> Tensor:
    """torch's gelu loses digits here, which is known of it by itself and so inside a function."""
    return gelu(x) @ w


def of_layer(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ops.aten.gelu_backward(g @ w.T, x), gelu(x).T @ g


def near(of_x: Tensor, of_w: Tensor) -> tuple[Tensor, Tensor]:
    return 1.001 * of_x, of_w


TAIL = torch.linspace(-4, -1, 12).reshape(4, 3)
RIGHT: Sequence[Row] = [
    ("square", square, lambda g, x: g * 2 * x, [X]),
    ("sine", torch.sin, lambda g, x: g * torch.cos(x), [X]),
    ("product over rows", product, lambda g, a, b: (g * b, (g * a).sum(0)), [A, X]),
    ("matmul", torch.matmul, lambda g, a, b: (g @ b.T, a.T @ g), [A, A.T]),
    ("relu, left at the kink", torch.relu, lambda g, x: g * (x > 0), [KINK]),
    ("relu, right at the kink", torch.relu, lambda g, x: g * (x >= 0), [KINK]),
    ("softmax", softmax, lambda g, x: (y := softmax(x)) * (g - (g * y).sum(-1, keepdim=True)), [A]),
    ("rows", lambda x: x[ROWS], lambda g, x: torch.zeros_like(x).index_put((ROWS,), g, accumulate=True), [X]),
    ("sums", lambda x: torch.cumsum(x, 0), lambda g, x: g.flip(0).cumsum(0).flip(0), [X]),
    ("in float64 inside", lambda x: x.double().sin(), lambda g, x: (g * x.double().cos()).to(x.dtype), [X]),
    ("gelu", gelu, torch.ops.aten.gelu_backward, [TAIL]),
    ("a layer with gelu", layer, of_layer, [TAIL, A[:, 1:]]),
]
WRONG: Sequence[Row] = [
    ("by 1e-6", square, lambda g, x: g * 2 * x * (1 + 1e-6), [X.double()]),
    ("by 1e-14", square, lambda g, x: g * 2 * x * (1 + 1e-14), [X.double()]),
    ("by two units of bfloat16", square, lambda g, x: g * 2 * x * 1.0234375, [X.bfloat16()]),
    ("in one of 4,096", square, lambda g, x: g * 2 * x * (torch.arange(4096) != 777), [torch.linspace(1, 2, 4096)]),
    ("not weighed", torch.sin, lambda g, x: torch.cos(x), [X]),
    ("sign", torch.sin, lambda g, x: -g * torch.cos(x), [X]),
    ("None for an operand", product, lambda g, a, b: (g * b, None), [X, X + 1]),
    ("a mean for a sum over rows", product, lambda g, a, b: (g * b, (g * a).mean(0)), [A, X]),
    ("the first row for a sum", product, lambda g, a, b: (g * b, (g * a)[0]), [A, X]),
    ("swapped", torch.div, lambda g, a, b: (-g * a / b**2, g / b), [X, X + 1.5]),
    ("no transpose", torch.matmul, lambda g, a, b: (g @ b, a @ g), [A[:, :3], A[:, 1:]]),
    ("a slope of 2 at a kink", torch.relu, lambda g, x: g * torch.where(x == 0, 2.0, (x > 0) * 1.0), [KINK]),
    ("NaN at a kink", torch.abs, lambda g, x: g * x / x.abs(), [KINK]),
    ("finite where it is infinite", torch.sqrt, lambda g, x: g * torch.where(x == 0, 1.0, 0.5 / x.sqrt()), [KINK[:2]]),
    ("an epsilon", torch.log, lambda g, x: g / (x + 1e-8), [torch.tensor([1e-3, 1.0])]),
    ("softmax without its sum", softmax, lambda g, x: g * (y := softmax(x)) * (1 - y), [A]),
    ("rows that overwrite", lambda x: x[ROWS], lambda g, x: torch.zeros_like(x).index_put((ROWS,), g), [X]),
    ("sums the other way", lambda x: torch.cumsum(x, 0), lambda g, x: g.cumsum(0), [X]),
    ("through float16", square, lambda g, x: (g * 2 * x).half().float(), [X]),
    ("lost below the range of float16", lambda x: x * 1e-20, lambda g, x: torch.zeros_like(x), [X]),
    ("weights cut off", torch.clone, lambda g, x: g.clamp(-0.5, 0.5), [X]),
    ("gelu by a little", gelu, lambda g, x: 1.001 * torch.ops.aten.gelu_backward(g, x), [TAIL.double()]),
    (
        "a layer with gelu by a little",
        layer,
        lambda g, x, w: (1.001 * of_layer(g, x, w)[0], gelu(x).T @ g),
        [TAIL, A[:, 1:]],
    ),
    ("weights set to zero", lambda x: x * 2, lambda g, x: g.clone().zero_(), [X]),
]


def with_rule(forward: Forward, backward: Backward) -> Callable[..., Tensor]:
    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Tensor) -> Tensor:
            ctx.save_for_backward(*args)
            return forward(*args)

        @staticmethod
        def backward(ctx: Any, *gs: Tensor) -> Any:
            return backward(gs[0], *ctx.saved_tensors)

    return lambda *args: (y := Rule.apply(*args)) * torch.arange(1, y.numel() + 1).reshape(y.shape).to(y.dtype)  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name, forward, backward, args", RIGHT, ids=[name for name, *_ in RIGHT])
def test_a_right_rule_passes(
    name: str, forward: Forward, backward: Backward, args: Sequence[Tensor], dtype: str
) -> None:
    gradaccord.check(with_rule(forward, backward), *args, dtype=dtype).assert_sound()


@pytest.mark.parametrize("name, forward, backward, args", WRONG, ids=[name for name, *_ in WRONG])
def test_a_wrong_rule_is_found(name: str, forward: Forward, backward: Backward, args: Sequence[Tensor]) -> None:
    checked = gradaccord.check(with_rule(forward, backward), *args)
    assert not checked.sound and "Rule" in str(checked)
