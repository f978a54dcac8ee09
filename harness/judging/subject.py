"""Subject: what engines are asked, one case at one point in one dtype, with the truth of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..graph.gradient import gradient
from ..graph.graph import Graph, own
from ..graph.language.printing import text_of
from ..graph.node import Constant, Node, Use
from ..graph.operations.operation import Operation
from ..records.evaluation import Array, Inputs
from ..records.formats import FORMATS, Format
from ..records.rows import LinkName, Quantity, Row
from ..truth import ties
from ..truth.beside import around, contracted
from ..truth.groups import Group, groups
from ..truth.links import Step, step_of
from ..truth.lost import Places, chosen_of_nothing
from ..truth.numbers import NAN
from ..truth.precision import working
from ..truth.proof import Proof, prove
from ..truth.reference import Number, Reference, reference, replaced
from ..truth.sensitivity import Moved, Probe, Sensitivity
from ..truth.sides import Index, Sides, agreed, approached, open_components, sides

LARGEST = 200_000  # numbers of a graph whose choices are looked at together


@dataclass(frozen=True, slots=True)
class Asked:
    """A gradient, or the value of a node, as it is judged without links: by its name, its truth, and what moves it."""

    name: str
    what: LinkName
    truth: Number
    sensitivity: Sensitivity
    moved: Moved = "adjoint"

    def probe(self, index: Index) -> Probe:
        return self.sensitivity.probe(self.name, index, self.moved)


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
        return reference(self.graph, self.inputs, self.cotangent, in_pairs=True)

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """The step of every operation, by the name of its node."""
        return {node.name: step_of(self.graph, node) for node in self.graph.operations}

    @cached_property
    def sides(self) -> Mapping[str, Mapping[Index, Sides]]:
        """Of each gradient, the components that reverse mode leaves open: their one-sided derivatives."""
        opened = {name: some for name, (some, _) in self._open.items()}
        # Nothing is beside an infinity.
        asked = {name: [i for i in some if np.isfinite(self.inputs[name][i])] for name, some in opened.items()}
        return sides(self.graph, self.inputs, self.cotangent, self.truth.values[self.graph.output.name], asked)

    def limits(self, name: str, index: Index) -> tuple[float, float]:
        """The least and the greatest derivative around the point, of one component; NaN where that is not known."""
        low, high = self._around.get(name, (np.full(self.inputs[name].shape, np.nan),) * 2)
        return float(low[index]), float(high[index])

    def by_equality(self, name: str, engine: Array) -> Array:
        """Where a gradient at a tie is that of the branch which `==` chose inside a definition, as the program says: it
        lies on neither side, and need not be a derivative of what is around."""
        nowhere = np.zeros(engine.shape, dtype=bool)
        if not self.sides[name] or not any(self.steps[node.name].at_equality for node in self._defined):
            return nowhere
        decided, numbers = self._decided.adjoints[name].high, engine.astype(np.float64)
        with np.errstate(all="ignore"):
            near = np.abs(numbers - decided) <= self.form.unit**0.5 * np.abs(decided) + self.form.smallest
        nowhere[tuple(np.transpose(list(self.sides[name])))] = True
        return nowhere & near

    @property
    def _defined(self) -> list[Node]:
        return [node for node in self.graph.operations if self.graph.definitions_of(node)]

    @cached_property
    def _around(self) -> Mapping[str, tuple[Array, Array]]:
        graph = self.graph.pruned([self.graph.output.name])
        size = sum(int(np.prod(node.shape)) for node in graph.nodes)
        with working():
            return around(graph, self.inputs, self.cotangent) if size <= LARGEST and not self.tangent_of else {}

    @cached_property
    def _open(self) -> Mapping[str, tuple[list[Index], list[Index]]]:
        return {node.name: open_components(self.truth.adjoints[node.name]) for node in self.graph.wanted}

    def overlooked(self, name: str) -> int:
        """How many components of a gradient have a truth that was not looked for."""
        high = self.truth.adjoints[name].high
        return sum(bool(np.isnan(high[index])) for index in self._open[name][1])

    @cached_property
    def groups(self) -> Mapping[str, Sequence[Group]]:
        """What is true together of the components that no side tells: those that are left out, and those along whose
        axis the function has no number."""
        if self.tangent_of or any(self.steps[node.name].at_equality for node in self._defined):
            return {node.name: () for node in self.graph.wanted}

        def asked(name: str) -> list[Index]:
            some, left = self._open[name]
            unknown = [i for i in some if i not in (known := self.sides[name]) or not known[i].told]
            return [i for i in (*unknown, *left) if np.isfinite(self.inputs[name][i])]

        names = {node.name: asked(node.name) for node in self.graph.wanted}
        return groups(self.graph, self.inputs, self.cotangent, self.truth.values[self.graph.output.name], names)

    @cached_property
    def exists(self) -> bool:
        """Whether the contracted output has a value at all."""
        value = self.truth.values[self.graph.output.name]
        if np.isfinite(value.radius).all() and np.isfinite(value.high).all():
            return True
        with working():
            return not contracted(value.balls, self.cotangent).is_nan()

    @property
    def has_no_truth(self) -> bool:
        """Whether an engine may say that it is undefined here: the true output, or all of its gradient, does not exist,
        or the truth is in doubt."""
        if self.proof.failed or np.isnan(self.truth.values[self.graph.output.name].high).any():
            return True
        gradients = [number.high for number in self.gradients.values() if number.high.size]
        return bool(gradients) and all(np.isnan(gradient).all() for gradient in gradients)

    @cached_property
    def approached(self) -> Array:
        """What the components of the output that have no value tend to; NaN for those that have one."""
        none = np.isnan(self.truth.values[self.graph.output.name].high)
        if not none.any() or self.tangent_of:
            return np.full(none.shape, np.nan)
        return np.where(none, approached(self.graph, self.inputs), np.nan)

    @cached_property
    def gradients(self) -> Mapping[str, Number]:
        """The true gradients: single numbers where both sides agree, hulls at kinks."""
        return {
            name: self._at_nan(name, agreed(self.truth.adjoints[name], known)) for name, known in self.sides.items()
        }

    @cached_property
    def settling(self) -> Mapping[str, Collection[Index]]:
        """Of each gradient, the open components that have but one derivative once ties are decided."""
        return ties.settling(self.sides, lambda: self._decided)

    @cached_property
    def resolved(self) -> Mapping[str, Number]:
        """The true gradients for engines that show no links: hulls at kinks, but where ties settle."""
        hulls = {name: self.truth.adjoints[name] for name in self.settling}
        decided = {name: self._decided.adjoints[name] for name, settled in self.settling.items() if settled}
        hulls |= {name: ties.resolved(hulls[name], decided[name], self.settling[name]) for name in decided}
        return {name: self._at_nan(name, hull) for name, hull in hulls.items()}

    def _at_nan(self, name: str, gradient: Number) -> Number:
        """Nothing has a derivative with respect to what is no number, and no choice of such one."""
        nowhere = np.isnan(self.inputs[name].astype(np.float64))
        if name in self._chosen_of_nothing:
            nowhere |= self._chosen_of_nothing[name]
        if not nowhere.any():
            return gradient
        return replaced(gradient, {tuple(map(int, index)): NAN for index in np.argwhere(nowhere)})

    @cached_property
    def _chosen_of_nothing(self) -> Mapping[str, Places]:
        """Of each input the components that a choice of no number depends on."""
        return chosen_of_nothing(self.graph, {name: number.high for name, number in self.truth.values.items()})

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """How far rounding alone may move what is asked, measured where ties are decided."""
        truth = self._decided if any(self.sides.values()) else self.truth
        return Sensitivity(self.graph, self.inputs, self.cotangent, truth, self.steps, self.form)

    @cached_property
    def probes(self) -> Mapping[str, tuple[Probe, ...]]:
        """Those of each gradient that tell how much the problem itself loses."""
        return self.sensitivity.probes()

    def asked(self, quantity: Quantity, name: str) -> Asked:
        """A gradient, adjoint or value as it is judged without its links."""
        moved: Moved = "value" if quantity == "value" else "adjoint"
        truth = self.resolved if quantity == "gradient" else self._values if moved == "value" else self.truth.adjoints
        return Asked(name, self.named(quantity, name), truth[name], self.sensitivity, moved)

    @property
    def _values(self) -> Mapping[str, Number]:
        """Values; tangents at a tie are what any choice of derivatives makes them."""
        return self.truth.hulls if self.tangent_of else self.truth.values

    @cached_property
    def _decided(self) -> Reference:
        return reference(self.graph, self.inputs, self.cotangent, ties="decide")

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
        vars(moved).update(steps=self.steps, texts=self.texts, _forms=self._forms, casts=self.casts)
        return moved

    @cached_property
    def form(self) -> Format:
        """The precision that the whole is held to: where nodes have several, the coarsest."""
        forms = [self.step_form_of(node.name) for node in self.graph.nodes if node.kind == "float"]
        return max(forms, key=lambda form: form.unit, default=FORMATS[self.dtype])

    def form_of(self, name: str) -> Format:
        """The precision of a node, which may have one of its own."""
        return self._forms[name]

    def step_form_of(self, name: str) -> Format:
        """The precision that the step of a node computes in: that of the node, or the coarsest that its definition
        casts to on the way, as a custom rule does that takes a product of float32 in bfloat16."""
        return max((self._forms[name], *self.casts[name]), key=lambda form: form.unit)

    def form_of_link(self, quantity: Quantity, name: str, use: Use | None = None) -> Format:
        """The precision that a link is held to: a value that of its step, an adjoint its own. A term, where a step of
        several operands gives a lower one than it reads, what that computes in, as a number without axes times a tensor
        of a lower precision; a cast, which has one operand, loses nothing on the way back."""
        if use is None:
            return self.step_form_of(name) if quantity == "value" else self.form_of(name)
        node, form = self.graph[use.consumer], self.form_of(name)
        alone = node.kind != "float" or (len(node.args) == 1 and not self.casts[node.name])
        return form if alone else max(form, self.step_form_of(node.name), key=lambda one: one.unit)

    @cached_property
    def _forms(self) -> Mapping[str, Format]:
        return {node.name: FORMATS[node.dtype or self.dtype] for node in self.graph.nodes}

    @cached_property
    def casts(self) -> Mapping[str, Sequence[Format]]:
        """The precisions that the definition of each node casts to on the way."""
        return {node.name: self._casts_of(node) for node in self.graph.nodes}

    def _casts_of(self, node: Node) -> Sequence[Format]:
        if not self.graph.defines(node):
            return ()
        inner = own(*self.graph.operation(node).within)
        return tuple(form for form in FORMATS.values() if casts_to(form.name, inner))


def casts_to(dtype: str, definitions: Mapping[str, Operation]) -> bool:
    """Whether a cast to this precision is among definitions: it has the name that a recording gives it, and computes
    nothing."""
    return (found := definitions.get(f"to_{dtype}")) is not None and found.definition == "x0"


def blank_row(subject: Subject, engine: str, seconds: float = 0.0) -> Row:
    """A row about a whole run, which says nothing yet."""
    return Row(case=subject.case, point=subject.point, dtype=subject.dtype, engine=engine, seconds=seconds)
