"""Custom rules of JAX as they stand in programs: with static arguments, pytrees and integers, in loops, branches and
compiled functions. By name: a function that calls the rule, its inputs, and the name of the rule."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

X = np.random.default_rng(7).normal(size=(3, 4))
W = np.random.default_rng(8).normal(size=(4, 4))
B = np.random.default_rng(9).normal(size=4)
POSITIVE = np.abs(X) + 0.5
ROWS = np.array([0, 2, 2])

Placed = tuple[Callable[..., Any], tuple[Any, ...], str]


def power(backward: Callable[..., Any]) -> Placed:
    """A static argument: `backward(n, x, g)`."""

    @partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x: Any, n: int) -> Any:
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, g: (backward(n, x, g),))
    return lambda x: power(x, 3) * x, (X,), "power"


def dense(backward: Callable[..., Any]) -> Placed:
    """A pytree of parameters: `backward(p, x, g)` gives one, and the term of x."""

    @jax.custom_vjp
    def dense(p: Any, x: Any) -> Any:
        return x @ p["w"] + p["b"]

    dense.defvjp(lambda p, x: (dense(p, x), (p, x)), lambda kept, g: backward(*kept, g))
    return lambda p, x: jnp.tanh(dense(p, x)), ({"w": W, "b": B}, X), "dense"


def moments(backward: Callable[..., Any]) -> Placed:
    """Two results by name: `backward(x, g)`."""

    @jax.custom_vjp
    def moments(x: Any) -> Any:
        return {"mean": jnp.mean(x), "square": jnp.mean(x * x)}

    moments.defvjp(lambda x: (moments(x), x), lambda x, g: (backward(x, g),))
    return lambda x: (m := moments(x))["square"] - m["mean"] ** 2, (X,), "moments"


def rows(backward: Callable[..., Any]) -> Placed:
    """An integer argument, which has no term: `backward(table, i, g)`."""

    @jax.custom_vjp
    def rows(table: Any, i: Any) -> Any:
        return table[i]

    rows.defvjp(lambda table, i: (table[i], (table, i)), lambda kept, g: (backward(*kept, g), None))
    return lambda table, i: jnp.sin(rows(table, i)), (X, ROWS), "rows"


def unary(forward: Callable[..., Any], backward: Callable[..., Any], placed: Any = None, x: Any = X) -> Placed:
    """`backward(x, y, g)`; `placed(rule)` is the function that calls it, the rule alone where there is none."""
    rule = jax.custom_vjp(forward)
    rule.defvjp(lambda x: ((y := forward(x)), (x, y)), lambda kept, g: (backward(*kept, g),))
    return rule if placed is None else placed(rule), (x,), forward.__name__


def tanh(x: Any) -> Any:
    return jnp.tanh(x)


def right_tanh(x: Any, y: Any, g: Any) -> Any:
    return g * (1 - y * y)


def unlike_tanh(x: Any, y: Any, g: Any) -> Any:
    return g * (1 - x * x)  # it has saved the wrong number


def scanned(rule: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        carry = rule(carry + row)
        return carry, carry * row

    return lambda x: lax.scan(step, x[0], x)[1]


def nested(rule: Any) -> Any:
    @jax.custom_jvp
    def outer(x: Any) -> Any:
        return rule(x) * 2

    outer.defjvp(lambda xs, ts: (outer(*xs), 2 * (1 - jnp.tanh(xs[0]) ** 2) * ts[0]))
    return lambda x: outer(x) + rule(x)


PLACES: dict[str, Any] = {
    "in a scan": scanned,
    "in a compiled function": lambda rule: jax.jit(lambda x: rule(x) * x),
    "in a checkpoint": lambda rule: jax.checkpoint(lambda x: jnp.sin(rule(x) * x)),
    "in a branch": lambda rule: lambda x: lax.cond(jnp.sum(x) > -99, rule, jnp.cos, x),
    "in a loop": lambda rule: lambda x: lax.fori_loop(0, 2, lambda _, z: rule(z) * z, x),
    "under vmap": lambda rule: jax.vmap(lambda row: rule(row) * row),
    "twice": lambda rule: lambda x: rule(rule(x)),
    "beside another rule": nested,
    "by an if in Python": lambda rule: lambda x: rule(x) if x[0, 0] < 99 else x,
}


def rms(x: Any) -> Any:
    return x * lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-2)


def rms_back(x: Any, g: Any, eps: float = 1e-2, axis: int = -1) -> Any:
    r = lax.rsqrt(jnp.mean(x * x, axis=axis, keepdims=True) + eps)
    return g * r - x * r**3 * jnp.mean(g * x, axis=axis, keepdims=True)


def leaky(x: Any) -> Any:
    return jnp.where(x > 0, x, 0.1 * x)


def log_soft_max(x: Any) -> Any:
    return x - jnp.log(jnp.sum(jnp.exp(x), axis=1, keepdims=True))


def sums(x: Any) -> Any:
    return jnp.cumsum(x, axis=1)


def mean_square(x: Any) -> Any:
    return jnp.mean(x * x)


def unit(x: Any) -> Any:
    return x / jnp.sqrt(jnp.sum(x * x))


def wide_gelu(x: Any) -> Any:
    return x * 0.5 * (1 + lax.erf(x / np.sqrt(2)))


def wide_gelu_back(x: Any, g: Any) -> Any:
    return g * (0.5 * (1 + lax.erf(x / np.sqrt(2))) + x * jnp.exp(-x * x / 2) / np.sqrt(2 * np.pi))


def by_tanh(x: Any, g: Any) -> Any:
    return jax.vjp(partial(jax.nn.gelu, approximate=True), x)[1](g)[0]


def spread(x: Any) -> Any:
    return x[:, None, :] * W


def residual(x: Any) -> Any:
    return x + jnp.sin(x)


def reciprocal(x: Any) -> Any:
    return SCALE / x


SCALE = np.array([1.0, 2.0, 3.0, 4.0])


def attend(backward: Callable[..., Any]) -> Placed:
    """`backward(q, k, p, g)`, p the probabilities."""

    @jax.custom_vjp
    def attend(q: Any, k: Any) -> Any:
        return jax.nn.softmax(q @ k.T / 2, axis=-1)

    attend.defvjp(lambda q, k: ((p := attend(q, k)), (q, k, p)), lambda kept, g: backward(*kept, g))
    return attend, (X, X[::-1].copy()), "attend"


def attend_back(q: Any, k: Any, p: Any, g: Any, scale: float = 0.5, axis: int = 1) -> tuple[Any, Any]:
    s = p * (g - jnp.sum(p * g, axis=axis, keepdims=True)) * scale
    return s @ k, s.T @ q


def pair(first: Any, second: Any) -> Placed:
    """A custom_jvp with a rule for each argument, None for one that has none."""

    @jax.custom_jvp
    def pair(x: Any, y: Any) -> Any:
        return x * jnp.exp(y)

    pair.defjvps(first, second)
    return pair, (X, X[::-1].copy()), "pair"


def root_by_steps(factor: float) -> Placed:
    """Newton's steps, of which each row makes as many as it needs; the tangent is that of the root."""

    @jax.custom_jvp
    def root(x: Any) -> Any:
        def step(z: Any) -> Any:
            return (z + x / z) / 2

        return lax.while_loop(lambda z: jnp.abs(z * z - x) > 1e-12, step, x)

    root.defjvp(lambda xs, ts: (root(*xs), factor * ts[0] / (2 * jnp.sqrt(xs[0]))))
    return jax.vmap(root), (POSITIVE[0],), "root"


