"""What a link is about, and a step of many as a graph of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..graph.expand import expanded
from ..graph.graph import Graph
from ..graph.node import Node
from ..records.formats import Format
from ..truth.links import Step, step_of
from ..truth.residuals import Numerals, Residual
from .subject import Asked, Subject


@dataclass(frozen=True, slots=True)
class Matter:
    """What a link is about: a node, of a term the place of its operand (`which` of the terms it is), and the numbers
    that it reads and that are `shown` of it.

    `measure` is the link's residual by any step that stands for the node's, and as a format rounds.
    """

    graph: Graph
    node: Node
    operands: Sequence[Numerals]
    shown: NDArray[Any]
    measure: Callable[[Step, Format], Residual]
    g: Numerals | None = None
    position: int | None = None
    which: int = 0

    @property
    def quantity(self) -> Literal["value", "term"]:
        return "value" if self.g is None else "term"

    @property
    def parts(self) -> Graph:
        """What a node is made of in the vocabulary."""
        return expanded(step_of(self.graph, self.node).graph, stable=True, own=True)

    def among(self, graph: Graph, form: Format) -> Asked | None:
        """The number of the link as one of a `graph` that its step is, at the numbers that the engine had there. None
        where it computes in several precisions, which are bounded by the link's ball alone."""
        inputs = {node.name: x.array for node, x in zip(graph.inputs, self.operands, strict=True)}
        shown = [x for x in (self.shown, *inputs.values()) if x.dtype.kind not in "bi"]
        if any(x.dtype != form.dtype for x in shown):
            return None
        g = np.ones(self.shown.shape, form.dtype) if self.g is None else self.g.array
        about = Subject("", 0, form.name, graph, inputs, g)
        return about.asked("value", "y") if self.g is None else about.asked("gradient", f"x{self.position}")
