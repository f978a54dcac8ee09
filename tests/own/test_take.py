"""A function heard at two points, and a port of it at the same ones."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from gradaccord.harness.errors import CommandError
from gradaccord.harness.hearing.heard import Ask, Refused
from gradaccord.harness.own.drawn import drawn
from gradaccord.harness.own.take import Point, Take, take, take_like

DOUBLE = Ask(dtype="float64")
X = torch.linspace(-1, 1, 8).reshape(2, 4)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.lin = nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.lin(self.norm(x)))


@jax.tree_util.register_dataclass
@dataclass
class Module:
    """The same as a module of JAX."""

    norm: Any
    lin: Any

    def __call__(self, x: Any) -> Any:
        return port({"norm": self.norm, "lin": self.lin}, x)


def port(params: Any, x: Any, *, eps: float = 1e-5) -> Any:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    h = (x - mean) / jnp.sqrt(var + eps) * params["norm"][0] + params["norm"][1]
    return jnp.tanh(h @ params["lin"][0] + params["lin"][1])


def convert(state: dict[str, torch.Tensor]) -> Any:
    return {
        "norm": [jnp.asarray(state["norm.weight"]), np.asarray(state["norm.bias"])],
        "lin": [state["lin.weight"].T, state["lin.bias"].numpy()],
    }


def back(params: Any) -> Any:
    assert isinstance(params["lin"][0], jax.Array)
    (g, b), (w, c) = params["norm"], params["lin"]
    return {"norm.weight": g, "norm.bias": b, "lin.weight": w.T, "lin.bias": c}


def output(point: Point) -> Any:
    return point.heard.evaluation.output


def alike(a: Take, b: Take) -> bool:
    pairs = zip(a.points, b.points, strict=True)
    return all(np.allclose(output(p), output(q), rtol=1e-13, atol=1e-15) for p, q in pairs)


def params() -> Any:
    return convert({name: tensor.detach() for name, tensor in Layer().state_dict().items()})


PAIRS: dict[str, tuple[Any, tuple[Any, ...], Any, Any]] = {
    "module to function": (Layer, (X,), lambda: partial(port, eps=1e-5), convert),
    "module to module": (Layer, (X,), lambda: Module(**params()), convert),
    "module to a module that is made": (Layer, (X,), lambda: Module(**params()), lambda s: Module(**convert(s))),
    "function to module": (lambda: port, (params(), X.numpy()), Layer, back),
    "jax module to torch module": (lambda: Module(**params()), (X,), Layer, lambda m: back(vars(m))),
    "function to function": (lambda: port, (params(), X), lambda: port, lambda p: {**p}),
    "the same inputs": (lambda: port, (params(), X), lambda: partial(port, eps=1e-5), None),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_port_is_heard_on_the_same_numbers(name: str) -> None:
    torch.manual_seed(0)
    make, inputs, make_port, convert = PAIRS[name]
    original = take(make(), inputs, {}, DOUBLE)
    other = take_like(original, make_port(), convert, DOUBLE)
    assert alike(original, other)
    first, second = original.points
    assert not np.allclose(output(first), output(second))
    for point in (*original.points, *other.points):
        assert point.heard.dtype == "float64" and set(point.state) <= {*point.heard.names.values()}
        assert {x.dtype.name for x in point.state.values()} <= {"float64"}
    if convert is not None:
        assert len(other.points[0].state) == 4
    assert any(not np.array_equal(x, second.state[name]) for name, x in first.state.items()) or not first.state


def test_what_is_drawn_keeps_the_look_of_a_persons_own() -> None:
    generator = np.random.default_rng(0)
    mask = np.array([0.0, 1, 1])
    stay = (mask, np.array([0, -np.inf]), np.array([0.5, -1e9]), np.arange(3), np.array([True]), np.zeros(0))
    assert all(drawn("x", array, generator) is array for array in stay)
    assert drawn("attention_mask", np.ones(3), generator).tolist() == [1, 1, 1]
    positive = np.array([0.1, 1, 5], np.float32)
    new = drawn("x", positive, generator)
    assert (new > 0).all() and (new != positive).all() and new.dtype == np.float32
    share = drawn("x", np.linspace(0, 1, 50), generator)
    assert share.min() == 0 and share.max() == 1
    assert np.std(drawn("x", np.zeros(1000), generator)) == pytest.approx(0.3, rel=0.1)
    assert np.std(drawn("x", small := 1e-3 * generator.normal(size=1000), generator) - small) < 4e-4


def test_a_table_that_a_module_keeps_stays() -> None:
    class Positions(nn.Module):
        table: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))
            self.register_buffer("table", torch.arange(8.0).reshape(2, 4).sin())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale + self.table

    first, second = take(Positions(), (X,), {}, DOUBLE).points
    changed = {name for name, x in first.state.items() if not np.array_equal(x, second.state[name])}
    assert changed == {"scale"}  # a port may make the table anew


def test_tied_parameters_are_drawn_together_and_running_statistics_too() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.norm, self.head = nn.Embedding(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 5, bias=False)
            self.head.weight = self.emb.weight

        def forward(self, i: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(self.emb(i)))

    net = Tied().eval()
    first, second = take(net, (torch.tensor([0, 2, 4]),), {}, DOUBLE).points
    assert np.array_equal(second.state["emb.weight"], second.state["head.weight"])
    assert (second.state["norm.running_var"] > 0).all()
    changed = {name for name, x in first.state.items() if not np.array_equal(x, second.state[name])}
    assert changed == set(first.state) - {"norm.num_batches_tracked"}
    assert second.inputs[0].tolist() == [0, 2, 4]


def test_numbers_at_which_the_function_fails_are_drawn_closer_to_the_users_own() -> None:
    def picky(x: torch.Tensor) -> torch.Tensor:
        if float((x.detach() - X[0]).abs().max()) > 0.05:
            raise ValueError("too far off")
        return x.exp()

    first, second = take(picky, (X[0],), {}, DOUBLE).points
    assert 0 < np.abs(first.inputs[0] - second.inputs[0]).max() < 0.05
    with pytest.raises(ValueError, match="too far off"):
        take(picky, (X[1] * 9,), {}, DOUBLE)


def test_convert_runs_where_nothing_is_rounded_and_its_own_errors_go_through() -> None:
    original = take(Layer(), (X,), {}, DOUBLE)
    seen: list[str] = []

    def wide(state: dict[str, torch.Tensor]) -> Any:
        seen.extend([str(jnp.asarray(0.1).dtype), str(torch.tensor(0.1).dtype), str(state["lin.bias"].dtype)])
        return convert(state)

    take_like(original, port, wide, DOUBLE)
    assert set(seen) == {"float64", "torch.float64"}
    with pytest.raises(KeyError, match="wieght"):
        take_like(original, port, lambda state: state["lin.wieght"], DOUBLE)


def test_what_convert_leaves_out_or_gets_wrong_is_named() -> None:
    original = take(port, (params(), X), {}, DOUBLE)
    with pytest.raises(Refused, match=r"nothing was given for `norm\.bias`"):
        take_like(original, Layer(), lambda p: {k: x for k, x in back(p).items() if k != "norm.bias"}, DOUBLE)
    with pytest.raises(CommandError, match="returned None"):
        take_like(original, Layer(), lambda _: None, DOUBLE)
    with pytest.raises(CommandError, match="does not take these inputs"):
        take_like(original, lambda params: params, lambda p: p, DOUBLE, "jax")
    of_module = take(Layer(), (X,), {}, DOUBLE)
    with pytest.raises(CommandError, match="`Layer` holds parameters, and `port` holds none"):
        take_like(of_module, port, None, DOUBLE)


def test_without_convert_parameters_of_the_same_numbers_are_the_same() -> None:
    layer = Layer()
    original = take(layer, (X,), {}, DOUBLE)
    same = Module(**convert({name: x.detach() for name, x in layer.state_dict().items()}))
    other = take_like(original, same, None, DOUBLE)
    assert alike(original, other) and not np.array_equal(same.lin[0], other.points[1].state["lin[0]"])
    with pytest.raises(CommandError, match="hold different numbers"):
        take_like(take(nn.Linear(4, 3), (X,), {}, DOUBLE), nn.Linear(4, 3), None, DOUBLE)


def test_a_port_that_fails_says_what_convert_leaves_out() -> None:
    original = take(Layer(), (X,), {}, DOUBLE)
    with pytest.raises(KeyError, match="lin") as caught:
        take_like(original, port, lambda state: {"norm": convert(state)["norm"]}, DOUBLE)
    assert caught.value.__notes__[-1] == "`convert` leaves out lin.weight, lin.bias"
