"""Faults in the hand-written engine: the sweep itself hands on another term, or sums another way."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from faults import OVERWRITTEN, SWAPPED, UNSUMMED, first_slice
from plant import Plant

from gradaccord.harness.graph import gradient as sweep
from gradaccord.harness.graph.node import Constant, Node, Shape
from gradaccord.harness.graph.symbol import Symbol, f
from gradaccord.harness.records.evaluation import Prepare

MARK = "floor"  # an operation that no graph here differentiates through: where it stands in a sweep, the term is bent


@contextmanager
def in_backprop(plant: Plant) -> Generator[Prepare]:
    from gradaccord.engines import backprop
    from gradaccord.harness.arithmetic import arrays, floats

    namespace = arrays.namespace
    with ExitStack() as patches:
        for patched in _patched_sweep(plant):
            patches.enter_context(patched)
        if plant.bent:
            mark = {MARK: plant.bend}
            patches.enter_context(patch.object(floats, "NAMESPACE", {**floats.NAMESPACE, **mark}))
            patches.enter_context(patch.object(arrays, "namespace", lambda dtype: {**namespace(dtype), **mark}))
        yield backprop.prepare


PULL, ADJOINT, SUMMED_TO = sweep._Sweep.pull, sweep._Sweep.adjoint, sweep.summed_to


def _patched_sweep(plant: Plant) -> list[AbstractContextManager[Any]]:
    bent = _BentSweep(plant)

    def pull(self: Any, node: Node, *rest: Any) -> Iterator[tuple[int, Symbol]]:
        return bent.pull(self, node, *rest)  # a function: a bound method would not be handed the sweep

    def adjoint(self: Any, node: Node) -> Symbol:
        return bent.overwritten(self, node)

    patches: list[AbstractContextManager[Any]] = [patch.object(sweep._Sweep, "pull", pull)]
    if plant.fault == OVERWRITTEN:
        patches.append(patch.object(sweep._Sweep, "adjoint", adjoint))
    if plant.fault == UNSUMMED:
        patches.append(patch.object(sweep, "summed_to", bent.unsummed))
    return patches


class _BentSweep:
    """The steps of the hand-written engine's sweep, one of which goes wrong at the planted use."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.inside = False  # whether the victim, or the inside of a composite that is it, is being pulled
        self.outermost: Any = None

    def pull(self, sweep: Any, node: Node, *rest: Any) -> Iterator[tuple[int, Symbol]]:
        here = node is self.plant.graph[self.plant.use.consumer]  # a composite's inner nodes are others
        self.inside = self.inside or here
        handed_on = list(PULL(sweep, node, *rest))
        self.inside = self.inside and not here
        terms = self._bent(dict(handed_on), sweep.builder) if here else dict(handed_on)
        for position, _ in reversed(handed_on):  # what was handed on is taken back, in the order it came
            sweep.pending[node.args[position]].pop()
        for position, term in terms.items():
            sweep.pending[node.args[position]].append(term)
        yield from terms.items()

    def _bent(self, terms: dict[int, Symbol], builder: Any) -> dict[int, Symbol]:
        plant, position = self.plant, self.plant.use.position
        if plant.fault == SWAPPED and plant.twin is not None:
            other = plant.twin.position
            return {**terms, position: terms[other], other: terms[position]}
        if plant.bent:
            return {**terms, position: _marked(terms[position], builder.shape(plant.argument))}
        return terms

    def overwritten(self, sweep: Any, node: Node) -> Symbol:
        self.outermost = self.outermost or sweep
        if self.outermost is sweep and node.name == self.plant.argument:
            sweep.pending[node.name] = sweep.pending[node.name][-1:]
        return ADJOINT(sweep, node)

    def unsummed(self, term: Symbol, shape: Shape) -> Symbol:
        whole = isinstance(term.arg, Constant) or term.shape == shape or len(term.shape) < len(shape)
        if not self.inside or whole:
            return SUMMED_TO(term, shape)
        index = ", ".join("0" if i == 0 else "0:1" if i.stop else ":" for i in first_slice(term.shape, shape))
        return f.getitem(term, index=index or "...")


def _marked(term: Symbol, shape: Shape) -> Symbol:
    if isinstance(term.arg, Constant):
        term = Symbol(term.builder, term.builder.apply("broadcast_to", [term.arg], {"shape": shape}))
    return getattr(f, MARK)(term)
