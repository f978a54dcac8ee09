"""A graph as boxes, one for each statement, and as a Mermaid diagram of them, which code hosts draw.

`gradaccord show` and the reports share it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..graph.graph import Graph
from ..graph.language.printing import readable_names, text_of
from ..graph.node import Node

LARGEST = 60  # boxes; beyond, the picture says less than the text
LONGEST = 60  # letters of a statement


@dataclass(frozen=True, slots=True)
class Box:
    """An input, or a statement with the inner nodes of its expression: what it says, and the boxes that it reads."""

    name: str
    text: str
    is_input: bool = False
    reads: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()


def boxes(graph: Graph) -> list[Box]:
    """The boxes of a graph, in the order of its nodes."""
    names, texts = readable_names(graph), text_of(graph)
    boxed = {node.name for node in graph.nodes if node.op == "input" or names[node.name] in texts}
    made: list[Box] = []
    for node in graph.nodes:
        if node.name not in boxed:
            continue
        if node.op == "input":
            shape = f" {list(node.shape)}" if node.shape else ""
            made.append(Box(node.name, node.name + shape, is_input=True))
            continue
        text = f"{names[node.name]} = {texts[names[node.name]]}"
        read, inner = dict[str, None](), dict[str, None]()
        for name in _reads(graph, node, boxed):
            (read if name in boxed else inner)[name] = None
        text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
        made.append(Box(node.name, text, reads=(*read,), inner=(*inner,)))
    return made


def mermaid(graph: Graph, beside: Mapping[str, str] = MappingProxyType({})) -> str:
    """The diagram's source. `beside`: what else stands in the box of a node, on a line of its own."""
    drawn = boxes(graph)
    ids = {box.name: f"n{k}" for k, box in enumerate(drawn)}
    lines = ["flowchart TD"]
    for box in drawn:
        text = _quoted(box.text) + (f"<br/>{_quoted(beside[box.name])}" if box.name in beside else "")
        lines.append(f'    {ids[box.name]}(["{text}"])' if box.is_input else f'    {ids[box.name]}["{text}"]')
        lines += [f"    {ids[read]} --> {ids[box.name]}" for read in box.reads]
    lines.append(f"    style {ids[graph.output.name]} stroke-width:3px")
    return "\n".join(lines)


def count(graph: Graph) -> int:
    """How many boxes the diagram would have."""
    return len(graph.inputs) + len(text_of(graph))


def _reads(graph: Graph, node: Node, boxed: Container[str]) -> Iterator[str]:
    """The boxes that a statement reads, and the inner nodes that it reads them through."""
    waiting = [arg for arg in reversed(node.args) if isinstance(arg, str)]
    while waiting:
        name = waiting.pop()
        yield name
        if name not in boxed:
            waiting += [arg for arg in reversed(graph[name].args) if isinstance(arg, str)]


def _quoted(text: str) -> str:
    # Mermaid reads `#` and `"` as its own; `<` and `>` would become HTML.
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
