"""A rule with every choice made and every setting known: what an optimiser steps by, as graphs.

Two definitions are the same where their words are: answers that make no difference are left at the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import TypeAlias

from ..graph.build import Builder
from ..graph.expand import Expander
from ..graph.graph import Graph
from ..graph.language.expression import Parser
from ..graph.node import Arg, Constant, Kind, Shape
from ..graph.shapes import elementwise
from .rule import (
    AVERAGED,
    COMMON,
    COMMON_START,
    FIRST,
    LAST,
    NORM_OF_ALL,
    RULES,
    TURNS,
    Choice,
    Condition,
    Line,
    Rule,
    Shaped,
    Start,
)
from .schedules import Schedule, written_out
from .texts import computes, is_decimal, names_in, plain
from .turns import in_turns

GROUPS = "groups"  # among the settings that an optimiser is handed: of an input that has its own all its settings
NEW = "new_"  # before the name of a state variable: that after the step
Texts: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Step:
    """A line that holds, with the other roundings of its number. `once`: it is computed once a step. `key`: what graphs
    call it; empty for one that computes nothing (`spread = v`)."""

    name: str
    texts: Texts
    once: bool
    key: str = ""


@dataclass(frozen=True)
class Definition:
    """A rule's name, and each of its settings: an answer, a decimal, or a formula of the step's number `t`."""

    rule: str
    settings: tuple[tuple[str, str], ...]

    def __getstate__(self) -> dict[str, object]:
        """What travels to another process: what is worked out from it stays here."""
        return {"rule": self.rule, "settings": self.settings}

    @cached_property
    def row(self) -> Rule:
        return RULES[self.rule]

    @cached_property
    def chosen(self) -> Mapping[str, str]:
        return dict(self.settings)

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """The settings that are decimals."""
        return {name: text for name, text in self.settings if is_decimal(text)}

    @cached_property
    def numbers(self) -> Mapping[str, Constant]:
        return {name: Constant(text) for name, text in self.constants.items()}

    @cached_property
    def formulas(self) -> Mapping[str, str]:
        """The settings that are formulas of t."""
        answers = self.row.choices
        return {name: text for name, text in self.settings if name not in answers and not is_decimal(text)}

    def number(self, name: str, t: int) -> float:
        """A setting at step t."""
        text = self.chosen[name]
        return float(text) if is_decimal(text) else Schedule(text)(t)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The lines that hold, in order."""
        steps: list[Step] = []
        scalars = {"t", *self.constants, *(name for name, one in self._starts.items() if one.shape == "scalar")}
        for line in self._lines():
            if line.also:
                assert steps[-1].name == line.name and not steps[-1].once, f"{self.rule}: also {line.name}"
                steps[-1] = replace(steps[-1], texts=(*steps[-1].texts, line.text))
                continue
            once = names_in(line.text) <= scalars
            (scalars.add if once else scalars.discard)(line.name)
            taken = sum(step.key.partition(":")[0] == line.name for step in steps)
            key = f"{line.name}:{taken}" if taken else line.name
            steps.append(Step(line.name, (line.text,), once, key if computes(line.text) else ""))
        return tuple(steps)

    def _lines(self) -> Iterator[Line]:
        formulas = [Line(name, written_out(text)) for name, text in self.formulas.items()]
        turns = [line for line in TURNS if self.holds(line.conditions)]
        lines = [*formulas, *self._own_lines()]
        yield from [*turns, *in_turns(lines, {*self._starts, "x"})] if turns else lines

    def _own_lines(self) -> Iterator[Line]:
        own = [line for line in self.row.lines if self.holds(line.conditions)]
        moving = [line for line in own if line.name == "x"]
        if all(line.also for line in moving):  # what stands under x goes on from the common last line
            own = [*(line for line in own if line not in moving), *LAST, *moving]
        yield from (line for line in (*FIRST[self.row.promise], *own, *AVERAGED) if self.holds(line.conditions))

    @property
    def _starts(self) -> Mapping[str, Start]:
        return {**self.row.start, **COMMON_START}

    def holds(self, conditions: Sequence[Condition]) -> bool:
        return all(self._holds(condition) for condition in conditions)

    def _holds(self, condition: Condition) -> bool:
        given = self.chosen.get(condition.name, self.row.default(condition.name))
        if condition.answer is not None:
            return (given == condition.answer) != condition.negated
        return self.row.is_nothing(condition.name, given) == condition.negated

    @cached_property
    def state(self) -> Mapping[str, Start]:
        """The state variables that a line which holds assigns, in the order of those."""
        start = self._starts
        names = dict.fromkeys(step.name for step in self.steps if step.name in start)
        return {name: start[name] for name in names}

    @cached_property
    def read(self) -> frozenset[str]:
        """The settings that make a difference: those that lines read or hold by."""
        texts = [text for step in self.steps for text in step.texts] + [one.text for one in self.state.values()]
        read = {name for text in texts for name in names_in(text)}
        read |= {
            condition.name
            for line in (*FIRST[self.row.promise], *self.row.lines, *LAST, *self._of_several)
            for condition in line.conditions
        }
        return frozenset(read)

    @property
    def _of_several(self) -> Sequence[Line]:
        """The common lines that read several steps, where there are such."""
        return [line for line in (*TURNS, *AVERAGED) if self.holds(line.conditions[:1])]

    @cached_property
    def share(self) -> float | None:
        """Of each gradient that is added up the part that counts is one of so many; None where each makes a step."""
        if "accumulate" not in self.chosen:
            return None
        return float(self.chosen["accumulate"]) if self.chosen["accumulated"] == "mean" else 1.0

    @cached_property
    def every(self) -> int:
        """The rule steps at every so manieth gradient."""
        return int(self.chosen.get("accumulate", "1"))

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The state variables that are one number each."""
        return tuple(name for name in self.state if self.shape(name) == "scalar")

    @cached_property
    def arrays(self) -> frozenset[str]:
        """What the lines of a step read that is of the parameter's numbers, by the names of graphs."""
        names = {"x", "g", *(name for name in self.state if name not in self.scalars)}
        return frozenset(names | {NEW + name for name in names})

    @cached_property
    def visible(self) -> tuple[str, ...]:
        """The numbers that a step gives: state variables and x, in the order in which they are known."""
        last = {step.name: k for k, step in enumerate(self.steps) if step.name in self.state or step.name == "x"}
        return tuple(sorted(last, key=lambda name: last[name]))

    def shape(self, name: str) -> Shaped:
        return "parameter" if name == "x" else self.state[name].shape

    @cached_property
    def together(self) -> bool:
        """Whether a line reads the norm of all gradients."""
        return any(NORM_OF_ALL in names_in(text) for step in self.steps for text in step.texts)

    @cached_property
    def whole(self) -> bool:
        """Whether a line reads all of a parameter at once, so that moves cannot be stacked."""
        graph = self.program((2, 3))
        return any(graph.operation(node).shape is not elementwise for node in graph.operations)

    def with_(self, name: str, text: str) -> Definition:
        """The definition that differs in one setting, as it stands there."""
        return Definition(self.rule, tuple((key, text if key == name else old) for key, old in self.settings))

    def at(self, shape: Shape) -> Definition:
        """What moves a parameter of that shape: where rows and columns are asked for, a vector has neither."""
        if not self.row.by_shape or len(shape) > 1:
            return self
        return definition(self.rule, {**self.chosen, "factored": "no"})

    # --- graphs ---------------------------------------------------------------------------------------------

    def graph(self, name: str, shape: Shape, form: Texts = ()) -> Graph:
        """One visible number alone, from what the engine shows: (x, g, t, old state, new state above it, what is
        computed once) -> (new,). Inputs that it does not read are left out. `form` is one of `forms`."""
        return _graph(self, name, shape, form)

    def forms(self, name: str) -> Sequence[Texts]:
        """The ways in which sound optimisers compute one visible number from the others: a text for each line that
        has several. The first is that of the row."""
        steps = self._above(name, self.shape(name) == "scalar")
        return [*product(*(step.texts for step in steps if len(step.texts) > 1))]

    def program(self, shape: Shape) -> Graph:
        """All of a step on a parameter: (x, g, old state, what is computed once) -> (new state of its shape..., x)."""
        return _program(self, shape)

    @cached_property
    def once(self) -> Graph:
        """What is computed once a step: (t, old scalar state) -> (new scalar state, what is computed from them)."""
        return self._once(cut=False)

    @cached_property
    def once_shown(self) -> Graph:
        """The same where the new scalar state is shown: (t, old and new scalar state) -> (new state, the others)."""
        return self._once(cut=True)

    def start_of(self, name: str, shape: Shape) -> Graph:
        """(x) -> (the state variable before the first step), of which formulas of t say what they do at the first."""
        builder = Builder()
        at_first = {name: Constant(repr(self.number(name, 1))) for name in self.formulas}
        scope: dict[str, Arg] = {"x": builder.input("x", shape), **self.numbers, **at_first}
        value = Parser(builder, scope).value("start", self.state[name].text)
        size = self.state[name].size(shape)
        return builder.graph([builder.apply("broadcast_to", [value], {"shape": size}, "at_start")])

    @cached_property
    def once_names(self) -> tuple[str, ...]:
        """What other graphs call the numbers of `once`, in order."""
        return tuple(_called(self, step) for step in self.steps if step.once and _called(self, step))

    def _once(self, *, cut: bool) -> Graph:
        builder = Builder()
        scope: dict[str, Arg] = {**self.numbers, "t": builder.input("t", ())}
        scope |= {name: builder.input(name, ()) for name in self.scalars}
        shown = {name: builder.input(NEW + name, ()) for name in self.scalars} if cut else {}
        outputs: list[str] = []
        for step in self.steps:
            if step.once:
                value = _line(builder, scope, step, step.texts[0], made=bool(_called(self, step)))
                outputs += [str(value)] if _called(self, step) else []
                scope[step.name] = shown.get(step.name, value)
        return _needed(builder, outputs)

    def _above(self, name: str, once: bool) -> Iterator[Step]:
        """The lines that are read for a visible number, state above it left out; its own is the last."""
        last = max(k for k, step in enumerate(self.steps) if step.name == name)
        for k, step in enumerate(self.steps[: last + 1]):
            if step.once == once and (k == last or step.name not in self.state):
                yield step


