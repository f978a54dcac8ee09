"""torch.optim's own optimisers, by the names of the update rules."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch

from ...harness.records.evaluation import Advance, Array, Moved, Unsupported
from .tensors import Tensor, to_numpy, to_torch

Settings: TypeAlias = Mapping[str, float]

# rule -> how torch.optim is built from the settings, and what it calls the rule's state variables.
OPTIMISERS: Mapping[str, tuple[Callable[[Sequence[Tensor], Settings], torch.optim.Optimizer], Mapping[str, str]]] = {
    "ascent": (lambda p, s: torch.optim.SGD(p, lr=s["step_size"], maximize=True), {}),
    "descent": (lambda p, s: torch.optim.SGD(p, lr=s["step_size"]), {}),
    "momentum": (
        lambda p, s: torch.optim.SGD(p, lr=s["step_size"], momentum=s["momentum"]),
        {"v": "momentum_buffer"},
    ),
    "adam": (
        lambda p, s: torch.optim.Adam(p, lr=s["step_size"], betas=(s["beta1"], s["beta2"]), eps=s["eps"]),
        {"m": "exp_avg", "v": "exp_avg_sq"},
    ),
}


def optimiser(rule: str, settings: Settings, start: Mapping[str, Array]) -> Advance:
    """torch.optim's own optimiser for a rule. Raises Unsupported for a rule that it does not have."""
    if rule not in OPTIMISERS:
        raise Unsupported(f"torch.optim has no `{rule}` here; it has {', '.join(OPTIMISERS)}")
    build, state = OPTIMISERS[rule]
    parameters = {name: to_torch(array).requires_grad_() for name, array in start.items()}
    native = build(list(parameters.values()), settings)

    def step(gradients: Mapping[str, Array]) -> Moved:
        for name, parameter in parameters.items():
            parameter.grad = to_torch(gradients[name])
        native.step()
        # The optimiser moves its tensors in place, so what leaves is a copy.
        return Moved(
            {name: to_numpy(parameter).copy() for name, parameter in parameters.items()},
            {
                variable: {name: to_numpy(native.state[p][attribute]).copy() for name, p in parameters.items()}
                for variable, attribute in state.items()
            },
        )

    return step
