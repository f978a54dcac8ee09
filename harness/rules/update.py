"""What a case asks for: a rule, its settings, how far and on what data; and everything that may be wrong with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeAlias

from ..graph.graph import Graph
from ..graph.node import GraphError
from ..records.evaluation import Given, Inputs
from ..words import counted, nearest
from .definition import GROUPS, Definition, definition
from .rule import COMMON, RULES, Choice, Setting
from .schedules import Schedule
from .texts import is_decimal, names_in

Number: TypeAlias = "float | int | str"
TOGETHER = ("clip_", "accumulate", "average")  # the settings that are of all inputs together, by how they begin
HOW_FAR = ("steps", "watch")  # what an update says beside the settings of its rule


@dataclass(frozen=True, slots=True)
class Batches:
    """Tables by the inputs that read them. A step reads so many of their rows as `size` says, and the next step those
    behind; what is left at the end is left out, and then the first rows come again."""

    tables: Inputs
    size: int

    def at(self, t: int) -> Inputs:
        """What step t reads, the first is 1: arrays with an axis of `size` rows."""
        rows = min(len(table) for table in self.tables.values())
        begin = (t - 1) % (rows // self.size) * self.size
        return {name: table[begin : begin + self.size] for name, table in self.tables.items()}


@dataclass(frozen=True, slots=True)
class Update:
    """A rule, every setting as an answer, a decimal or a formula of t, and the number of steps.

    Of every `watch`-th point of a path, the first one among them, the links and the step from there are judged; of its
    end, too. `groups` are the settings that an input has of its own, in place of those. `data` is what the steps read
    beside the parameters, in the dtype of the run. `carry` has the inputs that are state of the path: of each the
    node whose value it is at the next step.
    """

    rule: str
    settings: Mapping[str, str]
    steps: int
    watch: int = 1
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    data: Batches | None = field(default=None, compare=False)
    carry: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, name: str) -> Definition:
        """What moves an input of that name."""
        return definition(self.rule, {**self.settings, **self.groups.get(name, {})})

    def watched(self, done: int) -> bool:
        """Whether what is done after so many steps is judged."""
        return done % self.watch == 0 or done == self.steps

    def read(self, done: int) -> Inputs:
        """The data of the step after so many; those of an output are of the step that would come next."""
        return {} if self.data is None else self.data.at(done + 1)

    def carried(self, values: Inputs) -> Inputs:
        """What the next step reads of a step's values. Raises KeyError, with its name, for a node that is not shown."""
        return {name: values[node] for name, node in self.carry.items()}

    def moving(self, graph: Graph) -> list[str]:
        """The inputs that are others at each step by what an engine makes of them: parameters, then what is carried."""
        return [*(node.name for node in graph.wanted), *self.carry]

    def reaches_output(self, graph: Graph) -> bool:
        """Whether the output reads what is carried: then it is another function of the parameters at each step."""
        return not graph.needed.isdisjoint(self.carry)

    @property
    def definition(self) -> Definition:
        return definition(self.rule, self.settings)

    @property
    def numbers(self) -> dict[str, Any]:
        """The settings as a native optimiser takes them: numbers, functions of the step's number, answers. Where inputs
        have their own, `GROUPS` is all settings of each of those."""
        numbers: dict[str, Any] = dict(self._numbers(self.settings))
        own = {name: self._numbers({**self.settings, **settings}) for name, settings in self.groups.items()}
        return {**numbers, GROUPS: own} if own else numbers

    def _numbers(self, settings: Mapping[str, str]) -> Mapping[str, Given]:
        answers = RULES[self.rule].choices
        return {name: text if name in answers else _number(text) for name, text in settings.items()}


def _number(text: str) -> Given:
    return float(text) if is_decimal(text) else Schedule(text)


def check(name: str, settings: Mapping[str, Number]) -> Update:
    """A rule with its settings, among them `steps`. Raises GraphError for what the rule does not have or take."""
    for error in faults(name, settings):
        raise error
    return _update(name, settings)


def _update(name: str, settings: Mapping[str, Number]) -> Update:
    values = {setting: settings.get(setting, allowed.default) for setting, allowed in RULES[name].settings.items()}
    values |= {setting: settings[setting] for setting in COMMON if setting in settings}
    texts = {setting: _text(value) for setting, value in values.items()}
    return Update(name, texts, int(settings["steps"]), int(settings.get("watch", 1)))


