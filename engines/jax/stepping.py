"""Any optimiser of optax, made and stepped on given gradients: its own ones, and a user's `GradientTransformation`.

A schedule, a function of the number of steps that were taken, moves a parameter by the learning rate.
"""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from ...harness.records.evaluation import Array
from ...harness.rules.framework import Framework, Step, Stepped, of_any_shape
from ...harness.rules.schedules import Schedule
from .optimisers import AROUND, NATIVES
from .precision import mode, to_jax


def begin(make: Any, arguments: Mapping[str, Any], start: Mapping[str, Array]) -> Step:
    """A step from gradients, of a transformation at the starting parameters.

    `make` is a transformation, or a function that returns one. Raises TypeError for what gives none.
    """
    with mode():
        made = _made(make, arguments)
        parameters: Any = {name: to_jax(array) for name, array in start.items()}
        if isinstance(made, optax.GradientTransformation):
            state = made.init(parameters)
        elif callable(made):
            made, state = _by_schedule(made), 0
        else:
            raise TypeError(f"a {type(made).__name__} where an optax.GradientTransformation was expected")

    def step(gradients: Mapping[str, Array]) -> Stepped:
        nonlocal parameters, state
        with mode():
            updates, state = made.update({name: to_jax(gradients[name]) for name in parameters}, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
            return Stepped(jax.device_get(parameters), _by_name(state, [*start]))

    return step


def _made(make: Any, arguments: Mapping[str, Any]) -> Any:
    if isinstance(make, optax.GradientTransformation):
        return make
    return make(**{name: _by_count(value) for name, value in arguments.items()})


def _by_count(value: Any) -> Any:
    """A schedule as optax calls it: by the number of steps that were taken before."""
    return (lambda count: value(int(count) + 1)) if isinstance(value, Schedule) else value


def _by_schedule(schedule: Any) -> optax.GradientTransformation:
    def init(params: Any) -> Any:
        del params
        return 0

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        rate = np.float64(schedule(state))
        return jax.tree.map(lambda g: jax.numpy.full_like(g, rate), updates), state + 1

    return optax.GradientTransformation(init, update)


def _by_name(state: Any, parameters: list[str]) -> dict[str, dict[str, Array]]:
    """What optax keeps, by the last name on the way to it, the first of that name first; by its parameter."""
    named: dict[str, dict[str, Array]] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        if isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            continue
        names = [str(getattr(part, "name", "")) for part in path if getattr(part, "name", "")]
        of = [part.key for part in path if isinstance(part, jax.tree_util.DictKey) and part.key in parameters]
        variables = named.setdefault(names[-1] if names else "state", {})
        for parameter in of or parameters:
            variables.setdefault(parameter, np.asarray(leaf))
    return named


def arguments_of(make: Any) -> Mapping[str, Any]:
    """What a transformation was made with: optax keeps it in closures alone, so that nothing is known."""
    del make
    return {}


optimisers = Framework("jax", optax.__version__, ("optax", "jax"), of_any_shape(NATIVES), AROUND, begin, arguments_of)
