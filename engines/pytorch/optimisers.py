"""torch.optim's own optimisers, by the names of the update rules."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...harness.records.evaluation import Advance, Array, Moved, Unsupported
from ...harness.rules.definition import Definition
from ...harness.rules.framework import Group, native_groups
from ...harness.rules.native import Native
from ...harness.rules.optimiser import started
from .tensors import Tensor, to_numpy, to_torch

LR = {"lr": "step_size", "weight_decay": "weight_decay"}
BETAS = {**LR, "betas": ("beta1", "beta2"), "eps": "eps"}
UPHILL, DOWNHILL = {"maximize": True}, {"maximize": False}
VARIANTS, FUSED = ("foreach",), ("foreach", "fused")
COUPLED, DECOUPLED = {"decay": "coupled"}, {"decay": "decoupled"}
SAID = {"decoupled_weight_decay": ("decay", {False: "coupled", True: "decoupled"})}
MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
ADAM = {"eps_root": "0", "eps_place": "after"}

# fmt: off
NATIVES: tuple[Native, ...] = (
    Native("torch.optim.SGD", "ascent", LR, given={"momentum": 0, **UPHILL}, fixed=COUPLED, variants=FUSED),
    Native("torch.optim.SGD", "descent", LR, given={"momentum": 0, **DOWNHILL}, fixed=COUPLED, variants=FUSED),
    Native("torch.optim.SGD", "momentum", {**LR, "momentum": "momentum", "dampening": "dampening"},
           given={"nesterov": False, **DOWNHILL}, fixed={"first": "undamped", "buffer": "before", **COUPLED},
           state={"v": "momentum_buffer"}, variants=FUSED),
    Native("torch.optim.SGD", "nesterov", {**LR, "momentum": "momentum"},
           given={"nesterov": True, "dampening": 0, **DOWNHILL}, fixed={"buffer": "before", **COUPLED},
           state={"v": "momentum_buffer"}, variants=FUSED),
    Native("torch.optim.Rprop", "rprop",
           {"lr": "step_size", "etas": ("eta_minus", "eta_plus"), "step_sizes": ("shortest", "longest")},
           given=DOWNHILL, fixed={"applied": "now"}, state={"s": "step_size", "p": "prev"}, variants=VARIANTS),
    Native("torch.optim.ASGD", "asgd", {**LR, "lambd": "shrinking", "alpha": "power", "t0": "begin"},
           given=DOWNHILL, fixed=COUPLED, state={"a": "ax", "eta": "eta", "mu": "mu"}, variants=VARIANTS),
    Native("torch.optim.Adagrad", "adagrad",
           {**LR, "eps": "eps", "lr_decay": "slowing", "initial_accumulator_value": "initial"},
           given=DOWNHILL, fixed={"eps_place": "outside", **COUPLED}, state={"s": "sum"}, variants=FUSED),
    Native("torch.optim.RMSprop", "rmsprop", {**LR, "alpha": "rho", "eps": "eps", "momentum": "momentum"},
           choices={"centered": ("centered", {False: "no", True: "yes"})}, given=DOWNHILL,
           fixed={"initial": "0", "eps_place": "outside", "unbiased": "no", "nesterov": "no", "buffer": "before",
                  **COUPLED},
           state={"v": "square_avg", "m": "grad_avg", "b": "momentum_buffer"}, variants=VARIANTS),
    Native("torch.optim.Adadelta", "adadelta", {**LR, "rho": "rho", "eps": "eps"},
           given=DOWNHILL, fixed=COUPLED, state={"s": "square_avg", "d": "acc_delta"}, variants=VARIANTS),
    Native("torch.optim.Adam", "adam", BETAS, choices=SAID, fixed=ADAM, given={"amsgrad": False, **DOWNHILL},
           state=MOMENTS, variants=FUSED),
    Native("torch.optim.AdamW", "adamw", BETAS, fixed={**ADAM, **DECOUPLED}, given={"amsgrad": False, **DOWNHILL},
           state=MOMENTS, variants=FUSED),
    Native("torch.optim.Adam", "amsgrad", BETAS, choices=SAID, given={"amsgrad": True, **DOWNHILL},
           fixed={"eps_root": "0", "largest": "raw", "unbiased_mean": "yes", "unbiased_square": "yes"},
           state={**MOMENTS, "w": "max_exp_avg_sq"}, variants=FUSED),
    Native("torch.optim.AdamW", "amsgrad", BETAS, given={"amsgrad": True, **DOWNHILL},
           fixed={"eps_root": "0", "largest": "raw", "unbiased_mean": "yes", "unbiased_square": "yes", **DECOUPLED},
           state={**MOMENTS, "w": "max_exp_avg_sq"}, variants=FUSED),
    Native("torch.optim.Adamax", "adamax", BETAS, given=DOWNHILL, fixed=COUPLED,
           state={"m": "exp_avg", "v": "exp_inf"}, variants=VARIANTS),
    Native("torch.optim.NAdam", "nadam", {**BETAS, "momentum_decay": "psi"}, choices=SAID, given=DOWNHILL,
           fixed={"eps_root": "0", "momentum_schedule": "dozat"}, state={**MOMENTS, "p": "mu_product"},
           variants=VARIANTS),
    Native("torch.optim.Adafactor", "adafactor",
           {**LR, "beta2_decay": "power", "eps": ("eps", "least_scale"), "d": "clip_rms"}, given=DOWNHILL,
           fixed={"factored": "yes", "eps_place": "clamped", "bound": "root", **DECOUPLED},
           state={"row": "row_var", "column": "col_var", "v": "variance"}, variants=VARIANTS,
           negative=("power",)),
    Native("torch.optim.RAdam", "radam", BETAS, choices=SAID, given=DOWNHILL,
           fixed={"eps_root": "0", "eps_place": "before", "threshold": "5"}, state=MOMENTS, variants=VARIANTS),
)
# fmt: on

# What torch.nn.utils does to gradients before any optimiser.
# `backward` adds gradients up: people divide the loss by k, or do not, and call `step` at every k-th. `AveragedModel`
# begins as a copy of what it is first shown, which is the parameters after the first step or, where it is shown
# those too, before it.
AROUND = {
    "clip_value": (), "clip_norm": (), "clip_over": ("all", "each"), "clip_by": ("norm_and_1e-6",),
    "accumulate": (), "accumulated": ("mean", "sum"), "average": (), "average_begins": ("first", "start"),
}  # fmt: skip


def optimiser(rule: str, settings: Mapping[str, Any], start: Mapping[str, Array]) -> Advance:
    """torch.optim's own optimiser for a rule, or the nearest to it. Raises Unsupported where it has none."""
    return _stepping(native_groups(NATIVES, AROUND, rule, settings, start), start)


