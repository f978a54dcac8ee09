"""Moves of an optimiser held against the rule, in ball arithmetic on the optimiser's own numbers.

A move is one parameter in one step. Most rules move each component by itself, so moves of equal shape are stacked
along a new first axis, like links in `truth/batches.py`; those of a rule that reads a whole parameter are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from math import inf
from typing import Any

import numpy as np

from ..graph.emit import Program, emit
from ..graph.node import Shape
from ..judging.classify import classify, place
from ..records.evaluation import Array
from ..records.formats import FLOAT32, FORMATS, Format
from ..records.rows import Index, LinkName
from ..records.verdicts import FINDINGS, VERDICTS, Verdict
from ..rules.definition import NEW, Definition, Texts
from ..rules.optimiser import reads, started
from ..rules.rule import NORM_OF_ALL
from ..truth.arrays import ZERO
from ..truth.batches import LARGEST
from ..truth.numbers import to_balls
from ..truth.precision import working
from ..truth.residuals import Numerals, Residual, residual
from ..truth.rounding import entered
from .arithmetic import counting, norm, stepping


@dataclass(frozen=True, slots=True)
class Finding:
    """What one of the causes of a step's end came to: `gradient`, `state ...` or `update`, at its worst component.
    `dialect`: it is off by the case's definition, and sound by another known one."""

    cause: str
    verdict: Verdict
    score: float | None
    index: Index
    node: LinkName | str = ""
    known: str = ""
    off: float = inf
    dialect: bool = False

    @property
    def counts(self) -> bool:
        return self.dialect or self.verdict in FINDINGS


@dataclass(frozen=True, slots=True)
class Measured:
    """A component as it is, as the rule has it on the engine's own numbers, and how far it is off."""

    value: float
    reference: float
    error: float


@dataclass(frozen=True, slots=True)
class Move:
    """One parameter in one step, the first is 1: what the optimiser read, and what it made of that. `state` is None
    before the first step: then it is what the definition says."""

    step: int
    form: Format
    x: Array
    g: Array
    state: Mapping[str, Array] | None
    new_state: Mapping[str, Array]
    new_x: Array
    # Of all parameters in this step, where it reads their norm; and what has been added up of them before.
    gradients: Sequence[Array] = ()
    totals: Sequence[Array] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rule says of a move: of each state variable and, last, of the parameter, with what each is against exact
    arithmetic, by its cause."""

    findings: Sequence[Finding]
    residuals: Mapping[str, Residual]

    def measured(self, cause: str, index: Index) -> Measured:
        exact = self.residuals[cause]
        value, reference, off = (float(array[index]) for array in (exact.engine, exact.exact, exact.off))
        return Measured(value, reference, -off if value - reference < 0 else off)


def explains(own: Judged, other: Judged) -> bool:
    """Whether a move is sound by another definition wherever it is off by one; what says nothing explains nothing, nor
    does one that has no such number."""
    before: dict[str, Verdict] = {finding.cause: finding.verdict for finding in own.findings}
    if any(one.verdict in FINDINGS and one.cause not in other.residuals for one in own.findings):
        return False
    for finding in other.findings:
        was: Verdict = before.get(finding.cause, "agree")
        silent = not VERDICTS[finding.verdict].sound
        if finding.verdict in FINDINGS or (silent and (was in FINDINGS or VERDICTS[was].sound)):
            return False
    return True


def judge_moves(moves: Sequence[Move], definition: Definition) -> list[Judged]:
    """Each move as it would be judged alone. Parameters must not be empty."""
    shapes: dict[Shape, list[int]] = {}
    for k, move in enumerate(moves):
        shapes.setdefault(move.x.shape, []).append(k)
    judged: dict[int, Judged] = {}
    with working():
        for shape, which in shapes.items():
            own = definition.at(shape)
            size = 1 if own.whole else max(LARGEST // moves[which[0]].x.size, 1)
            for start in range(0, len(which), size):
                part = which[start : start + size]
                judged.update(zip(part, _together([moves[k] for k in part], own), strict=True))
    return [judged[k] for k in range(len(moves))]


def _together(moves: Sequence[Move], definition: Definition) -> Iterator[Judged]:
    read = _Read(moves, definition)
    causes = [_Cause(name, read) for name in definition.visible]
    for k in range(len(moves)):
        yield Judged([cause.finding(k) for cause in causes], {cause.name: cause.plain[k] for cause in causes})


class _Read:
    """What stacked moves read, as balls by the names of a definition's graphs: exactly, or each number with one
    rounding. The number of the step never has one, nor has 0."""

    def __init__(self, moves: Sequence[Move], definition: Definition) -> None:
        self.definition, self.form, self.shape = definition, moves[0].form, moves[0].x.shape
        self._moves, self._flat = moves, definition.whole
        self.numerals = {"x": self._stacked([move.x for move in moves]), "g": self._stacked([m.g for m in moves])}
        for v in definition.state:
            new = [move.new_state[v] for move in moves]
            old = [self._before(move, v) for move in moves]
            self.numerals[v], self.numerals[NEW + v] = self._stacked(old), self._stacked(new)

    def _before(self, move: Move, v: str) -> Array:
        if move.state is not None:
            return move.state[v]
        scalar = v in self.definition.scalars
        return started(self.definition, v, move.new_state[v] if scalar else move.x)

    def _stacked(self, arrays: Sequence[Array]) -> Numerals:
        stacked = np.array(arrays)
        return Numerals(stacked, FORMATS[stacked.dtype.name])

    def new(self, name: str) -> Numerals:
        return self._stacked([move.new_x for move in self._moves]) if name == "x" else self.numerals[NEW + name]

    def __call__(self, name: str, form: Format | None) -> Any:
        if name == "t":
            return self._beside(to_balls(np.array([float(move.step) for move in self._moves])))
        if name == NORM_OF_ALL:
            share = self.definition.share
            norms = [norm(move.gradients, form, move.totals, share) for move in self._moves]
            return self._beside(np.array(norms, dtype=object))
        if name not in self.numerals:
            return self._once(form)[name]
        numerals = self.numerals[name]
        if form is None:
            return self._beside(numerals.exact)
        own = numerals.form if name.removeprefix(NEW) in self.definition.scalars else form
        return self._beside(_entered(numerals, own))

    def _beside(self, numbers: Any) -> Any:
        """Numbers, the first axis that of the moves, as they go with arrays of the parameter's shape."""
        if self._flat:
            return numbers[0]
        return numbers if numbers.ndim > 1 else numbers.reshape(-1, *(1 for _ in self.shape))

    @cached_property
    def _once(self) -> Callable[[Format | None], Mapping[str, Any]]:
        """What is computed once a step: exactly, or in single precision at least and rounded on its way in."""

        @cache
        def once(form: Format | None) -> Mapping[str, Any]:
            graph = self.definition.once_shown
            finer = FLOAT32 if form is not None and form.unit > FLOAT32.unit else form
            made = _once(self.definition, finer)(*(self(name, finer) for name in reads(graph)))
            kinds = [graph[name].kind for name in graph.outputs]
            return {
                name: number if finer is form or kind == "bool" or form is None else entered(number, form)
                for name, number, kind in zip(self.definition.once_names, made, kinds, strict=True)
            }

        return once


