"""What makes two optimisers step alike: a call of one, or settings of both, each stepped again before it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..rules.definition import Definition, definition
from ..rules.native import Native
from ..rules.rule import RULES, Choice
from ..rules.texts import names_in
from .known import known
from .likeness import Likeness, agree, same
from .sides import Side

EXTREMES = ("0", "1e-30", "1e6")


@dataclass(frozen=True, slots=True)
class Remedy:
    """Optimisers, as they are written, that step alike, seen by stepping again."""

    a: str
    b: str
    change: str
    likeness: Likeness
    whole: bool = True  # one side stays as it was called


def remedies(a: Side, b: Side) -> Iterator[Remedy]:
    """Calls that make one the other's, or settings of both, each stepped again before it is told."""
    found = [*_one_sided(a, b), *_by_what_is_known(a, b)]
    yield from found
    if not found:
        yield from _of_both(a, b)


def _by_what_is_known(a: Side, b: Side) -> Iterator[Remedy]:
    told, turned = known(a.path, b.path)
    if told.equal is None:
        return
    first, second = told.equal[::-1] if turned else told.equal
    sides = [
        side.with_(
            {name: other.call.get(value, value) if isinstance(value, str) else value for name, value in of.items()}
        )
        for side, other, of in ((a, b, first), (b, a, second))
    ]
    likeness = agree(*sides)
    if likeness is not None:
        change = ", ".join(
            f"{name}={side.given[name]!r}" for side, of in zip(sides, (first, second), strict=False) for name in of
        )
        yield Remedy(sides[0].text, sides[1].text, change, likeness)


def _one_sided(a: Side, b: Side) -> Iterator[Remedy]:
    for wanted, mover, first in ((a, b, False), (b, a, True)):
        if wanted.definition is None or mover.framework is None or mover.own:
            continue
        here = mover.framework is wanted.framework
        for candidate, change in _moved(mover, wanted.definition, elsewhere=here):
            sides = (candidate, wanted) if first else (wanted, candidate)
            likeness = agree(*sides)
            if likeness is not None:
                yield Remedy(sides[0].text, sides[1].text, change, likeness)
                break


def _moved(mover: Side, wanted: Definition, *, elsewhere: bool = False) -> Iterator[tuple[Side, str]]:
    """The same constructor, or another of its framework unless that one is `elsewhere`, called so that it steps by a
    definition."""
    assert mover.framework is not None
    own = sorted(mover.framework.natives, key=lambda native: native.path != mover.path)
    for native in own:
        if elsewhere and native.path != mover.path:
            continue  # to put the other in its place makes no two equal
        for target in (wanted, *_renamed(wanted, native)):
            if native.rule != target.rule:
                continue
            runs = native.runs(target, mover.framework.around)
            if not same(runs, wanted):
                continue
            yield from _called(mover, native, runs)


def _renamed(wanted: Definition, native: Native) -> Iterator[Definition]:
    """A definition under the name of another rule: adam with decoupled decay is adamw."""
    if native.rule == wanted.rule:
        return
    row = RULES[native.rule]
    settings = {name: text for name, text in wanted.chosen.items() if row.allowed(name) is not None}
    try:
        yield definition(native.rule, settings)
    except AssertionError:  # a setting without which there is no such rule
        return


def _called(mover: Side, native: Native, runs: Definition) -> Iterator[tuple[Side, str]]:
    assert mover.framework is not None
    same = native.path == mover.path
    base = mover if same else Side(native.path, mover.framework, mover.framework.find(native.path), {})
    arguments = {name: value for name, value in native.arguments(runs).items() if name in base.parameters}
    told_of = {*native.settings, *native.choices, *native.given, *native.variants}
    arguments |= {name: base.parameters[name].default for name in base.given if name not in told_of}
    told = {name: value for name, value in arguments.items() if name not in base.call or base.call[name] != value}
    told = _needed(base, told)
    side, change = base.with_(told), ", ".join(f"{name}={value!r}" for name, value in told.items())
    decay = runs.chosen.get("weight_decay", "0")
    before: tuple[Side, ...] = ()
    if float(decay) and not native.takes("weight_decay") and runs.chosen.get("decay", "coupled") == "coupled":
        path = "optax.add_decayed_weights"
        first = Side(path, mover.framework, mover.framework.find(path), {"weight_decay": float(decay)})
        before = (first,)
    side = replace(side, before=before, found=None)
    if before:
        yield side, side.text
    elif same:
        yield side, change or "nothing"
    else:
        yield side, side.text


