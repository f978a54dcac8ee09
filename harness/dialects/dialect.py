"""Two optimisers on the same gradients: whether they step alike, which term differs, and what makes them equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, log10
from typing import Any, Literal, TypeAlias

from ..errors import CommandError, one_line
from ..rules.definition import Definition, definition, names_in
from ..rules.native import Native, differing
from ..rules.rule import RULES, Choice
from .following import Apart, alike, apart, held, parted, same_bits, worst
from .identify import identified, told_by
from .known import known
from .probing import Scene, Trace, matrices, numbers, schedule, taken
from .sides import Side

Verdict: TypeAlias = Literal["equal", "settings", "definition"]
NEAR = 1.2e-7  # of a move, two roundings of float32: what optimisers that no table knows may differ by, and be equal
EXACT = 1e-18  # of a move, in exact arithmetic: far below the digits of float64
SCHEDULE = ("_schedule", "_decay", "schedules.")
EXTREMES = ("0", "1e-30", "1e6")


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


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two optimisers stepped: to how many digits of the largest move of each component, infinite where no
    more can be told beside the parameter; and whether bit for bit."""

    digits: float
    bits: bool


@dataclass(frozen=True, slots=True)
class Remedy:
    """Optimisers, as they are written, that step alike, seen by stepping again."""

    a: str
    b: str
    change: str
    likeness: Likeness
    whole: bool = True  # one side stays as it was called


@dataclass(frozen=True)
class Compared:
    """What stepping two optimisers on the same gradients came to.

    `shows`: by probing point, where the two definitions are farthest apart, or, where one is not known, the two optimisers.
    `assumed`: arguments that had to be given and were not. `turned`: one moves by the same and the other way. `first`:
    the first step at which they part, 0 where they do not. `why`, `never`: what is known of the pair beyond that.
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


def scenes(*paths: str) -> tuple[Scene, ...]:
    """Where optimisers are looked at. Some rules are others for large matrices."""
    if any(".lr_scheduler." in path or path.endswith(SCHEDULE) for path in paths):
        return (schedule(),)
    large = any("adafactor" in path.lower() for path in paths)
    beside = (matrices((130, 128), label="large matrices"),) if large else ()
    return (numbers(), matrices(), *beside)


def _beyond(a: Side, b: Side, verdict: str) -> tuple[tuple[str, ...], str]:
    """What is known of the pair beside definitions: why they differ, and why nothing mends it."""
    told, _ = known(a.path, b.path)
    return (told.caveats, "") if verdict == "equal" else (told.why, told.never)


def compare(a: Side, b: Side) -> Compared:
    """Step both and say how they differ. Raises CommandError for what cannot be stepped at all."""
    a, b, assumed = _completed(a, b)
    pairs, skipped = _both(a, b)
    of_a, of_b = _definition(a, [one for one, _ in pairs]), _definition(b, [other for _, other in pairs])
    a, b = replace(a, found=a.found or of_a), replace(b, found=b.found or of_b)
    real = [one for pair in pairs for one in parted(*pair)]
    at = [pair[0].scene for pair in pairs]
    shows, verdict = _shows(real), "equal"
    known = of_a is not None and of_b is not None
    differences: tuple[Difference, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    broken = _lost(pairs)
    if known and of_a is not None and of_b is not None:
        exact = _gaps(of_a, of_b, at)
        if broken or _most(exact) > EXACT:
            alike = _with_numbers_of(of_a, of_b, b)
            of_definition = _gaps(of_a, alike, at)
            verdict = "definition" if broken or _most(of_definition) > EXACT else "settings"
            shows = _shows(of_definition if verdict == "definition" and not broken else [*exact, *broken])
            lines = _lines(of_a, alike) if verdict == "definition" else ()
            differences = tuple(_differences(of_a, of_b, renamed=verdict == "definition", sides=(a, b)))
        else:
            shows = ()
    elif _most(real) > NEAR:
        verdict = "definition"
    remedies = () if verdict == "equal" else tuple(_remedies(a, b))
    return Compared(
        a, b, verdict, _likeness(pairs), differences, lines, shows, remedies,  # type: ignore[arg-type]
        tuple(_caveats(a, b)) if verdict == "equal" else (), assumed, _turned(pairs), skipped,
        min((one.step for one in real if one.relative > NEAR), default=0), *_beyond(a, b, verdict),
    )  # fmt: skip


# --- what they do -------------------------------------------------------------------------------------------


def _completed(a: Side, b: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Both with a step size, where one must be given and is not: the other's, or 0.1."""
    assumed: list[str] = []

    def with_size(side: Side, other: Side) -> Side:
        missing = [name for name, one in side.parameters.items() if one.default is one.empty and name not in side.given]
        if side.own or not missing:
            return side
        given: dict[str, Any] = {}
        for name in missing:
            if name != side.step_size:
                raise CommandError(f"{side.path} needs `{name}`: --set {name}=...")
            size = other.call.get(other.step_size) if other.rule is None else other.rule.constants.get("step_size")
            given[name] = float(size) if isinstance(size, int | float | str) and size else 0.1
            assumed.append(f"{side.path} has no default `{name}`; {given[name]:g} was taken")
        return side.with_(given)

    return with_size(a, b), with_size(b, a), tuple(assumed)


