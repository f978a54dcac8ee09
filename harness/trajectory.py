"""The path that an update rule takes, walked by an engine and judged step by step.

An engine evaluates at its own parameters, its optimiser moves them, and every move is held against the
rule in ball arithmetic on the engine's own numbers: its old parameters and state, its gradient, its new
state. So errors of earlier steps never count again, and the first bad step is known with its cause.
Knows `judge.py`, `truth/` and `update.py`; no engine, no optimiser of a framework, no report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import pairwise
from math import log2
from typing import Any

import flint
import numpy as np

from .agreement import same_bits
from .chain import Chain
from .evaluation import Array, Evaluate, Evaluation, Moved, Optimiser, Step, Unsupported
from .graph.emit import Namespace, Program, emit
from .graph.graph import Constant, Shape
from .judge import judge
from .rows import FINDINGS, TrajectoryRow, Verdict
from .subject import Subject
from .truth.numbers import balls
from .truth.precision import working
from .truth.residuals import Numerals, Residual, residual
from .truth.rounding import Format, entered, rounded
from .update import RULES, Formula, Rule, Update, formula_graph, row_optimiser
from .verdicts import SEVERITY, Link, classify


@dataclass(frozen=True, slots=True)
class Finding:
    """What one of the causes of a step's end came to: `gradient`, `state ...` or `update`, at its worst component."""

    cause: str
    verdict: Verdict
    score: float | None
    index: tuple[int, ...]
    node: str = ""


def trajectory(
    start: Subject, engine: str, evaluate: Evaluate, update: Update, optimiser: Optimiser | None = None
) -> list[TrajectoryRow]:
    """Walk `update.steps` steps from the inputs of `start`.

    One row for each step and input: the component whose verdict is gravest or whose score is highest.
    `value` is the input's after the step, `reference` what the rule gives on the engine's own numbers,
    `score` the highest of the gradient, the state and the update. Where one of them is off, `cause` names
    the first (`gradient`, `state m`, `update`), and verdict and score are its own. Further rows, from step
    0 on, hold the output (contracted with the cotangent) under the output's name; there the cause `value`
    says that its value is off. The path ends early where the engine fails or a parameter is not finite.
    """
    return _Walk(start, engine, evaluate, update, optimiser or row_optimiser).rows()


