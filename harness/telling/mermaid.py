"""A graph as a Mermaid diagram, which code hosts draw: one box per statement, one arrow per use.

`gradaccord show` and the Markdown report share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..graph.graph import Graph
from ..graph.language.printing import readable_names, text_of
from ..graph.node import Node

LARGEST = 60  # boxes; beyond, the picture says less than the text


def mermaid(graph: Graph, beside: Mapping[str, str] = MappingProxyType({})) -> str:
    """The diagram's source. Inner nodes of an expression are part of their statement's box; `beside`: what else stands
    in the box of a node, on a line of its own.
    """
    names, texts = readable_names(graph), text_of(graph)
    boxed = [node.name for node in graph.nodes if node.op == "input" or names[node.name] in texts]
    boxes = {name: f"n{k}" for k, name in enumerate(boxed)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        if node.name not in boxes:
            continue
        box = boxes[node.name]
        if node.op == "input":
            shape = f" {list(node.shape)}" if node.shape else ""
            lines.append(f'    {box}(["{_quoted(node.name + shape)}{_second(beside.get(node.name))}"])')
            continue
        text = f"{names[node.name]} = {texts[names[node.name]]}"
        text = text if len(text) <= 60 else text[:57] + "..."
        lines.append(f'    {box}["{_quoted(text)}{_second(beside.get(node.name))}"]')
        lines += [f"    {boxes[read]} --> {box}" for read in dict.fromkeys(_reads(graph, node, boxes))]
    lines.append(f"    style {boxes[graph.output.name]} stroke-width:3px")
    return "\n".join(lines)


def boxes(graph: Graph) -> int:
    """How many boxes the diagram would have."""
    return len(graph.inputs) + len(text_of(graph))


def _reads(graph: Graph, node: Node, boxes: dict[str, str]) -> Iterator[str]:
    """The boxes that a statement reads, its inner nodes walked through."""
    waiting = [arg for arg in reversed(node.args) if isinstance(arg, str)]
    while waiting:
        name = waiting.pop()
        if name in boxes:
            yield name
        else:
            waiting += [arg for arg in reversed(graph[name].args) if isinstance(arg, str)]


def _second(text: str | None) -> str:
    return f"<br/>{_quoted(text)}" if text else ""


def _quoted(text: str) -> str:
    # Mermaid reads `#` and `"` as its own; `<` and `>` would become HTML.
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
