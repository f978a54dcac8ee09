"""torch heard: the bits of the plain run, sound links, and places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradaccord.engines.pytorch.listener import hear
from gradaccord.harness.graph.define import define
from gradaccord.harness.graph.node import Use
from gradaccord.harness.hearing.heard import Ask, Defined, Heard
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.heard import judged_run
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS

Tensor = torch.Tensor


def heard(function: Callable[..., Any], *args: Any, ask: Ask | None = None, **kwargs: Any) -> Heard:
    return hear(function, args, kwargs, ask or Ask())


def findings(run: Heard) -> list[Any]:
    """The links of a run of one precision that are off: the kind of each, and its node or use."""
    subject = Subject("heard", 0, run.dtype, run.graph, run.inputs, run.cotangent)
    chain = Chain(subject, run.evaluation)
    chain.judge()
    return [key for key, link in chain.links.items() if link.verdict in FINDINGS]


def rows(run: Heard) -> Sequence[Row]:
    return judged_run(run, "", "torch").rows


def same_bits(run: Heard) -> bool:
    """Whether value and gradients of the heard run are those of the plain one."""
    shown = run.evaluation
    assert shown.adjoints is not None and shown.output is not None
    pairs = [(shown.output, shown.values[run.graph.output.name])]
    pairs += [(shown.gradients[node.name], shown.adjoints[node.name]) for node in run.graph.wanted]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Block(nn.Module):
    """Attention, normalisation and a perceptron with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).split(8, dim=-1)
        return x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True))


def test_a_module_is_heard_by_its_own_names() -> None:
    torch.manual_seed(0)
    run = heard(Block().double(), draw(2, 5, 8))
    assert not findings(run) and same_bits(run)
    assert set(run.names.values()) == {
        "norm.weight",
        "norm.bias",
        "qkv.weight",
        "qkv.bias",
        "out.weight",
        "out.bias",
        "x",
    }
    place = run.places["qkv_linear"]
    assert (place.file, place.module, place.call) == (__file__, "qkv", "torch.nn.functional.linear")


def _written(x: Tensor) -> Tensor:
    y = x * 2
    y[0].add_(1)
    y[:, 1] = x[:, 0] ** 2
    y += x
    row = y[1]
    row[2:] *= 3
    y[2] += row
    return y * y[0] + row


def _held(x: Tensor) -> Tensor:
    with torch.no_grad():
        largest = x.max(1, keepdim=True).values
    return (x - largest).exp() / (x.detach() - largest).exp().sum(1, keepdim=True)


def _filled(x: Tensor) -> Tensor:
    out = torch.zeros(3, 4, dtype=x.dtype)
    for i in range(3):
        out[i] = torch.tanh(x[i])
    return out


def _activated(x: Tensor) -> Tensor:
    """An activation in place on a view, as image models have it: `CopySlices` of torch lays gradients out anew."""
    y = F.layer_norm(x.permute(0, 2, 3, 1), (64,)).permute(0, 3, 1, 2)
    return F.conv2d(F.silu(y, inplace=True), x[:1, :, :3, :3])


def _residual(x: Tensor) -> Tensor:
    """`rms_norm` reads x twice inside, and the sum reads it before."""
    for _ in range(3):
        x = x + torch.tanh(F.rms_norm(x, (4,)) @ x.T) @ x
    return x


def _clamped(x: Tensor) -> Tensor:
    """As `gaussian_nll_loss` does: other numbers, and a gradient that goes straight through."""
    y = 2 * x
    with torch.no_grad():
        y.clamp_(min=1)
    return y.log() * x


def _unpooled(x: Tensor) -> Tensor:
    y, where = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(y * y, where, [2, 2])


PACKED: dict[str, nn.Module] = {
    "lstm": nn.LSTM(4, 3, 2, bidirectional=True, batch_first=True),
    "gru": nn.GRU(4, 3, bidirectional=True, batch_first=True),
}


def _packed(kind: str) -> Callable[[Tensor], Tensor]:
    net = PACKED[kind].double()

    def run(x: Tensor) -> Tensor:
        lengths = torch.tensor([2, 4, 4])
        y, last = net(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        ended = last[1] if kind == "lstm" else last
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0].sum(0) * ended.mean()

    return run


def _bags(x: Tensor) -> Tensor:
    return F.embedding_bag(torch.tensor([1, 2, 2, 0]), x, torch.tensor([0, 3]), mode="max")


CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "in place on a view": (_written, (draw(3, 4),)),
    "buffer": (_filled, (draw(3, 4),)),
    "dropout": (lambda x: F.dropout(x, 0.5, True) * torch.randn_like(x), (draw(3, 4),)),
    "pad": (lambda x: F.pad(x, (1, 2), mode="reflect") + F.pad(x, (1, 2)), (draw(2, 3, 4),)),
    "index": (lambda x: x[:2, torch.tensor([2, 0])] * x[torch.tensor([[0], [1]]), torch.tensor([1, 2])], (draw(3, 4),)),
    "keywords": (lambda x: x.gather(dim=1, index=torch.tensor([[0, 2]])).mean(axis=0), (draw(3, 4),)),
    "choice": (lambda x: torch.where(x > 0, x, x.exp()).clamp(max=1.5), (draw(3, 4),)),
    "sort": (lambda x: x.sort(dim=1).values[:, :2] * x.topk(2).values, (draw(3, 4),)),
    "where as a method": (lambda x: x.where(x > 0, 2 * x), (draw(3, 4),)),
    "several results": (lambda x: torch.var_mean(x, 1)[0] * x.max(1).values, (draw(3, 4),)),
    "recurrent": (lambda x: nn.LSTM(4, 2, 2, bidirectional=True).double()(x)[1][0], (draw(3, 2, 4),)),
    "recurrent without biases": (lambda x: nn.GRU(4, 2, bias=False).double()(x)[0], (draw(3, 2, 4),)),
    "packed lstm": (_packed("lstm"), (draw(3, 4, 4),)),
    "packed gru": (_packed("gru"), (draw(3, 4, 4),)),
    "exponential of a matrix": (
        lambda x: torch.matrix_exp(2 * x) @ torch.linalg.matrix_exp(x[0] * 0),
        (draw(2, 3, 3),),
    ),
    "pooled": (lambda x: F.max_pool2d(x, 2, ceil_mode=True) + F.adaptive_avg_pool2d(x, 2), (draw(1, 3, 3),)),
    "enlarged": (lambda x: F.interpolate(x, size=(5, 4), mode="bilinear"), (draw(1, 2, 3, 3),)),
    "added by index": (lambda x: torch.zeros_like(x).index_add(0, torch.tensor([0, 0, 1]), x.exp()), (draw(3, 4),)),
    "attention with dropout": (
        lambda x: F.scaled_dot_product_attention(x, 2 * x, x.exp(), dropout_p=0.3),
        (draw(2, 3, 4),),
    ),
    "without gradient": (_held, (draw(3, 4),)),
    "einsum": (lambda x: torch.einsum("...i,...j->...ij", x, x), (draw(3, 4),)),
    "unpooled": (_unpooled, (draw(1, 2, 4, 4),)),
    "pooled at random": (lambda x: F.fractional_max_pool2d(x, (3, 2), (3, 4)), (draw(2, 2, 7, 8),)),
    "transposed convolution": (
        lambda x, w: F.conv_transpose3d(x, w, stride=2, padding=1, output_padding=1, groups=2),
        (draw(1, 4, 2, 3, 2), draw(4, 1, 2, 3, 2)),
    ),
    "reduced with antialias": (lambda x: F.interpolate(x, (3, 5), mode="bicubic", antialias=True), (draw(1, 2, 7, 8),)),
    "bags": (_bags, (draw(3, 4),)),
    "a number of a higher precision": (lambda x, a: (x * a + a).exp(), (draw(3, 4).float(), draw(1)[0])),
    "bounds that meet": (lambda x: F.softshrink(F.hardtanh(x.float(), -0.1, 0.1), 0.1), (draw(3, 4),)),
    "in place on a view of another layout": (_activated, (draw(1, 64, 16, 16),)),
    "read twice inside": (_residual, (draw(6, 4),)),
    "behind the tape": (_clamped, (draw(3, 4),)),
    "a narrower dtype": (lambda x: F.softmax(x, -1, dtype=torch.float32).double() * x, (draw(3, 4),)),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_heard(name: str) -> None:
    function, args = CALLS[name]
    run = heard(function, *args)
    assert not findings(run) and same_bits(run)


def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    """Written in Python, so that no mode sees a call of it."""
    return x * torch.sigmoid(beta * x)


held = swish

DEFINED: dict[str, tuple[str, str, Callable[..., Any], Callable[..., Any]]] = {
    "of Python": ("swish(x, *, beta=1)", "x * sigmoid(beta * x)", swish, lambda x: held(x, beta=2.0).sum()),
    "of torch": ("det(x)", "x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0]", torch.linalg.det, lambda x: (x @ x).det()),
    "of functional": ("twice(x)", "x * 2", F.softsign, lambda x: F.softsign(x).sum()),
}


@pytest.mark.parametrize("name", DEFINED)
def test_a_function_that_is_defined_is_one_node(name: str) -> None:
    signature, text, function, use = DEFINED[name]
    defined = (Defined(define(signature, text), {"torch": function}),)
    run = heard(use, draw(2, 2), ask=Ask(defined=defined))
    assert signature.partition("(")[0] in {node.op for node in run.graph.operations}
    assert bool(findings(run)) == (name == "of functional")  # whose text is another function's
    assert held(torch.ones(1)) == torch.sigmoid(torch.ones(1))


def test_modules_that_a_function_closes_over_are_its_own() -> None:
    layer = nn.Linear(3, 2).double()
    run = heard(lambda x: layer(x).sum(), draw(4, 3))
    assert set(run.names.values()) == {"layer.weight", "layer.bias", "x"}