class _Walk:
    """One engine on one path: where it stands, and the rows so far."""

    def __init__(self, start: Subject, engine: str, evaluate: Evaluate, update: Update, optimiser: Optimiser) -> None:
        self.subject, self.engine, self.evaluate, self.update = start, engine, evaluate, update
        self.names = tuple(node.name for node in start.graph.wanted)
        self.parameters = {name: start.inputs[name] for name in self.names}
        self.rule = RULES[update.rule]
        self.state: dict[str, Mapping[str, Array]] = {
            variable: {name: np.zeros_like(array) for name, array in self.parameters.items()}
            for variable in self.rule.state
        }
        self.begin: Callable[[], Step] = lambda: optimiser(
            update.rule, update.numbers, {name: array.copy() for name, array in self.parameters.items()}
        )
        self.found: list[TrajectoryRow] = []

    def rows(self) -> list[TrajectoryRow]:
        try:
            step = self.begin()
        except Unsupported as reason:
            return self._stopped(1, "unsupported", f"update: {reason}")
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is its answer, and becomes a row
            return self._stopped(1, "failed", f"update: {_first_line(error)}")
        for number in range(1, self.update.steps + 1):
            evaluation, judged = self._stand(number - 1)
            if evaluation.status != "ok":
                return self._stopped(number, evaluation.status, f"gradient: {evaluation.reason}")
            try:
                moved = step(dict(evaluation.gradients))
            except Exception as error:  # noqa: BLE001 - as above
                return self._stopped(number, "failed", f"update: {_first_line(error)}")
            lacking = self._lacking(moved)
            if lacking:
                return self._stopped(number, "failed", f"update: {lacking}")
            with working():
                for name in self.names:
                    self.found.append(self._row(number, name, evaluation.gradients[name], judged.get(name), moved))
            self.parameters = {name: np.array(moved.parameters[name]) for name in self.names}
            self.state = {
                variable: {n: np.array(moved.state[variable][n]) for n in self.names} for variable in self.state
            }
            if not all(np.isfinite(array).all() for array in self.parameters.values()):
                return self.found
        self._stand(self.update.steps)
        return self.found

    def _stand(self, done: int) -> tuple[Evaluation, Mapping[str, Finding]]:
        """Evaluate where the path stands after `done` steps; record the output, judge the gradients."""
        here = self.subject
        if done:
            here = replace(here, inputs={**here.inputs, **self.parameters})
        try:
            evaluation = self.evaluate(here.inputs, here.cotangent)
        except Exception as error:  # noqa: BLE001 - as above
            evaluation = Evaluation("failed", _first_line(error))
        if evaluation.status != "ok":
            return evaluation, {}
        chain = Chain(here, evaluation)
        chain.judge()
        output = here.graph.output.name
        if output in chain.values:
            self._record_output(done, output, evaluation.values[output], chain.values[output])
        return evaluation, self._of_gradients(here, evaluation, chain)

    def _of_gradients(self, here: Subject, evaluation: Evaluation, chain: Chain) -> Mapping[str, Finding]:
        """By their links, as in `judge.py` but without the truth of the whole graph, which a path has no use for."""
        if evaluation.adjoints is None:
            rows = judge(here, self.engine, evaluation, quantities=frozenset(("gradient",)))
            return {row.name: Finding("gradient", row.verdict, row.score, _index(row.index), row.node) for row in rows}
        found: dict[str, Finding] = {}
        for name in self.names:
            link, own = chain.adjoints[name], chain.own["adjoint", name]
            plain, shown = evaluation.gradients[name], evaluation.adjoints[name]
            if link.verdict not in FINDINGS and not same_bits(plain, shown):
                found[name] = Finding("gradient", "not judged", None, own.index)
            else:
                found[name] = Finding("gradient", link.verdict, _known(link.score), own.index, str(link))
        return found

    def _record_output(self, step: int, name: str, value: Array, link: Link) -> None:
        with np.errstate(all="ignore"):
            contracted = float(np.sum(value.astype(np.float64) * self.subject.cotangent.astype(np.float64)))
        off = link.verdict in FINDINGS
        blank = self._blank(step, name, contracted)
        cause, node = ("value", str(link)) if off else ("", "")
        self.found.append(
            replace(blank, score=_known(link.score), verdict=link.verdict, finding=off, cause=cause, node=node)
        )

    def _blank(self, step: int, name: str, value: float) -> TrajectoryRow:
        s = self.subject
        return TrajectoryRow(
            s.case, s.point, s.dtype, self.engine, step, name, "", value, None, None, None, "agree", ""
        )  # fmt: skip

    def _stopped(self, step: int, verdict: Verdict, cause: str) -> list[TrajectoryRow]:
        """The path ends before this step is made: one row for each input says why."""
        for name in self.names:
            blank = self._blank(step, name, float("nan"))
            self.found.append(replace(blank, verdict=verdict, cause=cause, finding=verdict in FINDINGS))
        return self.found

    def _lacking(self, moved: Moved) -> str:
        """What an optimiser's answer lacks: a key, the right shape, the right dtype."""
        answers = {"the parameters": moved.parameters, **{f"state {v}": moved.state.get(v) for v in self.rule.state}}
        for what, arrays in answers.items():
            for name in self.names:
                before = self.parameters[name]
                now = None if arrays is None else arrays.get(name)
                if now is None:
                    return f"{what} of `{name}` is missing"
                if np.shape(now) != before.shape or np.asarray(now).dtype != before.dtype:
                    found = f"{np.asarray(now).dtype} of shape {np.shape(now)}"
                    return f"{what} of `{name}` is {found}, not {before.dtype} of shape {before.shape}"
        return ""

    def _row(self, step: int, name: str, gradient: Array, judged: Finding | None, moved: Moved) -> TrajectoryRow:
        """One input after one step."""
        after = np.asarray(moved.parameters[name])
        if after.size == 0:
            return self._blank(step, name, 0.0)
        form = self.subject.form
        numbers = {"x": self.parameters[name], "g": gradient, "t": np.array(float(step))}
        numbers |= {variable: arrays[name] for variable, arrays in self.state.items()}
        own = {key: Numerals(np.asarray(array), form) for key, array in numbers.items()}
        findings = [judged or Finding("gradient", "not judged", None, ())]
        for variable, formula in self.rule.state.items():
            new = Numerals(np.asarray(moved.state[variable][name]), form)
            findings.append(_move(f"state {variable}", self.rule, self.update, formula, own, new, form)[0])
            own[variable] = new
        found, exact = _move("update", self.rule, self.update, self.rule.x, own, Numerals(after, form), form)
        findings.append(found)
        worst = _first_off_or_worst(findings)
        value, reference = float(after[worst.index]), float(exact.exact[worst.index])
        off = worst.verdict in FINDINGS
        return replace(
            self._blank(step, name, value),
            index=", ".join(map(str, worst.index)),
            reference=reference,
            error=_signed(value - reference, float(exact.off[worst.index])),
            score=worst.score,
            verdict=worst.verdict,
            cause=worst.cause if off else "",
            finding=off,
            node=worst.node if off else "",
        )


