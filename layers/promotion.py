"""What each framework makes of numbers of two types: half precision in, parameters in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROWS = ("Linear, its input in bfloat16", "LayerNorm, its input in bfloat16", "LayerNorm, all in bfloat16")


def torch_types() -> list[str]:
    import torch

    x = torch.ones(2, 6, dtype=torch.bfloat16)
    linear, norm = torch.nn.Linear(6, 6), torch.nn.LayerNorm(6)
    calls = (lambda: linear(x), lambda: norm(x), lambda: torch.nn.LayerNorm(6, dtype=torch.bfloat16)(x))
    return [_type(call).replace("torch.", "") for call in calls]


def linen_types() -> list[str]:
    import jax
    import jax.numpy as jnp
    from flax import linen

    x, key = jnp.ones((2, 6), jnp.bfloat16), jax.random.key(0)
    half = linen.LayerNorm(param_dtype=jnp.bfloat16)
    return [_type(lambda m=m: m.init_with_output(key, x)[0]) for m in (linen.Dense(6), linen.LayerNorm(), half)]


def nnx_types() -> list[str]:
    import jax.numpy as jnp
    from flax import nnx

    x, rngs = jnp.ones((2, 6), jnp.bfloat16), nnx.Rngs(0)
    half = nnx.LayerNorm(6, param_dtype=jnp.bfloat16, rngs=rngs)
    return [_type(lambda m=m: m(x)) for m in (nnx.Linear(6, 6, rngs=rngs), nnx.LayerNorm(6, rngs=rngs), half)]


def equinox_types() -> list[str]:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    x = jnp.ones((2, 6), jnp.bfloat16)
    linear, norm = eqx.nn.Linear(6, 6, key=jax.random.key(0)), eqx.nn.LayerNorm(6)
    half = eqx.nn.LayerNorm(6, dtype=jnp.bfloat16)
    return [_type(lambda m=m: jax.vmap(m)(x)) for m in (linear, norm, half)]


TYPES: dict[str, Callable[[], list[str]]] = {
    "torch": torch_types, "linen": linen_types, "nnx": nnx_types, "equinox": equinox_types
}  # fmt: skip


def _type(call: Callable[[], Any]) -> str:
    try:
        return str(call().dtype)
    except Exception as error:  # noqa: BLE001 what it says is what is asked for
        return f"{type(error).__name__}"