def stepping(native: Native, runs: Definition, start: Mapping[str, Array], **variant: Any) -> Advance:
    """torch.optim's own optimiser at the starting parameters; `variant` says how it computes, as `foreach=True`."""
    return _stepping([Group(native, runs, list(start))], start, **variant)


def _stepping(groups: Sequence[Group], start: Mapping[str, Array], **variant: Any) -> Advance:
    """One optimiser, with a group of parameters for each definition."""
    paths = dict.fromkeys(group.native.path for group in groups)
    if len(paths) > 1:
        raise Unsupported(f"{' and '.join(paths)} for one model")
    parameters = {name: to_torch(array).requires_grad_() for name, array in start.items()}
    make = getattr(torch.optim, groups[0].native.path.rpartition(".")[2])
    if len(groups) == 1:
        made = make(list(parameters.values()), **groups[0].native.arguments(groups[0].runs), **variant)
    else:
        own = [{"params": [parameters[n] for n in names], **native.arguments(runs)} for native, runs, names in groups]
        made = make(own, **variant)
    common, done = groups[0].runs, 0
    averaged = _averaged(common, [*parameters.values()])

    def step(gradients: Mapping[str, Array]) -> Moved:
        nonlocal done
        done += 1
        t, ends = -(-done // common.every), done % common.every == 0
        for name, parameter in parameters.items():
            _add(parameter, to_torch(gradients[name].copy()), common)
        if ends:
            for group, (native, runs, _) in zip(made.param_groups, groups, strict=True):
                if runs.formulas:
                    group.update(native.arguments(runs, t))
            _clip([*parameters.values()], common, t)
            made.step()
            made.zero_grad()
            if averaged is not None:
                averaged.multi_avg_fn = _average(common, t)
                averaged.update_parameters(torch.nn.ParameterList([*parameters.values()]))
        # The optimiser moves its tensors in place, so what leaves is a copy.
        state = _state(made, groups, parameters, start)
        if common.every > 1:
            state["total"] = {name: _total(parameter) for name, parameter in parameters.items()}
        if averaged is not None:
            state["averaged"] = dict(zip(parameters, map(_copied, averaged.module.parameters()), strict=True))
        return Moved({name: _copied(parameter) for name, parameter in parameters.items()}, state)

    return step


def _add(parameter: Tensor, gradient: Tensor, runs: Definition) -> None:
    """What `backward` does with a gradient, of a loss that is divided where the mean is wanted."""
    part = gradient if runs.share in (None, 1.0) else gradient / runs.share
    parameter.grad = part if parameter.grad is None else parameter.grad.add_(part)


def _total(parameter: Tensor) -> Array:
    return _copied(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)


def _averaged(runs: Definition, parameters: Sequence[Tensor]) -> Any:
    """torch's average of weights; None where none is asked for."""
    if "average" not in runs.chosen:
        return None
    weights = torch.nn.ParameterList(parameters)
    made = torch.optim.swa_utils.AveragedModel(weights, multi_avg_fn=_average(runs, 1))
    if runs.chosen["average_begins"] == "start":
        made.update_parameters(weights)
    return made


def _average(runs: Definition, t: int) -> Any:
    return torch.optim.swa_utils.get_ema_multi_avg_fn(runs.number("average", t))


def _copied(tensor: Tensor) -> Array:
    return to_numpy(tensor.detach()).copy()


def _state(
    made: Any, groups: Sequence[Group], parameters: Mapping[str, Tensor], start: Mapping[str, Array]
) -> dict[str, dict[str, Array]]:
    """Each state variable, as far as all parameters of a group have it. Before the first step of all torch has none: it
    is what that will find."""
    state: dict[str, dict[str, Array]] = {}
    for native, runs, names in groups:
        for variable, called in native.state.items():
            if not any(made.state[parameters[name]] for name in names):
                own = [name for name in names if variable in runs.at(start[name].shape).state]
                state.setdefault(variable, {}).update({name: _first(runs, variable, start[name]) for name in own})
                continue
            kept = {name: made.state[parameters[name]].get(called) for name in names}
            known = {name: to_numpy(tensor).copy() for name, tensor in kept.items() if tensor is not None}
            if known:
                state.setdefault(variable, {}).update(known)
    return state


def _first(runs: Definition, variable: str, x: Array) -> Array:
    """A state variable before the first step; torch makes single numbers in its default dtype."""
    kind = to_numpy(torch.empty(0)).dtype if variable in runs.scalars else x.dtype
    return started(runs.at(x.shape), variable, x.astype(kind))


def _clip(parameters: list[Tensor], runs: Definition, t: int) -> None:
    """What a definition clips, by torch's own functions, in place."""
    if "clip_value" in runs.chosen:
        torch.nn.utils.clip_grad_value_(parameters, runs.number("clip_value", t))
    if "clip_norm" in runs.chosen:
        groups = [parameters] if runs.chosen["clip_over"] == "all" else [[parameter] for parameter in parameters]
        for group in groups:
            torch.nn.utils.clip_grad_norm_(group, runs.number("clip_norm", t))