def _signed(rough: float, size: float) -> float:
    """An error with the sign of the difference of two floats and a size that is known better."""
    return -size if rough < 0 else size


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}".rstrip(": ")


def _known(score: float) -> float | None:
    return None if np.isnan(score) else score


def _index(text: str) -> tuple[int, ...]:
    return tuple(int(i) for i in text.split(",")) if text else ()


def _first_off_or_worst(findings: Sequence[Finding]) -> Finding:
    """The first cause that is off; else the gravest verdict, with the highest score of all."""
    for found in findings:
        if found.verdict in FINDINGS:
            return found
    gravest = max(findings, key=lambda found: SEVERITY.index(found.verdict))
    worst = max(findings, key=lambda found: -1.0 if found.score is None else found.score)
    score = None if gravest.verdict == "not judged" else worst.score
    return Finding(worst.cause, gravest.verdict, score, worst.index)


# --- one number of a step against the rule -----------------------------------------------------------------


def _move(
    cause: str, rule: Rule, update: Update, formula: Formula, own: Mapping[str, Numerals], new: Numerals, form: Format
) -> tuple[Finding, Residual]:
    """A state variable or the parameter after a step: sound if it is so by one of the formula's forms."""
    settings = tuple(update.settings.items())
    shape = new.array.shape
    exactly = _program(rule.name, settings, formula.text, shape, None)(*_operands(rule, own, None))[0]

    @cache
    def measured(text: str, form: Format) -> Residual:
        enclosure = _program(rule.name, settings, text, shape, form)(*_operands(rule, own, form))[0]
        return residual(new, enclosure, exactly)

    found: list[Finding] = []
    for text in (formula.text, *formula.also):
        verdict, score, index, _ = classify(partial(measured, text), form)
        found.append(Finding(cause, verdict, _known(score), index))
        if verdict not in FINDINGS:
            break
    sound = found[-1].verdict not in FINDINGS
    return found[-1 if sound else 0], measured(formula.text, form)


def _operands(rule: Rule, own: Mapping[str, Numerals], form: Format | None) -> Iterable[Any]:
    """x, g, t and the state: exactly, or each with one rounding; the number of the step never has one."""
    for name in ("x", "g", "t", *rule.state):
        yield own[name].exact if form is None or name == "t" else own[name].in_form(form)


