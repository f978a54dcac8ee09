"""What is planted and where: a fault at one use of one node."""

from __future__ import annotations

from dataclasses import dataclass

from faults import OVERWRITTEN, SWAPPED, TRANSPOSED, UNSUMMED, Bend, bends

from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Shape, Use


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, by its name, at one use in a graph of one dtype; a bend of one's own where the name says nothing."""

    graph: Graph
    dtype: str
    use: Use
    fault: str
    own: Bend | None = None

    @property
    def argument(self) -> str:
        return self.graph.argument(self.use)

    @property
    def bend(self) -> Bend:
        return self.own or bends(self.dtype)[self.fault]

    @property
    def bent(self) -> bool:
        """Whether the term itself is bent, instead of how terms are put together."""
        return self.fault not in (SWAPPED, UNSUMMED, OVERWRITTEN)

    @property
    def possible(self) -> bool:
        """Whether this use has what the fault needs: a twin to be swapped with, a broadcast, further terms."""
        shape = self.graph[self.argument].shape
        if self.fault == SWAPPED:
            return self.twin is not None
        if self.fault == UNSUMMED:
            return shape != repeated(self.graph, self.use)
        if self.fault == OVERWRITTEN:
            return len(self.graph.uses_of[self.argument]) > 1
        if self.fault == TRANSPOSED:
            return len(shape) >= 2 and shape[-1] > 1 and shape[-2] > 1
        return True

    @property
    def shown(self) -> bool:
        """Whether an exchange of what is shown leaves every other link as it was: both operands are inputs."""
        uses = [self.use, self.twin or self.use]
        return all(self.graph[self.graph.argument(use)].op == "input" for use in uses)

    @property
    def twin(self) -> Use | None:
        """Another use by the same consumer, of an operand of the same shape."""
        shape = self.graph[self.argument].shape
        uses = self.graph.uses_in[self.use.consumer]
        others = [use for use in uses if use != self.use and self.graph[self.graph.argument(use)].shape == shape]
        return others[0] if others else None

    @property
    def links(self) -> frozenset[str]:
        """The links that are off, as the judge should name them."""
        if self.fault == OVERWRITTEN:
            return frozenset((f"adjoint of {self.argument}",))
        uses = [self.use, self.twin] if self.fault == SWAPPED else [self.use]
        if self.fault == UNSUMMED:
            uses = self.graph.uses_in[self.use.consumer]
        return frozenset(f"term of {self.graph.argument(use)} in {use}" for use in uses if use is not None)


def repeated(graph: Graph, use: Use) -> Shape:
    """The shape to which a consumer, where it goes element by element, repeats what it reads; else its own."""
    consumer, shape = graph[use.consumer], graph[graph.argument(use)].shape
    return consumer.shape if graph.operation(consumer).elementwise and 0 not in consumer.shape else shape
