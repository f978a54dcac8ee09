"""What functions hold: their state as users convert it, other numbers in its place, and all as it was afterwards."""

# jax and flax are annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

from gradaccord.engines.jax.listener import listener as of_jax
from gradaccord.engines.pytorch.listener import listener as of_torch
from gradaccord.harness.hearing.heard import Ask, Listener, Refused

X = np.linspace(-1, 2, 6).reshape(2, 3)


class Pair(NamedTuple):
    a: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclass
class Scaled:
    """A JAX module as people write them by hand."""

    weight: Any
    layers: Any

    def __call__(self, x: Any, *, power: int = 1) -> Any:
        return (x * self.weight + self.layers[0]["bias"]) ** power

    def called(self, x: Any) -> Any:
        return self(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin, self.norm, self.head = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False)
        self.head.weight = self.lin.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.lin(x)))


MIXED = {
    "tensor": torch.tensor([1.5], dtype=torch.bfloat16),
    "pair": Pair(np.float64(0.5), [jnp.arange(3), torch.ones(2, requires_grad=True)]),
    "left": ("sum", 3, 0.1, None, np.int64(1)),
    "bool": np.array([True]),
    "half": np.ones(2, ml_dtypes.bfloat16),
}


@pytest.mark.parametrize("listener, own", [(of_torch, torch.Tensor), (of_jax, jax.Array)], ids=["torch", "jax"])
def test_every_array_of_a_structure_is_the_frameworks_own(listener: Listener, own: type) -> None:
    with listener.within("float64"):
        made = listener.arrays(MIXED)
    numbers = listener.leaves(made, "m")
    assert {name: array.dtype.name for name, array in numbers.items()} == {
        "m['tensor']": "bfloat16",
        "m['pair'].a": "float64",
        "m['pair'].b[0]": "int64",
        "m['pair'].b[1]": "float32",
        "m['bool']": "bool",
        "m['half']": "bfloat16",
    }
    assert numbers["m['tensor']"].tolist() == [1.5] and numbers["m['pair'].b[0]"].tolist() == [0, 1, 2]
    assert made["left"] == MIXED["left"] and isinstance(made["pair"], Pair)
    assert all(isinstance(x, own) for x in (made["tensor"], made["pair"].a, *made["pair"].b, made["bool"]))
    other = listener.with_leaves(made, {"m['pair'].b[0]": 7}, "m")
    assert other["pair"].b[0] == 7 and made["pair"].b[0] is not other["pair"].b[0]
    assert other["tensor"] is made["tensor"]


def test_the_state_of_a_module_is_a_copy_that_shares_what_the_module_shares() -> None:
    net = Net()
    state = of_torch.state(net)
    assert list(state) == list(net.state_dict()) and not any(x.requires_grad for x in state.values())
    assert state["lin.weight"] is state["head.weight"] and state["lin.weight"] is not net.lin.weight
    state["lin.weight"].zero_()
    assert net.lin.weight.abs().sum() > 0
    assert of_torch.state(net.forward).keys() == state.keys()
    assert list(of_torch.state(partial(net, x=1))) == list(state)
    assert set(of_torch.state(lambda x: net(x) * 2)) == {f"net.{name}" for name in state}
    assert of_torch.state(torch.exp) is None and of_torch.state(nn.GELU()) is None


def test_a_module_of_torch_runs_with_other_numbers_and_is_as_it_was() -> None:
    net = Net().eval()
    before = {name: (x, x.data_ptr(), x.clone()) for name, x in net.state_dict(keep_vars=True).items()}
    state = of_torch.state(net)
    wide = {name: x.double() * 0.7 if x.is_floating_point() else x for name, x in state.items()}
    given = {name: x.numpy() for name, x in wide.items()}
    with of_torch.holding(net, given) as held:
        heard = of_torch.hear(held, (torch.from_numpy(X),), {}, Ask(dtype="float64"))
    shown = {name: heard.inputs[node] for node, name in heard.names.items()}
    assert np.array_equal(shown["lin.weight"], given["lin.weight"])  # in float64, though the module's is float32
    for name, (tensor, pointer, numbers) in before.items():
        now = net.state_dict(keep_vars=True)[name]
        assert now is tensor and now.data_ptr() == pointer and torch.equal(now, numbers)
    with of_torch.holding(lambda x: net(x) * 2, {f"net.{name}": x for name, x in given.items()}) as held:
        assert torch.equal(net.lin.weight, wide["lin.weight"])
    other = Net()
    with of_torch.holding(net, other) as held:
        assert held is other


