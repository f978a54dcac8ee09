"""What is off inside a definition of a graph's own: it is evaluated once more, written out, and its steps are judged.

A function that a framework runs in place of the text shows nothing, and the finding says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..graph.expand import Expander
from ..graph.graph import Graph
from ..graph.language.printing import readable_names, text_of
from ..graph.native import Native, natives
from ..graph.node import Node
from ..judging.classify import Link
from ..judging.judge import judged
from ..judging.subject import Subject
from ..records.rows import LinkName, Row
from ..records.verdicts import FINDINGS
from .answers import Answer

UNSEEN = "is the framework's own function, of which nothing is seen inside"


@dataclass(frozen=True, slots=True)
class Said:
    """What there is to say of the inside of a definition; `known`: why all that is off there is known of the engine."""

    reason: str = ""
    known: str = ""


def looked_into(subject: Subject, engine: str, rows: Sequence[Row], ask: Callable[[Graph], Answer]) -> list[Row]:
    """The rows; those of findings at a definition say besides which step inside is the first that is off.

    `ask` is how the engine answers for a graph, at the subject's inputs.
    """
    inside = _Inside(subject, engine, ask)
    return [_with(row, inside.of(row)) for row in rows]


def _with(row: Row, said: Said) -> Row:
    if not said.reason:
        return row
    return replace(row, reason=f"{row.reason}; {said.reason}", accepted=row.accepted or said.known)


class _Inside:
    """The graph with its definitions written out, evaluated when a finding first asks for it."""

    def __init__(self, subject: Subject, engine: str, ask: Callable[[Graph], Answer]) -> None:
        self.subject, self.engine, self.ask = subject, engine, ask
        self._said: dict[tuple[str, bool], Said] = {}

    def of(self, row: Row) -> Said:
        """What there is to say of what is inside; nothing of what is no finding at a definition."""
        if row.verdict not in FINDINGS or not isinstance(row.node, LinkName) or row.node.second:
            return Said()
        node = self.subject.graph.by_name.get(_step(row.node))
        if node is None or not self.subject.graph.defines(node):
            return Said()
        if node.op in self._natives:
            return Said(f"`{node.op}` {UNSEEN}: {self._natives[node.op].text}")
        key = node.name, row.node.quantity == "value"
        if key not in self._said:
            self._said[key] = self._written.said(node, value=key[1])
        return self._said[key]

    @cached_property
    def _natives(self) -> Mapping[str, Native]:
        return natives(self.subject.graph, self.engine.partition(":")[0])

    @cached_property
    def _written(self) -> _Written:
        expander = Expander(self.subject.graph.definitions, stable=True, own=True, keep=self._natives)
        expander.add_graph(self.subject.graph)
        graph = expander.graph(self.subject.graph.outputs)
        reply, same = self.ask(graph), replace(self.subject, graph=graph)
        _, links = judged(same, self.engine, reply.evaluation, reply.again, knowledge=reply.knowledge)
        steps = {name: frozenset(node.name for node in body.nodes) for name, body in expander.bodies.items()}
        return _Written(graph, tuple(links.values()), steps)


@dataclass(frozen=True, slots=True)
class _Written:
    """The written-out graph, its links in the order of the run, and the steps that each definition became."""

    graph: Graph
    links: tuple[Link, ...]
    steps: Mapping[str, frozenset[str]]

    def said(self, node: Node, *, value: bool) -> Said:
        """The first link inside that is off; nothing where the engine showed none."""
        inside = [link for link in self.links if (_step(link.where) or link.where.name) in self.steps[node.name]]
        off = [link for link in inside if link.verdict in FINDINGS]
        alike = [link for link in off if (link.where.quantity == "value") is value] or off
        if not alike:
            return Said(f"no step inside `{node.op}` is off by itself" if inside else "")
        first, known = alike[0], all(link.known for link in off)
        step = _step(first.where) or first.where.name
        part = self.graph.pruned([step])
        text = text_of(part)[readable_names(part)[step]]
        reason = f"inside `{node.op}` {first.where} is off, where `{step}` is `{text}`: {first.reason}"
        return Said(reason, first.known if known else "")


def _step(link: LinkName) -> str:
    """The operation that a link is a step of: a value's own, a term's consumer; of an adjoint none."""
    return link.use.consumer if link.use is not None else link.name if link.quantity == "value" else ""
