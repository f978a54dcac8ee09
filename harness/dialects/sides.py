"""An optimiser as it is named on a command line, and which definition it steps by as the tables say.

`torch.optim.SGD(lr=0.1, momentum=0.9)`, `optax.rmsprop`, a rule of our own, `rmsprop(eps_place=inside)`, or a user's
own, `path.py:make`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from ..errors import CommandError, raised
from ..graph.node import GraphError
from ..own.frameworks import PACKAGES, framework_of
from ..records.evaluation import Array
from ..rules.definition import Definition, definition
from ..rules.framework import Framework, Step, Stepped
from ..rules.native import Native
from ..rules.optimiser import row_optimiser
from ..rules.rule import RULES
from ..rules.schedules import Schedule
from ..rules.texts import names_in
from ..rules.update import check
from ..running.files import load, theirs
from ..running.offered import entries
from ..words import nearest
from .probing import STEPS

OPTIMISERS = "gradaccord.optimisers"
# Arguments that say how a step is computed, or that are left out of every comparison.
ASIDE = ("foreach", "capturable", "differentiable", "fused", "weight_decay_mask", "mask", "trust_ratio_mask")
EXAMPLE = "`torch.optim.SGD(lr=0.1)`, `optax.sgd`, a rule, or `path.py:make`"
# What optax chains before an optimiser: the settings that it makes of their arguments.
BEFORE: Mapping[str, Mapping[str, str]] = {
    "optax.clip": {"max_delta": "clip_value"},
    "optax.clip_by_global_norm": {"max_norm": "clip_norm"},
    "optax.add_decayed_weights": {"weight_decay": "weight_decay"},
}


@dataclass(frozen=True)
class Side:
    """One optimiser: its constructor, and the arguments that are given. A rule has neither framework nor constructor,
    and a definition as it was written. `before`: what optax chains before it."""

    path: str
    framework: Framework | None
    make: Any
    given: Mapping[str, Any]
    rule: Definition | None = None
    before: tuple[Side, ...] = ()
    own: bool = False
    found: Definition | None = field(default=None, compare=False)  # by trying, where no table knows

    @property
    def text(self) -> str:
        """As it is written, with what is given."""
        call = ", ".join(f"{name}={_shown(value)}" for name, value in self.given.items())
        whole = f"{self.path}({call})" if call else self.path
        return f"optax.chain({', '.join([*(one.text for one in self.before), whole])})" if self.before else whole

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """What its constructor takes, the parameters that are to be moved left out."""
        if self.make is None or not callable(self.make):
            return {}
        try:
            known = inspect.signature(self.make).parameters
        except (TypeError, ValueError):
            return {}
        moved = self.framework is not None and self.framework.name == "torch"
        first = next(iter(known), "")
        skipped = first if moved and (self.own or first in ("params", "parameters", "optimizer")) else ""
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: one for name, one in known.items() if name != skipped and one.kind not in kinds}

    @property
    def call(self) -> Mapping[str, Any]:
        """Every argument, defaults too; those that must be given and are not are left out."""
        empty = inspect.Parameter.empty
        defaults = {name: one.default for name, one in self.parameters.items() if one.default is not empty}
        return {**defaults, **self.given}

    @property
    def missing(self) -> tuple[str, ...]:
        """Arguments that must be given and are not."""
        known = self.parameters.items()
        return tuple(name for name, one in known if one.default is one.empty and name not in self.given)

    @property
    def natives(self) -> Sequence[Native]:
        """Rows of the table for its constructor."""
        known = self.framework.natives if self.framework is not None and not self.own else ()
        return [native for native in known if native.path == self.path]

    @property
    def native(self) -> Native | None:
        """The row of the table for its call."""
        return next((native for native in self.natives if self._by(native) is not None), None)

    @property
    def definition(self) -> Definition | None:
        """What it steps by: as the tables say, or as was found by trying; None where neither knows."""
        if self.rule is not None:
            return self.rule
        native = self.native
        return self.found if native is None else self._by(native)

    def _by(self, native: Native) -> Definition | None:
        call, told = self.call, {*native.settings, *native.choices, *native.given, *native.variants, *ASIDE}
        defaults = {name: one.default for name, one in self.parameters.items()}
        if any(name not in told and value != defaults.get(name) for name, value in call.items()):
            return None
        sizes = [name for name, of in native.settings.items() if of == "step_size"]
        if any(call.get(name) is None for name in sizes):
            return None
        try:
            plain = native.definition(call)
        except (KeyError, TypeError, ValueError):
            return None
        if plain is None or not self.before:
            return plain
        # Rules clip by value, then by norm, then add decay: another order is another definition.
        order, paths = [*BEFORE], [one.path for one in self.before]
        if not {*paths} <= {*order} or paths != sorted({*paths}, key=order.index) or "weight_decay" in plain.chosen:
            return None
        added = {to: repr(float(one.call[name])) for one in self.before for name, to in BEFORE[one.path].items()}
        return definition(plain.rule, {**plain.chosen, **added, "decay": "coupled"})

    @property
    def step_size(self) -> str:
        """The argument that is the step size; empty where none is known."""
        known = [name for native in self.natives for name, of in native.settings.items() if of == "step_size"]
        return next(
            (name for name in [*known, "lr", "learning_rate"] if name in self.call or name in self.parameters), ""
        )

    def argument(self, setting: str) -> str:
        """What it calls a setting of its rule; empty where no argument says it."""
        native = self.native
        told = [argument for argument, of in (said(native) if native is not None else ()) if of == setting]
        return told[0].partition(":")[0] if told else ""

    def with_(self, arguments: Mapping[str, Any]) -> Side:
        """The same optimiser with other arguments."""
        return replace(self, given={**self.given, **arguments})

    def changing(self) -> Side | None:
        """The same with a step size that changes at every step; None where none can be told so, or where state begins
        with it."""
        found = self.definition
        if found is not None and any("step_size" in names_in(start.text) for start in found.state.values()):
            return None
        if self.rule is not None:
            size = self.rule.constants.get("step_size")
            return replace(self, rule=self.rule.with_("step_size", f"{size} / t")) if size else None
        size = self.call.get(self.step_size)
        number = isinstance(size, int | float) and not isinstance(size, bool)
        return self.with_({self.step_size: Schedule(f"{size} / t")}) if number and not self.own else None

    def begin(self, start: Mapping[str, Array]) -> Step:
        """The optimiser at its starting parameters."""
        if self.rule is not None:
            return _by_row(self.rule, start)
        assert self.framework is not None
        if not self.before:
            return self.framework.begin(self.make, self.given, start)
        chain, parts = self.framework.find("optax.chain"), [one.make(**one.given) for one in self.before]

        def chained(**arguments: Any) -> Any:
            return chain(*parts, self.make(**arguments))

        return self.framework.begin(chained, self.given, start)


def _by_row(rule: Definition, start: Mapping[str, Array]) -> Step:
    settings = {name: Schedule(text) if name in rule.formulas else text for name, text in rule.settings}
    numbers = {name: float(text) if name in rule.constants else text for name, text in settings.items()}  # type: ignore[arg-type]
    advance = row_optimiser(rule.rule, numbers, start)

    def step(gradients: Mapping[str, Array]) -> Stepped:
        moved = advance(gradients)
        return Stepped(moved.parameters, moved.state)

    return step


def _shown(value: Any) -> str:
    return value.text if isinstance(value, Schedule) else repr(value)


# --- reading ------------------------------------------------------------------------------------------------


@cache
def framework(name: str) -> Framework:
    """A framework's optimisers. Raises CommandError where it is not there."""
    known = entries(OPTIMISERS)
    if name not in known:
        raise CommandError(f"no optimisers of `{name}`. Known: {', '.join(known)}.")
    try:
        return cast(Framework, known[name].load())
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise CommandError(f"{missing} is not installed: pip install 'gradaccord[{name}]'. {raised(error)}") from None


