"""JAX's vocabulary: for each operation what its users would call.

One row per operation, under JAX's own name wherever JAX has it. The scripts that `gradaccord show` writes copy rows
from here, with all that these read.
"""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from ...harness.graph.define import runnable
from ...harness.graph.emit import missing
from ...harness.graph.expand import expanded
from ...harness.graph.graph import Graph
from ...harness.graph.operations import OPERATIONS as VOCABULARY
from ...harness.records.evaluation import DTYPES, Unsupported

ABSENT: Mapping[str, str] = {"max_share": "no counterpart: exists for the hand-written engine's rules"}


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, axis: Any, eps: float) -> Any:
    y = jax.nn.standardize(x, axis=axis, epsilon=eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def cross_entropy(x: Any, target: Any) -> Any:
    """The mean of optax's losses: JAX leaves losses to it."""
    import optax  # half a second, and no other operation needs it

    return optax.softmax_cross_entropy_with_integer_labels(x, target).mean()


def correlate2d(x: Any, weight: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return lax.conv_general_dilated(
        x, weight, stride, [(n, n) for n in padding], rhs_dilation=dilation, feature_group_count=groups
    )


def conv2d(x: Any, weight: Any, bias: Any = None, **parameters: Any) -> Any:
    y = correlate2d(x, weight, **parameters)
    return y if bias is None else y + bias[:, None, None]


def correlate2d_input(g: Any, weight: Any, *, shape: Any, **parameters: Any) -> Any:
    return jax.vjp(lambda x: correlate2d(x, weight, **parameters), jnp.zeros(shape, g.dtype))[1](g)[0]


def correlate2d_weight(g: Any, x: Any, *, shape: Any, **parameters: Any) -> Any:
    return jax.vjp(lambda weight: correlate2d(x, weight, **parameters), jnp.zeros(shape, g.dtype))[1](g)[0]


def scatter_add(x: Any, indices: Any, *, axis: int, size: int) -> Any:
    axis %= x.ndim - indices.ndim + 1
    moved = jnp.moveaxis(x, range(axis, axis + indices.ndim), range(indices.ndim))
    return jnp.moveaxis(jnp.zeros((size, *moved.shape[indices.ndim :]), x.dtype).at[indices].add(moved), 0, axis)


DIFFERENT: Mapping[str, Any] = {
    # arithmetic
    "pow": jnp.power,
    # special functions
    "erf": special.erf,
    "erfc": special.erfc,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "polygamma": lambda x, n: special.polygamma(n, x),
    # activations
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": lambda x, approximate: jax.nn.gelu(x, approximate=approximate == "tanh"),
    # choice
    "stop_gradient": lax.stop_gradient,
    "copy": lambda x: x,
    # reductions
    "norm": jnp.linalg.vector_norm,
    "logsumexp": jax.nn.logsumexp,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    # linear algebra
    "einsum": lambda *xs, subscripts: jnp.einsum(subscripts, *xs),
    "linear": lambda x, weight, bias=None: x @ weight.T if bias is None else x @ weight.T + bias,
    "conv2d": conv2d,
    "correlate2d": correlate2d,
    "correlate2d_input": correlate2d_input,
    "correlate2d_weight": correlate2d_weight,
    # shape and selection
    "permute_dims": lambda x, axes: jnp.permute_dims(x, tuple(axis % x.ndim for axis in axes)),
    "concat": lambda *xs, axis: jnp.concat(xs, axis=axis),
    "stack": lambda *xs, axis: jnp.stack(xs, axis=axis),
    "getitem": lambda x, index: x[index],
    "place": lambda x, index, shape: jnp.zeros(shape, x.dtype).at[index].set(x),
    "scatter_add": scatter_add,
    "pad": lambda x, widths, value: jnp.pad(x, widths, constant_values=value),
    # losses and layers: JAX leaves losses to optax, and layers to libraries built of these same pieces
    "mse_loss": lambda x, target: jnp.mean(jnp.square(x - target)),
    "cross_entropy": cross_entropy,
    "layer_norm": layer_norm,
}
OPERATIONS: dict[str, Any] = {
    **{name: getattr(jnp, name) for name in VOCABULARY if hasattr(jnp, name)},
    **DIFFERENT,
}

CONSTANTS = {"pi": np.pi, "-pi": -np.pi, "e": np.e, "-e": -np.e}


def namespace(dtype: str) -> dict[str, Any]:
    """Every operation that JAX has, and `constant`, which makes a 0-d array of the dtype."""
    kind = jnp.dtype(dtype)
    return OPERATIONS | {
        "one_hot": lambda indices, size: jax.nn.one_hot(indices, size, dtype=kind),
        "astype": lambda x: x.astype(kind),
        "constant": lambda text: jnp.asarray(CONSTANTS.get(text) or float(text), dtype=kind),
    }


def checked_functions(graph: Graph, dtype: str) -> Mapping[str, Any]:
    """The namespace, which has every operation of the graph. Raises Unsupported."""
    if dtype not in DTYPES:
        raise Unsupported(f"this adapter knows {' and '.join(DTYPES)}, not {dtype}")
    functions = runnable(graph, namespace(dtype))
    for op in missing(expanded(graph, stable=True, own=True), functions):
        raise Unsupported(f"JAX has no `{op}`: {ABSENT[op]}")
    return functions
