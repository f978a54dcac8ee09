"""Moves of an optimiser held against the rule, in ball arithmetic on the optimiser's own numbers.

A move is one parameter in one step. Every rule moves each component by itself, so moves of equal shape are stacked
along a new first axis, like links in `truth/batches.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf
from typing import Any

import flint
import numpy as np

from ..graph.emit import Namespace, Program, emit
from ..graph.node import Shape
from ..judging.classify import classify, place
from ..records.evaluation import Array
from ..records.formats import FLOAT32, Format
from ..records.rows import Index, LinkName
from ..records.verdicts import FINDINGS, Verdict
from ..rules.update import RULES, Formula, Rule, Update, formula_graph, once_graph
from ..truth.batches import LARGEST
from ..truth.numbers import balls, to_balls
from ..truth.precision import working
from ..truth.residuals import Numerals, Residual, residual
from ..truth.rounding import entered, rounded


@dataclass(frozen=True, slots=True)
class Finding:
    """What one of the causes of a step's end came to: `gradient`, `state ...` or `update`, at its worst component."""

    cause: str
    verdict: Verdict
    score: float | None
    index: Index
    node: LinkName | str = ""
    known: str = ""
    off: float = inf


@dataclass(frozen=True, slots=True)
class Measured:
    """A component as it is, as the rule has it on the engine's own numbers, and how far it is off."""

    value: float
    reference: float
    error: float


@dataclass(frozen=True, slots=True)
class Move:
    """One parameter in one step, the first is 1: what the optimiser read, and what it made of that."""

    step: int
    form: Format
    x: Array
    g: Array
    state: Mapping[str, Array]
    new_state: Mapping[str, Array]
    new_x: Array


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


def judge_moves(moves: Sequence[Move], update: Update) -> list[Judged]:
    """Each move as it would be judged alone. Parameters must not be empty."""
    shapes: dict[Shape, list[int]] = {}
    for k, move in enumerate(moves):
        shapes.setdefault(move.x.shape, []).append(k)
    judged: dict[int, Judged] = {}
    with working():
        for which in shapes.values():
            size = max(LARGEST // moves[which[0]].x.size, 1)
            for start in range(0, len(which), size):
                part = which[start : start + size]
                judged.update(zip(part, _together([moves[k] for k in part], update), strict=True))
    return [judged[k] for k in range(len(moves))]


def _together(moves: Sequence[Move], update: Update) -> Iterator[Judged]:
    form = moves[0].form

    def stacked(read: Callable[[Move], Array]) -> Numerals:
        return Numerals(np.array([read(move) for move in moves]), form)

    rule, shape = RULES[update.rule], moves[0].x.shape
    t = np.array([float(move.step) for move in moves]).reshape(-1, *(1 for _ in shape))
    numerals = {"x": stacked(lambda move: move.x), "g": stacked(lambda move: move.g), "t": Numerals(t, form)}
    numerals |= {variable: stacked(lambda move, v=variable: move.state[v]) for variable in rule.state}
    once = _Once(update, t)
    causes: list[_Cause] = []
    for variable, formula in rule.state.items():
        new = stacked(lambda move, v=variable: move.new_state[v])
        causes.append(_Cause(f"state {variable}", update, formula, dict(numerals), once, new, form))
        numerals[variable] = new
    causes.append(_Cause("update", update, rule.x, numerals, once, stacked(lambda move: move.new_x), form))
    for k in range(len(moves)):
        yield Judged([cause.finding(k) for cause in causes], {cause.name: cause.plain[k] for cause in causes})


class _Once:
    """The numbers that are computed once a step: exactly, or in single precision and rounded on their way in."""

    def __init__(self, update: Update, t: Array) -> None:
        self._update, self._t = update, t

    def __call__(self, form: Format | None) -> Iterator[Any]:
        rule, settings = RULES[self._update.rule], tuple(self._update.settings.items())
        for text in rule.once.values():
            if form is None:
                yield _once(settings, text, None)(to_balls(self._t))[0]
            else:
                finer = FLOAT32 if form.unit > FLOAT32.unit else form
                number = _once(settings, text, finer)(to_balls(self._t))[0]
                yield number if finer is form else entered(number, form)


class _Cause:
    """A state variable or the parameter after stacked moves: sound if it is so by one of the formula's forms."""

    def __init__(
        self, name: str, update: Update, formula: Formula, numerals: Mapping[str, Numerals], once: _Once, new: Numerals,
        form: Format,
    ) -> None:  # fmt: skip
        rule, settings, shape = RULES[update.rule], tuple(update.settings.items()), new.array.shape[1:]
        exactly = _program(rule.name, settings, formula.text, shape, None)(*_operands(rule, numerals, once, None))[0]

        @cache
        def measured(text: str, form: Format) -> Residual:
            enclosure = _program(rule.name, settings, text, shape, form)(*_operands(rule, numerals, once, form))[0]
            return residual(new, enclosure, exactly)

        self.name, self.plain = name, measured(formula.text, form)
        self._measured, self._formula, self._form = measured, formula, form

    def finding(self, which: int) -> Finding:
        findings: list[Finding] = []
        for text in (self._formula.text, *self._formula.also):
            judgement = classify(lambda form, text=text: self._measured(text, form)[which], self._form)
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


def _operands(rule: Rule, numerals: Mapping[str, Numerals], once: _Once, form: Format | None) -> Iterator[Any]:
    """x, g, t, the state and what is computed once: exactly, or each with one rounding; the number of the step never
    has one."""
    for name in ("x", "g", "t", *rule.state):
        yield numerals[name].exact if form is None or name == "t" else numerals[name].in_form(form)
    yield from once(form)


@lru_cache(maxsize=1024)
def _program(rule: str, settings: tuple[tuple[str, str], ...], text: str, shape: Shape, form: Format | None) -> Program:
    graph = formula_graph(RULES[rule], dict(settings), text, shape)
    return emit(graph, _namespace(form), graph.outputs, operators=False)


@lru_cache(maxsize=256)
def _once(settings: tuple[tuple[str, str], ...], text: str, form: Format | None) -> Program:
    graph = once_graph(dict(settings), text)
    return emit(graph, _namespace(form), graph.outputs, operators=False)


def _namespace(form: Format | None) -> Namespace:
    """Balls, exact or rounded at every operation.

    Settings are decimals: one rounding where the format does not hold them. That includes the hyperparameters
    of torch and optax, which are Python floats and rounded once more when they meet a float32 array.
    """
    exact = balls(ties="hull")
    if form is None:
        return exact
    wide = rounded(exact, form)

    def sqrt(x: Any) -> Any:
        """What is under a root is a sum of squares: its ball may blur below 0, where no engine's number is."""
        return wide["sqrt"](_not_negative(x))

    return {**wide, "sqrt": sqrt}


def _clipped(ball: Any) -> Any:
    return flint.arb(0).union(ball.upper()) if ball.lower() < 0 <= ball.upper() else ball


_not_negative = np.frompyfunc(_clipped, 1, 1)
