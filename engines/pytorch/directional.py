"""PyTorch along a direction: the tangent by forward mode, the Hessian-vector product by three nestings of the modes.

All differentiate one scalar function of the wanted inputs, the output contracted with its cotangent, as their
users would: `torch.func` for what nests forward mode, `torch.autograd` with `create_graph` for double backward.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch

from ...harness.graph.emit import emit
from ...harness.graph.graph import Graph
from ...harness.records.evaluation import (
    Along,
    Array,
    Derivative,
    Inputs,
    KnownFailure,
    PrepareAlong,
    Unsupported,
    Variant,
)
from ...harness.records.known import Entry
from .engine import version
from .known import FORWARD, FORWARD_REVERSE, IN_PLACE, REVERSE_FORWARD, WIDE_TANGENT
from .operations import checked_functions
from .tensors import to_numpy, to_torch

Tensor: TypeAlias = torch.Tensor
Tensors: TypeAlias = tuple[Tensor, ...]
Function: TypeAlias = Callable[..., Any]

# --- four ways: (scalar function, where, direction) -> the tangent, or the product for each input ------------


def forward(function: Function, x: Tensors, v: Tensors) -> Tensor:
    return torch.func.jvp(function, x, v)[1]


def reverse_reverse(function: Function, x: Tensors, v: Tensors) -> Sequence[Tensor]:
    leaves = [tensor.requires_grad_() for tensor in x]
    value = function(*leaves)
    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    gradients = torch.autograd.grad(value, leaves, create_graph=True, materialize_grads=True)
    moving = [(g, w) for g, w in zip(gradients, v, strict=True) if g.requires_grad]
    if not moving:
        return [torch.zeros_like(leaf) for leaf in leaves]
    outputs, directions = zip(*moving, strict=True)
    return torch.autograd.grad(outputs, leaves, directions, materialize_grads=True)


def forward_reverse(function: Function, x: Tensors, v: Tensors) -> Sequence[Tensor]:
    return torch.func.jvp(gradient_of(function, len(x)), x, v)[1]


def reverse_forward(function: Function, x: Tensors, v: Tensors) -> Sequence[Tensor]:
    return gradient_of(lambda *x: torch.func.jvp(function, x, v)[1], len(x))(*x)


def gradient_of(function: Function, count: int) -> Function:
    return torch.func.grad(function, argnums=tuple(range(count)))


# --- the engines -----------------------------------------------------------------------------------------------


def along_by(way: Callable[[Function, Tensors, Tensors], Any], quantity: Derivative) -> PrepareAlong:
    """`prepare` of one way. Raises Unsupported for what torch has no operation or no rule for, in torch's words."""

    def prepare(graph: Graph, dtype: str) -> Along:
        functions = checked_functions(graph, dtype)
        program = emit(graph, functions, [graph.output.name])
        names = [node.name for node in graph.wanted]

        def evaluate(inputs: Inputs, cotangent: Array, direction: Inputs) -> Array | Mapping[str, Array]:
            tensors = {node.name: to_torch(inputs[node.name]) for node in graph.inputs}
            seed = to_torch(cotangent)

            def contracted(*wanted: Tensor) -> Tensor:
                arrays = tensors | dict(zip(names, wanted, strict=True))
                (output,) = program(*arrays.values())
                return torch.sum(seed * output) if output.ndim else output

            x, v = tuple(tensors[name] for name in names), tuple(to_torch(direction[name]) for name in names)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = said(lambda: way(contracted, x, v))
            if quantity == "tangent":
                if result.dtype != seed.dtype:
                    words = f"its tangent is {result.dtype}, expected {dtype}".replace("torch.", "")
                    raise KnownFailure(WIDE_TANGENT, words)
                return array(result)
            return dict(zip(names, map(array, result), strict=True))

        return evaluate

    return prepare


def array(tensor: Tensor) -> Array:
    # Of what does not depend on the inputs, torch hands out zeros without memory: a copy has some.
    return to_numpy(tensor.clone())


def said(compute: Callable[[], Any]) -> Any:
    """What torch computes; where it has no rule for an operation, that is Unsupported."""
    try:
        return compute()
    except RuntimeError as error:
        if isinstance(error, NotImplementedError) or "not implemented" in str(error):
            raise Unsupported(str(error).strip().splitlines()[0]) from None
        if "ZeroTensors are immutable" in str(error):
            raise KnownFailure(IN_PLACE, f"RuntimeError: {str(error).strip().splitlines()[0]}") from None
        raise


def variant(
    way: Callable[[Function, Tensors, Tensors], Any], quantity: Derivative, known: tuple[Entry, ...] = ()
) -> Variant:
    return Variant(quantity, along_by(way, quantity), version, known=known)


tangent = variant(forward, "tangent", FORWARD)
reverse_over_reverse = variant(reverse_reverse, "hessian_product")
forward_over_reverse = variant(forward_reverse, "hessian_product", FORWARD_REVERSE)
reverse_over_forward = variant(reverse_forward, "hessian_product", REVERSE_FORWARD)
