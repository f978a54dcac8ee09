"""One planted mistake for each kind of reason: the words, and the line of the side that is changed."""

# torch is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import gradaccord

G = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, 6, generator=G)
W = torch.randn(4, 3, 3, generator=G)
Y = torch.randn(2, 5, 4, generator=G)
V = torch.randn(4, 4, generator=G)
U = torch.randn(4, 4, generator=G)
LABELS = torch.tensor([2, 0])
ANGLES = torch.outer(torch.arange(5.0), torch.tensor([1.0, 0.1]))


def conv(x: Tensor, w: Tensor, **settings: Any) -> Tensor:
    return torch.tanh(F.conv1d(F.pad(x, settings.pop("pad", (2, 0))), w, **settings))


def rotary(x: Tensor, angles: Tensor = ANGLES, sign: float = 1.0) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), sign * angles.sin()
    return torch.tanh(torch.cat([a * cos - b * sin, b * cos + a * sin], -1)).cumsum(1)


def neighbours(x: Tensor) -> Tensor:
    a, b = x[..., ::2], x[..., 1::2]
    return torch.tanh(torch.cat([a * ANGLES.cos() - b * ANGLES.sin(), b * ANGLES.cos() + a * ANGLES.sin()], -1)).cumsum(
        1
    )


def gated(x: Tensor, gate: Tensor, up: Tensor) -> Tensor:
    return F.silu(x @ gate) * (x @ up)


def norm(x: Tensor, axes: tuple[int, ...] = (-1,)) -> Tensor:
    return (x - x.mean(axes, keepdim=True)) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + 1e-5)


def norm_as_written(x: Tensor, w: Tensor) -> Tensor:
    return F.layer_norm(x, (4,)) @ w


def score(x: Tensor, mask: float) -> Tensor:
    seen = torch.ones(5, 5).tril() > 0
    return torch.softmax(torch.where(seen, x @ x.mT, mask), -1) @ x


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Tensor, ...], str]] = {
    "padding": (conv, lambda x, w: conv(x, w, pad=(0, 2)), (X, W), r"padding is \(0, 2\).* and \(2, 0\)"),
    "dilation": (
        lambda x, w: conv(x, w, pad=(4, 0), dilation=2),
        lambda x, w: conv(x, w, pad=(2, 0)),
        (X, W),
        "dilation is 1 .* and 2",
    ),
    "a kernel that is reversed": (conv, lambda x, w: conv(x, w.flip(-1)), (X, W), r"kernel is reversed"),
    "interleaved for halves": (rotary, neighbours, (Y,), "interleaved"),
    "frequencies": (
        rotary,
        lambda x: rotary(x, ANGLES * torch.tensor([1.0, 0.3])),
        (Y,),
        r"frequencies are 1, 0.03 .* and 1, 0.1",
    ),
    "sine turned round": (rotary, lambda x: rotary(x, sign=-1.0), (Y,), "signs? of"),
    "parameters exchanged": (gated, lambda x, gate, up: gated(x, up, gate), (Y, V, U), "`gate` and `up` are exchanged"),
    "a norm left out": (norm_as_written, lambda x, w: x @ w, (Y, V), "layer_norm .*is left out"),
    "the mean left out": (norm, lambda x: x * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + 1e-5), (Y,), "mean"),
    "axes of a mean": (norm, lambda x: norm(x, (1, 2)), (Y,), r"ax[ie]s .*\(1, 2\)"),
    "the root left out": (
        lambda x: x / torch.sqrt(x.square().sum(-1, keepdim=True)),
        lambda x: x / x.square().sum(-1, keepdim=True),
        (Y,),
        "sqrt|root",
    ),
    "the sign of a term": (lambda x: x.exp() + x.sin() * 2, lambda x: x.exp() - x.sin() * 2, (Y,), "sign of a term"),
    "labels in another order": (
        lambda x: F.cross_entropy(x[:, 0], LABELS),
        lambda x: F.cross_entropy(x[:, 0], LABELS.flip(0)),
        (Y,),
        "labels",
    ),
    "a slice off by one": (
        lambda x: (x[:, 1:4].exp() * x[:, :3]).sum(1),
        lambda x: (x[:, 2:5].exp() * x[:, :3]).sum(1),
        (Y,),
        "off by one",
    ),
    "a part for the whole": (lambda x: x.exp()[:, 1:].mean(1), lambda x: x.exp().mean(1), (Y,), "over all of"),
    "a power left out": (lambda x: x.sigmoid() ** 2 * x, lambda x: x.sigmoid() * x, (Y,), "power 2 of"),
    "what a mask fills in": (lambda x: score(x, float("-inf")), lambda x: score(x, -10.0), (Y,), "-10"),
    "divided for multiplied": (
        lambda x, w: x @ w * w.exp().sum(),
        lambda x, w: x @ w / w.exp().sum(),
        (Y, V),
        "divided",
    ),
    "a factor left out": (
        lambda x: 0.5 * x.exp().sum(1) + x.sin().sum(1),
        lambda x: x.exp().sum(1) + x.sin().sum(1),
        (Y,),
        "scale|factor",
    ),
    "another activation": (lambda x, w: F.silu(x @ w), lambda x, w: F.gelu(x @ w), (Y, V), "gelu .*silu"),
    "squares for huber": (lambda x: F.huber_loss(x, x * 0), lambda x: x.square().mean(), (3 * Y,), "square|huber"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_planted_mistake_is_named(name: str) -> None:
    a, b, inputs, words = CASES[name]
    found = gradaccord.compare(a, b, *inputs, judge=False)
    assert found.divergences
    assert re.search(words, found.divergences[0].reason), found.divergences[0].reason
    assert found.divergences[0].a.file and found.divergences[0].b.file


@pytest.mark.parametrize("name", ["padding", "frequencies", "parameters exchanged", "a norm left out"])
def test_what_is_right_is_the_same(name: str) -> None:
    a, _, inputs, _ = CASES[name]
    assert gradaccord.compare(a, partial(a), *inputs, judge=False).same


def test_a_bound_that_the_users_own_numbers_do_not_reach_is_reached_by_drawn_ones() -> None:
    x = torch.linspace(-1, 1, 64).reshape(4, 16)
    assert not gradaccord.compare(F.hardswish, lambda x: x * torch.clamp(x + 3, max=6) / 6, 2 * x, judge=False).same


def clipped(r: Tensor, gain: Tensor, least: float | None = 0.8) -> Tensor:
    return torch.min(r.exp() * gain, torch.clamp(r.exp(), least, 1.2) * gain).mean()


def test_a_bound_that_is_hidden_at_the_first_points_is_looked_for_further_out() -> None:
    torch.manual_seed(0)
    r, gain = torch.randn(3) * 0.1, torch.randn(3)
    assert gradaccord.compare(clipped, partial(clipped), r, gain, judge=False).same
    assert not gradaccord.compare(clipped, partial(clipped, least=None), r, gain, judge=False).same