def _called(found: Definition, step: Step) -> str:
    """What graphs that read a number of `once` call it; empty for one that is another name of a number."""
    return NEW + step.name if step.name in found.state else step.key


def _line(builder: Builder, scope: Mapping[str, Arg], step: Step, text: str, *, made: bool) -> Arg:
    """What a line gives; `made`: as a node of its own, whatever the line is. (Composites name `length:1`.)"""
    parser, name = Parser(builder, scope), "next_" + (step.key or step.name).replace(":", "_")
    if step.key:
        return parser.define(name, text)
    value = parser.value(name, text)
    return builder.apply("copy", [value], {}, name) if made else value


@lru_cache(maxsize=4096)
def _graph(found: Definition, name: str, shape: Shape, form: Texts) -> Graph:
    builder, scope, texts = _begun(found, shape), dict[str, Arg](found.numbers), [*form]
    scope |= {input_: input_ for input_ in builder.nodes if not input_.startswith(NEW)}
    last = max(k for k, step in enumerate(found.steps) if step.name == name)
    for k, step in enumerate(found.steps[: last + 1]):
        if step.once and k < last:
            shown = _called(found, step)
            scope[step.name] = shown or _line(builder, scope, step, step.texts[0], made=False)
        elif step.name in found.state and k < last:
            scope[step.name] = NEW + step.name
        else:
            first, *others = step.texts
            text = texts.pop(0) if others and texts else first
            scope[step.name] = _line(builder, scope, step, text, made=k == last)
    return _needed(builder, [str(scope[name])])


