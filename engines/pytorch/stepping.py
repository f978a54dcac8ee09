"""Any optimiser of PyTorch, made and stepped on given gradients: torch's own, and a user's subclass of `Optimizer`.

What torch has beside optimisers goes the same way: clipping moves a parameter by the clipped gradient, a schedule by
the learning rate, an average of weights by the average of what is handed over as gradients.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ...harness.records.evaluation import Array
from ...harness.rules.framework import Framework, Step, Stepped, of_any_shape
from ...harness.rules.native import NOTHING_AROUND
from ...harness.rules.schedules import Schedule
from .optimisers import NATIVES
from .tensors import to_numpy, to_torch

CLIPPING = ("clip_grad_norm_", "clip_grad_value_")
SCHEDULES = torch.optim.lr_scheduler.LRScheduler
NONE_NEEDED = inspect.Parameter("closure", inspect.Parameter.KEYWORD_ONLY, default=None)


def begin(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    """A step from gradients, of an optimiser at the starting parameters.

    `make` is a class, or a function of the parameters. Raises TypeError for what gives no `Optimizer`.
    """
    if getattr(make, "__name__", "") in CLIPPING:
        return _clipping(make, arguments, start)
    if getattr(make, "__name__", "") == "get_ema_multi_avg_fn":
        return _average(make, arguments, start)
    if isinstance(make, type) and issubclass(make, SCHEDULES):
        return _schedule(make, arguments, start)
    return _optimiser(make, arguments, start)


def _optimiser(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    parameters = {name: to_torch(array).requires_grad_() for name, array in start.items()}
    changing = {name: value for name, value in arguments.items() if isinstance(value, Schedule)}
    first = {name: schedule(1) for name, schedule in changing.items()}
    made, t = _made(make, [*parameters.values()], {**arguments, **first}), 0

    def step(gradients: Mapping[str, Array]) -> Stepped:
        nonlocal t
        t += 1
        for group in made.param_groups:
            group.update({name: schedule(t) for name, schedule in changing.items()})
        for name, parameter in parameters.items():
            parameter.grad = to_torch(gradients[name])
        made.step()
        # The optimiser moves its tensors in place, so what leaves is a copy.
        state: dict[str, dict[str, Array]] = {}
        for name, parameter in parameters.items():
            for variable, value in made.state[parameter].items():
                if isinstance(value, torch.Tensor | float | int) and not isinstance(value, bool):
                    state.setdefault(variable, {})[name] = to_numpy(torch.as_tensor(value)).copy()
        return Stepped({name: to_numpy(parameter).copy() for name, parameter in parameters.items()}, state)

    return step


def _made(make: Any, parameters: Sequence[torch.Tensor], arguments: Mapping[str, Any]) -> Any:
    made = make(parameters, **arguments) if _takes_parameters(make) else make(**arguments)
    if isinstance(made, type) and issubclass(made, torch.optim.Optimizer):
        made = made(parameters)  # type: ignore[call-arg]
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(f"a {type(made).__name__} where a torch.optim.Optimizer was expected")
    if inspect.signature(made.step).parameters.get("closure", NONE_NEEDED).default is inspect.Parameter.empty:
        what = f"{type(made).__name__} evaluates the function within its step, by a closure"
        raise TypeError(f"{what}: given gradients say nothing of it")
    return made


def _takes_parameters(make: Any) -> bool:
    return isinstance(make, type) or bool(inspect.signature(make).parameters)


def arguments_of(make: Any) -> Mapping[str, Any]:
    """What an optimiser was made with, by the names of its parameter groups."""
    group = _made(make, [torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)], {}).param_groups[0]
    return {name: _number(value) for name, value in group.items() if name != "params"}


def _number(value: Any) -> Any:
    """A learning rate may be a tensor, for compiled steps."""
    return value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value


# --- beside optimisers --------------------------------------------------------------------------------------


def _clipping(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    def shown(gradients: Mapping[str, Array]) -> Mapping[str, torch.Tensor]:
        parameters = {name: torch.zeros_like(to_torch(array)) for name, array in start.items()}
        for name, parameter in parameters.items():
            parameter.grad = to_torch(gradients[name]).clone()
        make([*parameters.values()], **arguments)
        return {name: _grad(parameter) for name, parameter in parameters.items()}

    return _adding(start, shown)


def _schedule(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    """A schedule moves each parameter by the learning rate of its step; `lr` is the one that the optimiser has."""
    others = {name: value for name, value in arguments.items() if name != "lr"}
    made = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=arguments.get("lr", 0.1), momentum=0.9)
    schedule, begun = make(made, **others), False

    def shown(gradients: Mapping[str, Array]) -> Mapping[str, torch.Tensor]:
        nonlocal begun
        if begun:
            made.step()
            schedule.step()
        begun = True
        rate = float(made.param_groups[0]["lr"])
        return {name: torch.full(array.shape, rate, dtype=torch.float64) for name, array in start.items()}

    return _adding(start, shown)


def _average(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    """An average of weights, which are handed over as gradients."""
    weights = torch.nn.ParameterDict({name: torch.nn.Parameter(to_torch(array)) for name, array in start.items()})
    averaged = torch.optim.swa_utils.AveragedModel(weights, multi_avg_fn=make(**arguments))

    def shown(gradients: Mapping[str, Array]) -> Mapping[str, torch.Tensor]:
        with torch.no_grad():
            for name, parameter in weights.items():
                parameter.copy_(to_torch(gradients[name]))
        averaged.update_parameters(weights)
        return {name: averaged.module[name].detach() for name in start}  # type: ignore[index]

    return _adding(start, shown)


def _adding(start: Mapping[str, Array], shown: Callable[[Mapping[str, Array]], Mapping[str, torch.Tensor]]) -> Step:
    x = {name: to_torch(array).clone() for name, array in start.items()}

    def step(gradients: Mapping[str, Array]) -> Stepped:
        for name, moved in shown(gradients).items():
            x[name] = x[name] + moved
        return Stepped({name: to_numpy(tensor).copy() for name, tensor in x.items()}, {})

    return step


def _grad(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


KNOWN = of_any_shape(NATIVES)
optimisers = Framework("torch", torch.__version__, ("torch",), KNOWN, NOTHING_AROUND, begin, arguments_of)
