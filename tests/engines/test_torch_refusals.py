"""What cannot be heard of torch is refused by name, with its place and a way out; and all is as it was after a run."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gradaccord.harness.hearing.heard import Ask, Refused

from .test_torch_listener import draw, findings, heard, same_bits

Tensor = torch.Tensor


def _hooked(x: Tensor) -> Tensor:
    y = x * 2
    y.register_hook(lambda g: g * 3)
    return y.sum()


def _behind(x: Tensor) -> Tensor:
    y = x * 1
    y.data.mul_(2)
    return (y * y).sum()


def _backward(x: Tensor) -> Tensor:
    (x * 2).sum().backward()
    return x.sum()


def _dual(x: Tensor) -> Tensor:
    with torch.autograd.forward_ad.dual_level(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch loads for it
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        return torch.autograd.forward_ad.unpack_dual(torch.sin(dual)).primal.sum()


class Labelled(torch.Tensor):
    """A subclass that does nothing."""


def _scripted() -> Callable[[Tensor], Tensor]:
    def inner(x: Tensor) -> Tensor:
        return torch.tanh(x) * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in use
        traced: Any = torch.jit.trace(inner, draw(3, 3), check_trace=False)
    return lambda x: traced(x * 2).sum()


REFUSALS: dict[str, tuple[Callable[..., Any], str]] = {
    "backward": (_backward, "`backward` inside"),
    "func.grad": (lambda x: torch.func.grad(lambda z: (z**3).sum())(x).sum(), "grad, vmap or jacrev"),
    "vmap": (lambda x: torch.vmap(lambda z: z.exp().sum())(x).sum(), "grad, vmap or jacrev"),
    "func.vjp": (lambda x: torch.func.vjp(torch.sin, x)[1](x)[0].sum(), "grad, vmap or jacrev.*create_graph=True"),
    "forward mode": (_dual, "forward mode inside"),
    "inference": (lambda x: (torch.inference_mode()(torch.sin)(x) + x).sum(), "inference mode"),
    "jacrev": (lambda x: torch.func.jacrev(lambda z: (z**3).sum(0))(x).sum(), "grad, vmap or jacrev"),
    "hook": (_hooked, "a hook that changes a gradient"),
    "behind the tape": (_behind, "behind the tape"),
    "a leaf": (lambda x: x.mul_(2).sum(), "autograd forbids it"),
    "complex": (lambda x: torch.fft.fft(x).abs().sum(), "complex.*a function around it"),
    "sparse": (lambda x: (x.to_sparse() @ x).sum(), "sparse_coo"),
    "subclass": (lambda x: (x.as_subclass(Labelled) * 2).sum(), "subclass of Tensor"),
    "no row": (lambda x: torch.special.i0(x).sum(), r"`torch.special.i0` has no meaning here yet"),
    "parameter": (lambda x: torch.div(x, 0.3, rounding_mode="floor").sum() + x.sum(), "rounding_mode"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_it_is_refused_by_name_at_the_users_line(name: str) -> None:
    function, said = REFUSALS[name]
    with pytest.raises(Refused, match=said) as caught:
        heard(function, draw(3, 3))
    assert caught.value.place.file == __file__ and caught.value.place.line
    assert caught.value.remedy


def _scripted_module() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Linear(3, 3))


OTHERS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "script": (_scripted(), (draw(3, 3),), "no listener hears"),
    "script module": (_scripted_module(), (draw(3, 3).float(),), "a module of TorchScript"),
    "script inside": (nn.Sequential(_scripted_module()), (draw(3, 3).float(),), "TorchScript, `0`"),
    "reentrant": (lambda x: checkpoint(torch.sin, x, use_reentrant=True).sum(), (draw(3),), "use_reentrant=False"),
    "random": (lambda x: (x * int.from_bytes(os.urandom(4), "big")).sum(), (draw(3),), "differently each time"),
    "integer output": (lambda x: x.argmax(), (draw(3),), "without a float: torch.int64"),
    "no output": (lambda x: None, (draw(3),), "without a float: NoneType"),
    "integer input": (lambda x: x * 2.0, (torch.arange(3),), "depends on a wanted input"),
    "complex input": (lambda x: x.abs().sum(), (torch.ones(3, dtype=torch.complex64),), "`x` is complex"),
    "sparse input": (lambda x: x.sum(), (draw(3, 3).to_sparse(),), "`x` is laid out as torch.sparse_coo"),
    "meta": (lambda x: x.sum(), (torch.ones(3, device="meta"),), "`x` is on meta"),
    "subclass input": (lambda x: x.sum(), (draw(3).as_subclass(Labelled),), "`x` is a Labelled"),
    "lazy": (nn.LazyLinear(2), (draw(3, 3),), "has no shape yet"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_it_is_refused_by_name(name: str) -> None:
    function, args, said = OTHERS[name]
    with pytest.raises(Refused, match=said):
        heard(function, *args)


def test_a_hook_of_a_module_may_look_and_not_change() -> None:
    layer, seen = nn.Linear(3, 3).double(), list[Any]()
    handle = layer.register_full_backward_hook(lambda module, inner, outer: seen.append(outer))
    run = heard(layer, draw(2, 3))
    assert seen and not findings(run) and same_bits(run)
    handle.remove()
    layer.register_full_backward_hook(lambda module, inner, outer: (inner[0] * 2,))
    with pytest.raises(Refused, match="a hook that changes a gradient"):
        heard(layer, draw(2, 3))


def test_names_of_what_is_wanted_are_checked() -> None:
    with pytest.raises(Refused, match=r"there is no input `q`.* There are weight, bias, input"):
        heard(nn.Linear(3, 2), torch.ones(3), ask=Ask(wanted=("q",)))
    with pytest.raises(Refused, match=r"there is no input `wieght`.*Did you mean `weight`"):
        heard(nn.Linear(3, 2), torch.ones(3), ask=Ask(wanted=("wieght",)))
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    run = heard(net, torch.ones(3), ask=Ask(wanted=("0",)))
    assert [run.names[node.name] for node in run.graph.wanted] == ["0.weight", "0.bias"]
    norm = nn.Sequential(nn.BatchNorm1d(3))
    run = heard(norm, draw(4, 3).float(), ask=Ask(wanted=("0",)))  # running statistics are no parameters
    assert [run.names[node.name] for node in run.graph.wanted] == ["0.weight", "0.bias"]
    run = heard(nn.Linear(3, 2), torch.ones(3), ask=Ask(wanted=("bias",)))
    assert [run.names[node.name] for node in run.graph.wanted] == ["bias"]


def test_a_cotangent_has_the_structure_of_the_outputs() -> None:
    run = heard(lambda x: (x.sum(), x * 2), draw(2), ask=Ask(cotangent=(3.0, [1.0, -1.0])))
    assert list(run.evaluation.gradients["x"]) == [5.0, 1.0]
    with pytest.raises(Refused, match="a cotangent of 1 numbers for outputs of 3"):
        heard(lambda x: (x.sum(), x * 2), draw(2), ask=Ask(cotangent=3.0))


def test_an_error_of_the_user_is_the_users() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        heard(lambda x: x * (1 / (x.ndim - 1)), draw(3))
    assert caught.traceback[-1].path == __import__("pathlib").Path(__file__)


class Remembers(nn.Module):
    """Changes all that a module may."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.frozen = nn.BatchNorm1d(4), nn.Parameter(torch.ones(4), requires_grad=False)
        self.register_buffer("seen", torch.zeros(4))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen = self.seen + x.detach().sum(0)
        self.frozen.add_(1)
        random.random()
        np.random.random()
        return nn.functional.dropout(self.norm(x) * self.frozen + self.calls + torch.rand(4), 0.5)


def test_everything_is_as_it_was() -> None:
    module = Remembers().double()
    module.norm.weight.grad = torch.full((4,), 7.0, dtype=torch.float64)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    states: Any = torch.get_rng_state(), random.getstate(), np.random.get_state()
    x = draw(5, 4)
    run = heard(module, x)
    assert same_bits(run) and not findings(run)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert module.calls == 0 and module.training and not x.requires_grad
    assert [p.requires_grad for p in module.parameters()] == [False, True, True]
    assert module.norm.weight.grad is not None and float(module.norm.weight.grad[0]) == 7
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == random.getstate()
    drawn: Any = np.random.get_state()
    assert np.array_equal(states[2][1], drawn[1]) and torch.get_default_dtype() == torch.float32
    assert "apply" not in vars(torch.autograd.function._SingleLevelFunction)
