"""Subject: what engines are asked, one case at one point in one dtype, with the truth of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..graph.gradient import gradient
from ..graph.graph import Graph
from ..graph.language.printing import text_of
from ..graph.node import Constant, Use
from ..records.evaluation import Array, Inputs
from ..records.formats import FORMATS, Format
from ..records.rows import LinkName, Quantity
from ..truth import ties
from ..truth.links import Step, step_of
from ..truth.proof import Proof, prove
from ..truth.reference import Number, Reference, reference
from ..truth.sensitivity import Probe, sensitivity
from ..truth.sides import Index, Sides, agreed, sides


@dataclass(frozen=True)
class Subject:
    """One case at one point in one dtype: what engines are asked, and the truth of it, computed once.

    `tangent_of` is the output whose contracted gradient this is about, empty of an ordinary question.
    """

    case: str
    point: int
    dtype: str
    graph: Graph
    inputs: Inputs
    cotangent: Array
    tangent_of: str = ""

    def named(self, quantity: Quantity, name: str) -> LinkName:
        """What the value of the output or the gradient of an input is called where the user sees it."""
        if not self.tangent_of:
            return LinkName(quantity, name)
        return LinkName("tangent", self.tangent_of) if quantity == "value" else LinkName("hessian_product", name)

    def link(self, quantity: Quantity, name: str, use: Use | None = None) -> LinkName:
        """A link of the graph, by its name."""
        return LinkName(quantity, name, use, second=bool(self.tangent_of))

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
        return {name: agreed(self.truth.adjoints[name], known) for name, known in self.sides.items()}

    @cached_property
    def settling(self) -> Mapping[str, Collection[Index]]:
        """Of each gradient, the open components that have but one derivative once ties are decided."""
        return ties.settling(self.sides, lambda: self._decided)

    @cached_property
    def resolved(self) -> Mapping[str, Number]:
        """The true gradients for engines that show no links: hulls at kinks, but where ties settle."""
        return {
            name: ties.resolved(self.truth.adjoints[name], self._decided.adjoints[name], settled)
            if settled
            else self.truth.adjoints[name]
            for name, settled in self.settling.items()
        }

    @cached_property
    def sensitivity(self) -> Mapping[str, tuple[Probe, ...]]:
        """How far rounding alone may move each gradient, measured where ties are decided if they settle."""
        measured = self._sensitivity(self.truth)
        if not any(self.settling.values()):
            return measured
        decided = self._sensitivity(self._decided)
        return {
            name: ties.probes(probes, decided[name], self.settling[name], self.sides[name])
            for name, probes in measured.items()
        }

    def bounds(self, name: str) -> Mapping[Index, float]:
        """How far rounding may move the settled components of a gradient."""
        settled = self.settling[name]
        return ties.bounds(self.sensitivity[name], settled) if settled else {}

    @cached_property
    def _decided(self) -> Reference:
        return reference(self.graph, self.inputs, self.cotangent, ties="decide")

    def _sensitivity(self, truth: Reference) -> Mapping[str, tuple[Probe, ...]]:
        return sensitivity(self.graph, self.inputs, self.cotangent, truth, self.steps, self.form)

    @cached_property
    def sensitivity_of_value(self) -> tuple[Probe, ...]:
        """How far rounding alone may move the output's value."""
        name, question = self.graph.output.name, (self.graph, self.inputs, self.cotangent)
        return sensitivity(*question, self.truth, self.steps, self.form, of_value=True)[name]

    @cached_property
    def proof(self) -> Proof:
        return prove(self.graph, self.inputs, self.cotangent, self.truth)

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        """The adjoints that are numbers whatever the inputs are: those of linear steps up to a scalar output."""
        if self.graph.output.shape or self.cotangent != 1:
            return {}
        adjoints = gradient(self.graph).adjoints
        return {name: number for name, number in adjoints.items() if isinstance(number, Constant)}

    @cached_property
    def texts(self) -> Mapping[str, str]:
        return text_of(self.graph)

    def at(self, inputs: Inputs) -> Subject:
        """This question at another point, where these inputs have moved; what the graph alone tells is kept."""
        moved = replace(self, inputs={**self.inputs, **inputs})
        vars(moved).update(steps=self.steps, texts=self.texts)
        return moved

    @property
    def form(self) -> Format:
        return FORMATS[self.dtype]
