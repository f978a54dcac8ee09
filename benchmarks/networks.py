"""A two-layer network with a mean square loss, batch by batch, in each contestant's own form.

`by_hand` is the NumPy that a person would write. Weights and biases have gradients, the data has none.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser

Arrays = dict[str, Any]
Call = Callable[[], Any]
WEIGHTS = ("w1", "b1", "w2", "b2")
SIZES = {"64-32-10, batch 16": (64, 32, 10, 16), "784-128-10, batch 128": (784, 128, 10, 128)}


def data(size: tuple[int, int, int, int], dtype: str) -> Arrays:
    inputs, hidden, outputs, batch = size
    rng = np.random.default_rng(0)
    shapes = {
        "x": (batch, inputs),
        "w1": (inputs, hidden),
        "b1": (hidden,),
        "w2": (hidden, outputs),
        "b2": (outputs,),
        "t": (batch, outputs),
    }
    return {name: (rng.normal(size=shape) / np.sqrt(shape[0])).astype(dtype) for name, shape in shapes.items()}


def graph(arrays: Arrays) -> Graph:
    builder = Builder()
    for name, array in arrays.items():
        builder.input(name, array.shape, constant=name not in WEIGHTS)
    parser = Parser(builder)
    parser.define("h", "tanh(x @ w1 + b1)")
    parser.define("y", "h @ w2 + b2")
    parser.define("loss", "mean(square(y - t))")
    return builder.graph(["loss"])


def by_hand(arrays: Arrays) -> Call:
    x, w1, b1, w2, b2, t = arrays.values()

    def call() -> Any:
        h = np.tanh(x @ w1 + b1)
        y = h @ w2 + b2
        r = y - t
        loss = np.mean(np.square(r))
        dy = r * (2 / r.size)
        dw2 = h.T @ dy
        db2 = np.sum(dy, axis=0)
        dh = (dy @ w2.T) * (1 - h * h)
        dw1 = x.T @ dh
        db1 = np.sum(dh, axis=0)
        return loss, dw1, db1, dw2, db2

    return call


def torch_eager(arrays: Arrays, *, fused: bool) -> Call:
    import torch

    x, w1, b1, w2, b2, t = (torch.tensor(a) for a in arrays.values())
    weights = [w.requires_grad_() for w in (w1, b1, w2, b2)]

    def call() -> Any:
        if fused:
            h = torch.tanh(torch.addmm(b1, x, w1))
            y = torch.addmm(b2, h, w2)
        else:
            h = torch.tanh(x @ w1 + b1)
            y = h @ w2 + b2
        loss = torch.mean(torch.square(y - t))
        return loss.detach(), *torch.autograd.grad(loss, weights)

    return call


def jax_jit(arrays: Arrays) -> Call:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, w1, b1, w2, b2, t = (jnp.asarray(a) for a in arrays.values())

    def loss(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, t: Any) -> Any:
        h = jnp.tanh(x @ w1 + b1)
        return jnp.mean(jnp.square(h @ w2 + b2 - t))

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))

    def call() -> Any:
        y, gradient = jax.block_until_ready(both(w1, b1, w2, b2, x, t))
        return y, *gradient

    return call


def hips_autograd(arrays: Arrays) -> Call:
    autograd: Any = import_module("autograd")
    anp: Any = import_module("autograd.numpy")

    x, w1, b1, w2, b2, t = arrays.values()

    def loss(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        h = anp.tanh(anp.dot(x, w1) + b1)
        return anp.mean(anp.square(anp.dot(h, w2) + b2 - t))

    both = autograd.value_and_grad(loss, argnum=(0, 1, 2, 3))

    def call() -> Any:
        y, gradient = both(w1, b1, w2, b2)
        return y, *gradient

    return call


def agree(found: Any, expected: Any) -> bool:
    rtol = 1e-9 if np.asarray(expected[1]).dtype == np.float64 else 1e-3
    return all(
        np.allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol * 1e-2)
        for a, b in zip(found, expected, strict=True)
    )
