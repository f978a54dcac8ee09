"""Running statistics of torch's batch norm, heard as what they become."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradaccord  # noqa: E402


class Shown(nn.Module):
    """A batch norm with what it keeps: returned, or read within the run."""

    def __init__(self, momentum: float | None = 0.1, **settings: Any) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3, momentum=momentum, **settings)

    def forward(self, x: Any) -> Any:
        y = self.norm(x)
        return y, self.norm.running_mean, self.norm.running_var


def by_hand(momentum: float, correction: int = 1) -> Any:
    def forward(state: Any, x: Any) -> Any:
        mean, var = x.mean(0), x.var(0, correction=0)
        y = (x - mean) / torch.sqrt(var + 1e-5) * state["norm.weight"] + state["norm.bias"]
        kept = [state["norm.running_mean"], state["norm.running_var"]]
        new = [mean.detach(), x.detach().var(0, correction=correction)]
        return y, *((1 - momentum) * old + momentum * now for old, now in zip(kept, new, strict=True))

    return forward


def x() -> Any:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 2 + 1


@pytest.mark.parametrize("momentum, share", [(0.1, 0.1), (0.7, 0.7), (None, 1.0)])
def test_they_are_averages_with_the_unbiased_variance(momentum: float | None, share: float) -> None:
    gradaccord.compare(Shown(momentum), by_hand(share), x(), parameters=dict).assert_same()


def test_another_momentum_and_a_biased_variance_are_others() -> None:
    assert not gradaccord.compare(Shown(), by_hand(0.2), x(), parameters=dict).same
    found = gradaccord.compare(Shown(), by_hand(0.1, correction=0), x(), parameters=dict)
    assert "the variance is biased (n)" in found.divergences[0].reason


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_they_are_judged(dtype: str) -> None:
    gradaccord.check(Shown(), x(), dtype=dtype).assert_sound()


def test_what_was_kept_is_as_it_was_and_a_second_call_goes_on_from_the_first() -> None:
    net = Shown()
    before = {name: value.clone() for name, value in net.state_dict().items()}

    def loss(x: Any) -> Any:
        y, _, var = net(net.norm(x))
        return y.square().sum() + var.sum()

    gradaccord.check(loss, x()).assert_sound()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_an_average_that_is_used_within_the_run_stops_the_gradient() -> None:
    net = Shown()

    def loss(x: Any) -> Any:
        net.norm(x)
        return (x * net.norm.running_mean).sum()

    checked = gradaccord.check(loss, x()).assert_sound()
    assert all(row.verdict == "agree" for row in checked.rows)


@pytest.mark.parametrize("settings", [{"track_running_stats": False}, {"affine": False}])
def test_without_statistics_or_parameters(settings: dict[str, bool]) -> None:
    norm = nn.BatchNorm1d(3, **settings)
    gradaccord.check(lambda x: norm(x).square(), x()).assert_sound()