SPOILED = {
    "missing": (lambda s: s.pop("norm.bias"), "nothing was given for `norm.bias`"),
    "unexpected": (lambda s: s.update({"lin.weigth": s["lin.weight"]}), "no `lin.weigth`. Did you mean `lin.weight`"),
    "shape": (lambda s: s.update({"lin.bias": torch.ones(4)}), r"`lin.bias` is of shape \(4,\), .* has \(3,\)"),
    "tied": (lambda s: s.update({"head.weight": torch.ones(3, 3)}), "`lin.weight` and `head.weight` are one parameter"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_state_dict_that_does_not_fit_is_refused_by_name(name: str) -> None:
    spoil, said = SPOILED[name]
    net = Net()
    state, before = of_torch.state(net), of_torch.state(net)
    spoil(state)
    with pytest.raises(Refused, match=said), of_torch.holding(net, state):
        pass
    assert all(torch.equal(x, before[key]) for key, x in net.state_dict().items())
    with pytest.raises(Refused, match="a list as the state of a module"), of_torch.holding(net, [1]):
        pass


def scaled() -> Scaled:
    return Scaled(jnp.ones(3), [{"bias": jnp.zeros(3)}])


def test_a_module_of_jax_runs_with_other_numbers() -> None:
    module, bias = scaled(), np.full(3, 0.1)
    assert of_jax.state(module) is module and of_jax.state(module.called) is module
    assert of_jax.state(partial(module, power=2)) is module and of_jax.state(jnp.exp) is None
    flat = {"weight": 2 * np.ones(3), "layers.0.bias": bias}
    nested = {"weight": torch.full((3,), 2.0), "layers": [{"bias": bias}]}
    with of_jax.within("float64"):
        other = of_jax.arrays(of_jax.with_leaves(module, flat | {"layers[0]['bias']": bias}, ""))
        for state in (flat, nested, other):
            for function, power in ((module, 1), (module.called, 1), (partial(module, power=2), 2)):
                with of_jax.holding(function, state) as held:
                    heard = of_jax.hear(held, (X,), {}, Ask(dtype="float64"))
                assert heard.evaluation.output is not None
                assert np.array_equal(heard.evaluation.output, (X * 2 + bias) ** power)
                assert set(heard.names.values()) == {"weight", "layers[0]['bias']", "x"}
    assert of_jax.leaves(module, "").keys() == {"weight", "layers[0]['bias']"}
    assert of_jax.leaves(module, "net").keys() == {"net.weight", "net.layers[0]['bias']"}


@pytest.mark.parametrize(
    "state, said",
    [
        ({"weight": np.ones(3)}, r"nothing was given for `layers\[0\]\['bias'\]`"),
        ({"weight": np.ones(3), "layer": [{"bias": np.ones(3)}]}, r"no `layer.0.bias`. Did you mean `layers.0.bias`"),
        ({"weight": np.ones(4), "layers": [{"bias": np.ones(3)}]}, r"`weight` is of shape \(4,\), .* has \(3,\)"),
        (None, "a NoneType without arrays as the state of a Scaled"),
    ],
)
def test_a_pytree_that_does_not_fit_is_refused_by_name(state: Any, said: str) -> None:
    with pytest.raises(Refused, match=said), of_jax.holding(scaled(), state):
        pass


def test_a_plain_function_of_jax_holds_nothing() -> None:
    with pytest.raises(Refused, match="holds no parameters"), of_jax.holding(jnp.exp, {"w": X}):
        pass


def test_nothing_is_rounded_within_a_mode() -> None:
    for listener, made in ((of_torch, lambda: torch.tensor(0.1)), (of_jax, lambda: jnp.asarray(0.1))):
        kinds = SimpleNamespace(before=str(made().dtype))
        with listener.within("float64"):
            assert str(made().dtype).endswith("float64")
        assert str(made().dtype) == kinds.before
