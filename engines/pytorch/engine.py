"""PyTorch, through its public autograd. Knows torch and nothing of the other engines.

The graph runs on torch's own functions (`operations.py`) and steps with torch.optim. Terms show themselves
through an identity, `t.view_as(t)`, on every use of an active node; it changes no bit.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch

from ...harness.graph.emit import Program, emit
from ...harness.graph.graph import Graph
from ...harness.graph.node import Node
from ...harness.records.evaluation import Advance, Array, Engine, Evaluate, Evaluation, Inputs
from .known import KNOWN, WIDER_BOUND
from .operations import checked_functions
from .tensors import DTYPES, to_numpy, to_torch

Tensor: TypeAlias = torch.Tensor

# What torch says about a point it cannot do: shapes and values, indices, memory.
ERRORS = (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, MemoryError)

# --- one graph ------------------------------------------------------------------------------------------


def prepare(graph: Graph, dtype: str) -> Evaluate:
    """Compile the graph's plain and tagged programs. Raises Unsupported."""
    functions = checked_functions(graph, dtype)
    names = [node.name for node in graph.nodes]
    plain = emit(graph, functions, [graph.output.name])
    tagged = emit(graph, functions, names, tagged=True)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        try:
            # torch warns of, say, a variance without degrees of freedom: the NaN says it too.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                output, gradients = _plain(graph, plain, inputs, cotangent, dtype)
                inside = _inside(graph, tagged, inputs, cotangent, dtype)
                return replace(inside, gradients=gradients, output=output)
        except ERRORS as error:
            lines = str(error).strip().splitlines() or ["no message"]
            if "not implemented for" in lines[0]:  # a kernel that torch lacks for this dtype on this device
                return Evaluation.unsupported(f"torch: {lines[0]}")
            known = WIDER_BOUND if _bound_is_wider(graph) else ""
            return Evaluation("failed", f"{type(error).__name__}: {lines[0]}", known=known)

    return evaluate


def _bound_is_wider(graph: Graph) -> bool:
    """Whether a `clip` has a bound that broadcasts what it bounds."""
    clipped = [(node, node.args[0]) for node in graph.operations if node.op == "clip"]
    return any(isinstance(x, str) and node.shape != graph[x].shape for node, x in clipped)


def _leaves(graph: Graph, inputs: Inputs, dtype: str) -> list[Tensor]:
    """The inputs as tensors of their own memory, those that have a gradient as leaves of the tape."""
    leaves: list[Tensor] = []
    for node in graph.inputs:
        tensor = to_torch(inputs[node.name])
        if node.kind == "float":
            tensor = tensor.to(DTYPES[dtype])
        leaves.append(tensor.requires_grad_(_wanted(node)))
    return leaves


def _wanted(node: Node) -> bool:
    return node.kind == "float" and not node.constant


def _plain(
    graph: Graph, plain: Program, inputs: Inputs, cotangent: Array, dtype: str
) -> tuple[Array, dict[str, Array]]:
    """The output and the gradients by the plain program, which is what a user of torch runs."""
    leaves = _leaves(graph, inputs, dtype)
    (output,) = plain(*leaves)
    wanted = [leaf for leaf, node in zip(leaves, graph.inputs, strict=True) if _wanted(node)]
    gradients = _pulled_back(output, wanted, cotangent)
    return to_numpy(output), dict(zip((node.name for node in graph.wanted), map(to_numpy, gradients), strict=True))


def _inside(graph: Graph, tagged: Program, inputs: Inputs, cotangent: Array, dtype: str) -> Evaluation:
    """Values, terms and adjoints by the program with an identity on every use."""
    tags: list[Any] = [None] * len(graph.uses)
    together: dict[tuple[str, str], list[int]] = {}
    for k, use in enumerate(graph.uses):
        together.setdefault((use.consumer, graph.argument(use)), []).append(k)
    repeated = [together[use.consumer, graph.argument(use)] for use in graph.uses]

    def tag(k: int, tensor: Tensor) -> Tensor:
        # Of what is on the tape, autograd runs the youngest first. Where one consumer reads a tensor many
        # times, its first tag must be the youngest for the terms to be added in the untagged program's order.
        if tags[k] is None:
            for other in reversed(repeated[k]):
                tags[other] = tensor.view_as(tensor)
        return tags[k]

    tensors = tagged(tag, *_leaves(graph, inputs, dtype))
    values = {node.name: to_numpy(tensor) for node, tensor in zip(graph.nodes, tensors, strict=True)}
    taped = {node.name: tensor for node, tensor in zip(graph.nodes, tensors, strict=True)}
    active = [node.name for node in graph.nodes if node.name in graph.active]
    cotangents = _pulled_back(taped[graph.output.name], [*tags, *(taped[name] for name in active)], cotangent)
    arrays = [to_numpy(tensor) for tensor in cotangents]
    return Evaluation(
        "ok",
        values=values,
        terms=dict(zip(graph.uses, arrays[: len(tags)], strict=True)),
        adjoints=dict(zip(active, arrays[len(tags) :], strict=True)),
    )


def _pulled_back(output: Tensor, tensors: Sequence[Tensor], cotangent: Array) -> list[Tensor]:
    """The cotangent pulled back to each tensor; zeros where the output does not depend on it.

    autograd refuses what is not on the tape, so that is left out of the call.
    """
    seed = to_torch(cotangent).to(output.dtype)
    cotangents = [seed if tensor is output else torch.zeros_like(tensor) for tensor in tensors]
    places = [k for k, tensor in enumerate(tensors) if tensor.requires_grad]
    if output.requires_grad and places:
        # As users do; and the first cotangent that torch is handed makes it import sympy.
        given = None if output.ndim == 0 and cotangent == 1 else seed
        reached = torch.autograd.grad(output, [tensors[k] for k in places], grad_outputs=given, materialize_grads=True)
        for k, tensor in zip(places, reached, strict=True):
            cotangents[k] = tensor
    return cotangents


def optimiser(rule: str, settings: Mapping[str, float], start: Mapping[str, Array]) -> Advance:
    """torch.optim's own optimiser, imported when a path first needs one."""
    from .optimisers import optimiser as native

    return native(rule, settings, start)


def version() -> str:
    return f"torch {torch.__version__}"


engine = Engine(prepare, optimiser, version, known=KNOWN, groups=True)