def _both(a: Side, b: Side) -> tuple[list[tuple[Trace, Trace]], str]:
    """What both do at each scene that both take; why one was left out."""
    pairs, skipped = list[tuple[Trace, Trace]](), ""
    for scene in scenes(a.path, b.path):
        try:
            pairs.append((taken(scene, a.begin), taken(scene, b.begin)))
        except CommandError:
            raise
        except Exception as error:
            skipped = one_line(error)
    if not pairs:
        raise CommandError(f"{a.text} and {b.text} could not be stepped: {skipped}")
    return pairs, skipped


def _definition(side: Side, traces: Sequence[Trace]) -> Definition | None:
    """The definition of the tables, if every step is sound by it; that of a user's own by trying."""
    found = side.definition
    if found is not None:
        return found if all(sound(found, side, trace) for trace in traces) else None
    if side.framework is None or any(trace.scene is schedule() for trace in traces):
        return None
    told = told_by(side.framework.arguments_of(side.make) if side.own else side.call, side.framework)
    return identified(traces, told, fitting=side.own)[0]


def sound(found: Definition, side: Side, trace: Trace) -> bool:
    """Whether all steps are what a definition says. State is read where the table names it."""
    return not held(found, trace, shown_state(side, found))


def shown_state(side: Side, found: Definition) -> Mapping[str, str]:
    native = side.native
    known = native.state if native is not None else {}
    return {v: called for v, called in known.items() if isinstance(called, str) and v in found.state}


def _gaps(a: Definition, b: Definition, at: Sequence[Scene]) -> list[Apart]:
    return [one for scene in at for one in apart(a, b, scene)]


def _same(a: Definition, b: Definition) -> bool:
    """Whether two definitions step alike: in float64 first, which is quick, then in exact arithmetic."""
    if a == b:
        return True
    return alike(a, b, numbers()) and _most(_gaps(a, b, [numbers(), matrices()])) <= EXACT


def _most(told: Sequence[Apart]) -> float:
    farthest = worst(told)
    return 0.0 if farthest is None else farthest.relative


def _lost(pairs: Sequence[tuple[Trace, Trace]]) -> list[Apart]:
    """Where one has a number and the other has none."""
    told = (one for pair in pairs for one in parted(*pair))
    return [one for one in told if isfinite(one.a) != isfinite(one.b)]


def _likeness(pairs: Sequence[tuple[Trace, Trace]]) -> Likeness:
    most = _most([one for pair in pairs for one in parted(*pair)])
    digits = inf if most == 0 else max(0.0, -log10(most)) if isfinite(most) else 0.0
    return Likeness(digits, all(same_bits(*pair) for pair in pairs))


def _shows(told: Sequence[Apart]) -> tuple[Apart, ...]:
    """Of each probing point where the two are farthest apart; the farthest first."""
    by_label: dict[str, Apart] = {}
    for one in told:
        if one.relative > EXACT and one.relative > getattr(by_label.get(one.label), "relative", 0.0):
            by_label[one.label] = one
    return tuple(sorted(by_label.values(), key=lambda one: -one.relative))


