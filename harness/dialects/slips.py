"""Mistakes that people make when they write an optimiser, as definitions: a rule with one line that is wrong.

None is anybody's definition. They name what is wrong, and never make it right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..rules.definition import Definition, Step
from ..rules.rule import Line
from ..rules.texts import names_in


@dataclass(frozen=True)
class Slipped(Definition):
    """A definition whose lines are given: with a mistake in one of them, which `words` say."""

    given: tuple[Line, ...] = ()
    words: str = ""

    def _lines(self) -> Iterator[Line]:
        return iter(self.given)


def slips(definition: Definition) -> Iterator[Slipped]:
    """Every mistake of the list in every line of the rule where it can be made; schedules stay as they are."""
    steps = definition.steps
    seen = set[tuple[str, ...]]()
    for changed, words in _changed(steps, definition):
        key = tuple(text for step in changed for text in (step.name, *step.texts))
        if key not in seen:
            seen.add(key)
            lines = tuple(Line(step.name, text, also=k > 0) for step in changed for k, text in enumerate(step.texts))
            yield Slipped(definition.rule, definition.settings, lines, words)


def _changed(steps: Sequence[Step], definition: Definition) -> Iterator[tuple[Sequence[Step], str]]:
    own = _own(steps, definition)
    yield from _everywhere(steps, own, definition)
    for k in own:
        step = steps[k]
        for texts, words in _mistakes(step, definition):
            yield [*steps[:k], replace(step, texts=texts), *steps[k + 1 :]], f"as if {words} in `{_told(step)}`"


def _own(steps: Sequence[Step], definition: Definition) -> Sequence[int]:
    """The lines of the rule itself: of a setting that is a formula of t the first line gives it."""
    given = {next(k for k, step in enumerate(steps) if step.name == name) for name in definition.formulas}
    return [k for k in range(len(steps)) if k not in given]


def _everywhere(
    steps: Sequence[Step], of_rule: Sequence[int], definition: Definition
) -> Iterator[tuple[Sequence[Step], str]]:
    """Mistakes that change several lines at once."""
    last = max(k for k, step in enumerate(steps) if step.name == "x")
    if any(step.name == "u" for step in steps[:last]):
        turned = [*steps[:last], Step("u", ("-u",), once=False), *steps[last:]]
        yield turned, "as if the sign of the step were turned"
    biased = [step.name.startswith("unbias") for step in steps]
    if any(biased):
        left_out = [replace(s, texts=("1",)) if b else s for s, b in zip(steps, biased, strict=True)]
        yield left_out, "as if no bias were corrected"
    for name in definition.state:
        own = next(k for k, step in enumerate(steps) if step.name == name)
        late = [*steps[:own], Step(f"old_{name}", (name,), once=False), *steps[own:]]
        read = [
            replace(step, texts=tuple(_renamed(text, name, f"old_{name}") for text in step.texts))
            if k > own + 1
            else step
            for k, step in enumerate(late)
        ]
        yield read, f"as if the lines below `{_told(steps[own])}` read {name} as it was before the step"
    if any("t" in names_in(text) for k in of_rule for text in steps[k].texts):
        for shift, words in (("(t - 1)", "from 0"), ("(t + 1)", "from 2")):
            moved = [
                replace(step, texts=tuple(_renamed(text, "t", shift) for text in step.texts)) if k in of_rule else step
                for k, step in enumerate(steps)
            ]
            yield moved, f"as if steps were counted {words}, not from 1"


def _mistakes(step: Step, definition: Definition) -> Iterator[tuple[tuple[str, ...], str]]:
    """Mistakes within one line."""
    texts = step.texts
    if step.name.startswith("unbias"):
        yield ("1",), "no bias were corrected"
    if step.name in definition.state:
        yield (step.name,), "the state were never updated"
    for function in ("sqrt", "square", "abs", "sign"):
        if f"{function}(" in texts[0]:
            yield tuple(re.sub(rf"\b{function}\(", "(", text) for text in texts), f"`{function}` were left out"
    for match in re.finditer(r"\(1 - \w+\) \* ", texts[0]):
        yield (texts[0].replace(match[0], "", 1),), f"the factor `{match[0][:-3]}` were left out"
    for name in definition.constants:
        if re.search(rf"\+ {name}\b", texts[0]):
            yield tuple(re.sub(rf" \+ {name}\b", "", text) for text in texts), f"`{name}` were left out"


def _renamed(text: str, name: str, new: str) -> str:
    return re.sub(rf"\b{name}\b", new, text)


def _told(step: Step) -> str:
    return f"{step.name} = {step.texts[0]}"