@lru_cache(maxsize=1024)
def _program(rule: str, settings: tuple[tuple[str, str], ...], text: str, shape: Shape, form: Format | None) -> Program:
    graph = formula_graph(RULES[rule], dict(settings), text, shape)
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

    def constant(text: str) -> Any:
        return exact["constant"](text) if _holds(form, text) else entered(exact["constant"](text), form)

    def sqrt(x: Any) -> Any:
        """What is under a root is a sum of squares: its ball may blur below 0, where no engine's number is."""
        return wide["sqrt"](_not_negative(x))

    return {**wide, "constant": constant, "sqrt": sqrt}


def _holds(form: Format, text: str) -> bool:
    """Whether the format has this very number (its range aside)."""
    exact = Constant(text).exact
    if exact is None:
        return False
    bits = round(-log2(form.unit))
    return exact == 0 or (_odd(exact.numerator).bit_length() <= bits and _odd(exact.denominator) == 1)


def _odd(number: int) -> int:
    number = abs(number)
    return number // (number & -number)


def _clipped(ball: Any) -> Any:
    return flint.arb(0).union(ball.upper()) if ball.lower() < 0 <= ball.upper() else ball


_not_negative = np.frompyfunc(_clipped, 1, 1)


# --- a path in a line -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    """One path: from where to where the output went in how many steps, and the first step that is off.

    `against` counts the steps on which the output moved the other way than the rule promises; `kept` says
    whether from start to end it moved as promised (None: it stood still, or is not known).
    """

    case: str
    point: int
    dtype: str
    engine: str
    rule: str
    steps: int
    start: float | None
    end: float | None
    against: int
    kept: bool | None
    first: TrajectoryRow | None
    known: int = 0
    unjudged: int = 0

    def __str__(self) -> str:
        went = f"{self.engine}: {self.rule}, {self.steps} step{'s' * (self.steps != 1)}"
        if self.start is not None and self.end is not None:
            promise = RULES[self.rule].promise
            moved = {True: f"{promise} as promised", False: f"not {promise} as promised", None: "and did not move"}[
                self.kept
            ]
            went += f", output from {self.start:.6g} to {self.end:.6g}, {moved}"
            went += f" ({self.against} of {self.steps} steps the other way)" if self.against else ""
        if self.first is None:
            if self.unjudged:
                return f"{went}; no step is known to be off, {self.unjudged} could not be judged"
            known = f", but for {self.known} known disagreements" if self.known else ""
            return f"{went}; every step is sound{known}"
        row = self.first
        where = f"{row.name}[{row.index}]" if row.index else row.name
        return f"{went}; first off at step {row.step} in {where}: {row.cause}, {row.verdict}"


def summary(rows: Sequence[TrajectoryRow], update: Update, output: str) -> Summary:
    """The summary of one engine's path; `rows` are those of `trajectory`, `output` the name of the output."""
    assert rows, "a path has at least one row"
    outputs = [row.value for row in rows if row.name == output]
    promise = RULES[update.rule].promise
    sign = 1.0 if promise == "up" else -1.0
    with np.errstate(all="ignore"):
        moves = [sign * (after - before) for before, after in pairwise(outputs)]
        whole = sign * (outputs[-1] - outputs[0]) if moves else float("nan")
    head = rows[0]
    return Summary(
        head.case, head.point, head.dtype, head.engine, update.rule,
        steps=max((row.step for row in rows if row.verdict not in ("failed", "timed out")), default=0),
        start=outputs[0] if outputs else None,
        end=outputs[-1] if outputs else None,
        against=sum(not (move >= 0) for move in moves),
        kept=None if not moves or whole == 0 else bool(whole > 0),
        first=next((row for row in rows if row.finding), None),
        unjudged=len({row.step for row in rows if row.verdict == "not judged"}),
    )  # fmt: skip
