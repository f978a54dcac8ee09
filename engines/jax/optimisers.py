"""optax's own optimisers, by the names of the update rules."""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import optax

from ...harness.records.evaluation import Advance, Array, Moved, Unsupported
from .precision import mode, to_jax

Settings: TypeAlias = Mapping[str, float]

# rule -> how optax is built from the settings, and what it calls the rule's state variables. optax has
# no optimiser that maximises; its own step for that is the learning rate with the sign left alone.
OPTIMISERS: Mapping[str, tuple[Callable[[Settings], Any], Mapping[str, str]]] = {
    "ascent": (lambda s: optax.scale_by_learning_rate(s["step_size"], flip_sign=False), {}),
    "descent": (lambda s: optax.sgd(s["step_size"]), {}),
    "momentum": (lambda s: optax.sgd(s["step_size"], momentum=s["momentum"]), {"v": "trace"}),
    "adam": (
        lambda s: optax.adam(s["step_size"], b1=s["beta1"], b2=s["beta2"], eps=s["eps"]),
        {"m": "mu", "v": "nu"},
    ),
}


def optimiser(rule: str, settings: Settings, start: Mapping[str, Array]) -> Advance:
    """optax's own optimiser for a rule. Raises Unsupported for a rule that it does not have."""
    if rule not in OPTIMISERS:
        raise Unsupported(f"optax has no `{rule}` here; it has {', '.join(OPTIMISERS)}")
    build, names = OPTIMISERS[rule]
    native = build(settings)
    with mode():
        parameters: Any = {name: to_jax(array) for name, array in start.items()}
        state = native.init(parameters)

    def step(gradients: Mapping[str, Array]) -> Moved:
        nonlocal parameters, state
        with mode():
            updates, state = native.update({name: to_jax(gradients[name]) for name in parameters}, state)
            parameters = optax.apply_updates(parameters, updates)
            shown = {variable: optax.tree_utils.tree_get(state, name) for variable, name in names.items()}
            return Moved(*jax.device_get((parameters, shown)))

    return step
