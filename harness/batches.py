"""Links of one kind judged together, so that many small arrays cost what one large one does.

Links stand alone: each is judged on the engine's own numbers. Those of equal steps are therefore stacked along a
new first axis. Only what is plainly sound is settled here; all else is left to be looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .evaluation import Array
from .truth.links import Numerals, Residual, Step, adjoint
from .truth.rounding import Format
from .verdicts import place, sound

LARGEST = 4096  # elements in a batch: beyond, nothing is gained and memory is lost

Score: TypeAlias = "tuple[float, tuple[int, ...]]"
Read: TypeAlias = Callable[[Sequence[Array]], Sequence[Residual]]


@dataclass(frozen=True, slots=True)
class Question:
    """The links of one step: the arrays that they read, in the order that `Read` takes, and a key for each."""

    keys: tuple[Hashable, ...]
    arrays: tuple[Array, ...]


class Batches:
    """Questions gathered by the kind of their step, and the worst score of every link found plainly sound."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._kinds: dict[Hashable, tuple[Read, list[Question]]] = {}

    def value(self, key: Hashable, step: Step, operands: Sequence[Array], y: Array) -> None:
        if step.elementwise and _alike([*operands, y]):
            form = self._form

            def read(arrays: Sequence[Array]) -> Sequence[Residual]:
                *xs, own = (Numerals(array, form) for array in arrays)
                return [step.value(xs, own, form, refine=False)]

            self._add(("value", step, y.shape), read, Question((key,), (*operands, y)))

    def terms(
        self,
        keys: Sequence[Hashable],
        step: Step,
        operands: Sequence[Array],
        y: Array,
        g: Array,
        terms: Sequence[Array],
    ) -> None:
        if step.elementwise and _alike([*operands, y]):
            form, n = self._form, len(operands)

            def read(arrays: Sequence[Array]) -> Sequence[Residual]:
                numerals = [Numerals(array, form) for array in arrays]
                return step.terms(numerals[:n], numerals[n], numerals[n + 1], numerals[n + 2 :], form, refine=False)

            self._add(("terms", step, y.shape), read, Question(tuple(keys), (*operands, y, g, *terms)))

    def adjoint(self, key: Hashable, g: Array, terms: Sequence[Array]) -> None:
        if _alike([g, *terms]):
            form = self._form

            def read(arrays: Sequence[Array]) -> Sequence[Residual]:
                return [adjoint(Numerals(arrays[0], form), arrays[1:], form)]

            self._add(("adjoint", len(terms), g.shape), read, Question((key,), (g, *terms)))

    def _add(self, kind: Hashable, read: Read, question: Question) -> None:
        self._kinds.setdefault(kind, (read, []))[1].append(question)

    def settled(self) -> dict[Hashable, Score]:
        """For each link that is plainly sound its worst score and where that is."""
        found: dict[Hashable, Score] = {}
        for read, questions in self._kinds.values():
            size = max(LARGEST // max(questions[0].arrays[0].size, 1), 1)
            for start in range(0, len(questions), size):
                batch = questions[start : start + size]
                if len(batch) > 1:
                    found.update(_settled(read, batch, self._form))
        return found


def _alike(arrays: Sequence[Array]) -> bool:
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape:
            return False
    return 0 not in shape


def _settled(read: Read, batch: Sequence[Question], form: Format) -> Iterator[tuple[Hashable, Score]]:
    stacked = [np.array(arrays) for arrays in zip(*(question.arrays for question in batch), strict=True)]
    shape = stacked[0].shape[1:]
    for which, residual in enumerate(read(stacked)):
        good = np.asarray(sound(residual, form).reshape(len(batch), -1).all(axis=1), dtype=bool)
        scores = residual.score.reshape(len(batch), -1)
        worst = scores.argmax(axis=1)
        top = scores[np.arange(len(batch)), worst].tolist()
        for question, fine, score, at in zip(batch, good.tolist(), top, worst.tolist(), strict=True):
            if fine:
                yield question.keys[which], (score, place(at, shape) if shape else ())
