"""A framework's own optimiser in the words of a rule: one table serves from a definition to its call, and back.

The tables stand with their frameworks. A call says which answers it can be told to give, and which it gives whatever
it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from ..records.evaluation import Unsupported
from .definition import Definition, definition
from .rule import COMMON, RULES, Choice
from .schedules import Schedule

# What a framework can do to gradients before any optimiser: settings, and of a choice the answers that it has.
Around: TypeAlias = "Mapping[str, tuple[str, ...]]"
NOTHING_AROUND: Around = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Native:
    """One way to call a constructor, `path` as users write it, and the rule that it then steps by.

    `settings`: argument -> the setting of the rule, or several. `choices`: argument -> the choice, and what each value
    answers. `fixed`: settings that no argument says. `given`: arguments that make it this rule, `{"amsgrad": True}`.
    `state`: state variable -> what the framework calls it, or a function of what it keeps. `variants`: arguments that
    change how it is computed and not what. `negative`: settings that it takes with the other sign.
    """

    path: str
    rule: str
    settings: Mapping[str, str | tuple[str, ...]]
    choices: Mapping[str, tuple[str, Mapping[Any, str]]] = field(default_factory=dict[str, Any])
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variants: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()

    def takes(self, setting: str) -> bool:
        """Whether an argument says this setting."""
        said = [name for names in self.settings.values() for name in _several(names)]
        return setting in said or setting in [choice for choice, _ in self.choices.values()]

    def _signed(self, name: str, value: Any) -> Any:
        return -value if name in self.negative else value

    def argument(self, choice: str, answer: str) -> str:
        """The argument by which a choice is answered so, as in `eps_in_sqrt=False`; empty where none does."""
        for argument, (of, answers) in self.choices.items():
            for value, said in answers.items():
                if of == choice and said == answer:
                    return f"{argument}={value!r}"
        return ""

    def _answers(self, choice: str, answer: str, around: Around) -> bool:
        return answer in around.get(choice, ()) or bool(self.argument(choice, answer))

    def runs(self, wanted: Definition, around: Around = NOTHING_AROUND) -> Definition:
        """What it steps by when it is asked for a definition: the same, but for what no argument says. `around` are
        settings that the framework adds to any optimiser."""
        row, settings = RULES[self.rule], dict[str, str]()
        for name in {**row.settings, **COMMON}:
            allowed = row.allowed(name)
            assert allowed is not None
            if name in self.fixed:
                settings[name] = self.fixed[name]
            elif name not in wanted.chosen or not (self.takes(name) or name in around):
                if name in row.settings or name in wanted.chosen:
                    settings[name] = allowed.default or "0"
            elif isinstance(allowed, Choice) and not self._answers(name, wanted.chosen[name], around):
                settings[name] = next((one for one in around.get(name, ()) if one in allowed.answers), allowed.default)
            else:
                settings[name] = wanted.chosen[name]
        return definition(self.rule, settings)

    def arguments(self, wanted: Definition, t: int = 1) -> dict[str, Any]:
        """The call's keyword arguments for a definition; settings that are formulas as they are at step t."""
        arguments = dict(self.given)
        for argument, names in self.settings.items():
            said = [name for name in _several(names) if name in wanted.chosen or name in COMMON]
            values = [self._signed(name, wanted.number(name, t)) if name in wanted.chosen else 0.0 for name in said]
            if len(values) == len(_several(names)):
                arguments[argument] = values[0] if isinstance(names, str) else tuple(values)
        for argument, (choice, answers) in self.choices.items():
            for value, answer in answers.items():
                if wanted.chosen.get(choice) == answer:
                    arguments[argument] = value
        return arguments

    def definition(self, call: Mapping[str, Any]) -> Definition | None:
        """What a call steps by; `call` has every argument, defaults too. None where it is another rule, or takes what
        the table does not know. Raises KeyError for a value of a choice that the table lacks."""
        if any(call.get(argument) != value for argument, value in self.given.items()):
            return None
        settings = dict(self.fixed)
        for argument, names in self.settings.items():
            if argument in call and call[argument] is not None:
                values = [call[argument]] if isinstance(names, str) else call[argument]
                named = zip(_several(names), values, strict=True)
                settings |= {name: _text(self._signed(name, value)) for name, value in named}
        for argument, (choice, answers) in self.choices.items():
            if argument in call:
                settings[choice] = answers[call[argument]]
        return definition(self.rule, settings)


def nearest(
    natives: Sequence[Native], wanted: Definition, around: Around = NOTHING_AROUND
) -> tuple[Native, Definition]:
    """The native that comes nearest to a definition, and what it steps by: the same but for choices.

    Raises Unsupported where there is none for the rule, or none with a number that is asked for.
    """
    candidates = [(native, native.runs(wanted, around)) for native in natives if native.rule == wanted.rule]
    if not candidates:
        package = next((native.path.rpartition(".")[0] for native in natives), "nothing")
        raise Unsupported(f"{package} has no `{wanted.rule}` here")
    answers = RULES[wanted.rule].choices

    def lacks(runs: Definition) -> list[str]:
        numbers = [name for name in wanted.chosen if name not in answers and (name in COMMON or name in runs.read)]
        return [name for name in numbers if runs.chosen.get(name, "0") != wanted.chosen[name]]

    native, runs = min(candidates, key=lambda one: (len(lacks(one[1])), len(differing(wanted, one[1]))))
    for name in lacks(runs):
        raise Unsupported(f"{native.path} has no `{name}: {wanted.chosen[name]}`; it has {runs.chosen.get(name, 0)}")
    return native, runs


def differing(a: Definition, b: Definition) -> list[str]:
    """The settings in which two definitions of one rule differ."""
    names = dict.fromkeys([*a.chosen, *b.chosen])
    return [name for name in names if a.chosen.get(name) != b.chosen.get(name)]


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _text(value: Any) -> str:
    return value.text if isinstance(value, Schedule) else repr(float(value))
