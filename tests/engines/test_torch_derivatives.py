"""Derivatives that a torch function takes inside, as losses of differential equations and gradient penalties do."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import gradaccord  # noqa: E402
from gradaccord import Refused  # noqa: E402

grad = torch.autograd.grad


def net(width: int = 6, inner: Any = torch.tanh) -> Any:
    torch.manual_seed(0)
    first, last = nn.Linear(2, width), nn.Linear(width, 1)
    return nn.ModuleDict({"first": first, "last": last}), lambda x: last(inner(first(x)))


def points(*shape: int) -> Any:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


class Burgers(nn.Module):
    """The residual of Burgers' equation, as Raissi et al., Physics-informed neural networks (2019), section 2.1.1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(2, 6), nn.Linear(6, 1)

    def forward(self, xt: Any) -> Any:
        u = self.last(torch.tanh(self.first(xt)))
        (du,) = grad(u.sum(), xt, create_graph=True)
        (ddu,) = grad(du[:, 0].sum(), xt, create_graph=True)
        return ((du[:, 1] + u[:, 0] * du[:, 0] - 0.01 * ddu[:, 0]) ** 2).mean()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_loss_of_a_differential_equation_is_judged(dtype: str) -> None:
    checked = gradaccord.check(Burgers(), points(5, 2), dtype=dtype).assert_sound()
    assert sum(checked.links.values()) > 50


def test_it_is_the_derivative_itself() -> None:
    def inside(x: Any) -> Any:
        (slope,) = grad((x**3).sum(), x, create_graph=True)
        return (slope * torch.sin(x)).sum()

    def by_hand(x: Any) -> Any:
        return (3 * x**2 * torch.sin(x)).sum()

    gradaccord.compare(inside, by_hand, points(4)).assert_same()
    assert not gradaccord.compare(inside, lambda x: (2 * x**2 * torch.sin(x)).sum(), points(4)).same


def test_a_derivative_that_is_not_kept_stops_the_gradient() -> None:
    def kept(x: Any) -> Any:
        y = x * 1.0
        (slope,) = grad((y**3).sum(), y, retain_graph=True)
        return (slope * x).sum()

    def by_hand(x: Any) -> Any:
        return (3 * x.detach() ** 2 * x).sum()

    gradaccord.check(kept, points(4)).assert_sound()
    gradaccord.compare(kept, by_hand, points(4)).assert_same()


def test_several_outputs_and_inputs_weights_and_what_is_not_reached() -> None:
    def loss(x: Any, y: Any, z: Any) -> Any:
        ends = [x * y, torch.exp(x)]
        beside = torch.ones(3, requires_grad=True)
        dx, dy, dz, none = grad(
            ends, [x, y, z, beside], [y.detach(), torch.ones_like(x)], create_graph=True, allow_unused=True
        )
        assert dz is None and none is None
        (zero,) = grad((x * y).sum(), z, create_graph=True, materialize_grads=True)
        return (dx * dy + zero + z).sum()

    gradaccord.check(loss, points(3), points(3) + 1, points(3) + 2).assert_sound()


@pytest.mark.parametrize(
    "step",
    [
        F.gelu, F.softplus, F.silu, torch.sigmoid, torch.relu,
        lambda h: F.layer_norm(h, (6,)), lambda h: torch.softmax(h, -1), lambda h: F.rms_norm(h, (6,), eps=1e-5),
        lambda h: h / h.norm(dim=-1, keepdim=True), lambda h: torch.where(h > 0, h, h.exp() - 1),
        lambda h: torch.cat([h[:, :3], h[:, 3:] ** 2], 1), lambda h: (h @ h.t()) @ h,
    ],
)  # fmt: skip
def test_through_steps_of_many_kinds(step: Any) -> None:
    held, u_of = net(inner=step)
    held.double()

    def penalty(x: Any) -> Any:
        (slope,) = grad(u_of(x).sum(), x, create_graph=True)
        return ((slope.norm(dim=-1) - 1) ** 2).mean()

    gradaccord.check(penalty, points(4, 2).double()).assert_sound()