def solve(backward: Callable[..., Any]) -> Placed:
    """`backward(a, x, g)`."""

    @jax.custom_vjp
    def solve(a: Any, b: Any) -> Any:
        return jnp.linalg.solve(a, b)

    solve.defvjp(lambda a, b: ((x := solve(a, b)), (a, x)), lambda kept, g: backward(*kept, g))
    return solve, (W, B), "solve"


def solve_back(a: Any, x: Any, g: Any) -> tuple[Any, Any]:
    w = jnp.linalg.solve(a.T, g)
    return -jnp.outer(w, x), w


RIGHT: dict[str, Placed] = {
    "static argument": power(lambda n, x, g: n * x ** (n - 1) * g),
    "pytree": dense(lambda p, x, g: ({"w": x.T @ g, "b": jnp.sum(g, 0)}, g @ p["w"].T)),
    "results by name": moments(lambda x, g: (g["mean"] + 2 * x * g["square"]) / x.size),
    "integers": rows(lambda table, i, g: jnp.zeros_like(table).at[i].add(g)),
    **{f"tanh {place}": unary(tanh, right_tanh, placed) for place, placed in PLACES.items()},
    "rms norm": unary(rms, lambda x, y, g: rms_back(x, g)),
    "leaky": unary(leaky, lambda x, y, g: jnp.where(x > 0, g, 0.1 * g)),
    "log softmax": unary(log_soft_max, lambda x, y, g: g - jnp.exp(y) * jnp.sum(g, 1, keepdims=True)),
    "sums": unary(sums, lambda x, y, g: jnp.cumsum(g[:, ::-1], 1)[:, ::-1]),
    "mean square": unary(mean_square, lambda x, y, g: 2 * g * x / x.size),
    "unit": unary(unit, lambda x, y, g: (g - y * jnp.sum(g * y)) / jnp.sqrt(jnp.sum(x * x))),
    "gelu": unary(wide_gelu, lambda x, y, g: wide_gelu_back(x, g)),
    "spread": unary(spread, lambda x, y, g: jnp.sum(g * W, axis=1)),
    "residual": unary(residual, lambda x, y, g: g + g * jnp.cos(x)),
    "of a constant outside": unary(reciprocal, lambda x, y, g: -g * y / x, x=POSITIVE),
    "attention": attend(attend_back),
    "solution": solve(solve_back),
    "root by steps": root_by_steps(1.0),
    "a rule for each": pair(lambda t, y, a, b: t * jnp.exp(b), lambda t, y, a, b: t * y),
}
WRONG: dict[str, Placed] = {
    "static argument forgotten": power(lambda n, x, g: x ** (n - 1) * g),
    "static argument in the exponent": power(lambda n, x, g: n * x**n * g),
    "mean for the sum of a bias": dense(lambda p, x, g: ({"w": x.T @ g, "b": jnp.mean(g, 0)}, g @ p["w"].T)),
    "weights not transposed": dense(lambda p, x, g: ({"w": x.T @ g, "b": jnp.sum(g, 0)}, g @ p["w"])),
    "weights by the first row": dense(lambda p, x, g: ({"w": jnp.outer(x[0], g[0]), "b": jnp.sum(g, 0)}, g @ p["w"].T)),
    "results swapped": moments(lambda x, g: (g["square"] + 2 * x * g["mean"]) / x.size),
    "results without their mean": moments(lambda x, g: g["mean"] + 2 * x * g["square"]),
    "one result only": moments(lambda x, g: g["mean"] / x.size + 0 * x),
    "rows written over": rows(lambda table, i, g: jnp.zeros_like(table).at[i].set(g)),
    "rows off by one": rows(lambda table, i, g: jnp.zeros_like(table).at[(i + 1) % 3].add(g)),
    **{f"tanh {place}": unary(tanh, unlike_tanh, placed) for place, placed in PLACES.items()},
    "rms norm with another eps": unary(rms, lambda x, y, g: rms_back(x, g, eps=1e-5)),
    "rms norm over the other axis": unary(rms, lambda x, y, g: rms_back(x, g, axis=0)),
    "rms norm, the root held fixed": unary(rms, lambda x, y, g: g * y / x),
    "leaky by the other branch": unary(leaky, lambda x, y, g: jnp.where(x > 0, 0.1 * g, g)),
    "leaky with another slope": unary(leaky, lambda x, y, g: jnp.where(x > 0, g, 0.01 * g)),
    "log softmax with a plus": unary(log_soft_max, lambda x, y, g: g + jnp.exp(y) * jnp.sum(g, 1, keepdims=True)),
    "log softmax of the mean": unary(log_soft_max, lambda x, y, g: g - jnp.exp(y) * jnp.mean(g, 1, keepdims=True)),
    "sums forwards": unary(sums, lambda x, y, g: jnp.cumsum(g, 1)),
    "sums along the other axis": unary(sums, lambda x, y, g: jnp.cumsum(g[::-1], 0)[::-1]),
    "mean square as a sum": unary(mean_square, lambda x, y, g: 2 * g * x),
    "mean square over one axis": unary(mean_square, lambda x, y, g: 2 * g * x / x.shape[0]),
    "unit, the norm stopped": unary(unit, lambda x, y, g: g / lax.stop_gradient(jnp.sqrt(jnp.sum(x * x)))),
    "gelu by tanh": unary(wide_gelu, lambda x, y, g: by_tanh(x, g)),
    "gelu in float32": unary(wide_gelu, lambda x, y, g: wide_gelu_back(x, g).astype(jnp.float32).astype(x.dtype)),
    "spread without its sum": unary(spread, lambda x, y, g: (g * W)[:, 0]),
    "residual counted twice": unary(residual, lambda x, y, g: 2 * g + g * jnp.cos(x)),
    "residual left out": unary(residual, lambda x, y, g: g * jnp.cos(x)),
    "sign of a reciprocal": unary(reciprocal, lambda x, y, g: g * y / x, x=POSITIVE),
    "attention without its scale": attend(partial(attend_back, scale=1.0)),
    "attention over the keys": attend(partial(attend_back, axis=0)),
    "attention, swapped": attend(lambda q, k, p, g: attend_back(q, k, p, g)[::-1]),
    "solution, not transposed": solve(lambda a, x, g: solve_back(a.T, x, g)),
    "solution by the other sign": solve(lambda a, x, g: (-(s := solve_back(a, x, g))[0], s[1])),
    "root by steps, twice": root_by_steps(2.0),
    "a rule for one": pair(lambda t, y, a, b: t * jnp.exp(b), None),
    "a rule of the operand": pair(lambda t, y, a, b: t * jnp.exp(b), lambda t, y, a, b: t * jnp.exp(b)),
    "gradients clipped": unary(residual, lambda x, y, g: jnp.clip(g + g * jnp.cos(x), -0.5, 0.5)),
}
