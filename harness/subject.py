"""Subject: what engines are asked, one case at one point in one dtype, with the truth of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from .evaluation import Array, Inputs
from .graph.expression import text_of
from .graph.graph import Graph
from .truth.links import Step, step_of
from .truth.proof import Proof, prove
from .truth.reference import Number, Reference, reference
from .truth.rounding import FORMATS, Format
from .truth.sensitivity import Probe, sensitivity
from .truth.sides import Index, Sides, settled, sides


@dataclass(frozen=True)
class Subject:
    """One case at one point in one dtype: what engines are asked, and the truth of it, computed once."""

    case: str
    point: int
    dtype: str
    graph: Graph
    inputs: Inputs
    cotangent: Array

    @cached_property
    def truth(self) -> Reference:
        return reference(self.graph, self.inputs, self.cotangent)

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """The step of every operation, by the name of its node."""
        return {node.name: step_of(self.graph, node) for node in self.graph.operations}

    @cached_property
    def sides(self) -> Mapping[str, Mapping[Index, Sides]]:
        """Of each gradient, the components that reverse mode leaves open: their one-sided derivatives."""
        gradients = {node.name: self.truth.adjoints[node.name] for node in self.graph.wanted}
        value = self.truth.values[self.graph.output.name]
        return sides(self.graph, self.inputs, self.cotangent, value, gradients)

    @cached_property
    def gradients(self) -> Mapping[str, Number]:
        """The true gradients: single numbers where both sides agree, hulls at kinks."""
        return {name: settled(self.truth.adjoints[name], known) for name, known in self.sides.items()}

    @cached_property
    def sensitivity(self) -> Mapping[str, tuple[Probe, ...]]:
        """How far rounding alone may move each gradient."""
        return sensitivity(self.graph, self.inputs, self.cotangent, self.truth, self.steps, self.form)

    @cached_property
    def sensitivity_of_value(self) -> tuple[Probe, ...]:
        """How far rounding alone may move the value of a scalar output."""
        name, given = self.graph.output.name, (self.graph, self.inputs, self.cotangent)
        return sensitivity(*given, self.truth, self.steps, self.form, of_value=True)[name]

    @cached_property
    def proof(self) -> Proof:
        return prove(self.graph, self.inputs, self.cotangent, self.truth)

    @cached_property
    def texts(self) -> Mapping[str, str]:
        return text_of(self.graph)

    def at(self, inputs: Inputs) -> Subject:
        """The same question at another point, where these inputs have moved; what the graph alone tells is kept."""
        moved = replace(self, inputs={**self.inputs, **inputs})
        vars(moved).update(steps=self.steps, texts=self.texts)
        return moved

    @property
    def form(self) -> Format:
        return FORMATS[self.dtype]
