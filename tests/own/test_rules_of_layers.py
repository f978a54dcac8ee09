"""Custom rules as people write them for speed and memory: whole layers, several operands and results, what they keep
from the forward, what they compute again. Each is right; with one line changed it is wrong, and named."""

# The frameworks are annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import gradaccord

Tensor = torch.Tensor
draws = np.random.default_rng(11)
X, W, B = draws.normal(size=(5, 4)), draws.normal(size=(3, 4)), draws.normal(size=3)
V = draws.normal(size=4)
IDS = np.array([0, 2, 2, 1, 0])


def torch_rule(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    """`forward(*operands)` gives results and what is kept; `backward(kept, *gradients)` a term for each operand."""

    def run(ctx: Any, *operands: Any) -> Any:
        made, kept = forward(*operands)
        ctx.kept = kept
        return made

    def pull(ctx: Any, *gradients: Any) -> Any:
        return backward(ctx.kept, *gradients)

    return type(name, (torch.autograd.Function,), {"forward": staticmethod(run), "backward": staticmethod(pull)})


# --- linear and its bias -------------------------------------------------------------------------------------------


def dense(x: Tensor, w: Tensor, b: Tensor) -> Any:
    y = x @ w.T + b
    return torch.relu(y), (x, w, y > 0)


def dense_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    x, w, open_ = kept
    h = g * open_
    return h @ w, h.T @ x, (g if wrong else h).sum(0)


# --- cross entropy whose gradient is made in the forward ----------------------------------------------------------


def loss_at_once(x: Tensor, labels: Tensor) -> Any:
    p = torch.softmax(x, -1)
    loss = -torch.log(p.gather(1, labels[:, None])).mean()
    return loss, (p - F.one_hot(labels, x.shape[1])) / x.shape[0]


def loss_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    return (kept if wrong else g * kept), None  # the gradient that comes is left out


# --- layer norm of three operands ---------------------------------------------------------------------------------


def norm(x: Tensor, w: Tensor, b: Tensor) -> Any:
    mean, var = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
    r = torch.rsqrt(var + 1e-5)
    n = (x - mean) * r
    return n * w + b, (n, w, r)


def norm_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    n, w, r = kept
    h = g * w
    through = n * (h * n).mean(-1, keepdim=True)
    dx = r * (h - (0 if wrong else h.mean(-1, keepdim=True)) - through)
    return dx, (g * n).sum(0), g.sum(0)


# --- segments ----------------------------------------------------------------------------------------------------


def segments(x: Tensor, ids: Tensor) -> Any:
    return torch.zeros(3, x.shape[1], dtype=x.dtype).index_add(0, ids, x * x), (x, ids)


def segments_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    x, ids = kept
    return 2 * x * (g[ids.flip(0)] if wrong else g[ids]), None


# --- attention, its weights computed again ------------------------------------------------------------------------


def attention(q: Tensor, k: Tensor, v: Tensor) -> Any:
    return torch.softmax(q @ k.T / 2, -1) @ v, (q, k, v)


def attention_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    q, k, v = kept
    p = torch.softmax(q @ k.T / 2, -1)
    dp = g @ v.T
    ds = p * (dp - (0 if wrong else (dp * p).sum(-1, keepdim=True)))
    return ds @ k / 2, ds.T @ q / 2, p.T @ g


# --- a convolution by its windows ---------------------------------------------------------------------------------


def windows(x: Tensor, kernel: Tensor) -> Any:
    return x.unfold(1, 2, 1) @ kernel, (x, kernel)


def windows_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    x, kernel = kept
    dx = torch.zeros_like(x)
    dx[:, :-1] += g * kernel[0]
    if wrong:
        dx[:, 1:] = g * kernel[1]  # assigned, not added
    else:
        dx[:, 1:] += g * kernel[1]
    return dx, torch.einsum("np,npk->k", g, x.unfold(1, 2, 1))


# --- two results, one of which is a count -------------------------------------------------------------------------


def norms(x: Tensor) -> Any:
    size = x.norm(dim=-1, keepdim=True)
    return (x / size, size), (x, size)


def norms_back(kept: Any, g: Tensor, h: Tensor, wrong: bool) -> Any:
    x, size = kept
    n = x / size
    return (g - n * (g * n).sum(-1, keepdim=True)) / size + (0 if wrong else h * n)


# --- a product along an axis, by division -------------------------------------------------------------------------


def product(x: Tensor) -> Any:
    y = x.prod(-1)
    return y, (x, y)


def product_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    x, y = kept
    return (g * y)[:, None] / (x.abs() if wrong else x)


# --- a root by Newton's iterations, differentiated implicitly ------------------------------------------------------


def newton(x: Tensor) -> Any:
    y = x
    for _ in range(40):
        y = (y + x / y) / 2
    return y, y


def newton_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    return g / kept / (1 if wrong else 2)


# --- log-sum-exp with weights -------------------------------------------------------------------------------------


def weighed(x: Tensor, w: Tensor) -> Any:
    top = x.max(-1, keepdim=True).values
    y = torch.log((w.exp() * (x - top).exp()).sum(-1)) + top[:, 0]
    return y, (x, w, y)


def weighed_back(kept: Any, g: Tensor, wrong: bool) -> Any:
    x, w, y = kept
    p = (x + w - y[:, None]).exp() * g[:, None]
    return p, p.mean(0) if wrong else p.sum(0)


TORCH: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "Dense": (dense, dense_back, (X, W, B)),
    "LossAtOnce": (loss_at_once, loss_back, (X, IDS)),
    "Norm": (norm, norm_back, (X, V, V + 1)),
    "Segments": (segments, segments_back, (X, IDS)),
    "Attention": (attention, attention_back, (X, X[::-1].copy() + 1, X * 2)),
    "Windows": (windows, windows_back, (X, V[:2])),
    "Norms": (norms, norms_back, (X,)),
    "Product": (product, product_back, (X,)),
    "Newton": (newton, newton_back, (np.abs(X) + 0.5,)),
    "Weighed": (weighed, weighed_back, (X, V)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TORCH)
def test_of_torch(name: str, dtype: str) -> None:
    forward, backward, arrays = TORCH[name]
    operands = [torch.from_numpy(x.astype(dtype) if x.dtype.kind == "f" else x) for x in arrays]

    def function(rule: Any, *xs: Any) -> Any:
        made = rule.apply(*xs)
        return sum(((one + 1) ** 2).sum() for one in (made if isinstance(made, tuple) else (made,)))

    right = torch_rule(name, forward, partial(backward, wrong=False))
    gradaccord.check(partial(function, right), *operands).assert_sound()
    wrong = torch_rule(name, forward, partial(backward, wrong=True))
    checked = gradaccord.check(partial(function, wrong), *operands)
    assert not checked.sound and f"{name}.apply" in str(checked).replace("\n", "")


# --- JAX ----------------------------------------------------------------------------------------------------------


def jax_rule(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    """`forward(*operands)` gives the result and what is kept."""

    def run(*operands: Any) -> Any:
        return forward(*operands)[0]

    run.__name__ = run.__qualname__ = name
    rule = jax.custom_vjp(run)
    rule.defvjp(forward, backward)
    return rule


def tree(params: Any, x: Any) -> Any:
    h = jnp.tanh(x @ params["w"].T + params["b"])
    return h, (params, x, h)


def tree_back(kept: Any, g: Any, wrong: bool) -> Any:
    params, x, h = kept
    d = g * (1 - (h if wrong else h * h))
    return {"w": d.T @ x, "b": d.sum(0)}, d @ params["w"]


def picked(x: Any, w: Any) -> Any:
    return w[IDS % 3] * x, (x, w)


def picked_back(kept: Any, g: Any, wrong: bool) -> Any:
    x, w = kept
    dw = jnp.zeros_like(w)
    dw = dw.at[IDS % 3].set(g * x) if wrong else dw.at[IDS % 3].add(g * x)
    return g * w[IDS % 3], dw


def solved(a: Any, b: Any) -> Any:
    y = jnp.linalg.solve(a, b)
    return y, (a, y)


def solved_back(kept: Any, g: Any, wrong: bool) -> Any:
    a, y = kept
    h = jnp.linalg.solve(a if wrong else a.T, g)
    return -jnp.outer(h, y), h


def rotated(x: Any, t: Any) -> Any:
    c, s = jnp.cos(t), jnp.sin(t)
    a, b = x[:, :2], x[:, 2:]
    return jnp.concatenate([a * c - b * s, a * s + b * c], 1), (x, c, s)


def rotated_back(kept: Any, g: Any, wrong: bool) -> Any:
    x, c, s = kept
    a, b, p, q = x[:, :2], x[:, 2:], g[:, :2], g[:, 2:]
    dt = (p * (-a * s - b * c) + q * (a * c - b * s)).sum(0)
    sign = -1 if wrong else 1
    return jnp.concatenate([p * c + sign * q * s, -p * s * sign + q * c], 1), dt


def fixed_point(x: Any) -> Any:
    y = jnp.zeros_like(x)
    for _ in range(60):
        y = jnp.cos(y) * x
    return y, (x, y)


def fixed_back(kept: Any, g: Any, wrong: bool) -> Any:
    x, y = kept
    return (g * jnp.cos(y) / (1 if wrong else 1 + x * jnp.sin(y)),)


JAX: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "tree": (tree, tree_back, ({"w": W, "b": B}, X)),
    "picked": (picked, picked_back, (X, W)),
    "solved": (solved, solved_back, (X[:4] + 3 * np.eye(4), V)),
    "rotated": (rotated, rotated_back, (X, V[:2])),
    "fixed_point": (fixed_point, fixed_back, (X / 4,)),
}


@pytest.mark.parametrize("name", JAX)
def test_of_jax(name: str) -> None:
    forward, backward, arrays = JAX[name]
    operands = jax.tree.map(jnp.asarray, arrays)

    def function(rule: Any, *xs: Any) -> Any:
        return jnp.sum(rule(*xs) ** 2)

    right = jax_rule(name, forward, partial(backward, wrong=False))
    gradaccord.check(partial(function, right), *operands).assert_sound()
    wrong = jax_rule(name, forward, partial(backward, wrong=True))
    checked = gradaccord.check(partial(function, wrong), *operands)
    assert not checked.sound and f"{name} at" in str(checked)