def _turned(pairs: Sequence[tuple[Trace, Trace]]) -> bool:
    """Whether one moves by the same and the other way."""
    moves = [(one.a, one.b) for pair in pairs for one in parted(*pair)]
    told = [(a, b) for a, b in moves if a or b]
    return bool(told) and all(abs(a + b) <= 1e-6 * max(abs(a), abs(b)) for a, b in told)


# --- in words -----------------------------------------------------------------------------------------------


def _with_numbers_of(a: Definition, b: Definition, side: Side) -> Definition:
    """b with the numbers of a, as far as it can be told them: what is left differs in the definition alone."""
    numbers = {
        name: text for name, text in a.chosen.items() if name not in a.row.choices and not lacks(side, b.rule, name)
    }
    told = {name: numbers.get(name, text) for name, text in b.chosen.items()}
    if "weight_decay" in numbers and "weight_decay" not in told:
        told |= {name: a.chosen[name] for name in ("weight_decay", "decay") if name in a.chosen}
    return definition(b.rule, told)


def lacks(side: Side, rule: str, name: str) -> bool:
    """Whether no argument of an optimiser says a setting, nor what its framework adds to any."""
    if side.framework is None or not side.natives or name in side.framework.around:
        return False
    return not any(native.takes(name) for native in side.natives if native.rule == rule)


def _differences(a: Definition, b: Definition, *, renamed: bool, sides: tuple[Side, Side]) -> Iterator[Difference]:
    if a.rule != b.rule and renamed:
        yield Difference("rule", a.rule, b.rule, f"the rule {a.rule}", f"the rule {b.rule}")
        shared = [name for name in a.chosen if name in b.chosen and a.chosen[name] != b.chosen[name]]
    else:
        shared = differing(a, b)
    for name in shared:
        of_a, of_b = (_said(one, name) for one in (a, b))
        choice = a.row.choices.get(name) or b.row.choices.get(name)
        words = ["", ""] if choice is None else [choice.answers.get(text, text) for text in (of_a, of_b)]
        if choice is None:
            words = [f"there is no `{name}`" if lacks(side, one.rule, name) else "" for side, one in zip(sides, (a, b))]
        if of_a != of_b:
            yield Difference(name, of_a, of_b, *words)


def _said(found: Definition, name: str) -> str:
    allowed = found.row.allowed(name)
    return found.chosen.get(name, (allowed.default or "0") if allowed is not None else "0")


def _lines(a: Definition, b: Definition) -> tuple[tuple[str, str], ...]:
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


def _caveats(a: Side, b: Side) -> Iterator[str]:
    """What equal optimisers still differ in."""
    natives, found = (a.native, b.native), a.definition
    if found is not None and all(natives):
        fixed = [native.fixed for native in natives if native is not None]
        for name, choice in found.row.choices.items():
            if choice.changing and name in found.read and all(name in one for one in fixed):
                answers = [one[name] for one in fixed]
                if answers[0] != answers[1] and _matters(found, name, answers):
                    words = "; ".join(
                        f"{side.path}: {choice.answers[answer]}" for side, answer in zip((a, b), answers, strict=True)
                    )
                    yield f"equal only as long as {choice.changing} stays the same ({words}), which no setting mends"
    changed = [side.changing() for side in (a, b)]
    if found is not None and changed[0] is not None and changed[1] is not None:
        definitions = [side.definition for side in changed if side is not None]
        if definitions[0] is not None and definitions[1] is not None:
            gaps = _gaps(definitions[0], definitions[1], [numbers()])
            if _most(gaps) > EXACT:
                yield f"where the step size changes from step to step, they are {_most(gaps):.0e} of a step apart"
    if (
        found is not None
        and found.scalars
        and any(side.framework and side.framework.name == "torch" for side in (a, b))
    ):
        yield (
            "torch keeps its scalar in its default dtype: set torch.set_default_dtype(torch.float64) for float64, or "
            "some 8 digits are right"
        )