def _entered(numerals: Numerals, form: Format) -> Any:
    """Numbers with one rounding each; 0 has none, and one that hardware may flush may be 0."""
    wide: Any = numerals.in_form(form)
    size = np.abs(numerals.array.astype(np.float64))
    small = size < form.smallest
    if small.any():
        wide = np.where(small, np.asarray(_with_zero(wide), dtype=object), np.asarray(wide, dtype=object))
        wide[size == 0] = ZERO
    return wide


_with_zero: Any = np.frompyfunc(lambda x: x.union(ZERO), 1, 1)


class _Cause:
    """A state variable or the parameter after stacked moves: sound if it is so by one of the forms of its lines."""

    def __init__(self, name: str, read: _Read) -> None:
        definition, new = read.definition, read.new(name)
        scalar = name in definition.scalars
        own = new.form if scalar else read.form

        def run(form: Format | None, texts: Texts) -> Any:
            names = reads(definition.graph(name, read.shape, texts))
            made = _program(definition, name, read.shape, texts, form)(*(read(operand, form) for operand in names))[0]
            return np.reshape(np.asarray(made, dtype=object), new.array.shape) if scalar or definition.whole else made

        @cache
        def exactly() -> Any:
            return run(None, ())

        @cache
        def measured(texts: Texts, form: Format) -> Residual:
            found = residual(new, run(form, texts), exactly())
            return replace(found, kink=np.zeros_like(found.kink))  # a rule decides its ties: this is no derivative

        self.forms = definition.forms(name)
        self.name = "update" if name == "x" else f"state {name}"
        self.plain = measured(self.forms[0], own)
        self._measured, self._form = measured, own

    def finding(self, which: int) -> Finding:
        findings: list[Finding] = []
        for texts in self.forms:
            judgement = classify(lambda form, texts=texts: self._measured(texts, form)[which], self._form)
            score = None if np.isnan(judgement.score) else judgement.score
            findings.append(Finding(self.name, judgement.verdict, score, judgement.index))
            if judgement.verdict not in FINDINGS:
                return self._lost(which) or findings[-1]
        return findings[0]

    def _lost(self, which: int) -> Finding | None:
        """Where the engine has no number and the rule, without rounding, has one: a finding, though no ball of what
        rounding may do is finite there (in float16 an eps of 1e-8 may be 0, and 0 / 0 is NaN)."""
        exact = self.plain[which]
        lost = ~np.isfinite(exact.engine.astype(np.float64)) & np.isfinite(exact.exact)
        if not lost.any():
            return None
        index = place(np.argmax(lost), lost.shape)
        beyond = np.isinf(exact.engine[index]) and abs(exact.exact[index]) >= self._form.largest * (1 - self._form.unit)
        return Finding(self.name, "overflow" if beyond else "not finite", np.inf, index)


@lru_cache(maxsize=1024)
def _program(definition: Definition, name: str, shape: Shape, texts: Texts, form: Format | None) -> Program:
    graph = definition.graph(name, shape, texts)
    return emit(graph, stepping(form), graph.outputs, operators=False)


@lru_cache(maxsize=256)
def _once(definition: Definition, form: Format | None) -> Program:
    graph = definition.once_shown
    return emit(graph, counting(form), graph.outputs, operators=False)