def faults_of_group(rule: str, settings: Mapping[str, Number], own: Mapping[str, Number]) -> Iterator[GraphError]:
    """Everything that is wrong with the settings that some inputs have of their own."""
    for name in own:
        if name in HOW_FAR or name.startswith(TOGETHER):
            yield GraphError(f"`{name}` of a group", "what one parameter may have by itself", parameter=name)
            return
    yield from (error for error in faults(rule, {**settings, **own}) if error.parameter in own)


def faults(name: str, settings: Mapping[str, Number]) -> Iterator[GraphError]:
    """Everything that is wrong with the settings of a rule; `parameter` names the setting."""
    found = [*_faults(name, settings)]
    yield from found or _unread(_update(name, settings))


def _faults(name: str, settings: Mapping[str, Number]) -> Iterator[GraphError]:
    if name not in RULES:
        yield GraphError(f"unknown update rule `{name}`", f"one of: {', '.join(RULES)}", nearest(name, RULES))
        return
    known = RULES[name].settings
    for key in settings:
        if key not in known and key not in COMMON and key not in HOW_FAR:
            own, common = [*known, *HOW_FAR], [name for name in COMMON if name not in known]
            expected = f"one of: {', '.join(own)}; or what all rules have: {', '.join(common)}"
            near = nearest(key, [*own, *common])
            yield GraphError(f"`{key}` in an update by {name}", expected, near, parameter=key)
    for setting, allowed in {**known, **{key: one for key, one in COMMON.items() if key in settings}}.items():
        allowed = known.get(setting, allowed)
        value = settings.get(setting, allowed.default)
        if value is None:
            yield GraphError(f"an update by {name} without `{setting}`", allowed.expected, parameter=setting)
        elif isinstance(allowed, Choice):
            if value not in allowed.answers:
                near = nearest(_text(value), allowed.answers)
                yield GraphError(f"{setting}: {value}", allowed.expected, near, parameter=setting)
        elif (wrong := _wrong(_text(value), allowed)) is not None:
            yield GraphError(f"{setting}: {value}", allowed.expected, wrong, parameter=setting)
    steps = settings.get("steps")
    if steps is None:
        problem = f"an update by {name} without `steps`"
        yield GraphError(problem, "how many steps to take", "add `steps: 100`", parameter="steps")
    elif _text(steps).isdecimal() and 0 < int(_text(steps)) < (every := _every(settings)):
        problem = f"accumulate: {every} in an update of {counted(int(_text(steps)), 'step')}"
        yield GraphError(problem, f"at least {every} steps, of which the last is one", parameter="steps")
    for name in HOW_FAR:
        count = settings.get(name, 1)
        if isinstance(count, bool) or not _text(count).isdecimal() or int(count) < 1:
            yield GraphError(f"{name}: {count}", "a whole number of at least 1", parameter=name)


def _every(settings: Mapping[str, Number]) -> int:
    text = _text(settings.get("accumulate", 1))
    return int(Decimal(text)) if is_decimal(text) else 1


def _unread(update: Update) -> Iterator[GraphError]:
    """Weight decay beside the step, of a rule that moves x in a line of its own and has no place for it."""
    found = update.definition
    lines = [text for step in found.steps for text in step.texts]
    if "weight_decay" in found.chosen and not any("weight_decay" in names_in(text) for text in lines):
        decays = float(found.constants.get("weight_decay", "1")) != 0
        if decays:
            problem = f"decoupled weight decay in an update by {update.rule}"
            yield GraphError(problem, "`decay: coupled`", parameter="decay")


def _text(value: Number | None) -> str:
    return value.strip() if isinstance(value, str) else repr(value)


def _wrong(text: str, allowed: Setting) -> str | None:
    """None for a decimal where it may be and for a formula of t that is one at the first steps; else why it is not."""
    if is_decimal(text) or allowed.whole:
        return None if is_decimal(text) and allowed.holds(Decimal(text)) else ""
    try:
        ends = replace(allowed, open=False)  # a step size that rises from 0
        out = [t for t in (1, 2, 3) if not ends.holds(Decimal(repr(Schedule(text)(t))))]
    except GraphError as error:
        return f"or a formula of `t`: {error.found}, expected {error.expected}"
    except (ArithmeticError, ValueError) as error:
        return f"or a formula of `t`: {error}"
    return f"it is {Schedule(text)(out[0])!r} at step {out[0]}" if out else None
