"""Adam of one's own for torch, right, and wrong in the ways in which people get it wrong."""

# torch's annotations are partial.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingParameterType=false

from __future__ import annotations

from typing import Any

import torch


class Adam(torch.optim.Optimizer):
    """As it should be, in the case language's words: m, v, t."""

    def __init__(self, params: Any, lr: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "b1": b1, "b2": b2, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        for group in self.param_groups:
            for x in group["params"]:
                kept = self.state[x]
                if not kept:
                    kept.update(first=torch.zeros_like(x), second=torch.zeros_like(x), t=self.start())
                kept["t"] += 1
                g = self.gradient(x)
                self.moments(kept, g, group["b1"], group["b2"])
                x += self.move(kept, group, x)

    def start(self) -> int:
        return 0

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        assert x.grad is not None
        return x.grad

    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        kept["first"] = b1 * kept["first"] + (1 - b1) * g
        kept["second"] = b2 * kept["second"] + (1 - b2) * g * g

    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        m = kept["first"] / (1 - group["b1"] ** kept["t"])
        v = kept["second"] / (1 - group["b2"] ** kept["t"])
        return -group["lr"] * m / (self.root(v) + group["eps"])

    def root(self, v: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(v)


class WrongEps(Adam):
    def __init__(self, params: Any) -> None:
        super().__init__(params, eps=1e-7)


class CoupledDecay(Adam):
    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        return super().gradient(x) + 0.01 * x


class NoBiasCorrection(Adam):
    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        return -group["lr"] * kept["first"] / (torch.sqrt(kept["second"]) + group["eps"])


class BetasExchanged(Adam):
    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        super().moments(kept, g, b2, b1)

    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        return super().move(kept, {**group, "b1": group["b2"], "b2": group["b1"]}, x)


class Ascends(Adam):
    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        return -super().move(kept, group, x)


class SecondMomentStays(Adam):
    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        kept["first"] = b1 * kept["first"] + (1 - b1) * g


class ShowsOneStale(Adam):
    """Steps by a mean that it hides, and shows a copy of it in which one number stays."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.right = dict[int, torch.Tensor]()

    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        kept["first"] = self.right.get(id(kept), kept["first"])
        super().moments(kept, g, b1, b2)

    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        moved = super().move(kept, group, x)
        self.right[id(kept)] = kept["first"]
        kept["first"] = kept["first"].clone()
        kept["first"].view(-1)[1] = 0.25
        return moved


class Largest(Adam):
    """Amsgrad; a `stale` one shows a second moment of which one number stays."""

    def __init__(self, params: Any, stale: bool = False) -> None:
        super().__init__(params)
        self.stale = stale

    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        kept["top"] = torch.maximum(kept.get("top", kept["second"]), kept["second"])
        moved = super().move({**kept, "second": kept["top"]}, group, x)
        if self.stale and x.dim() == 1 and kept["t"] == 12:
            kept["second"] = kept["second"].clone()
            kept["second"][0] = 0.25
        return moved


class NoRoot(Adam):
    def root(self, v: torch.Tensor) -> torch.Tensor:
        return v


class CountsFromZero(Adam):
    def start(self) -> int:
        return -1


class CountsFromTwo(Adam):
    def start(self) -> int:
        return 1


class NoComplement(Adam):
    """`1 - b1` left out."""

    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        super().moments(kept, g, b1, b2)
        kept["first"] = kept["first"] + b1 * g


class EpsUnderTheRoot(Adam):
    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        v = kept["second"] / (1 - group["b2"] ** kept["t"])
        m = kept["first"] / (1 - group["b1"] ** kept["t"])
        return -group["lr"] * m / torch.sqrt(v + group["eps"])


class ReadsTheOldMean(Adam):
    def moments(self, kept: dict[str, Any], g: torch.Tensor, b1: float, b2: float) -> None:
        kept["old"] = kept["first"]
        super().moments(kept, g, b1, b2)

    def move(self, kept: dict[str, Any], group: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        return super().move({**kept, "first": kept["old"]}, group, x)


class EveryThird(torch.optim.Optimizer):
    """Descent by the mean of three gradients; `times` as far."""

    def __init__(self, params: Any, lr: float = 0.1, times: float = 1.0) -> None:
        super().__init__(params, {"lr": lr, "times": times})
        self.calls = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        self.calls += 1
        for group in self.param_groups:
            for x in group["params"]:
                kept = self.state[x]
                kept["total"] = kept.get("total", torch.zeros_like(x)) + x.grad / 3
                if self.calls % 3 == 0:
                    x -= group["times"] * group["lr"] * kept["total"]
                    kept["total"] = torch.zeros_like(x)


class Slowing(torch.optim.Optimizer):
    """Ascent, where descent is meant, by the mean of so many gradients, each step shorter than the one before."""

    def __init__(self, params: Any, every: int = 1, lr: float = 0.1) -> None:
        super().__init__(params, {"every": every, "lr": lr})
        self.calls = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        self.calls += 1
        for group in self.param_groups:
            turn, rest = divmod(self.calls, group["every"])
            for x in group["params"]:
                kept = self.state[x]
                kept["total"] = kept.get("total", torch.zeros_like(x)) + x.grad / group["every"]
                if not rest:
                    x += group["lr"] / turn * kept["total"]
                    kept["total"] = torch.zeros_like(x)