def _matters(found: Definition, name: str, answers: Sequence[str]) -> bool:
    changing = found.row.choices[name].changing
    size = found.constants.get(changing)
    if size is None:
        return False
    told = [definition(found.rule, {**found.chosen, changing: f"{size} / t", name: answer}) for answer in answers]
    return told[0] != told[1]


# --- what makes them equal ----------------------------------------------------------------------------------


def _remedies(a: Side, b: Side) -> Iterator[Remedy]:
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
    likeness = _agree(*sides)
    if likeness is not None:
        change = ", ".join(f"{name}={side.given[name]!r}" for side, of in zip(sides, (first, second)) for name in of)
        yield Remedy(sides[0].text, sides[1].text, change, likeness)


def _one_sided(a: Side, b: Side) -> Iterator[Remedy]:
    for wanted, mover, first in ((a, b, False), (b, a, True)):
        if wanted.definition is None or mover.framework is None or mover.own:
            continue
        for candidate, change in _moved(mover, wanted.definition):
            sides = (candidate, wanted) if first else (wanted, candidate)
            likeness = _agree(*sides)
            if likeness is not None:
                yield Remedy(sides[0].text, sides[1].text, change, likeness)
                break


def _moved(mover: Side, wanted: Definition) -> Iterator[tuple[Side, str]]:
    """The same constructor, or another of its framework, called so that it steps by a definition."""
    assert mover.framework is not None
    own = sorted(mover.framework.natives, key=lambda native: native.path != mover.path)
    for native in own:
        for target in (wanted, *_renamed(wanted, native)):
            if native.rule != target.rule:
                continue
            runs = native.runs(target, mover.framework.around)
            if not _same(runs, wanted):
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
    told = {name: value for name, value in arguments.items() if name not in base.call or base.call[name] != value}
    told = _needed(base, told)
    side, change = base.with_(told), ", ".join(f"{name}={value!r}" for name, value in told.items())
    decay = runs.chosen.get("weight_decay", "0")
    before = replace(mover, before=()).before
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


def _agree(a: Side, b: Side) -> Likeness | None:
    """How alike two step; None where they do not, or where one has no number."""
    try:
        pairs, _ = _both(a, b)
    except CommandError:
        return None
    told = [one for pair in pairs for one in parted(*pair)]
    if not all(isfinite(one.a) and isfinite(one.b) for one in told):
        return None
    of_a, of_b = a.definition, b.definition
    if of_a is not None and of_b is not None:
        alike_ = _most(_gaps(of_a, of_b, [pair[0].scene for pair in pairs])) <= EXACT
    else:
        alike_ = _most(told) <= NEAR
    return _likeness(pairs) if alike_ else None


def _of_both(a: Side, b: Side) -> Iterator[Remedy]:
    """One setting at its end, on both sides: what is added is 0, or what grows has grown."""
    if a.definition is None or b.definition is None:
        return
    for base, other, first in ((a, b, True), (b, a, False)):
        for name in _ends(a, b):
            for text in EXTREMES:
                wanted = _at_end(base, name, text)
                if wanted is None or wanted.definition is None:
                    continue
                for candidate, _ in _moved(other, wanted.definition):
                    if candidate.path != other.path or candidate.before:
                        continue
                    sides = (wanted, candidate) if first else (candidate, wanted)
                    likeness = _agree(*sides)
                    if likeness is not None:
                        yield Remedy(sides[0].text, sides[1].text, f"{name}: {text}", likeness, whole=False)
                        return


def _ends(a: Side, b: Side) -> list[str]:
    """Settings to try: those without which a choice that differs is none come first."""
    of_a, of_b = a.definition, b.definition
    assert of_a is not None and of_b is not None
    rows = [of_a.row, of_b.row]
    choices = [
        row.choices[name].where for row in rows for name in {**of_a.chosen, **of_b.chosen} if name in row.choices
    ]
    differing_ = {
        name for pair in _lines(of_a, of_b) for line in pair if line for name in names_in(line.partition(" = ")[2])
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
