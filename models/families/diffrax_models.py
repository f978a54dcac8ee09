"""Neural differential equations of diffrax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import diffrax
import jax
import jax.numpy as jnp

from . import Model, Run
from ._jax import normal

FRAMEWORK = "jax"


def _field(t: Any, y: jax.Array, params: Any) -> jax.Array:
    first, second = params
    return second @ jnp.tanh(first @ y + t)


def _solves(solver: Callable[[], Any], **settings: Any) -> Model:
    def run(params: Any, y: jax.Array) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(_field), solver(), 0.0, 0.5, 0.125, y, args=params, max_steps=8, **settings
        )
        return solution.ys

    return lambda: Run(run, ((normal(4, 2), normal(2, 4)), normal(2)))


MODELS: Mapping[str, Model] = {
    "Euler": _solves(diffrax.Euler),
    "Heun": _solves(diffrax.Heun),
    "Midpoint": _solves(diffrax.Midpoint),
    "Ralston": _solves(diffrax.Ralston),
    "Bosh3": _solves(diffrax.Bosh3),
    "Tsit5": _solves(diffrax.Tsit5),
    "Dopri5": _solves(diffrax.Dopri5),
    "Euler direct": _solves(diffrax.Euler, adjoint=diffrax.DirectAdjoint()),
}