def test_outputs_in_a_structure_are_one() -> None:
    run = heard(lambda x: {"a": x["u"] * 2, "b": [x["v"][0].float(), x["u"] > 0]}, {"u": draw(2), "v": (draw(3),)})
    assert run.graph.output.shape == (5,) and run.dtype == "float64" and same_bits(run)
    assert set(run.names.values()) == {"x['u']", "x['v'][0]"}
    assert "float32" in {node.dtype for node in run.graph.nodes}


def test_autocast_shows_its_casts() -> None:
    def function(x: Tensor, w: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return (F.linear(x, w) + F.linear(x, w)).float().sum()

    run = heard(function, draw(2, 3).float(), draw(4, 3).float())
    assert same_bits(run) and run.dtype == "float32"
    casts = [node.op for node in run.graph.operations if node.op == "to_bfloat16"]
    assert len(casts) == 2  # torch keeps the casts of leaves


@pytest.mark.parametrize("lower", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("function", [
    lambda y: torch.relu(y - 1), lambda y: torch.abs(y - 1), lambda y: y.clamp(max=1.0), torch.amax,
])  # fmt: skip
def test_a_tie_that_a_cast_makes_is_a_choice(function: Callable[[Tensor], Tensor], lower: torch.dtype) -> None:
    y = torch.tensor([1 + 1e-6, 1.0, 0.5], dtype=torch.float64)
    run = heard(lambda y: function(y.to(lower)).to(y.dtype).sum() * y.sum(), y)
    assert not [row for row in rows(run) if row.finding]
    for name, number in run.evaluation.gradients.items():
        shown = replace(run.evaluation, gradients={name: number * 0 - 40.0})
        assert [row for row in rows(replace(run, evaluation=shown)) if row.finding]


def test_a_cast_that_loses_a_number_is_told_in_its_own_precision() -> None:
    run = heard(lambda y: (y.half().double() * 1e12).sum(), torch.tensor([2e-9], dtype=torch.float64))
    reasons = [row.reason for row in rows(run) if row.finding and row.quantity == "value"]
    assert reasons and all("has left the range of float16" in reason for reason in reasons)


def test_a_dtype_that_is_asked_for_is_that_of_every_float() -> None:
    run = heard(nn.Linear(3, 2), torch.ones(2, 3), ask=Ask(dtype="float64"))
    assert run.dtype == "float64" and not findings(run)


def test_the_term_of_a_number_of_a_higher_precision_is_of_the_lower_one() -> None:
    run = heard(lambda x, a: (x * a).sum(), draw(3).float(), draw(1)[0])
    use, terms = Use("multiply", 1), run.evaluation.terms
    assert terms is not None and not findings(run)
    terms[use][...] *= 1 + 1e-5
    assert ("term", use) in findings(run)


def test_what_a_call_reads_twice_has_a_term_of_its_own() -> None:
    run = heard(_residual, draw(6, 4))
    norms = {node.name for node in run.graph.operations if node.op == "rms_norm"}
    terms = run.evaluation.terms
    assert terms is not None and norms == {use.consumer for use in terms if use.consumer in norms} and len(norms) == 3
    use = next(use for use in terms if use.consumer in norms)
    terms[use][0, 0] *= 1 + 1e-9
    assert ("term", use) in findings(run)


def test_a_dtype_that_a_call_computes_in_is_a_cast() -> None:
    run = heard(lambda x: torch.sum(input=x * x, dtype=torch.float32), draw(3))
    assert [node.op for node in run.graph.operations] == ["multiply", "to_float32", "sum"] and same_bits(run)


class Caching(nn.Module):
    """Keeps in a dict what it has made of a parameter, as timm's LeViT does."""

    def __init__(self) -> None:
        super().__init__()
        self.bias, self.made = nn.Parameter(torch.ones(3)), dict[str, Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.made.setdefault("bias", self.bias[torch.tensor([0, 2, 1])])
        return x * self.made["bias"]


def test_what_a_module_keeps_in_a_dict_is_forgotten_after_a_run() -> None:
    module = Caching().double()
    run = heard(module, draw(2, 3))
    assert same_bits(run) and not findings(run) and not module.made


def test_each_float_output_has_a_node_of_its_own() -> None:
    def several(x: Tensor) -> Any:
        part = x[0]
        part.mul_(2)
        return {"a": x, "b": (x.sum(), x.argmax()), "c": [torch.ones(2), x.detach(), part]}

    run = heard(lambda x: several(x * 1), draw(2, 3))
    shown = [run.evaluation.values[node] for node in run.outputs]
    plain = several(draw(2, 3))
    expected = [plain["a"], plain["b"][0], *plain["c"]]
    assert [array.shape for array in shown] == [(2, 3), (), (2,), (2, 3), (3,)]
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(shown, expected, strict=True))
    assert set(run.outputs) <= set(run.graph.by_name) and not findings(run) and same_bits(run)
    alone = heard(torch.exp, draw(2))
    assert alone.outputs == (alone.graph.output.name,)
