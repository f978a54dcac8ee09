"""Which definition an optimiser steps by, found by trying: rules, choices, and settings fitted to its moves.

Settings are fitted by Levenberg and Marquardt's method (Björck 1996, Numerical Methods for Least Squares
Problems, section 9.2) on their logarithms, in float64, and rounded to the fewest digits with which every step is sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, product
from typing import Any, cast

import numpy as np

from ..rules.definition import Definition, definition
from ..rules.framework import Framework
from ..rules.rule import RULES, Choice, Rule, Setting
from .following import errors, held
from .probing import Trace

CLOSE = 1e-7  # of a move: what float64 tells to be worth balls
NEARLY = 1e-4  # of a move: what is worth to be rounded to few digits
TURNS, TRIES, DONE = 20, 6, 1e-26
DIGITS = (1, 2, 3, 4, 6, 9, 12)
RANKED, NEAREST = 12, 3  # rules whose settings are fitted; and those that are looked at in all their choices
# What people call settings, of whatever framework.
NAMES: Mapping[str, str | tuple[str, ...]] = {
    "lr": "step_size", "learning_rate": "step_size", "betas": ("beta1", "beta2"), "b1": "beta1", "b2": "beta2",
}  # fmt: skip
MOST = 64  # combinations of choices of one rule


def told_by(arguments: Mapping[str, Any], framework: Framework) -> dict[str, str]:
    """Settings by the names of arguments, as the framework's own optimisers, and people, call them."""
    told: dict[str, str] = {}
    for settings in (*(native.settings for native in framework.natives), NAMES):
        for argument, names in settings.items():
            value: Any = arguments.get(argument)
            several: Any = [value] if isinstance(names, str) else value
            if isinstance(several, list | tuple) and all(map(_is_number, cast("list[Any]", several))):
                pairs = zip((names,) if isinstance(names, str) else names, cast("list[Any]", several), strict=False)
                told = {**{name: repr(float(number)) for name, number in pairs}, **told}
    return told


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def candidates(told: Mapping[str, str], rules: Iterable[str] = ()) -> Iterator[Definition]:
    """Every definition of every rule, with the settings that are told; others are those of the row."""
    for rule in rules or [name for name, row in RULES.items() if not row.by_shape]:
        row, seen = RULES[rule], set[Definition]()
        settings = {name: text for name, text in told.items() if _holds(row, name, text)}
        settings = {name: text for name, text in settings.items() if name in row.settings or float(text)}
        if "step_size" not in settings and _default(row, "step_size") is None:
            settings["step_size"] = "0.1"
        choices = {
            name: [*one.answers] for name, one in row.choices.items() if name != "decay" or "weight_decay" in settings
        }
        for answers in [*product(*choices.values())][:MOST]:
            found = definition(rule, {**settings, **dict(zip(choices, answers, strict=True))})
            if found not in seen:
                seen.add(found)
                yield found


def _holds(row: Rule, name: str, text: str) -> bool:
    allowed = row.allowed(name)
    return isinstance(allowed, Setting) and allowed.holds(Decimal(text))


def _default(row: Rule, name: str) -> str | None:
    allowed = row.settings.get(name)
    return allowed.default if isinstance(allowed, Setting) else "0"


def identified(
    traces: Sequence[Trace], told: Mapping[str, str], rules: Iterable[str] = (), *, fitting: bool = True
) -> tuple[Definition | None, Definition]:
    """The definition by which every step is sound, or None, and the one that comes nearest. Settings are those that are
    told or the row's, and where none is sound by them and `fitting`, whatever they must be."""
    measured = sorted(
        ((error_of(one, traces), k, one) for k, one in enumerate(candidates(told, rules))), key=lambda m: m[:2]
    )
    for error, _, found in measured:
        if error > CLOSE:
            break
        if explains(found, traces):
            return found, found
    best = measured[0][0], measured[0][2]
    if not fitting or not np.isfinite(best[0]):
        return None, best[1]
    fitted = list[tuple[float, Definition]]()
    for one in _ranked([one for _, _, one in measured], traces):
        fitted.append(_fitted(one, traces))
        if fitted[-1][0] <= NEARLY and (exact := rounded(fitted[-1][1], traces)) is not None:
            return exact, exact
    for _, found in sorted(fitted, key=lambda m: m[0])[:NEAREST]:
        for error, other in (_fitted(one, traces) for one in _others(found)):
            if error <= NEARLY and (exact := rounded(other, traces)) is not None:
                return exact, exact
    return None, min([*fitted, best], key=lambda m: m[0])[1]


def _fitted(found: Definition, traces: Sequence[Trace]) -> tuple[float, Definition]:
    better = fit(found, traces)
    return error_of(better, traces), better


def _others(found: Definition) -> Iterator[Definition]:
    """Definitions that differ in one choice, or have what the first one has not: momentum, or decay."""
    for name, choice in found.row.choices.items():
        for answer in choice.answers:
            if found.chosen.get(name, answer) != answer:
                yield definition(found.rule, {**found.chosen, name: answer})
    if found.chosen.get("momentum") == "0":
        yield definition(found.rule, {**found.chosen, "momentum": "0.5"})
    for decay in ("coupled", "decoupled"):
        if not float(found.constants.get("weight_decay", "0")):
            yield definition(found.rule, {**found.chosen, "weight_decay": "0.01", "decay": decay})