def named(text: str) -> Side:
    """An optimiser by its text. Raises CommandError for what names none."""
    if ".py" in text:
        make = theirs(lambda: load(text, "make"))
        return of_object(make, text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise CommandError(f"`{text}` names no optimiser. Expected: {EXAMPLE}.") from None
    return _read(tree, text)


def of_object(make: Any, text: str = "") -> Side:
    """A user's own optimiser: a subclass of torch's `Optimizer`, an optax `GradientTransformation`, or a function that
    returns one. Raises CommandError where its framework cannot be told."""
    path = text or getattr(make, "__qualname__", "") or type(make).__name__
    if not callable(make) and _of_class(type(make)) == "torch":
        raise CommandError(
            f"{path} is made already and moves parameters of its own. Expected: its class, or a function of the "
            f"parameters, `lambda parameters: {path}(parameters, lr=0.1)`."
        )
    try:
        of = _of_class(make) or _of_function(make)
    except CommandError:
        expected = (
            "a subclass of torch.optim.Optimizer, an optax.GradientTransformation, or a function that returns one"
        )
        raise CommandError(f"{path} is no optimiser that is known. Expected: {expected}.") from None
    return Side(path, framework(of), make, {}, own=True)


def _of_function(make: Any) -> str:
    """The framework of what makes an optimiser, or is one: by its code, else by what it takes or makes."""
    try:
        return framework_of(make, ())
    except CommandError:
        if not callable(make):
            raise
        must = [one for one in inspect.signature(make).parameters.values() if one.default is one.empty]
        made = "torch" if must else _of_class(type(make()))
        if not made:
            raise
        return made


def _of_class(make: Any) -> str:
    """The framework that a class is made for, by what it is derived from; empty for what is none."""
    roots = {base.__module__.partition(".")[0] for base in (make.__mro__ if isinstance(make, type) else ())}
    return next((name for name, packages in PACKAGES.items() if not roots.isdisjoint(packages)), "")


def _read(tree: ast.expr, text: str) -> Side:
    call = tree if isinstance(tree, ast.Call) else None
    path = _dotted(call.func if call is not None else tree)
    if not path:
        raise CommandError(f"`{text}` names no optimiser. Expected: {EXAMPLE}.")
    if path in RULES:
        return _rule(path, call, text)
    root = path.partition(".")[0]
    names = [name for name, packages in PACKAGES.items() if root in packages]
    if not names:
        known = [*RULES, *(f"{package}." for package in ("torch.optim", "optax"))]
        hint = nearest(path, RULES)
        raise CommandError(f"`{path}` is no rule and of no framework that is known. {hint} Known: {', '.join(known)}.")
    of = framework(names[0])
    make = of.find(path)
    if make is None:
        known = dict.fromkeys(native.path for native in of.natives)
        raise CommandError(f"{of.name} has no `{path}`. {nearest(path, known)} Expected: {EXAMPLE}.")
    side = Side(path, of, make, {})
    if path == "optax.chain" and call is not None and call.args:
        parts = [_read(part, text) for part in call.args]
        return replace(parts[-1], before=tuple(parts[:-1]))
    if call is None:
        return side
    by_place = dict(zip(side.parameters, map(_literal, call.args), strict=False))
    by_name = {keyword.arg: _literal(keyword.value) for keyword in call.keywords if keyword.arg}
    return checked(side, {**by_place, **by_name})


def checked(side: Side, arguments: Mapping[str, Any]) -> Side:
    """A side with further arguments. Raises CommandError for one that its constructor does not take."""
    for name in arguments:
        if name not in side.parameters and not _takes_any(side):
            near = nearest(name, side.parameters)
            raise CommandError(f"{side.path} takes no `{name}`. {near} It takes: {', '.join(side.parameters)}.")
    return side.with_(arguments)


def _takes_any(side: Side) -> bool:
    """torch's schedules and clipping take settings of what they stand beside: the learning rate of an optimiser."""
    return side.framework is not None and side.framework.name == "torch" and ".lr_scheduler." in side.path


def _rule(name: str, call: ast.Call | None, text: str) -> Side:
    if call is not None and call.args:
        raise CommandError(f"`{text}`: settings of a rule go by their names, `{name}(step_size=0.1)`")
    settings = {one.arg: _literal(one.value) for one in (call.keywords if call is not None else []) if one.arg}
    return Side(name, None, None, {}, rule=rule_of(name, settings))


def rule_of(name: str, settings: Mapping[str, Any]) -> Definition:
    """A definition of a rule of the table. Raises CommandError for a setting that it does not have or take."""
    if name in RULES and RULES[name].by_shape:
        raise CommandError(f"{name} keeps other state of matrices than of vectors: it is judged on the paths of cases")
    full = {"step_size": 0.1} | dict(settings) if _must_have_step(name) else dict(settings)
    try:
        return check(name, {**full, "steps": STEPS}).definition
    except GraphError as error:
        raise CommandError(f"{error.found}. Expected: {error.expected}. {error.remedy}".strip()) from None


def _must_have_step(name: str) -> bool:
    known = RULES.get(name)
    return known is not None and getattr(known.settings.get("step_size"), "default", "0") is None


def _dotted(tree: ast.expr) -> str:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute) and (inner := _dotted(tree.value)):
        return f"{inner}.{tree.attr}"
    return ""


def _literal(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Name):
        return tree.id
    try:
        return ast.literal_eval(tree)
    except ValueError:
        raise CommandError(f"`{ast.unparse(tree)}` is no number, text, True, False or None") from None


def said(native: Native) -> list[tuple[str, str]]:
    """Arguments with the setting that each says; one number of several goes by its place, `betas:1`."""
    said = [(argument, of) for argument, of in native.settings.items() if isinstance(of, str)]
    said += [
        (f"{argument}:{k}", one)
        for argument, of in native.settings.items()
        if not isinstance(of, str)
        for k, one in enumerate(of)
    ]
    return said + [(argument, of) for argument, (of, _) in native.choices.items()]
