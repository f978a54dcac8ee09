"""Every link of one evaluation, judged on the engine's own numbers, and for each quantity the worst up to it.

The induction behind it: where all links up to a number are sound, the number is a sound evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..graph.node import Node, Use
from ..records.evaluation import Array, Evaluation
from ..records.formats import Format
from ..records.known import NOTHING, Knowledge
from ..records.rows import Quantity, component
from ..records.verdicts import FINDINGS
from ..truth.adjoints import adjoint, adjoint_of_enclosures, shares
from ..truth.batches import Batches
from ..truth.links import Step
from ..truth.numbers import constant
from ..truth.precision import working
from ..truth.residuals import Numerals, Residual
from ..truth.sweeps import Key
from .classify import Link, Score, classify, place, plainly_sound, worse
from .inside import held
from .known import explained
from .matter import Matter
from .subject import Subject
from .together import of_step
from .triangles import CHOICE, in_one_triangle, symmetric_part


@dataclass
class Chain:
    """All links of one evaluation, and for every quantity the worst link up to it."""

    subject: Subject
    evaluation: Evaluation
    numerals: dict[str, Numerals] = field(default_factory=dict)
    values: dict[str, Link] = field(default_factory=dict)
    terms: dict[Use, Link] = field(default_factory=dict)
    adjoints: dict[str, Link] = field(default_factory=dict)
    links: dict[Key, Link] = field(default_factory=dict[Key, Link])
    unseen: set[Use] = field(default_factory=set)
    enclosed: set[Use] = field(default_factory=set)
    batched: dict[Hashable, Score] = field(default_factory=dict)
    enclosures: dict[str, list[tuple[Any, Any]]] = field(default_factory=dict)  # of those terms
    knowledge: Knowledge = NOTHING
    mark: int = 0  # tells this evaluation's links from those of others that are judged with them
    order: int = 0
    excused: bool = False  # whether a link is off in a way that is known of the engine

    @cached_property
    def known(self) -> Mapping[str, Array]:
        """The values that the engine shows, and the inputs that it was given."""
        return {**self.subject.inputs, **self.evaluation.values}

    def judge(self) -> None:
        """Values forwards, then, as far as the engine shows them, adjoints and terms backwards."""
        judge_together([self])

    def judge_links(self) -> None:
        """Values, then adjoints and terms, where batches have found some of the links sound."""
        self.judge_values()
        if self.evaluation.adjoints is not None:
            self.judge_adjoints(self.evaluation.adjoints)

    def gather(self, gathered: Mapping[Format, Batches]) -> None:
        """Every link of this evaluation that may be judged together with others of its kind and precision."""
        graph, values = self.subject.graph, self.known
        adjoints, terms, mixed = self.evaluation.adjoints or {}, self._terms, len(gathered) > 1
        for node in graph.nodes:
            form, uses = self.subject.form_of(node.name), graph.uses_of.get(node.name, ())
            batches = gathered[form]
            if terms and node.name in adjoints and self._shown(uses):
                parts = [*self._seed(node), *self._parts(uses)]
                batches.adjoint((self.mark, "adjoint", node.name), adjoints[node.name], parts)
            if node.op == "input":
                continue
            names = [node.name, *(arg for arg in node.args if isinstance(arg, str))]
            if not values.keys() >= set(names):
                continue
            if mixed and any(graph[name].kind == "float" and self.subject.form_of(name) != form for name in names):
                continue
            if self.subject.step_form_of(node.name) != form:
                continue
            y, *operands = [values[name] for name in names]
            now, uses = self.subject.steps[node.name], graph.uses_in[node.name]
            batches.value((self.mark, "value", node.name), now, operands, y)
            if uses and node.name in adjoints and self._shown(uses):
                shown = [terms[use] for use in uses]
                batches.terms([(self.mark, "term", use) for use in uses], now, operands, y, adjoints[node.name], shown)

    def judge_values(self) -> None:
        graph, values = self.subject.graph, self.known
        self.numerals = {name: Numerals(array, self.subject.form_of(name)) for name, array in values.items()}
        for node in graph.nodes:
            if node.name not in values:
                continue
            if node.op == "input":
                if node.name not in self.evaluation.values:
                    continue
                link = self._input(node)
            else:
                names = [arg for arg in node.args if isinstance(arg, str)]
                if not all(name in values for name in names):
                    continue
                link = self._batched("value", node.name, None) or self._value(node, names)
            self.links["value", node.name] = link
            upstream = [self.values[arg] for arg in node.args if isinstance(arg, str) and arg in self.values]
            self.values[node.name] = worse([link, *upstream])

    def _value(self, node: Node, names: Sequence[str]) -> Link:
        operands = [self.numerals[name] for name in names]
        y = self.numerals[node.name]
        read = partial(self.subject.steps[node.name].value, operands, y)
        matter = Matter(self.subject.graph, node, operands, y.array, lambda step, form: step.value(operands, y, form))
        return self._link("value", node.name, None, read, matter)

    def judge_adjoints(self, shown: Mapping[str, Array]) -> None:
        """Backwards: each adjoint against the sum of its terms, then the terms of the node's operands."""
        graph = self.subject.graph
        for node in reversed(graph.nodes):
            if node.name not in shown:
                continue
            form = self.subject.form_of(node.name)
            g = Numerals(shown[node.name], form)
            upstream = [self.terms[use] for use in graph.uses_of[node.name] if use in self.terms]
            seed = self._seed(node)
            if self._shown(graph.uses_of[node.name]):
                link = self._batched("adjoint", node.name, None)
                if link is None:
                    parts = [*seed, *self._parts(graph.uses_of[node.name])]
                    link = self._link("adjoint", node.name, None, partial(adjoint, g, parts))
            elif any(use in self.unseen or use not in self.terms for use in graph.uses_of[node.name]):
                link = self._unjudged("adjoint", node.name, None)
            else:
                uses = [use for use in graph.uses_of[node.name] if use not in self.enclosed]
                shown_terms = [self._terms[use] for use in uses]
                exact = [(ball, ball) for ball in (Numerals(x, form).exact for x in (*seed, *shown_terms))]
                balls = [*self.enclosures.pop(node.name, []), *exact]
                link = self._link("adjoint", node.name, None, partial(adjoint_of_enclosures, g, balls))
            self.links["adjoint", node.name] = link
            self.adjoints[node.name] = worse([link, *upstream])
            if node.op != "input":
                self._judge_terms(node, g)

    @property
    def _terms(self) -> Mapping[Use, Array]:
        return self.evaluation.terms or {}

    def _parts(self, uses: Sequence[Use]) -> list[Array]:
        """What an adjoint is the sum of, beside its seed: a term for each use, or the parts of one."""
        parts = self.evaluation.parts if self.knowledge.shipped else dict[Use, Sequence[Array]]()
        return [part for use in uses for part in parts.get(use, [self._terms[use]])]

    def _shown(self, uses: Sequence[Use]) -> bool:
        """Whether the engine shows the terms of all these uses."""
        return self.evaluation.terms is not None and all(use in self._terms for use in uses)

    def _seed(self, node: Node) -> list[Array]:
        """What an adjoint has beside its terms: the output's, the cotangent."""
        return [self.subject.cotangent] if node.name == self.subject.graph.output.name else []

    def _judge_terms(self, node: Node, g: Numerals) -> None:
        """The terms of a node's operands, as far as the engine shows them and what they were made from."""
        graph = self.subject.graph
        uses, names = graph.uses_in[node.name], [arg for arg in node.args if isinstance(arg, str)]
        sound = [link for use in uses if (link := self._batched("term", graph.argument(use), use))]
        if len(sound) == len(uses) and not graph.operation(node).shares:
            self._keep(node, uses, sound)
        elif not all(name in self.numerals for name in [node.name, *names]):
            self._blind(node, uses)
        elif not self._shown(uses):
            self._enclose(node, [self.numerals[name] for name in names], g, uses)
        else:
            shown = [self._terms[use] for use in uses]
            self._judge_shown(node, [self.numerals[name] for name in names], g, uses, shown)

    def _enclose(self, node: Node, operands: Sequence[Numerals], g: Numerals, uses: Sequence[Use]) -> None:
        """What terms may be that the engine does not show: the adjoints are held against their sum."""
        step, y = self.subject.steps[node.name], self.numerals[node.name]
        form = self.subject.step_form_of(node.name)
        for use, enclosed in zip(uses, step.enclosed(operands, y, g, form), strict=True):
            self.enclosures.setdefault(self.subject.graph.argument(use), []).append(enclosed)
            self.enclosed.add(use)
            self.terms[use] = worse(self._behind(node))
            if self._shown([use]):
                self.links["term", use] = self._unjudged("term", self.subject.graph.argument(use), use)

    def _judge_shown(
        self, node: Node, operands: Sequence[Numerals], g: Numerals, uses: Sequence[Use], shown: Sequence[Array]
    ) -> None:
        graph, y, now = self.subject.graph, self.numerals[node.name], self.subject.steps[node.name]
        read = self.term_residuals(node, operands, y, g, shown)
        read_from = [operand.array for operand in operands]
        lost = shares(graph.operation(node), node.params, read_from, shown, g.array, g.form)
        found = list[Link]()

        def by(which: int, step: Step, form: Format) -> Residual:
            return step.terms(operands, y, g, self._engine_terms(node, shown), form)[which]

        for which, use in enumerate(uses):
            link = self._batched("term", graph.argument(use), use)
            if link is None:
                matter = Matter(graph, node, operands, shown[which], partial(by, which), g, use.position, which)
                link = self._link("term", graph.argument(use), use, lambda form, k=which: read(form)[k], matter)
            if link.verdict not in ("agree", "lossy"):
                link = self._of_constant(node, which, use, operands, y, g, shown) or link
            if link.verdict in FINDINGS and graph.defines(node) and in_one_triangle(now, operands, node, use, g.form):
                halved = [symmetric_part(term) if k == which else term for k, term in enumerate(shown)]
                again = self.term_residuals(node, operands, y, g, halved)
                link = self._of_triangle(link, use, lambda form, k=which, again=again: again(form)[k])
            if lost is not None and lost.any() and link.verdict not in FINDINGS:
                index = place(np.argmax(lost), lost.shape)
                reason = f"{link.where.name}: the terms of `{node.name}` do not sum to its adjoint at {list(index)}"
                link = replace(link, verdict="wrong", score=np.inf, reason=reason)
            found.append(link)
        if any(link.verdict in ("convention", "not judged") for link in found):
            found = self._together(node, operands, y, g, read, found)
        self._keep(node, uses, found)

    def _keep(self, node: Node, uses: Sequence[Use], links: Sequence[Link]) -> None:
        behind = self._behind(node) if uses else []
        for use, link in zip(uses, links, strict=True):
            self.links["term", use] = link
            self.terms[use] = worse([link, *behind])

    def _behind(self, node: Node) -> list[Link]:
        """What stands behind the terms of a node: where the output does not read it, they are 0 whatever its value."""
        value = [self.values[node.name]] if node.name in self.subject.graph.needed else []
        return [*value, self.adjoints[node.name]]

    def _together(
        self,
        node: Node,
        operands: Sequence[Numerals],
        y: Numerals,
        g: Numerals,
        read: Callable[[Format], Sequence[Residual]],
        links: list[Link],
    ) -> list[Link]:
        """The links of all terms of a step; wrong, where they are of no choice together at a kink."""
        if any(link.verdict in FINDINGS for link in links):
            return links
        outside = of_step(self.subject.steps[node.name], operands, y, g, read(g.form))
        if outside is None:
            return links
        said, index = outside

        def off(link: Link) -> Link:
            reason = f"the terms of `{node.name}`{component(index)}: {said}"
            return replace(link, verdict="wrong", score=np.inf, index=index or link.index, reason=reason, choice=())

        return [off(link) if link.verdict in ("convention", "not judged") else link for link in links]

    def _of_constant(
        self,
        node: Node,
        which: int,
        use: Use,
        operands: Sequence[Numerals],
        y: Numerals,
        g: Numerals,
        shown: Sequence[Array],
    ) -> Link | None:
        """A term that follows from the adjoint as a constant of the graph, which compilers fold, where the format does
        not hold it: 1e-60 is shown as 0, and 1e30 times it is 1e-30."""
        if np.all(np.isfinite(g.array) & (g.array != 0)):
            return None
        number = self.subject.constants.get(node.name)
        if number is None or number.exact == 0:
            return None
        folded = Numerals(g.array, g.form, constant(number.text))
        read = self.term_residuals(node, operands, y, folded, shown)
        link = self._link("term", self.subject.graph.argument(use), use, lambda form: read(form)[which])
        return link if link.verdict == "agree" else None

    def _of_triangle(self, link: Link, use: Use, read: Callable[[Format], Residual]) -> Link:
        """A term that is off, of a step that reads one triangle of a symmetric matrix; `read`: that of its symmetric
        part, and where this is sound, any other part is a choice."""
        found = self._link("term", link.where.name, use, read)
        if found.verdict not in ("agree", "lossy"):
            return link
        reason = f"term of `{link.where.name}`: `{use.consumer}` reads one triangle of a symmetric matrix: {CHOICE}"
        choice = (("another", 1),)
        return replace(found, verdict="convention", index=link.index, reason=reason, choice=choice, apart=None)

    def term_residuals(
        self, node: Node, operands: Sequence[Numerals], y: Numerals, g: Numerals, terms: Sequence[Array]
    ) -> Callable[[Format], Sequence[Residual]]:
        """What reads the residuals of all terms of a step: computed when first asked for, once a format."""
        step, residuals = self.subject.steps[node.name], dict[Format, Sequence[Residual]]()

        def read(form: Format) -> Sequence[Residual]:
            if form not in residuals:
                residuals[form] = step.terms(operands, y, g, self._engine_terms(node, terms), form)
            return residuals[form]

        return read

    def _engine_terms(self, node: Node, terms: Sequence[Array]) -> list[Numerals]:
        """Shown terms, each in the precision of what it is a term of."""
        graph = self.subject.graph
        read = [graph.argument(use) for use in graph.uses_in[node.name]]
        return [Numerals(term, self.subject.form_of(name)) for name, term in zip(read, terms, strict=True)]

    def _blind(self, node: Node, uses: Sequence[Use]) -> None:
        """The terms of a node whose operands or value the engine does not show: nothing can be said of them."""
        for use in uses:
            self.unseen.add(use)
            link = self._unjudged("term", self.subject.graph.argument(use), use)
            self.links["term", use] = link
            self.terms[use] = worse([link, self.adjoints[node.name]])

    def _unjudged(self, quantity: Quantity, name: str, use: Use | None) -> Link:
        self.order += 1
        reason = f"{quantity} of `{name}`: the engine does not show the values that this step reads"
        return Link("not judged", reason=reason, where=self.subject.link(quantity, name, use), order=self.order)

    def _input(self, node: Node) -> Link:
        """An engine computes on the inputs that it was given, bit for bit."""
        original, used = self.subject.inputs[node.name], self.evaluation.values[node.name]
        same, where = np.asarray(_same(original, used)), self.subject.link("value", node.name)
        self.order += 1
        if same.all():
            return Link("agree", where=where, order=self.order)
        index = place(np.argmin(same), same.shape)
        reason = f"the engine computed on {used[index]!r} where the input is {original[index]!r}"
        return Link("wrong", np.inf, index, reason, where=where, order=self.order)

    def _batched(self, quantity: Quantity, name: str, use: Use | None) -> Link | None:
        """The link, where its batch has found it sound."""
        sound = self.batched.get((self.mark, quantity, use or name))
        if sound is None:
            return None
        self.order += 1
        return Link("agree", *sound, where=self.subject.link(quantity, name, use), order=self.order)

    def _link(
        self,
        quantity: Quantity,
        name: str,
        use: Use | None,
        read: Callable[[Format], Residual],
        matter: Matter | None = None,
    ) -> Link:
        self.order += 1
        where = use.consumer if use is not None else name
        form = self.subject.form_of_link(quantity, name, use)
        judgement, text = classify(read, form), self.subject.texts.get(where, "")
        if matter is not None and self.knowledge.entries:
            judgement = explained(judgement, matter, self.knowledge, form)
            self.excused |= bool(judgement.known)
        if matter is not None and judgement.verdict == "lossy" and not judgement.known:
            judgement = held(judgement, matter, self.knowledge, form)
        reason = judgement.reason
        if reason:
            inside = f" in `{where}: {text}`" if text and len(text) < 80 and quantity != "adjoint" else ""
            what = f"{quantity} of `{name}`{inside}{component(judgement.index)}"
            reason = f"{what}: {reason}"
        link = self.subject.link(quantity, name, use)
        return Link(
            judgement.verdict, judgement.score, judgement.index, reason, judgement.choice, judgement.off,
            judgement.known, judgement.apart, judgement.silent, where=link, order=self.order,
        )  # fmt: skip


def judge_together(chains: Sequence[Chain]) -> None:
    """Judge evaluations of one graph in one dtype. Links stand alone, so those of equal steps are stacked over all."""
    if not chains:
        return
    subject = chains[0].subject
    forms = dict.fromkeys(subject.form_of(node.name) for node in subject.graph.nodes)
    gathered, batched = {form: Batches(form) for form in forms}, dict[Hashable, Score]()
    with working():
        for mark, chain in enumerate(chains):
            chain.mark, chain.batched = mark, batched
            chain.gather(gathered)
        for form, batches in gathered.items():
            for keys, residual in batches.measured(least=2):
                batched.update(plainly_sound(keys, residual, form))
        for chain in chains:
            chain.judge_links()


def _same(original: Array, used: Array) -> Array:
    """Where two arrays agree bit for bit: 0.0 is not -0.0, NaN is NaN."""
    if original.dtype.kind in "bi":
        return original == used
    return ((original == used) & (np.signbit(original) == np.signbit(used))) | (np.isnan(original) & np.isnan(used))
