"""How much of its allowance each operation uses: where even the worst sound engine uses little, a bound is too wide."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph.graph import Graph
from ..records.rows import Quantity
from ..truth.sweeps import Key
from .classify import Link

ADDED = "sum of terms"  # what an adjoint is; one of a single term adds nothing and is left out


def used(links: Mapping[Key, Link], graph: Graph) -> dict[tuple[str, Quantity], tuple[float, ...]]:
    """The scores of the sound links, each without what is upstream of it, by operation and quantity.

    The operation of a term is that of its consumer. A score is that of the link's worst component.
    """
    by_operation: dict[tuple[str, Quantity], list[float]] = {}
    for link in links.values():
        quantity, name, use, _ = link.where
        node = graph[name if use is None else use.consumer]
        added = quantity == "adjoint"
        nothing = len(graph.uses_of[node.name]) < 2 if added else node.op == "input"
        if link.verdict in ("agree", "lossy") and not nothing:
            by_operation.setdefault((ADDED if added else node.op, quantity), []).append(link.score)
    return {key: tuple(scores) for key, scores in by_operation.items()}
