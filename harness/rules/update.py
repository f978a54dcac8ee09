"""Update rules: one row each, in the case language. A new optimiser begins here.

Here live the table of rules, the check of a case's `update`, and the optimiser that runs a row for
engines that have none of their own. How a path of many steps is
walked and judged is the business of `trajectory.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from ..graph.build import Builder
from ..graph.emit import Namespace, Program, emit
from ..graph.graph import Graph
from ..graph.language.expression import Parser
from ..graph.node import Arg, Constant, GraphError, Shape
from ..records.evaluation import Advance, Array, Moved
from ..words import nearest

Number: TypeAlias = "float | int | str"


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that a case may choose: its default as a decimal (None: must be given) and where it may lie.

    `least` is allowed itself unless `open`; `below` never is.
    """

    default: str | None
    least: str = "0"
    below: str = "inf"
    open: bool = True

    def holds(self, number: Decimal) -> bool:
        least = Decimal(self.least)
        return (
            number.is_finite() and (number > least if self.open else number >= least) and number < Decimal(self.below)
        )

    @property
    def expected(self) -> str:
        lower = f"above {self.least}" if self.open else f"at least {self.least}"
        return f"a number {lower}" + ("" if self.below == "inf" else f" and below {self.below}")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression for a new number, and other forms in which sound optimisers compute the same number.

    A form is listed where a framework really computes it and its rounding is not covered by that of
    the first: an engine is sound if it is sound by one of them.
    """

    text: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to move a parameter. `promise` says where the output goes for small enough steps; `once` are numbers of
    the settings and the step alone, which optimisers compute in at least single precision, whatever parameters are in.
    """

    name: str
    promise: Literal["up", "down"]
    settings: Mapping[str, Setting]
    state: Mapping[str, Formula]
    x: Formula
    source: str
    once: Mapping[str, str]


RULES: dict[str, Rule] = {}


def rule(
    name: str,
    *,
    promise: Literal["up", "down"],
    settings: Mapping[str, Setting],
    state: Mapping[str, Formula] | None = None,
    once: Mapping[str, str] | None = None,
    x: str,
    source: str,
) -> None:
    """Add a row.

    The contract, stated once. Expressions see `x` (the parameter), `g` (the gradient of the output
    with respect to it), `t` (the number of this step, from 1), the settings, what is computed `once` a
    step from those and `t` alone, and the state variables, which start at 0. They are read from top to
    bottom, the parameter last: the name of a state variable is its old value up to its own line and its
    new value below.
    """
    assert name not in RULES, f"{name} has two rows"
    RULES[name] = Rule(
        name, promise, MappingProxyType(dict(settings)), MappingProxyType(dict(state or {})), Formula(x), source,
        MappingProxyType(dict(once or {})),
    )  # fmt: skip


STEP_SIZE = Setting(None)

rule(
    "ascent",
    promise="up",
    settings={"step_size": STEP_SIZE},
    x="x + step_size * g",
    source="Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées; its sign turned",
)
rule(
    "descent",
    promise="down",
    settings={"step_size": STEP_SIZE},
    x="x - step_size * g",
    source="Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées",
)
rule(
    "momentum",
    promise="down",
    settings={"step_size": STEP_SIZE, "momentum": Setting("0.9", below="1")},
    state={"v": Formula("momentum * v + g")},
    x="x - step_size * v",
    source="Polyak 1964, Some methods of speeding up the convergence of iteration methods, eq. 9, in the form of "
    "Sutskever et al. 2013, On the importance of initialization and momentum, that keeps the step size out of v",
)
rule(
    "adam",
    promise="down",
    settings={
        "step_size": Setting("0.001"),
        "beta1": Setting("0.9", below="1", open=False),
        "beta2": Setting("0.999", below="1", open=False),
        "eps": Setting("1e-8", open=False),
    },
    state={
        # torch interpolates by lerp, from the far end where beta1 is below a half; there |m| may dwarf |g|
        "m": Formula("beta1 * m + (1 - beta1) * g", also=("g - (g - m) * (1 - (1 - beta1))",)),
        "v": Formula("beta2 * v + (1 - beta2) * square(g)"),
    },
    once={"unbias1": "1 - beta1 ** t", "unbias2": "1 - beta2 ** t"},
    x="x - step_size * (m / unbias1) / (sqrt(v / unbias2) + eps)",
    source="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1",
)


@dataclass(frozen=True, slots=True)
class Update:
    """What a case asks for: a rule, every setting as a decimal, and the number of steps."""

    rule: str
    settings: Mapping[str, str]
    steps: int

    @property
    def numbers(self) -> dict[str, float]:
        """The settings as a native optimiser takes them."""
        return {name: float(text) for name, text in self.settings.items()}


def check(name: str, settings: Mapping[str, Number]) -> Update:
    """A rule with its settings, among them `steps`. Raises GraphError for what the rule does not have or take."""
    for error in faults(name, settings):
        raise error
    values = {setting: settings.get(setting, allowed.default) for setting, allowed in RULES[name].settings.items()}
    return Update(name, {setting: _text(value) for setting, value in values.items()}, int(settings["steps"]))


