"""Where what is off begins: the operation that a link belongs to."""

from __future__ import annotations

from ..graph.directional import directional
from ..graph.graph import Graph
from ..records.rows import LinkName, Row

WORDS = {"hessian_product": "Hessian-vector product", "term": "derivative", "run": ""}


def begins(node: LinkName | str, graph: Graph | None) -> tuple[str, str]:
    """The operation that a link belongs to and what of it the link is; empty where the link does not say."""
    if graph is None or isinstance(node, str):
        return "", ""
    if node.second:
        operation, what = begins(node._replace(second=False), directional(graph).graph)
        return operation, f"second-order {what}" if what else ""
    if node.quantity == "value" and node.name in graph.by_name:
        return graph[node.name].op, "value"
    if node.use is not None and node.use.consumer in graph.by_name:
        return graph[node.use.consumer].op, "derivative"
    uses = graph.uses_of.get(node.name, ())
    if node.quantity == "adjoint" and len(uses) == 1:
        return graph[uses[0].consumer].op, "derivative"
    if node.quantity == "adjoint":
        return "sum of terms", "adjoint"
    return only(graph), WORDS.get(node.quantity, node.quantity)


def began(row: Row, graph: Graph | None) -> tuple[str, str]:
    """The same of the link that a row names; one of a person's own code says it itself."""
    return row.begins if any(row.begins) else begins(row.node, graph)


def only(graph: Graph | None) -> str:
    """The operation of a graph that has no other: what is wrong with the whole is wrong with it."""
    names = {node.op for node in graph.operations} if graph is not None else set[str]()
    return names.pop() if len(names) == 1 else ""
