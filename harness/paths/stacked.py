"""Moves of equal shape in ball arithmetic on the optimiser's own numbers, stacked along a new first axis."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property, lru_cache, partial
from math import nan
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ..graph.emit import Program, emit
from ..graph.node import Shape
from ..judging.classify import classify, place
from ..records.evaluation import Array
from ..records.formats import FLOAT32, FORMATS, Format
from ..records.rows import Index
from ..records.verdicts import FINDINGS
from ..rules.definition import NEW, Definition, Texts
from ..rules.optimiser import reads, started
from ..rules.rule import NORM_OF_ALL
from ..truth.arrays import ZERO
from ..truth.numbers import to_balls
from ..truth.residuals import Numerals, Residual, is_finite, residual
from ..truth.rounding import entered, floats
from .arithmetic import Manner, compares, counting, norm, stepping
from .move import Finding, Judged, Measured, Move, cause_of


def together(moves: Sequence[Move], definition: Definition, norms: Norms) -> Iterator[Judged]:
    """Each of several moves of equal shape as it would be judged alone; of a rule that reads a whole parameter, of
    one."""
    read = Read(moves, definition, norms)
    causes = {cause.name: cause for cause in (_Cause(name, read) for name in definition.visible)}
    for k in range(len(moves)):
        yield Judged([cause.finding(k) for cause in causes.values()], partial(_measured, causes, k))


def _measured(causes: Mapping[str, _Cause], which: int, cause: str, index: Index) -> Measured:
    exact = causes[cause].plain[which]
    value, reference, off = (float(array[index]) for array in (exact.engine, exact.exact, exact.off))
    return Measured(value, reference, -off if value - reference < 0 else off)


def residuals(move: Move, definition: Definition) -> Mapping[str, Residual]:
    """Of each number of a move its distance from the first form of its lines."""
    read = Read([move], definition, Norms())
    return {name: _Cause(name, read).plain[0] for name in definition.visible}


class Norms:
    """The norms of all parameters together, each reckoned once for all that read it."""

    def __init__(self) -> None:
        self._norms: dict[Hashable, tuple[Move, flint.arb]] = {}

    def __call__(self, move: Move, form: Format | None, share: float | None) -> flint.arb:
        arrays = (*move.gradients, *move.totals)
        key = (*map(id, arrays), form, share)
        if key not in self._norms:  # with the move, so that nothing else is where its arrays were
            self._norms[key] = move, norm(move.gradients, form, move.totals, share)
        return self._norms[key][1]


class Read:
    """What stacked moves read, as balls by the names of a definition's graphs: exactly, or each number with one
    rounding. The number of the step never has one, nor has 0. Beside a whole parameter a single number is a setting, so
    that a parameter of one number is read as a vector of one."""

    def __init__(self, moves: Sequence[Move], definition: Definition, norms: Norms) -> None:
        self._norms = norms
        self.definition, self.form = definition, moves[0].form
        self._moves, self._flat = moves, definition.whole
        self.shape = moves[0].x.shape or ((1,) if self._flat else ())
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

    def __call__(self, name: str, form: Format | None, manner: Manner | None = None) -> Any:
        if name == "t":
            return self._beside(to_balls(np.array([float(move.step) for move in self._moves])))
        if name == NORM_OF_ALL:
            share = self.definition.share
            norms = [self._norms(move, form, share) for move in self._moves]
            return self._beside(np.array(norms, dtype=object))
        if name not in self.numerals:
            return self._once(form)[name]
        numerals, scalar = self.numerals[name], name.removeprefix(NEW) in self.definition.scalars
        if manner is not None:
            return self._beside(_in_manner(numerals, form, flushed=manner.flushed), scalar)
        if form is None:
            return self._beside(numerals.exact, scalar)
        return self._beside(_entered(numerals, numerals.form if scalar else form), scalar)

    @cached_property
    def whole_step(self) -> NDArray[np.float64]:
        """The parameter after an exact step from what was before it, whatever state the optimiser shows then."""
        return floats(self._whole_step(None))

    @cached_property
    def whole_step_bounded(self) -> NDArray[np.bool_]:
        """Where rounding in such a step, underflow aside, leaves a finite ball."""
        return np.asarray(is_finite(self._whole_step(self.form.without_underflow)), dtype=bool)

    def _whole_step(self, form: Format | None) -> Any:
        graph = self.definition.program(self.shape)
        run = emit(graph, stepping(form), graph.outputs, operators=False)
        shape = self.numerals["x"].array.shape
        *_, made = run(*(self(name, form) for name in reads(graph)))
        return np.broadcast_to(np.asarray(made, dtype=object), self.shape if self._flat else shape).reshape(shape)

    def _beside(self, numbers: Any, scalar: bool = True) -> Any:
        """Numbers, the first axis that of the moves, as they go with arrays of the parameter's shape."""
        if self._flat:
            return numbers[0] if scalar or numbers.ndim > 1 else numbers
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


def _in_manner(numerals: Numerals, form: Format | None, *, flushed: bool) -> Any:
    """Numbers as one that is next to 0 may be read: as it is, or as 0."""
    read = np.array(numerals.exact if form is None else numerals.in_form(form), dtype=object)
    small = np.abs(numerals.array.astype(np.float64)) < numerals.form.smallest
    if flushed:
        read[small] = ZERO
    return read


_with_zero: Any = np.frompyfunc(lambda x: x.union(ZERO), 1, 1)


