"""optax's own optimisers, by the names of the update rules."""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import optax

from ...harness.records.evaluation import Advance, Array, Given, Moved, Unsupported
from ...harness.rules.definition import Definition, definition
from ...harness.rules.native import Native, nearest
from ...harness.rules.optimiser import texts
from ...harness.rules.schedules import Schedule
from .precision import mode, to_jax

LEARNING_RATE = {"learning_rate": "step_size"}
BETAS = {**LEARNING_RATE, "b1": "beta1", "b2": "beta2", "eps": "eps"}

NATIVES: tuple[Native, ...] = (
    # optax has no optimiser that maximises; its own step for that is the learning rate with the sign left alone.
    Native("optax.scale_by_learning_rate", "ascent", LEARNING_RATE, given={"flip_sign": False}),
    Native("optax.sgd", "descent", LEARNING_RATE, given={"momentum": None}),
    Native(
        "optax.sgd", "momentum", {**LEARNING_RATE, "momentum": "momentum"},
        given={"nesterov": False}, state={"v": "trace"},
    ),
    Native("optax.adam", "adam", BETAS, given={"nesterov": False}, state={"m": "mu", "v": "nu"}),
    Native(
        "optax.adamw", "adam", {**BETAS, "weight_decay": "weight_decay"},
        fixed={"decay": "decoupled"}, given={"nesterov": False}, state={"m": "mu", "v": "nu"},
    ),
)  # fmt: skip

# What optax chains before any optimiser.
AROUND = ("weight_decay",)


def optimiser(rule: str, settings: Mapping[str, Given], start: Mapping[str, Array]) -> Advance:
    """optax's own optimiser for a rule, or the nearest to it. Raises Unsupported for one that it does not have."""
    wanted = definition(rule, texts(settings))
    try:
        native, runs = nearest(NATIVES, wanted, AROUND)
    except Unsupported as reason:
        raise Unsupported(f"optax: {reason}") from None
    made = _made(native, runs)
    with mode():
        parameters: Any = {name: to_jax(array) for name, array in start.items()}
        state = made.init(parameters)

    def step(gradients: Mapping[str, Array]) -> Moved:
        nonlocal parameters, state
        with mode():
            updates, state = made.update({name: to_jax(gradients[name]) for name in parameters}, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
            shown = {variable: _shown(called, state) for variable, called in native.state.items()}
            return Moved(*jax.device_get((parameters, shown)))

    return step


def _made(native: Native, runs: Definition) -> Any:
    """The optimiser, and before it what optax chains."""
    arguments = native.arguments(runs)
    for name, text in runs.formulas.items():
        if native.settings.get("learning_rate") != name:
            raise Unsupported(f"optax: {native.path} with a `{name}` that changes from step to step")
        arguments["learning_rate"] = _by_count(Schedule(text))
    made = getattr(optax, native.path.rpartition(".")[2])(**arguments)
    decay = float(runs.chosen.get("weight_decay", "0"))
    if decay and not native.takes("weight_decay"):
        return optax.chain(optax.add_decayed_weights(decay), made)
    return made


def _by_count(schedule: Schedule) -> Any:
    """A schedule as optax calls it: by the number of steps that were taken before."""
    return lambda count: schedule(int(count) + 1)


def _shown(called: Any, state: Any) -> Any:
    """A state variable in what optax keeps of all parameters: by its name, or a function of all that is kept."""
    return optax.tree_utils.tree_get(state, called) if isinstance(called, str) else called(state)