def explains(found: Definition, traces: Sequence[Trace]) -> bool:
    """Whether every step is sound by a definition, whose state goes along in balls."""
    return not any(held(found, trace, {}, strict=True) for trace in traces)


def error_of(found: Definition, traces: Sequence[Trace]) -> float:
    gaps = _gaps(found, traces)
    return float(np.max(np.abs(gaps))) if np.isfinite(gaps).all() else np.inf


def _gaps(found: Definition, traces: Sequence[Trace]) -> Any:
    try:
        return np.concatenate([errors(found, trace).reshape(-1) for trace in traces])
    except ArithmeticError:
        return np.array([np.inf])


def _ranked(found: Sequence[Definition], traces: Sequence[Trace]) -> list[Definition]:
    """Of each rule the definition that comes nearest on the whole, its step size fitted; the nearest first."""
    told = dict[str, tuple[float, Definition]]()
    for one in found:
        better = fit(one, traces[:1], names=("step_size",), turns=3) if "step_size" in one.constants else one
        measured: Any = np.minimum(np.abs(_gaps(better, traces[:1])), 1.0)
        far = float(np.nanmean(np.asarray(measured, dtype=np.float64) ** 0.25))
        if one.rule not in told or far < told[one.rule][0]:
            told[one.rule] = far, better
    return [better for _, better in sorted(told.values(), key=lambda m: m[0])[:RANKED]]


def fit(found: Definition, traces: Sequence[Trace], names: Sequence[str] = (), turns: int = TURNS) -> Definition:
    """A definition with the settings that come nearest: those named, or all that are numbers and not 0."""
    free = [name for name in names or found.constants if float(found.constants[name]) > 0]
    base, damping = _gaps(found, traces), 1e-3
    for _ in range(turns):
        if not free or not np.isfinite(base).all() or float(base @ base) < DONE:
            break
        slopes = np.array([(_gaps(_moved(found, {name: 1e-6}), traces) - base) / 1e-6 for name in free]).T
        if not np.isfinite(slopes).all():
            break
        for _ in range(TRIES):
            scale = np.sqrt(damping * (np.square(slopes).sum(axis=0) + 1e-12))
            step = np.linalg.lstsq(np.vstack([slopes, np.diag(scale)]), np.append(-base, 0 * scale), rcond=None)[0]
            moved = _moved(found, {name: float(np.clip(by, -4, 4)) for name, by in zip(free, step, strict=True)})
            gaps = _gaps(moved, traces)
            if np.isfinite(gaps).all() and float(gaps @ gaps) < float(base @ base) * (1 - 1e-9):
                found, base, damping = moved, gaps, damping / 10
                break
            damping *= 10
        else:
            break
    return found


def _moved(found: Definition, by: Mapping[str, float]) -> Definition:
    """Settings times e^by; of one that stays below 1, what is missing to that."""
    for name, change in by.items():
        allowed, number = found.row.allowed(name), float(found.constants[name])
        below = isinstance(allowed, Setting) and allowed.below == "1"
        moved = 1 - (1 - number) * float(np.exp(-change)) if below else number * float(np.exp(change))
        if below and moved <= 0:
            moved = number / 2
        found = found.with_(name, repr(moved))
    return found


def rounded(found: Definition, traces: Sequence[Trace], names: Sequence[str] = ()) -> Definition | None:
    """A fitted definition, its numbers to the fewest digits with which every step is sound; None where none is."""
    for digits in DIGITS:
        told = dict(found.settings)
        told |= {name: f"{float(found.constants[name]):.{digits}g}" for name in names or found.constants}
        if not all(_holds(found.row, name, told[name]) for name in names or found.constants):
            continue  # 0.9999999 is 1 in few digits, which no weight may be
        short = definition(found.rule, told)
        if error_of(short, traces) <= CLOSE and explains(short, traces):
            return short
    return None


# --- beside a definition that is asked for ------------------------------------------------------------------


def beside(wanted: Definition, told: Callable[[Definition], bool]) -> tuple[Definition | None, str]:
    """The definition that is sound and differs in the least: one choice, then two; and what differs, in words."""
    row = wanted.row
    single = [(name, answer) for name, one in row.choices.items() for answer in one.answers]
    for count in (1, 2):
        for changes in combinations(single, count):
            other = definition(wanted.rule, {**wanted.chosen, **dict(changes)})
            if other != wanted and told(other):
                words = [f"{name}: {answer} ({_answer(row, name, answer)})" for name, answer in changes]
                return other, " and ".join(words)
    return None, ""


def _answer(row: Rule, name: str, answer: str) -> str:
    choice = row.choices[name]
    assert isinstance(choice, Choice)
    return choice.answers[answer]


def swapped(wanted: Definition) -> Iterator[tuple[Definition, str]]:
    """The definition with two of its numbers exchanged."""
    for one, other in combinations(wanted.constants, 2):
        if wanted.constants[one] != wanted.constants[other]:
            changed = {one: wanted.constants[other], other: wanted.constants[one]}
            if all(_holds(wanted.row, name, text) for name, text in changed.items()):
                yield definition(wanted.rule, {**wanted.chosen, **changed}), f"{one} and {other} are exchanged"
