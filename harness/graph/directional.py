"""The directional derivative of a graph, as a graph of its own: the gradient contracted with a direction.

Let g be the gradient of <c, y>, the output contracted with its cotangent, and v a direction for every input that
has one. The graph of s = <v, g> serves twice (Pearlmutter 1994, "Fast exact multiplication by the Hessian"):
its value is the tangent <c, J v>, its gradient the Hessian-vector product H v.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from .build import Builder
from .gradient import Gradient, gradient
from .graph import Graph
from .node import Arg


@dataclass(frozen=True, slots=True)
class Directional:
    """`graph` has the scalar output s and the same inputs, with two kinds of constants more: `seed`, which takes
    the cotangent (empty for a scalar output, whose cotangent is 1), and for each wanted input its direction."""

    graph: Graph
    seed: str
    directions: Mapping[str, str]


@lru_cache(maxsize=16)
def directional(graph: Graph) -> Directional:
    """Contract the gradient of `graph.output` with a direction. Composites are written out by their stable formula."""
    derived = gradient(graph)
    builder = reopened(derived)
    directions = {
        node.name: builder.input(f"direction:{node.name}", node.shape, constant=True) for node in graph.wanted
    }
    gradients = derived.graph.outputs[len(graph.outputs) :]
    total = contracted(builder, directions.values(), gradients)
    output = builder.apply("copy", [total], {}, f"tangent:{graph.output.name}")
    return Directional(builder.graph([output]).pruned([output]), derived.seed, directions)


def reopened(derived: Gradient, *, moving: bool = False) -> Builder:
    """A builder that goes on from a gradient's graph; a derivative passes its cotangent only if that is `moving`."""
    builder = Builder(derived.graph.definitions)
    for node in derived.graph.nodes:
        builder.add(replace(node, constant=not moving) if node.name == derived.seed else node)
    return builder


def contracted(builder: Builder, weights: Iterable[str], numbers: Iterable[Arg]) -> str:
    """The sum over all pairs of sum(weights * numbers), each pair of one shape."""
    parts: list[str] = []
    for v, g in zip(weights, numbers, strict=True):
        product = builder.apply("multiply", [v, g], {}, base="part")
        parts.append(builder.apply("sum", [product], {}, base="part") if builder.shape(product) else product)
    total = parts[0]
    for part in parts[1:]:
        total = builder.apply("add", [total, part], {}, base="part")
    return total