class _Cause:
    """A state variable or the parameter after stacked moves: sound if it is so by one of the forms of its lines."""

    def __init__(self, name: str, read: Read) -> None:
        definition, new = read.definition, read.new(name)
        scalar = name in definition.scalars
        own = new.form if scalar else read.form

        def run(form: Format | None, texts: Texts, manner: Manner | None = None) -> Any:
            names = reads(definition.graph(name, read.shape, texts))
            program = _program(definition, name, read.shape, texts, form, manner)
            made = program(*(read(operand, form, manner) for operand in names))[0]
            return np.reshape(np.asarray(made, dtype=object), new.array.shape) if scalar or definition.whole else made

        @cache
        def exactly() -> Any:
            return run(None, ())

        @cache
        def measured(texts: Texts, form: Format) -> Residual:
            found = residual(new, run(form, texts), exactly())
            return replace(found, kink=np.zeros_like(found.kink))  # a rule decides its ties: this is no derivative

        @cache
        def otherwise() -> Sequence[Residual]:
            digits = own.without_underflow
            manners = [Manner(held, flushed) for held in (None, own) for flushed in (False, True)]
            return [
                residual(new, run(digits, self.forms[0], manner), run(None, self.forms[0], manner))
                for manner in manners
            ]

        self.forms = definition.forms(name)
        self.name = cause_of(name)
        self.plain = measured(self.forms[0], own)
        self._measured, self._form, self._otherwise = measured, own, otherwise
        self._read, self._before = read, read.numerals[name].array

    def finding(self, which: int) -> Finding:
        findings: list[Finding] = []
        for form, texts in enumerate(self.forms):
            judgement = classify(lambda form, texts=texts: self._measured(texts, form)[which], self._form)
            score = None if np.isnan(judgement.score) else judgement.score
            findings.append(Finding(self.name, judgement.verdict, score, judgement.index, form=form))
            if judgement.verdict not in FINDINGS:
                return self._lost(which) or self._unbounded(which) or findings[-1]
        return findings[0]

    def _truth(self, which: int) -> NDArray[np.float64]:
        """What the rule gives, without rounding, of the optimiser's own numbers; where these give none, of what was
        before the step."""
        exact = self.plain[which].exact
        if self.name == "update" and not np.isfinite(exact).all():
            return np.where(np.isfinite(exact), exact, self._read.whole_step[which])
        return exact

    def _lost(self, which: int) -> Finding | None:
        """Where the engine has no number and the rule, without rounding, has one: a finding, though no ball of what
        rounding may do is finite there (in float16 an eps of 1e-8 may be 0, and 0 / 0 is NaN)."""
        engine, truth = self.plain[which].engine, self._truth(which)
        lost = ~np.isfinite(engine.astype(np.float64)) & np.isfinite(truth)
        if not lost.any():
            return None
        index = place(np.argmax(lost), lost.shape)
        beyond = np.isinf(engine[index]) and abs(truth[index]) >= self._form.largest * (1 - self._form.unit)
        return Finding(self.name, "overflow" if beyond else "not finite", np.inf, index)

    def _unbounded(self, which: int) -> Finding | None:
        """Where the engine has a number, and no ball of what rounding may do is finite: what is divided by may be 0. It
        is sound if it is no further than twice the step, or half of a state variable, from what the rule gives in one
        of the manners in which numbers next to 0 are read; and not judged where these are boundless too."""
        engine = self.plain[which].engine.astype(np.float64)
        at = np.isfinite(engine) & ~np.all(
            [self._measured(texts, self._form)[which].enclosed for texts in self.forms], 0
        )
        if not at.any():
            return None
        truth, sound, boundless = self._truth(which), np.zeros_like(at), np.zeros_like(at)
        with np.errstate(all="ignore"):
            for found in (one[which] for one in self._otherwise()):
                sound |= (found.enclosed & (found.score <= 1)) | self._near(engine, found.exact, which)
                boundless |= ~found.enclosed & np.isfinite(found.exact)
            sound |= self._near(engine, truth, which)
        off = at & ~sound & ~boundless & np.isfinite(truth)
        if (off & ~np.isfinite(self.plain[which].exact)).any():  # the truth is that of the whole step
            off &= np.isfinite(self.plain[which].exact) | self._read.whole_step_bounded[which]
        if off.any():
            return Finding(self.name, "wrong", np.inf, place(np.argmax(off), off.shape), off=nan)
        return None

    def _near(self, engine: Array, exact: Array, which: int) -> NDArray[np.bool_]:
        before = self._before[which].astype(np.float64) if self.name == "update" else np.zeros(())
        rounding = 4 * self._form.unit * (np.abs(before) + np.abs(exact)) + self._form.smallest
        size = np.abs(exact - before) * (1 if self.name == "update" else 0.5)
        return np.isfinite(exact) & (np.abs(engine - exact) <= size + rounding)


@lru_cache(maxsize=1024)
def _program(
    definition: Definition, name: str, shape: Shape, texts: Texts, form: Format | None, manner: Manner | None
) -> Program:
    graph = definition.graph(name, shape, texts)
    sided = compares(graph, definition.arrays)
    return emit(graph, stepping(form, manner, sided=sided), graph.outputs, operators=False)


@lru_cache(maxsize=256)
def _once(definition: Definition, form: Format | None) -> Program:
    graph = definition.once_shown
    return emit(graph, counting(form), graph.outputs, operators=False)
