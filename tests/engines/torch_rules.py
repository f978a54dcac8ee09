"""Custom rules for torch, right ones and wrong ones: a row is a forward, a backward, and where it is called.

`forward(*x)` and `backward(g, y, *x)`, which gives the terms, are made a `torch.autograd.Function` by `rule_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

Tensor = torch.Tensor
Row = tuple[Callable[..., Any], Callable[..., Any]]


def rule_of(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> type[torch.autograd.Function]:
    """A rule of that name."""

    def run(ctx: Any, *x: Tensor) -> Tensor:
        y = forward(*x)
        ctx.save_for_backward(y, *x)
        return y

    def pull(ctx: Any, g: Tensor) -> Any:
        return backward(g, *ctx.saved_tensors)

    return type(name, (torch.autograd.Function,), {"forward": staticmethod(run), "backward": staticmethod(pull)})


def _softmax_back(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return y * (g - (g * y).sum(-1, keepdim=True))


def _norm(x: Tensor) -> Tensor:
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6)


def _norm_back(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    r = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
    return r * (g - x * r * r * (g * x).mean(-1, keepdim=True))


RIGHT: Mapping[str, Row] = {
    "Square": (lambda x: x * x, lambda g, y, x: 2 * g * x),
    "Cube": (lambda x: x**3, lambda g, y, x: 3 * g * x * x),
    "Exp": (torch.exp, lambda g, y, x: g * y),
    "Tanh": (torch.tanh, lambda g, y, x: g * (1 - y * y)),
    "Sigmoid": (torch.sigmoid, lambda g, y, x: g * y * (1 - y)),
    "Swish": (lambda x: x * torch.sigmoid(x), lambda g, y, x: g * torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))),
    "Relu": (lambda x: x.clamp(min=0), lambda g, y, x: g * (x > 0)),
    "Leaky": (lambda x: torch.where(x > 0, x, 0.1 * x), lambda g, y, x: torch.where(x > 0, g, 0.1 * g)),
    "Softclip": (lambda x: x / (1 + x.abs()), lambda g, y, x: g / (1 + x.abs()) ** 2),
    "Softmax": (lambda x: torch.softmax(x, -1), _softmax_back),
    "RmsNorm": (_norm, _norm_back),
    "LogCosh": (lambda x: torch.log(torch.cosh(x)), lambda g, y, x: g * torch.tanh(x)),
    "Reciprocal": (lambda x: 1 / (2 + x * x), lambda g, y, x: -2 * g * x * y * y),
    "Mean": (lambda x: x.mean(-1), lambda g, y, x: g.unsqueeze(-1).expand_as(x) / x.shape[-1]),
    "Transposed": (lambda x: x.t() * 2, lambda g, y, x: 2 * g.t()),
    "Total": (lambda x: x.sum(), lambda g, y, x: g.expand_as(x)),
    "Flipped": (lambda x: x.flip(0), lambda g, y, x: g.flip(0)),
    "Scaled": (lambda x: x.detach() * 3, lambda g, y, x: 3 * g),
    "Doubled": (lambda x: torch.cat([x, x]), lambda g, y, x: g[: len(x)] + g[len(x) :]),
    "InPlace": (lambda x: x.clone().mul_(2).add_(1), lambda g, y, x: 2 * g),
    "Product": (lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a)),
    "Matmul": (lambda a, b: a @ b.t(), lambda g, y, a, b: (g @ b, g.t() @ a)),
    "Hypot": (lambda a, b: torch.sqrt(a * a + b * b), lambda g, y, a, b: (g * a / y, g * b / y)),
    "OneSided": (lambda a, b: a - 0 * b, lambda g, y, a, b: (g, None)),
    "Quotient": (lambda a, b: a / (2 + b * b), lambda g, y, a, b: (g / (2 + b * b), -2 * g * y * b / (2 + b * b))),
}

WRONG: Mapping[str, Row] = {
    "SquareWithoutTwo": (lambda x: x * x, lambda g, y, x: g * x),
    "CubeOfSquare": (lambda x: x**3, lambda g, y, x: 3 * g * x),
    "ExpOfInput": (torch.exp, lambda g, y, x: g * x),
    "TanhPlus": (torch.tanh, lambda g, y, x: g * (1 + y * y)),
    "SigmoidSquared": (torch.sigmoid, lambda g, y, x: g * y * y),
    "SwishWithoutProduct": (lambda x: x * torch.sigmoid(x), lambda g, y, x: g * torch.sigmoid(x)),
    "ReluEverywhere": (lambda x: x.clamp(min=0), lambda g, y, x: g),
    "LeakyTurned": (lambda x: torch.where(x > 0, x, 0.1 * x), lambda g, y, x: torch.where(x > 0, 0.1 * g, g)),
    "SoftclipWithoutSquare": (lambda x: x / (1 + x.abs()), lambda g, y, x: g / (1 + x.abs())),
    "SoftmaxDiagonal": (lambda x: torch.softmax(x, -1), lambda g, y, x: g * y * (1 - y)),
    "RmsNormStopped": (_norm, lambda g, y, x: g * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)),
    "RmsNormOfSum": (_norm, lambda g, y, x: _norm_back(g, y, x) * x.shape[-1]),
    "LogCoshSign": (lambda x: torch.log(torch.cosh(x)), lambda g, y, x: -g * torch.tanh(x)),
    "ReciprocalOnce": (lambda x: 1 / (2 + x * x), lambda g, y, x: -2 * g * x * y),
    "MeanAsSum": (lambda x: x.mean(-1), lambda g, y, x: g.unsqueeze(-1).expand_as(x)),
    "TransposedNot": (lambda x: x @ x.t(), lambda g, y, x: g @ x),
    "FlippedNot": (lambda x: x.flip(0), lambda g, y, x: g),
    "ScaledByEps": (lambda x: x * 3, lambda g, y, x: 3.0000001 * g),
    "DoubledOnce": (lambda x: torch.cat([x, x]), lambda g, y, x: g[: len(x)]),
    "Nothing": (lambda x: x * 2, lambda g, y, x: None),
    "NotANumber": (lambda x: x * 2, lambda g, y, x: g * float("nan")),
    "ProductSwapped": (lambda a, b: a * b, lambda g, y, a, b: (g * a, g * b)),
    "MatmulSwapped": (lambda a, b: a @ b.t(), lambda g, y, a, b: (g @ a, g.t() @ b)),
    "HypotForgotten": (lambda a, b: torch.sqrt(a * a + b * b), lambda g, y, a, b: (g * a / y, None)),
    "StraightThrough": (lambda x: torch.sign(x) * x * x, lambda g, y, x: g),
}
