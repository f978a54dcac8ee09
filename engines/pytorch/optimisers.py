"""torch.optim's own optimisers, by the names of the update rules."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...harness.records.evaluation import Advance, Array, Given, Moved, Unsupported
from ...harness.rules.definition import definition
from ...harness.rules.native import Native, nearest
from ...harness.rules.optimiser import texts
from .tensors import to_numpy, to_torch

BETAS = {"lr": "step_size", "betas": ("beta1", "beta2"), "eps": "eps", "weight_decay": "weight_decay"}
VARIANTS = ("foreach", "fused", "capturable", "differentiable")

NATIVES: tuple[Native, ...] = (
    Native(
        "torch.optim.SGD", "ascent", {"lr": "step_size"}, given={"maximize": True, "momentum": 0, "weight_decay": 0},
        variants=VARIANTS,
    ),
    Native(
        "torch.optim.SGD", "descent", {"lr": "step_size", "weight_decay": "weight_decay"}, fixed={"decay": "coupled"},
        given={"momentum": 0, "maximize": False}, variants=VARIANTS,
    ),
    Native(
        "torch.optim.SGD", "momentum",
        {"lr": "step_size", "momentum": "momentum", "weight_decay": "weight_decay"},
        fixed={"decay": "coupled"}, given={"nesterov": False, "maximize": False}, state={"v": "momentum_buffer"},
        variants=VARIANTS,
    ),
    Native(
        "torch.optim.Adam", "adam", BETAS,
        choices={"decoupled_weight_decay": ("decay", {False: "coupled", True: "decoupled"})},
        given={"amsgrad": False, "maximize": False}, state={"m": "exp_avg", "v": "exp_avg_sq"}, variants=VARIANTS,
    ),
)  # fmt: skip


def optimiser(rule: str, settings: Mapping[str, Given], start: Mapping[str, Array]) -> Advance:
    """torch.optim's own optimiser for a rule, or the nearest to it. Raises Unsupported where it has none."""
    wanted = definition(rule, texts(settings))
    try:
        native, runs = nearest(NATIVES, wanted)
    except Unsupported as reason:
        raise Unsupported(f"torch.optim: {reason}") from None
    parameters = {name: to_torch(array).requires_grad_() for name, array in start.items()}
    made = getattr(torch.optim, native.path.rpartition(".")[2])(list(parameters.values()), **native.arguments(runs))
    t = 0

    def step(gradients: Mapping[str, Array]) -> Moved:
        nonlocal t
        t += 1
        if runs.formulas:
            for group in made.param_groups:
                group.update(native.arguments(runs, t))
        for name, parameter in parameters.items():
            parameter.grad = to_torch(gradients[name])
        made.step()
        # The optimiser moves its tensors in place, so what leaves is a copy.
        return Moved(
            {name: to_numpy(parameter).copy() for name, parameter in parameters.items()},
            {
                variable: {name: _shown(called, made.state[p]) for name, p in parameters.items()}
                for variable, called in native.state.items()
            },
        )

    return step


def _shown(called: Any, kept: Mapping[str, Any]) -> Array:
    """A state variable in what torch keeps of a parameter: by its name, or a function of all that is kept."""
    return to_numpy(kept[called] if isinstance(called, str) else called(kept)).copy()
