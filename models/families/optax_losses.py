"""Losses of optax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from . import Model, Run
from ._jax import index, normal

FRAMEWORK = "jax"


def _of(loss: Callable[..., Any], *shapes: tuple[int, ...]) -> Model:
    return lambda: Run(loss, tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)))


def _with(loss: Callable[..., Any], inputs: Callable[[], tuple[Any, ...]]) -> Model:
    return lambda: Run(loss, inputs())


def _signs() -> jax.Array:
    return jnp.where(normal(4, 3, seed=1) > 0, 1.0, -1.0)


def _words() -> tuple[Any, ...]:
    labels = index(4, 2, 3) + 1
    return normal(2, 6, 5), jnp.zeros((2, 6)), labels, jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


TWO = ((4, 3), (4, 3))
MODELS: Mapping[str, Model] = {
    "squared_error": _of(optax.losses.squared_error, *TWO),
    "l2_loss": _of(optax.losses.l2_loss, *TWO),
    "huber_loss": _of(optax.losses.huber_loss, *TWO),
    "log_cosh": _of(optax.losses.log_cosh, *TWO),
    "cosine_distance": _of(optax.losses.cosine_distance, *TWO),
    "cosine_similarity": _of(optax.losses.cosine_similarity, *TWO),
    "softmax_cross_entropy": _of(lambda x, y: optax.losses.softmax_cross_entropy(x, jax.nn.softmax(y)), *TWO),
    "softmax_cross_entropy_with_integer_labels": _with(
        optax.losses.softmax_cross_entropy_with_integer_labels, lambda: (normal(4, 3), index(3, 4))
    ),
    "safe_softmax_cross_entropy": _of(lambda x, y: optax.losses.safe_softmax_cross_entropy(x, jax.nn.softmax(y)), *TWO),
    "sigmoid_binary_cross_entropy": _of(lambda x, y: optax.losses.sigmoid_binary_cross_entropy(x, jax.nn.sigmoid(y)), *TWO),
    "sigmoid_focal_loss": _of(lambda x, y: optax.losses.sigmoid_focal_loss(x, jax.nn.sigmoid(y)), *TWO),
    "poly_loss_cross_entropy": _of(lambda x, y: optax.losses.poly_loss_cross_entropy(x, jax.nn.softmax(y)), *TWO),
    "kl_divergence": _of(lambda x, y: optax.losses.kl_divergence(jax.nn.log_softmax(x), jax.nn.softmax(y)), *TWO),
    "kl_divergence_with_log_targets": _of(
        lambda x, y: optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(x), jax.nn.log_softmax(y)), *TWO
    ),
    "convex_kl_divergence": _of(
        lambda x, y: optax.losses.convex_kl_divergence(jax.nn.log_softmax(x), jax.nn.softmax(y)), *TWO
    ),
    "hinge_loss": _with(optax.losses.hinge_loss, lambda: (normal(4, 3), _signs())),
    "perceptron_loss": _with(optax.losses.perceptron_loss, lambda: (normal(4, 3), _signs())),
    "smooth_labels": _of(lambda x: optax.losses.smooth_labels(jax.nn.softmax(x), 0.1), (4, 3)),
    "triplet_margin_loss": _of(optax.losses.triplet_margin_loss, (4, 3), (4, 3), (4, 3)),
    "ntxent": _with(optax.losses.ntxent, lambda: (normal(4, 3), jnp.array([0, 0, 1, 1]))),
    "multiclass_hinge_loss": _with(jax.vmap(optax.losses.multiclass_hinge_loss), lambda: (normal(4, 3), index(3, 4))),
    "sparsemax_loss": _with(jax.vmap(optax.losses.sparsemax_loss), lambda: (normal(4), index(2, 4))),
    "make_fenchel_young_loss": _of(
        lambda x, y: optax.losses.make_fenchel_young_loss(jax.scipy.special.logsumexp)(x, jax.nn.softmax(y)), *TWO
    ),
    "ranking_softmax_loss": _with(optax.losses.ranking_softmax_loss, lambda: (normal(4, 3), jax.nn.softmax(normal(4, 3, seed=1)))),
    "ctc_loss": _with(optax.losses.ctc_loss, _words),
}  # fmt: skip
