"""Two optimisers on the same gradients: whether they step alike, which term differs, and what makes them equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from ..errors import CommandError
from ..rules.definition import Definition, definition
from ..rules.native import differing
from ..rules.rule import COMMON, Setting
from .following import Apart, parted
from .known import known
from .likeness import EXACT, NEAR, Likeness, both, definition_of, gaps, likeness, lost, most
from .probing import Trace, numbers
from .remedies import Remedy, lines_apart, remedies, renamed
from .sides import Side

Verdict: TypeAlias = Literal["equal", "settings", "definition"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting or choice in which two definitions differ, each with its answer; `words` say what choices mean."""

    name: str
    a: str
    b: str
    a_words: str = ""
    b_words: str = ""

    @property
    def is_choice(self) -> bool:
        return bool(self.a_words or self.b_words)


@dataclass(frozen=True)
class Compared:
    """What stepping two optimisers on the same gradients came to.

    `shows`: by probing point, where the two definitions are farthest apart, or the two optimisers where one is not
    known. `assumed`: arguments that had to be given and were not. `turned`: one moves by the same and the other way.
    `first`: the first step at which they part, 0 where they do not. `why`, `never`: what is known of the pair beyond
    that.
    """

    a: Side
    b: Side
    verdict: Verdict
    likeness: Likeness
    differences: tuple[Difference, ...]
    lines: tuple[tuple[str, str], ...]
    shows: tuple[Apart, ...]
    remedies: tuple[Remedy, ...]
    caveats: tuple[str, ...]
    assumed: tuple[str, ...]
    turned: bool
    skipped: str
    first: int
    why: tuple[str, ...]
    never: str

    @property
    def equal(self) -> bool:
        return self.verdict == "equal"


def _beyond(a: Side, b: Side, verdict: str) -> tuple[tuple[str, ...], str]:
    """What is known of the pair beside definitions: why they differ, and why nothing mends it."""
    told, _ = known(a.path, b.path)
    return (tuple(filter(None, [told.caveat])), "") if verdict == "equal" else (told.sentences, told.never)