def faults(name: str, settings: Mapping[str, Number]) -> Iterator[GraphError]:
    """Everything that is wrong with the settings of a rule; `parameter` names the setting."""
    if name not in RULES:
        yield GraphError(f"unknown update rule `{name}`", f"one of: {', '.join(RULES)}", nearest(name, RULES))
        return
    known = RULES[name].settings
    for key in settings:
        if key not in known and key != "steps":
            expected, near = f"one of: {', '.join([*known, 'steps'])}", nearest(key, [*known, "steps"])
            yield GraphError(f"`{key}` in an update by {name}", expected, near, parameter=key)
    for setting, allowed in known.items():
        value = settings.get(setting, allowed.default)
        if value is None:
            yield GraphError(f"an update by {name} without `{setting}`", allowed.expected, parameter=setting)
        elif not _holds(_text(value), allowed):
            yield GraphError(f"{setting}: {value}", allowed.expected, parameter=setting)
    steps = settings.get("steps")
    if steps is None:
        problem = f"an update by {name} without `steps`"
        yield GraphError(problem, "how many steps to take", "add `steps: 100`", parameter="steps")
    elif isinstance(steps, bool) or not _text(steps).isdecimal() or int(steps) < 1:
        yield GraphError(f"steps: {steps}", "a whole number of at least 1", parameter="steps")


def _text(value: Number | None) -> str:
    return value.strip() if isinstance(value, str) else repr(value)


def _holds(text: str, allowed: Setting) -> bool:
    try:
        return allowed.holds(Decimal(text))
    except InvalidOperation:
        return False


# --- a row as a graph -----------------------------------------------------------------------------------

INPUTS = ("x", "g", "t")


def _begun(rule: Rule, settings: Mapping[str, str], shape: Shape) -> tuple[Builder, dict[str, Arg]]:
    """A builder with x, g, t and the state variables as inputs, and what the names in a row mean."""
    builder = Builder()
    scope: dict[str, Arg] = {name: builder.input(name, () if name == "t" else shape) for name in (*INPUTS, *rule.state)}
    return builder, {**scope, **{name: Constant(text) for name, text in settings.items()}}


def row_graph(rule: Rule, settings: Mapping[str, str], shape: Shape) -> Graph:
    """The whole row for a parameter of this shape: (x, g, t, state...) -> (new state..., new x)."""
    builder, scope = _begun(rule, settings, shape)
    for name, text in rule.once.items():
        scope[name] = Parser(builder, scope).define(name, text)
    for name, formula in rule.state.items():
        scope[name] = Parser(builder, scope).define(f"new_{name}", formula.text)
    Parser(builder, scope).define("new_x", rule.x.text)
    return builder.graph([*(f"new_{name}" for name in rule.state), "new_x"])


def formula_graph(rule: Rule, settings: Mapping[str, str], text: str, shape: Shape) -> Graph:
    """One expression of a row alone: (x, g, t, state..., once...) -> (new number,). Whoever runs it says which state is
    new."""
    builder, scope = _begun(rule, settings, shape)
    scope |= {name: builder.input(name, ()) for name in rule.once}
    return builder.graph([Parser(builder, scope).define("new", text)])


def once_graph(settings: Mapping[str, str], text: str) -> Graph:
    """A number of `once` alone: (t) -> (number,)."""
    builder = Builder()
    scope: dict[str, Arg] = {"t": builder.input("t", ()), **{name: Constant(value) for name, value in settings.items()}}
    return builder.graph([Parser(builder, scope).define("once", text)])


# --- an optimiser for engines without one -----------------------------------------------------------------

NUMPY: Namespace = MappingProxyType({"sqrt": np.sqrt, "square": np.square})
# What the compiled row does by operator and literal, whatever the namespace.
OPERATORS: Namespace = MappingProxyType(
    {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "pow": np.power,
        "negative": np.negative,
        "constant": float,
    }
)


def row_optimiser(
    rule: str, settings: Mapping[str, float], start: Mapping[str, Array], namespace: Namespace = NUMPY
) -> Advance:
    """An `Optimiser` that runs a rule's row with an engine's own functions on its own arrays.

    The arrays are whatever the namespace works on, in the dtype of the start; arithmetic is by
    operators, with settings and literals as Python floats.
    """
    return _RowStep(RULES[rule], settings, start, namespace)


class _RowStep:
    """The parameters, their state and the number of the step, moved by the compiled row."""

    def __init__(
        self, rule: Rule, settings: Mapping[str, float], start: Mapping[str, Array], namespace: Namespace
    ) -> None:
        texts = {name: repr(float(value)) for name, value in settings.items()}
        functions = {**namespace, **OPERATORS}
        compiled: dict[Shape, Program] = {}
        for array in start.values():
            if array.shape not in compiled:
                graph = row_graph(rule, texts, array.shape)
                compiled[array.shape] = emit(graph, functions, graph.outputs)
        self.names = tuple(rule.state)
        self.programs = {name: compiled[array.shape] for name, array in start.items()}
        self.parameters = dict(start)
        self.state = {
            variable: {name: np.zeros_like(array) for name, array in start.items()} for variable in self.names
        }
        self.t = 0

    def __call__(self, gradients: Mapping[str, Array]) -> Moved:
        self.t += 1
        state: dict[str, dict[str, Array]] = {variable: {} for variable in self.names}
        parameters: dict[str, Array] = {}
        with np.errstate(all="ignore"):
            for name, x in self.parameters.items():
                old = (self.state[variable][name] for variable in self.names)
                *new, moved = self.programs[name](x, gradients[name], float(self.t), *old)
                parameters[name] = np.asarray(moved, dtype=x.dtype)
                for variable, value in zip(self.names, new, strict=True):
                    state[variable][name] = np.asarray(value, dtype=x.dtype)
        self.parameters, self.state = parameters, state
        return Moved(dict(parameters), state)