def _needed(base: Side, told: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that change nothing."""
    kept, whole = dict(told), base.with_(told).definition
    for name in told:
        fewer = {other: value for other, value in kept.items() if other != name}
        if base.with_(fewer).definition == whole and whole is not None:
            kept = fewer
    return kept


def _of_both(a: Side, b: Side) -> Iterator[Remedy]:
    """One setting at its end, on both sides: what is added is 0, or what grows has grown."""
    if a.definition is None or b.definition is None:
        return
    for base, other, first in ((a, b, True), (b, a, False)):
        for wanted, change in _extreme(base, _ends(a, b)):
            assert wanted.definition is not None
            for candidate, _ in _moved(other, wanted.definition):
                if candidate.path != other.path or candidate.before:
                    continue
                sides = (wanted, candidate) if first else (candidate, wanted)
                likeness = agree(*sides)
                if likeness is not None:
                    yield Remedy(sides[0].text, sides[1].text, change, likeness, whole=False)
                    return


def _extreme(base: Side, names: Sequence[str]) -> Iterator[tuple[Side, str]]:
    """A side with one number at its end; then with another one, that is 0, above it too: sums that begin above 0."""
    ends = [(_at_end(base, name, text), f"{name}: {text}") for name in names for text in EXTREMES]
    yield from ((side, change) for side, change in ends if side is not None and side.definition is not None)
    for side, change in ends:
        found = side.definition if side is not None else None
        if side is not None and found is not None and "initial" in found.constants:
            begun = _at_end(side, "initial", "0.1")
            if begun is not None and begun.definition is not None:
                yield begun, f"{change}, initial: 0.1"


def _ends(a: Side, b: Side) -> list[str]:
    """Settings to try: those without which a choice that differs is none come first."""
    of_a, of_b = a.definition, b.definition
    assert of_a is not None and of_b is not None
    rows = [of_a.row, of_b.row]
    choices = [
        row.choices[name].where for row in rows for name in {**of_a.chosen, **of_b.chosen} if name in row.choices
    ]
    differing_ = {
        name for pair in lines_apart(of_a, of_b) for line in pair if line for name in names_in(line.partition(" = ")[2])
    }
    for one in (of_a, of_b):
        for step in reversed(one.steps):
            if step.name in differing_:
                differing_ |= {name for text in step.texts for name in names_in(text)}
    alone = [name for one, other in ((of_a, of_b), (of_b, of_a)) for name in one.constants if name not in other.read]
    numbers_ = [name for name in dict.fromkeys([*alone, *of_a.constants, *of_b.constants]) if name in differing_]
    never = ("step_size", "", "weight_decay")
    return [name for name in dict.fromkeys([*choices, *numbers_]) if name not in never]


def _at_end(side: Side, name: str, text: str) -> Side | None:
    """A side with one number at its end, where an argument says it."""
    found, native = side.definition, side.native
    if side.rule is not None:
        allowed = side.rule.row.settings.get(name)
        return replace(side, rule=side.rule.with_(name, text)) if allowed and not isinstance(allowed, Choice) else None
    if found is None or native is None or not native.takes(name):
        return None
    told = native.arguments(
        found.with_(name, text) if name in found.chosen else definition(found.rule, {**found.chosen, name: text})
    )
    changed = {key: value for key, value in told.items() if side.call.get(key) != value}
    return side.with_(changed) if changed else None


def lines_apart(a: Definition, b: Definition) -> tuple[tuple[str, str], ...]:
    """The lines of two definitions that differ, side by side; empty where one has no such line."""
    of_a, of_b = ([f"{step.name} = {step.texts[0]}" for step in one.steps] for one in (a, b))
    only_a, only_b = ([line for line in one if line not in other] for one, other in ((of_a, of_b), (of_b, of_a)))
    names = dict.fromkeys(line.partition(" = ")[0] for line in [*only_a, *only_b])
    pairs = list[tuple[str, str]]()
    for name in names:
        left, right = ([line for line in one if line.startswith(f"{name} = ")] for one in (only_a, only_b))
        pairs += [
            (left[k] if k < len(left) else "", right[k] if k < len(right) else "")
            for k in range(max(len(left), len(right)))
        ]
    return tuple(pairs)


def renamed(found: Definition, rule: str) -> Definition:
    """A definition under the name of another rule where that is the same, else as it is: adam with decoupled decay is
    adamw."""
    row = RULES[rule]
    if found.rule == rule or {*row.start} != {*found.row.start}:
        return found
    other = definition(rule, {name: text for name, text in found.chosen.items() if row.allowed(name) is not None})
    return other if same(other, found) else found