def test_a_step_of_learning_inside() -> None:
    held, _ = net()
    held.double()

    def adapted(x: Any, y: Any) -> Any:
        first, last = held["first"], held["last"]
        weights = [first.weight, last.weight]
        inner = F.mse_loss(F.linear(torch.tanh(first(x)), last.weight, last.bias), y)
        w, v = (a - 0.1 * g for a, g in zip(weights, grad(inner, weights, create_graph=True), strict=True))
        return F.mse_loss(F.linear(torch.tanh(F.linear(x, w, first.bias)), v, last.bias), y)

    gradaccord.check(adapted, points(4, 2).double(), points(4, 1).double()).assert_sound()


class Half(torch.autograd.Function):
    """x ** 3, whose backward forgets a factor."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * x**2


def test_a_wrong_rule_below_the_derivative_is_found() -> None:
    def loss(x: Any) -> Any:
        (slope,) = grad(Half.apply(x).sum(), x, create_graph=True)
        return (slope**2).sum()

    checked = gradaccord.check(loss, points(4).double())
    assert {row.verdict for row in checked.findings} == {"wrong"}
    assert any(row.quantity == "value" for row in checked.findings)


def test_a_port_to_jax_is_the_same_and_another_viscosity_is_named() -> None:
    jax = pytest.importorskip("jax")

    def port(p: Any, xt: Any, viscosity: float = 0.01) -> Any:
        def u(x: Any, t: Any) -> Any:
            h = jax.numpy.tanh(jax.numpy.stack([x, t]) @ p["w1"] + p["b1"])
            return (h @ p["w2"] + p["b2"])[0]

        def residual(x: Any, t: Any) -> Any:
            u_x, u_t = jax.grad(u, (0, 1))(x, t)
            return u_t + u(x, t) * u_x - viscosity * jax.grad(jax.grad(u))(x, t)

        return (jax.vmap(residual)(xt[:, 0], xt[:, 1]) ** 2).mean()

    def convert(state: Any) -> Any:
        w1, b1, w2, b2 = (x.numpy() for x in state.values())
        return {"w1": w1.T, "b1": b1, "w2": w2.T, "b2": b2}

    gradaccord.compare(Burgers(), port, points(5, 2), parameters=convert).assert_same()
    found = gradaccord.compare(Burgers(), lambda p, xt: port(p, xt, 0.02), points(5, 2), parameters=convert)
    assert "0.02" in found.divergences[0].reason and "0.01" in found.divergences[0].reason


@pytest.mark.parametrize(
    "inside, said",
    [
        (lambda x: grad(x**2, x, torch.eye(3), create_graph=True, is_grads_batched=True), "of batches"),
        (lambda x: grad(x.to(torch.float64).exp().sum(), x, create_graph=True), "through several precisions"),
        (lambda x: (x * x).sum().backward(), "`backward` inside the function"),
    ],
)
def test_what_is_refused(inside: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        gradaccord.check(lambda x: (inside(x) or [x])[0].sum(), points(3))


def test_products_of_jacobians_and_hessians_are_heard() -> None:
    """Forward products are derivatives by what weighs a derivative ("double backward")."""
    functional, v = torch.autograd.functional, points(4)

    def hessian_product(x: Any) -> Any:
        return functional.hvp(lambda y: (torch.sin(y) * y**2).sum(), x, v, create_graph=True)[1].sum()

    def forward_product(x: Any) -> Any:
        return functional.jvp(lambda y: torch.sin(y) * y**2, x, v, create_graph=True)[1].prod()

    def by_hand(x: Any) -> Any:
        return ((2 * torch.sin(x) + 4 * x * torch.cos(x) - x**2 * torch.sin(x)) * v).sum()

    gradaccord.check(forward_product, points(4)).assert_sound()
    gradaccord.compare(hessian_product, by_hand, points(4)).assert_same()
    assert not gradaccord.compare(hessian_product, lambda x: by_hand(x) + (1e-9 * x**2).sum(), points(4)).same


def test_a_rule_that_is_off_is_named_within_them() -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, *g: Any) -> Any:
            return g[0] * 2.001

    def product(x: Any) -> Any:
        return torch.autograd.functional.jvp(lambda y: Doubled.apply(y) ** 2, x, points(3), create_graph=True)[1].sum()

    assert "Doubled" in str(gradaccord.check(product, points(3)))


def test_a_weight_that_is_left_in_the_output_is_refused() -> None:
    def left(x: Any) -> Any:
        weight = torch.ones(3, requires_grad=True)
        (slope,) = grad((x**3), x, weight, create_graph=True)
        return slope.sum()

    with pytest.raises(Refused, match="no input but weighs a derivative"):
        gradaccord.check(left, points(3))
