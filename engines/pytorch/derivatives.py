"""`torch.autograd.grad` inside a user's function, as losses of differential equations have it: heard as the chain rule
on what was heard so far, each step of it a node of its own, run by torch.

What torch itself makes of such a call is in the plain run alone, whose numbers are held against these.
"""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from ...harness.graph.emit import emit, missing
from ...harness.graph.gradient import gradient
from ...harness.graph.graph import Graph
from .functions import Named
from .operations import namespace

if TYPE_CHECKING:
    from .hearing import Hearing

Tensor: TypeAlias = torch.Tensor
WAY_OUT = "Check what it differentiates by itself, or give the whole step a meaning with `gradaccord.define`."


def heard_grad(
    hearing: Hearing,
    what: Named,
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The derivatives of the outputs, weighed and summed, with respect to each input. Raises Refused."""
    if not hearing.taped or is_grads_batched:
        raise hearing.refused("a derivative inside a custom rule, or of batches", what, WAY_OUT)
    ends, starts = (hearing.current(tuple(_listed(one))) for one in (outputs, inputs))
    seeds = [None] * len(ends) if grad_outputs is None else hearing.current(tuple(_listed(grad_outputs)))
    for seed in seeds:
        if seed is not None and seed.requires_grad and seed.is_leaf:
            hearing.nodes.weigh(seed)
    reached = {id(t) for t in (*ends, *starts) if hearing.reached(t, what)}
    within = [start for start in starts if id(start) in reached]
    pairs = [(end, seed) for end, seed in zip(ends, seeds, strict=True) if id(end) in reached]
    parts = [dict(zip(map(id, within), _pulled(hearing, what, end, within, seed), strict=True)) for end, seed in pairs]
    sums = [[part for each in parts if (part := each.get(id(start))) is not None] for start in starts]
    found = [hearing.under(reduce, add, each) if each else None for each in sums]
    for k, start in enumerate(starts):
        if found[k] is None and materialize_grads:
            found[k] = torch.zeros_like(start)
        elif found[k] is None and not allow_unused:
            raise hearing.refused("a derivative with respect to what the output does not depend on", what)
    if not create_graph:
        found = [one if one is None else hearing.under(one.detach) for one in found]
    return tuple(found)


def _pulled(
    hearing: Hearing, what: Named, end: Tensor, starts: Sequence[Tensor], seed: Tensor | None
) -> list[Tensor | None]:
    """The derivative of one output with respect to each start; None where it does not depend on it."""
    nodes, output = hearing.nodes, hearing.nodes.node_of(end)
    names = [nodes.node_of(start) for start in starts]
    graph, dtype = hearing.recording.graph(output)
    cut = _cut(graph, names)
    if any(node.dtype for node in cut.nodes):
        raise hearing.refused("a derivative through several precisions", what, WAY_OUT)
    derivative = gradient(cut, seeded=True)
    wanted = dict(zip((node.name for node in cut.wanted), derivative.graph.outputs[1:], strict=True))
    run = _given(derivative.graph, {node.name for node in cut.nodes}).pruned(dict.fromkeys(wanted.values()))
    functions = namespace(dtype)
    if lacking := missing(run, functions):
        raise hearing.refused(f"a derivative that takes `{lacking[0]}`", what, WAY_OUT)
    one = torch.ones_like(end) if seed is None else seed
    tensors = [one if node.name == derivative.seed else nodes.shown[node.name] for node in run.inputs]
    made = dict(zip(run.outputs, hearing.under(emit(run, functions, run.outputs), *tensors), strict=True))
    reached = cut.pruned([output]).active if output in cut.by_name else frozenset[str]()
    return [_shaped(hearing, made[wanted[name]], start) if name in wanted and name in reached else None
            for name, start in zip(names, starts, strict=True)]  # fmt: skip


def _cut(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with the nodes of these names for its only wanted inputs."""
    nodes = [
        replace(node, op="input", args=(), params=(), constant=False)
        if node.name in names
        else replace(node, constant=True)
        if node.op == "input"
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes)).pruned(graph.outputs)


def _given(graph: Graph, known: set[str]) -> Graph:
    """The graph with what is known for inputs."""
    nodes = [replace(node, op="input", args=(), params=()) if node.name in known else node for node in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


def _shaped(hearing: Hearing, made: Tensor, start: Tensor) -> Tensor:
    """In the shape of what it is the derivative with respect to: a constant one has none."""
    return made if made.shape == start.shape else hearing.under(made.expand, start.shape)


def _listed(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, torch.Tensor) or value is None else value
