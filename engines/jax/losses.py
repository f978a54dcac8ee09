"""Losses as JAX's users write them: by optax, to which JAX leaves them, and by what optax lacks."""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special


def reduced(each: Any, reduction: str) -> Any:
    match reduction:
        case "none":
            return each
        case "sum":
            return jnp.sum(each)
        case "batchmean":
            return jnp.sum(each) / each.shape[0]
        case _:
            return jnp.mean(each)


def by_class(each: Any, count: Any, reduction: str) -> Any:
    """`count`: for how much each example counts in a mean."""
    return jnp.sum(each) / jnp.sum(count) if count is not None and reduction == "mean" else reduced(each, reduction)


def known_class(target: Any, ignore_index: int | None) -> tuple[Any, Any]:
    """The target with a class in place of those ignored, and which are kept."""
    kept = target != (-1 if ignore_index is None else ignore_index)
    return (target, None) if ignore_index is None else (jnp.where(kept, target, 0), kept)


def counted(x: Any, target: Any, weight: Any, kept: Any) -> Any:
    count = None if weight is None else weight[target]
    return count if kept is None else jnp.where(kept, 1 if count is None else count, jnp.zeros((), x.dtype))


def cross_entropy(
    x: Any, target: Any, weight: Any = None, *, reduction: str, label_smoothing: float, ignore_index: int | None
) -> Any:
    """By optax's losses: JAX leaves losses to it."""
    import optax  # half a second, and no other operation needs it

    target, kept = known_class(target, ignore_index)
    if label_smoothing:
        labels = optax.smooth_labels(jax.nn.one_hot(target, x.shape[-1], dtype=x.dtype), label_smoothing)
        each = optax.softmax_cross_entropy(x, labels if weight is None else labels * weight)
    else:
        each = optax.softmax_cross_entropy_with_integer_labels(x, target)
        each = each if weight is None else each * weight[target]
    each = each if kept is None else jnp.where(kept, each, 0)
    return by_class(each, counted(x, target, weight, kept), reduction)


def nll_loss(x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int | None) -> Any:
    target, kept = known_class(target, ignore_index)
    each = -jnp.take_along_axis(x, target[..., None], axis=-1)[..., 0]
    each = each if weight is None else each * weight[target]
    each = each if kept is None else jnp.where(kept, each, 0)
    return by_class(each, counted(x, target, weight, kept), reduction)


def huber_loss(x: Any, target: Any, *, reduction: str, delta: float) -> Any:
    import optax

    return reduced(optax.huber_loss(x, target, delta=delta), reduction)


def kl_div(x: Any, target: Any, *, reduction: str, log_target: bool) -> Any:
    each = jnp.exp(target) * (target - x) if log_target else special.xlogy(target, target) - target * x
    return reduced(each, reduction)


def binary_cross_entropy(x: Any, target: Any, weight: Any = None, *, reduction: str) -> Any:
    each = -(target * jnp.log(x) + (1 - target) * jnp.log1p(-x))
    return reduced(each if weight is None else each * weight, reduction)


def with_logits(x: Any, target: Any, weight: Any = None, pos_weight: Any = None, *, reduction: str) -> Any:
    import optax

    if pos_weight is None:
        each = optax.sigmoid_binary_cross_entropy(x, target)
    else:
        each = -(pos_weight * target * jax.nn.log_sigmoid(x) + (1 - target) * jax.nn.log_sigmoid(-x))
    return reduced(each if weight is None else each * weight, reduction)
