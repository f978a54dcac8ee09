"""Functions of jax.nn, and what people write around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from . import Model, Run
from ._jax import index, normal

FRAMEWORK = "jax"
ELEMENTWISE = [
    "celu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh",
    "identity",
]


def _of(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Model:
    return lambda: Run(function, tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)))


def _attends(**settings: Any) -> Model:
    return _of(lambda q, k, v: jax.nn.dot_product_attention(q, k, v, **settings), *[(2, 5, 2, 4)] * 3)


def _network(params: Any, x: jax.Array) -> jax.Array:
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def _layers() -> Any:
    return [(normal(4, 6), normal(6)), (normal(6, 3), normal(3))]


def _scanned(w: jax.Array, xs: jax.Array) -> jax.Array:
    def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = jnp.tanh(h @ w + x)
        return h, h

    return jax.lax.scan(step, jnp.zeros(3, xs.dtype), xs)[1]


MODELS: Mapping[str, Model] = {
    **{name: _of(getattr(jax.nn, name), (3, 4)) for name in ELEMENTWISE},
    "gelu exact": _of(partial(jax.nn.gelu, approximate=False), (3, 4)),
    "glu": _of(jax.nn.glu, (3, 4)),
    "softmax": _of(jax.nn.softmax, (3, 4)),
    "log_softmax": _of(jax.nn.log_softmax, (3, 4)),
    "logsumexp": _of(partial(jax.nn.logsumexp, axis=-1), (3, 4)),
    "logmeanexp": _of(partial(jax.nn.logmeanexp, axis=-1), (3, 4)),
    "standardize": _of(jax.nn.standardize, (3, 4)),
    "dot_product_attention": _attends(),
    "dot_product_attention causal": _attends(is_causal=True),
    "dot_product_attention grouped": _of(jax.nn.dot_product_attention, (2, 5, 4, 4), (2, 5, 2, 4), (2, 5, 2, 4)),
    "one_hot loss": lambda: Run(
        lambda x, y: -jnp.sum(jax.nn.one_hot(y, 3) * jax.nn.log_softmax(x)), (normal(4, 3), index(3, 4))
    ),
    "network": lambda: Run(_network, (_layers(), normal(2, 4))),
    "network jitted": lambda: Run(jax.jit(_network), (_layers(), normal(2, 4))),
    "network checkpointed": lambda: Run(jax.checkpoint(_network), (_layers(), normal(2, 4))),
    "network mapped": lambda: Run(jax.vmap(_network, (None, 0)), (_layers(), normal(2, 4))),
    "recurrence scanned": _of(_scanned, (3, 3), (4, 3)),
    "gradient inside": _of(lambda x: jnp.sum(jax.grad(lambda y: jnp.sum(jnp.sin(y) ** 2))(x) ** 2), (3,)),
}
