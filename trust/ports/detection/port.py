"""The RetinaNet's losses in JAX."""

import jax
import jax.numpy as jnp


def sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    log_p = jax.nn.log_sigmoid(logits)
    log_not_p = jax.nn.log_sigmoid(-logits)
    p = jnp.exp(log_p)
    positive = alpha * (1 - p) ** gamma * log_p
    negative = (1 - alpha) * p**gamma * log_not_p
    return -(targets * positive + (1 - targets) * negative)


def smooth_l1(x, y, beta=0.5):
    d = jnp.abs(x - y)
    return jnp.where(d < beta, 0.5 * d**2 / beta, d - 0.5 * beta)


def retina_loss(logits, targets, boxes, wanted, positive):
    positives = jnp.maximum(positive.sum(), 1.0)
    classification = sigmoid_focal_loss(logits, targets).sum() / positives
    distance = smooth_l1(boxes, wanted).mean(axis=-1)
    regression = jnp.sum(distance * positive) / positives
    return classification, regression
