"""Inputs of JAX models: float64 numbers and indices from a fixed seed; keys are made when a model is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape))


def index(below: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(shape).integers(0, below, shape))
