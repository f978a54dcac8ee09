"""JAX along a direction: the tangent by forward mode, the Hessian-vector product by three nestings of the modes.

All differentiate one scalar function of the wanted inputs, the output contracted with its cotangent
(JAX's own cookbook, "Hessian-vector products using both forward- and reverse-mode").
"""

# jax is annotated in part: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ...harness.graph.emit import emit
from ...harness.graph.graph import Graph
from ...harness.records.evaluation import DTYPES, Along, Array, Derivative, Inputs, PrepareAlong, Unsupported, Variant
from .engine import split, version
from .operations import checked_functions
from .precision import mode, release, to_jax

Function: TypeAlias = Callable[[Sequence[Any]], Any]
Way: TypeAlias = Callable[[Function, Sequence[Any], Sequence[Any]], Any]

# --- four ways: (scalar function, where, direction) -> the tangent, or the product for each input ------------


def forward(function: Function, x: Sequence[Any], v: Sequence[Any]) -> Any:
    return jax.jvp(function, (x,), (v,))[1]


def reverse_reverse(function: Function, x: Sequence[Any], v: Sequence[Any]) -> Any:
    return jax.vjp(jax.grad(function), x)[1](v)[0]


def forward_reverse(function: Function, x: Sequence[Any], v: Sequence[Any]) -> Any:
    return jax.jvp(jax.grad(function), (x,), (v,))[1]


def reverse_forward(function: Function, x: Sequence[Any], v: Sequence[Any]) -> Any:
    return jax.grad(lambda x: forward(function, x, v))(x)


# --- the engines -----------------------------------------------------------------------------------------------


def along_by(way: Way, quantity: Derivative, *, jit: bool) -> PrepareAlong:
    """`prepare` of one way. Raises Unsupported for what JAX has no operation or no rule for, in JAX's words."""

    def prepare(graph: Graph, dtype: str) -> Along:
        program, kind = emit(graph, checked_functions(graph, dtype), [graph.output.name]), DTYPES[dtype]
        places, joined = split(graph)

        def run(arrays: Sequence[Any], seed: Any, v: Sequence[Any]) -> Any:
            def contracted(wanted: Sequence[Any]) -> Any:
                (output,) = program(*joined(arrays, wanted))
                return jnp.sum(seed * output) if output.ndim else output

            return way(contracted, [arrays[k] for k in places], v)

        compiled = jax.jit(run) if jit else run

        def evaluate(inputs: Inputs, cotangent: Array, direction: Inputs) -> Array | Mapping[str, Array]:
            with mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays = [to_jax(inputs[node.name], kind if node.kind == "float" else None) for node in graph.inputs]
                v = [to_jax(direction[node.name], kind) for node in graph.wanted]
                result = said(lambda: compiled(arrays, to_jax(cotangent, kind), v))
                if quantity == "tangent":
                    return jax.device_get(result)
                return dict(zip((node.name for node in graph.wanted), jax.device_get(result), strict=True))

        return evaluate

    return prepare


def said(compute: Callable[[], Any]) -> Any:
    """What JAX computes; where it has no rule for an operation, that is Unsupported."""
    try:
        return compute()
    except (NotImplementedError, TypeError, ValueError) as error:
        text = str(error).strip()
        if isinstance(error, NotImplementedError) or "-mode " in text:
            raise Unsupported(text.splitlines()[0] if text else type(error).__name__) from None
        raise


def variant(way: Way, quantity: Derivative, *, jit: bool = False) -> Variant:
    return Variant(quantity, along_by(way, quantity, jit=jit), version, release)


tangent = variant(forward, "tangent")
reverse_over_reverse = variant(reverse_reverse, "hessian_product")
forward_over_reverse = variant(forward_reverse, "hessian_product")
reverse_over_forward = variant(reverse_forward, "hessian_product")
jit_tangent = variant(forward, "tangent", jit=True)
jit_forward_over_reverse = variant(forward_reverse, "hessian_product", jit=True)