@lru_cache(maxsize=1024)
def _program(found: Definition, shape: Shape) -> Graph:
    builder, scope = _begun(found, shape), dict[str, Arg](found.numbers)
    scope |= {input_: input_ for input_ in builder.nodes if not input_.startswith(NEW)}
    for step in found.steps:
        shown = _called(found, step)
        if step.once:
            scope[step.name] = shown or _line(builder, scope, step, step.texts[0], made=False)
        else:
            scope[step.name] = _line(builder, scope, step, step.texts[0], made=step.name in found.visible)
    outputs = [name for name in (*found.state, "x") if found.shape(name) != "scalar"]
    return _needed(builder, [str(scope[name]) for name in outputs])


def _begun(found: Definition, shape: Shape) -> Builder:
    """A builder with all that a step may read: x, g, t, the state before and after it, what is computed once."""
    builder = Builder()
    for name in ("x", "g"):
        builder.input(name, shape)
    builder.input("t", ())
    builder.input(NORM_OF_ALL, ())
    for name in found.state:
        size = found.state[name].size(shape)
        builder.input(name, size)
        builder.input(NEW + name, size)
    kinds: dict[str, Kind] = dict(
        zip(found.once_names, (found.once[output].kind for output in found.once.outputs), strict=True)
    )
    for name in found.once_names:
        if name not in builder.nodes:
            builder.input(name, (), kinds[name])
    return builder


