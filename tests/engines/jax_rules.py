"""Custom rules of JAX, right and wrong, for the listener: by name, a function that calls the rule, and its inputs."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

X = np.random.default_rng(5).normal(size=(3, 4))
W = np.random.default_rng(6).normal(size=(4, 4))
POSITIVE = np.abs(X) + 0.5

Rule = tuple[Callable[..., Any], tuple[Any, ...]]


def by_vjp(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: Any) -> Rule:
    """`backward(inputs, result, g)` gives a term for each input."""
    rule = jax.custom_vjp(forward)

    def kept(*xs: Any) -> Any:
        y = forward(*xs)
        return y, (xs, y)

    rule.defvjp(kept, lambda kept, g: tuple(backward(kept[0], kept[1], g)))
    return rule, inputs


def by_jvp(forward: Callable[..., Any], tangent: Callable[..., Any], *inputs: Any) -> Rule:
    """`tangent(inputs, tangents)` gives that of the result."""
    rule = jax.custom_jvp(forward)
    rule.defjvp(lambda xs, ts: (forward(*xs), tangent(xs, ts)))
    return rule, inputs


def scale(x: Any) -> Any:
    return 3 * x


def soft_clip(x: Any) -> Any:
    return x / (1 + jnp.abs(x))


def cube(x: Any) -> Any:
    return x**3


def product(x: Any, y: Any) -> Any:
    return x * y


def quotient(x: Any, y: Any) -> Any:
    return x / y


def times(x: Any, w: Any) -> Any:
    return x @ w


def row_norm(x: Any) -> Any:
    return jnp.sqrt(jnp.sum(x * x, axis=1))


def soft_max(x: Any) -> Any:
    e = jnp.exp(x - jnp.max(x, axis=1, keepdims=True))
    return e / jnp.sum(e, axis=1, keepdims=True)


def centred(x: Any) -> Any:
    return x - jnp.mean(x, axis=0)


def swish(x: Any) -> Any:
    return x / (1 + jnp.exp(-x))


def log_cosh(x: Any) -> Any:
    return jnp.log(jnp.cosh(x))


def both(x: Any) -> Any:
    return jnp.sin(x), jnp.cos(x)


def total(x: Any) -> Any:
    return jnp.sum(jnp.square(x))


def turned(x: Any) -> Any:
    return jnp.transpose(x)


def picked(x: Any) -> Any:
    return x[jnp.array([0, 2, 2])]


def soft_max_back(x: Any, y: Any, g: Any) -> Any:
    return y * (g - jnp.sum(g * y, axis=1, keepdims=True))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + jnp.exp(-x))


def picked_back(xs: Any, y: Any, g: Any) -> Any:
    return [jnp.zeros_like(xs[0]).at[jnp.array([0, 2, 2])].add(g)]


RIGHT: dict[str, Rule] = {
    "scale": by_vjp(scale, lambda xs, y, g: [3 * g], X),
    "soft clip": by_vjp(soft_clip, lambda xs, y, g: [g / (1 + jnp.abs(xs[0])) ** 2], X),
    "soft clip, of the result": by_vjp(soft_clip, lambda xs, y, g: [g * (1 - jnp.abs(y)) ** 2], X),
    "cube": by_vjp(cube, lambda xs, y, g: [3 * xs[0] ** 2 * g], X),
    "product": by_vjp(product, lambda xs, y, g: [g * xs[1], g * xs[0]], X, POSITIVE),
    "quotient": by_vjp(quotient, lambda xs, y, g: [g / xs[1], -g * y / xs[1]], X, POSITIVE),
    "matrix product": by_vjp(times, lambda xs, y, g: [g @ xs[1].T, xs[0].T @ g], X, W),
    "norm": by_vjp(row_norm, lambda xs, y, g: [xs[0] * (g / y)[:, None]], X),
    "softmax": by_vjp(soft_max, lambda xs, y, g: [soft_max_back(xs[0], y, g)], X),
    "centred": by_vjp(centred, lambda xs, y, g: [g - jnp.mean(g, axis=0)], X),
    "swish": by_vjp(swish, lambda xs, y, g: [g * sigmoid(xs[0]) * (1 + xs[0] * (1 - sigmoid(xs[0])))], X),
    "log cosh": by_vjp(log_cosh, lambda xs, y, g: [g * jnp.tanh(xs[0])], X),
    "two results": by_vjp(both, lambda xs, y, g: [g[0] * y[1] - g[1] * y[0]], X),
    "sum": by_vjp(total, lambda xs, y, g: [2 * g * xs[0]], X),
    "transpose": by_vjp(turned, lambda xs, y, g: [g.T], X),
    "rows": by_vjp(picked, picked_back, X),
    "scale, forwards": by_jvp(scale, lambda xs, ts: 3 * ts[0], X),
    "cube, forwards": by_jvp(cube, lambda xs, ts: 3 * xs[0] ** 2 * ts[0], X),
    "product, forwards": by_jvp(product, lambda xs, ts: xs[0] * ts[1] + xs[1] * ts[0], X, POSITIVE),
    "quotient, forwards": by_jvp(quotient, lambda xs, ts: (ts[0] - xs[0] / xs[1] * ts[1]) / xs[1], X, POSITIVE),
    "log cosh, forwards": by_jvp(log_cosh, lambda xs, ts: jnp.tanh(xs[0]) * ts[0], X),
    "two results, forwards": by_jvp(both, lambda xs, ts: (jnp.cos(xs[0]) * ts[0], -jnp.sin(xs[0]) * ts[0]), X),
    "norm, forwards": by_jvp(row_norm, lambda xs, ts: jnp.sum(xs[0] * ts[0], axis=1) / row_norm(xs[0]), X),
}
WRONG: dict[str, Rule] = {
    "scale without its factor": by_vjp(scale, lambda xs, y, g: [g], X),
    "soft clip without its square": by_vjp(soft_clip, lambda xs, y, g: [g / (1 + jnp.abs(xs[0]))], X),
    "cube with 2": by_vjp(cube, lambda xs, y, g: [2 * xs[0] ** 2 * g], X),
    "cube off by 1e-9": by_vjp(cube, lambda xs, y, g: [3 * (1 + 1e-9) * xs[0] ** 2 * g], X),
    "product, swapped": by_vjp(product, lambda xs, y, g: [g * xs[0], g * xs[1]], X, POSITIVE),
    "product, one of two": by_vjp(product, lambda xs, y, g: [g * xs[1], 0 * g], X, POSITIVE),
    "quotient with the other sign": by_vjp(quotient, lambda xs, y, g: [g / xs[1], g * y / xs[1]], X, POSITIVE),
    "matrix product, not transposed": by_vjp(times, lambda xs, y, g: [g @ xs[1], xs[0].T @ g], X, W),
    "norm, squared": by_vjp(row_norm, lambda xs, y, g: [xs[0] * (g / y**2)[:, None]], X),
    "softmax without its sum": by_vjp(soft_max, lambda xs, y, g: [g * y], X),
    "softmax over the other axis": by_vjp(soft_max, lambda xs, y, g: [y * (g - jnp.sum(g * y, 0))], X),
    "centred without the mean": by_vjp(centred, lambda xs, y, g: [g], X),
    "centred, the sum": by_vjp(centred, lambda xs, y, g: [g - jnp.sum(g, axis=0)], X),
    "swish as a sigmoid": by_vjp(swish, lambda xs, y, g: [g * sigmoid(xs[0])], X),
    "log cosh by tanh twice": by_vjp(log_cosh, lambda xs, y, g: [g * jnp.tanh(jnp.tanh(xs[0]))], X),
    "two results, one forgotten": by_vjp(both, lambda xs, y, g: [g[0] * y[1]], X),
    "sum without 2": by_vjp(total, lambda xs, y, g: [g * xs[0]], X),
    "rows that do not add up": by_vjp(
        picked, lambda xs, y, g: [jnp.zeros_like(xs[0]).at[jnp.array([0, 2, 2])].set(g)], X
    ),
    "one element": by_vjp(scale, lambda xs, y, g: [jnp.asarray(3 * g).at[1, 2].set(0)], X),
    "NaN": by_vjp(scale, lambda xs, y, g: [jnp.full_like(g, jnp.nan)], X),
    "cube with 2, forwards": by_jvp(cube, lambda xs, ts: 2 * xs[0] ** 2 * ts[0], X),
    "product, one of two, forwards": by_jvp(product, lambda xs, ts: xs[1] * ts[0], X, POSITIVE),
    "log cosh by sinh, forwards": by_jvp(log_cosh, lambda xs, ts: jnp.sinh(xs[0]) * ts[0], X),
    "norm without the root, forwards": by_jvp(row_norm, lambda xs, ts: jnp.sum(xs[0] * ts[0], axis=1), X),
}
