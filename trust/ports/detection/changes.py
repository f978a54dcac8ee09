"""Losses without parameters, two results."""

import numpy as np
from ported import Mistake, Pair, Variant

FOCAL = (
    "positive = alpha",
    "negative = ",
    "return -(targets",
    "log_p",
    "p = ",
    "ce = ",
    "p_t = ",
    "loss = ce",
    "alpha_t",
    "classification",
)
SMOOTH = ("d = ", "jnp.where(d", "F.smooth_l1_loss", "jnp.square", "distance")
REGRESSION = ("regression = ", "distance", "positives")

PAIR = Pair(
    original=lambda module: module.retina_loss,
    port=lambda module: module.retina_loss,
    inputs=lambda rng: (
        rng.normal(size=(6, 3)),
        np.eye(4, dtype=int)[[0, 1, 2, 3, 3, 0]][:, :3],
        rng.normal(size=(6, 4)),
        rng.normal(size=(6, 4)),
        np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
    ),
    variants=(
        Variant("as the original writes it", "positive = alpha * (1 - p) ** gamma * log_p\n    negative = (1 - alpha) * p**gamma * log_not_p\n    return -(targets * positive + (1 - targets) * negative)", "p_t = jnp.where(targets == 1, p, 1 - p)\n    ce = -jnp.where(targets == 1, log_p, log_not_p)\n    return jnp.where(targets == 1, alpha, 1 - alpha) * (1 - p_t) ** gamma * ce"),
        Variant("modulated in logs", "(1 - p) ** gamma * log_p", "jnp.exp(gamma * log_not_p) * log_p"),
        Variant("log-sigmoid by softplus", "jax.nn.log_sigmoid(-logits)", "-jax.nn.softplus(logits)"),
        Variant("huber by clip", "return jnp.where(d < beta, 0.5 * d**2 / beta, d - 0.5 * beta)", "quadratic = jnp.minimum(d, beta)\n    return (0.5 * quadratic**2 + beta * (d - quadratic)) / beta"),
        Variant("mean by sum", ".mean(axis=-1)", ".sum(axis=-1) / 4"),
        Variant("a product for the sum", "jnp.sum(distance * positive)", "distance @ positive"),
    ),
    mistakes=(
        Mistake("alpha turned round", "(1 - alpha) * p**gamma", "alpha * p**gamma", FOCAL, r"alpha|factor|0\.25|0\.75|1 - |constant|3"),
        Mistake("gamma", "gamma=2.0", "gamma=1.0", FOCAL, r"power|exponent|gamma|2|square"),
        Mistake("modulated by the wrong side", "(1 - p) ** gamma * log_p", "p**gamma * log_p", FOCAL, r"1 - |reads|power|compl"),
        Mistake("sign of the logit", "jax.nn.log_sigmoid(-logits)", "jax.nn.log_sigmoid(logits)", FOCAL, r"sign|negat|reads"),
        Mistake("targets inverted", "targets * positive + (1 - targets) * negative", "(1 - targets) * positive + targets * negative", FOCAL, r"invert|swap|1 - |target"),
        Mistake("negatives left out", "-(targets * positive + (1 - targets) * negative)", "-(targets * positive)", FOCAL, r"left out|addend|leav|missing|term|without"),
        Mistake("mean for sum", "sigmoid_focal_loss(logits, targets).sum()", "sigmoid_focal_loss(logits, targets).mean()", FOCAL, r"sum|mean|factor|18"),
        Mistake("beta left at one", "beta=0.5", "beta=1.0", SMOOTH, r"beta|\b1(\.0)?\b|0\.5"),
        Mistake("huber, not divided by beta", "0.5 * d**2 / beta, d - 0.5 * beta", "0.5 * d**2, beta * (d - 0.5 * beta)", SMOOTH, r"huber|factor|beta|0\.5|scale|divi"),
        Mistake("half forgotten below", "0.5 * d**2 / beta, d", "d**2 / beta, d", SMOOTH, r"0\.5|factor|half|2"),
        Mistake("offset forgotten above", "d - 0.5 * beta)", "d)", SMOOTH, r"0\.25|addend|left out|offset|constant|leav|subtract"),
        Mistake("squared error", "return jnp.where(d < beta, 0.5 * d**2 / beta, d - 0.5 * beta)", "return 0.5 * jnp.square(d) / beta", SMOOTH, r"where|branch|square|mse|left out|l1|clip|bound"),
        Mistake("mean over all boxes", "jnp.sum(distance * positive) / positives", "jnp.mean(distance * positive)", REGRESSION, r"mean|sum|factor|6|4|count|divid"),
        Mistake("mask forgotten", "jnp.sum(distance * positive)", "jnp.sum(distance)", REGRESSION, r"mask|factor|left out|positive|leav|missing|without"),
        Mistake("mask inverted", "jnp.sum(distance * positive)", "jnp.sum(distance * (1 - positive))", REGRESSION, r"mask|invert|1 - "),
        Mistake("results swapped", "return classification, regression", "return regression, classification", ("return", "classification", "regression"), r"swap|order|output", kind="output"),
        Mistake("modulation's gradient stopped", "p = jnp.exp(log_p)", "p = jax.lax.stop_gradient(jnp.exp(log_p))", FOCAL, r"stop|gradient", kind="gradient"),
    ),
)  # fmt: skip