def compare(a: Side, b: Side) -> Compared:
    """Step both and say how they differ. Raises CommandError for what cannot be stepped at all."""
    a, b, assumed = _completed(a, b)
    pairs, skipped = both(a, b)
    of_a, of_b = definition_of(a, [one for one, _ in pairs]), definition_of(b, [other for _, other in pairs])
    a, b = replace(a, found=a.found or of_a), replace(b, found=b.found or of_b)
    real = [one for pair in pairs for one in parted(*pair)]
    if of_a is not None and of_b is not None:
        told = _by_definition(a, b, of_a, of_b, pairs)
    else:
        told = _Told("equal" if most(real) <= NEAR else "definition", _shows(real))
    differ = told.verdict != "equal"
    return Compared(
        a, b, told.verdict, likeness(pairs), told.differences, told.lines, told.shows if differ else (),
        tuple(remedies(a, b)) if differ else (), () if differ else tuple(_caveats(a, b)), assumed, _turned(pairs),
        skipped, min((one.step for one in real if one.relative > NEAR), default=0), *_beyond(a, b, told.verdict),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Told:
    """The parts of a comparison that definitions decide, where they are known."""

    verdict: Verdict
    shows: tuple[Apart, ...] = ()
    differences: tuple[Difference, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def _by_definition(a: Side, b: Side, of_a: Definition, of_b: Definition, pairs: Sequence[tuple[Trace, Trace]]) -> _Told:
    """Two definitions in exact arithmetic: as they are, and where they differ with the same numbers."""
    at, broken = [pair[0].scene for pair in pairs], lost(pairs)
    exact = gaps(of_a, of_b, at)
    if not broken and most(exact) <= EXACT:
        return _Told("equal")
    of_b = renamed(of_b, of_a.rule)
    same_numbers = _with_numbers_of(of_a, of_b, b)
    of_definition = gaps(of_a, same_numbers, at)
    if not broken and most(of_definition) <= EXACT:
        return _Told("settings", _shows(exact), tuple(_differences(of_a, of_b, named=False, sides=(a, b))))
    shows = _shows([*exact, *broken]) if broken else _shows(of_definition)
    differences = tuple(_differences(of_a, of_b, named=True, sides=(a, b)))
    return _Told("definition", shows, differences, lines_apart(of_a, same_numbers))


# --- what they do -------------------------------------------------------------------------------------------


def _completed(a: Side, b: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Both with a step size, where one must be given and is not: the other's, or 0.1."""
    assumed: list[str] = []

    def with_size(side: Side, other: Side) -> Side:
        given: dict[str, Any] = {}
        for name in side.missing:
            if name != side.step_size:
                raise CommandError(f"{side.path} needs `{name}`: --set {name}=...")
            size = other.call.get(other.step_size) if other.rule is None else other.rule.constants.get("step_size")
            given[name] = float(size) if isinstance(size, int | float | str) and size else 0.1
            assumed.append(f"{side.path} has no default `{name}`; {given[name]:g} was taken")
        return side.with_(given)

    return with_size(a, b), with_size(b, a), tuple(assumed)


def _shows(told: Sequence[Apart]) -> tuple[Apart, ...]:
    """Of each probing point where the two are farthest apart; the farthest first."""
    by_label: dict[str, Apart] = {}
    for one in told:
        if one.relative > EXACT and one.relative > getattr(by_label.get(one.label), "relative", 0.0):
            by_label[one.label] = one
    return tuple(sorted(by_label.values(), key=lambda one: -one.relative))


def _turned(pairs: Sequence[tuple[Trace, Trace]]) -> bool:
    """Whether one moves by the same and the other way."""
    told = [one for pair in pairs for one in parted(*pair) if one.a or one.b]
    return bool(told) and all(abs(one.a + one.b) <= 1e-6 * one.size for one in told)


# --- in words -----------------------------------------------------------------------------------------------


def _with_numbers_of(a: Definition, b: Definition, side: Side) -> Definition:
    """b with the numbers of a, as far as it can be told them: what is left differs in the definition alone."""
    numbers = {
        name: text for name, text in a.chosen.items() if name not in a.row.choices and not lacks(side, b.rule, name)
    }
    told = {name: numbers.get(name, text) for name, text in b.chosen.items()}
    for name, allowed in COMMON.items():  # of what all rules have, what a has not is 0
        if name in b.constants and name not in a.chosen and isinstance(allowed, Setting):
            told[name] = b.constants[name] if lacks(side, b.rule, name) else "0"
    if "weight_decay" in numbers and "weight_decay" not in told:
        told |= {name: a.chosen[name] for name in ("weight_decay", "decay") if name in a.chosen}
    return definition(b.rule, told)


def _differences(a: Definition, b: Definition, *, named: bool, sides: tuple[Side, Side]) -> Iterator[Difference]:
    if a.rule != b.rule and named:
        yield Difference("rule", a.rule, b.rule, f"the rule {a.rule}", f"the rule {b.rule}")
        shared = [name for name in a.chosen if name in b.chosen and a.chosen[name] != b.chosen[name]]
    else:
        shared = differing(a, b)
    for name in shared:
        of_a, of_b = (_said(one, name) for one in (a, b))
        choice = a.row.choices.get(name) or b.row.choices.get(name)
        words = ["", ""] if choice is None else [choice.answers.get(text, text) for text in (of_a, of_b)]
        if choice is None:
            words = [
                f"there is no `{name}`" if lacks(side, one.rule, name) else ""
                for side, one in zip(sides, (a, b), strict=False)
            ]
        without = choice is not None and choice.where and "0" in (_said(a, choice.where), _said(b, choice.where))
        if of_a != of_b and not without:
            yield Difference(name, of_a, of_b, *words)


def _said(found: Definition, name: str) -> str:
    allowed = found.row.allowed(name)
    return found.chosen.get(name, (allowed.default or "0") if allowed is not None else "0")


def _caveats(a: Side, b: Side) -> Iterator[str]:
    """What equal optimisers still differ in."""
    natives, found, parting = (a.native, b.native), a.definition, False
    if found is not None and all(natives):
        fixed = [native.fixed for native in natives if native is not None]
        for name, choice in found.row.choices.items():
            if choice.changing and name in found.read and all(name in one for one in fixed):
                answers = [one[name] for one in fixed]
                if answers[0] != answers[1] and _matters(found, name, answers):
                    words = "; ".join(
                        f"{side.path}: {choice.answers[answer]}" for side, answer in zip((a, b), answers, strict=True)
                    )
                    parting = True
                    yield f"equal only as long as {choice.changing} stays the same ({words}), which no setting mends"
    changed = [side.changing() for side in (a, b)]
    if found is not None and not parting and changed[0] is not None and changed[1] is not None:
        definitions = [side.definition for side in changed if side is not None]
        if definitions[0] is not None and definitions[1] is not None:
            far = most(gaps(definitions[0], definitions[1], [numbers()]))
            if far > EXACT:
                yield f"where the step size changes from step to step, they are {far:.0e} of a step apart"
    if (
        found is not None
        and found.scalars
        and any(side.framework and side.framework.name == "torch" for side in (a, b))
    ):
        yield (
            "torch keeps its scalar in its default dtype: set torch.set_default_dtype(torch.float64) for float64, or "
            "some 7 digits are right"
        )


def _matters(found: Definition, name: str, answers: Sequence[str]) -> bool:
    changing = found.row.choices[name].changing
    size = found.constants.get(changing)
    if size is None:
        return False
    told = [definition(found.rule, {**found.chosen, changing: f"{size} / t", name: answer}) for answer in answers]
    return told[0] != told[1]


def lacks(side: Side, rule: str, name: str) -> bool:
    """Whether no argument of an optimiser says a setting, nor what its framework adds to any."""
    if side.framework is None or not side.natives or name in side.framework.around:
        return False
    return not any(native.takes(name) for native in side.natives if native.rule == rule)
