"""Links of one kind measured together, so that many small arrays cost what one large one does.

Links stand alone: each is measured on the engine's own numbers. Those of equal steps are therefore stacked along a
new first axis. Exact values are not refined here: a loose one may look like a kink.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..records.formats import Format
from .adjoints import adjoint
from .links import Step
from .residuals import Numerals, Residual

LARGEST = 4096  # elements in a batch: beyond, nothing is gained and memory is lost

Array: TypeAlias = NDArray[Any]
Measure: TypeAlias = Callable[[Sequence[Array]], Sequence[Residual]]


@dataclass(frozen=True, slots=True)
class _Question:
    """The links of one step: the arrays that they read, in the order that `Measure` takes, and a key for each."""

    keys: tuple[Hashable, ...]
    arrays: tuple[Array, ...]


class Batches:
    """Links gathered by the kind of their step. One that no batch can take is refused: `False`."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._kinds: dict[Hashable, tuple[Measure, list[_Question]]] = {}

    def value(self, key: Hashable, step: Step, operands: Sequence[Array], y: Array) -> bool:
        if not (step.elementwise and _alike([*operands, y])):
            return False
        form = self._form

        def measure(arrays: Sequence[Array]) -> Sequence[Residual]:
            *xs, engine = (Numerals(array, form) for array in arrays)
            return [step.value(xs, engine, form, refine=False)]

        return self._add(("value", step, y.shape), measure, _Question((key,), (*operands, y)))

    def terms(
        self,
        keys: Sequence[Hashable],
        step: Step,
        operands: Sequence[Array],
        y: Array,
        g: Array,
        shown: Sequence[Array],
    ) -> bool:
        """`shown`: the terms that the engine shows, of the step's active operands."""
        if not (step.elementwise and _alike([*operands, y])):
            return False
        form, n = self._form, len(operands)

        def measure(arrays: Sequence[Array]) -> Sequence[Residual]:
            numerals = [Numerals(array, form) for array in arrays]
            return step.terms(numerals[:n], numerals[n], numerals[n + 1], numerals[n + 2 :], form, refine=False)

        return self._add(("terms", step, y.shape), measure, _Question(tuple(keys), (*operands, y, g, *shown)))

    def adjoint(self, key: Hashable, g: Array, terms: Sequence[Array]) -> bool:
        if not _alike([g, *terms]):
            return False
        form = self._form

        def measure(arrays: Sequence[Array]) -> Sequence[Residual]:
            return [adjoint(Numerals(arrays[0], form), arrays[1:], form)]

        return self._add(("adjoint", len(terms), g.shape), measure, _Question((key,), (g, *terms)))

    def _add(self, kind: Hashable, measure: Measure, question: _Question) -> bool:
        self._kinds.setdefault(kind, (measure, []))[1].append(question)
        return True

    def measured(self, *, least: int = 1) -> Iterator[tuple[list[Hashable], Residual]]:
        """The keys of the links of each batch of at least `least`, and their residuals along the first axis."""
        for measure, questions in self._kinds.values():
            size = max(LARGEST // max(questions[0].arrays[0].size, 1), 1)
            for start in range(0, len(questions), size):
                batch = questions[start : start + size]
                if len(batch) >= least:
                    stacked = [
                        np.array(arrays) for arrays in zip(*(question.arrays for question in batch), strict=True)
                    ]
                    for which, residual in enumerate(measure(stacked)):
                        yield [question.keys[which] for question in batch], residual


def _alike(arrays: Sequence[Array]) -> bool:
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape:
            return False
    return 0 not in shape