def _needed(builder: Builder, outputs: Sequence[str]) -> Graph:
    """The graph in primitives, without what its outputs do not need."""
    expander = Expander(stable=True)
    expander.add_graph(builder.graph(outputs).pruned(outputs))
    read = {arg for node in expander.order for arg in node.args} | {*outputs}
    kept = tuple(node for node in expander.order if node.op != "input" or node.name in read)
    return Graph(kept, tuple(outputs))


def grouped(
    rule: str, settings: Mapping[str, str], groups: Mapping[str, Mapping[str, str]], names: Iterable[str]
) -> dict[Definition, list[str]]:
    """The definitions that inputs are moved by, each with their names: their own where they are in a group."""
    found: dict[Definition, list[str]] = {}
    for name in names:
        found.setdefault(definition(rule, groups.get(name, settings)), []).append(name)
    return found


def definition(rule: str, settings: Mapping[str, str]) -> Definition:
    """The definition of a rule by its settings; what is not given is as the row says. Answers that make no difference
    are those of the row."""
    row = RULES[rule]
    full = {name: settings[name] if name in settings else row.default(name) for name in row.settings}
    for name, allowed in COMMON.items():
        if name not in row.settings and isinstance(allowed, Choice):
            if allowed.where in full and not row.is_nothing(allowed.where, full[allowed.where]):
                full[name] = settings.get(name, allowed.default)
        elif name in settings and name not in row.settings and not row.is_nothing(name, settings[name]):
            full[name] = settings[name]
    return _normal(rule, tuple((name, plain(text)) for name, text in full.items()))


@lru_cache(maxsize=4096)
def _normal(rule: str, settings: tuple[tuple[str, str], ...]) -> Definition:
    found = Definition(rule, settings)
    for name, choice in found.row.choices.items():
        given = found.chosen.get(name)
        if given is None:
            continue
        plain = found.with_(name, found.row.default(name))
        if given != plain.chosen[name] and (_idle(found, choice) or plain.steps == found.steps):
            found = plain
    return Definition(rule, tuple(pair for pair in found.settings if pair[0] in found.read))


def _idle(found: Definition, choice: Choice) -> bool:
    """Whether all answers are the same, by what other settings are."""
    without = choice.where and not found.holds([Condition(choice.where)])
    return bool(without or (choice.changing and choice.changing not in found.formulas))
