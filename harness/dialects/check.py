"""`gradaccord.check_optimiser`: a user's own optimiser, judged from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..errors import CommandError
from ..own.shown import Shown
from ..records.verdicts import VERDICTS
from ..rules.definition import Definition
from ..rules.rule import RULES
from .checking import Number, cause, judged, shown_by, traces_of
from .identify import identified, told_by
from .sides import Side, of_object, rule_of
from .slips import Slipped

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CheckedOptimiser(Shown):
    """An optimiser that was stepped at probing points and judged.

    `wanted`: the definition that it was held against. `found`: the definition that it steps by, None where none is
    known. `numbers`: a verdict for each state variable of `wanted` and for the parameter. `cause`: what is wrong, empty
    where nothing is or nobody knows.
    """

    name: str
    version: str
    wanted: Definition
    found: Definition | None
    numbers: tuple[Number, ...]
    cause: str
    asked: bool

    @property
    def sound(self) -> bool:
        """Whether every step is what the rule says, or, where no rule was asked for, what some rule says."""
        return not self.findings

    @cached_property
    def findings(self) -> tuple[Number, ...]:
        """What is off: state variables and the parameter, the first step first."""
        off = [(one.off.step, k, one) for k, one in enumerate(self.numbers) if one.off is not None]
        return tuple(one for _, _, one in sorted(off, key=lambda found: found[:2]))

    def frame(self) -> pd.DataFrame:
        """A row for each state variable and the parameter."""
        import pandas as pd

        def record(one: Number) -> dict[str, Any]:
            off = {} if one.off is None else {k: v for k, v in asdict(one.off).items() if k != "what"}
            return {"number": one.name, "kept as": one.kept, "verdict": one.verdict, "point": one.label, **off}

        return pd.DataFrame([record(one) for one in self.numbers])

    # --- as people see it -----------------------------------------------------------------------------------

    @property
    def headline(self) -> str:
        of = f"{self.name} ({self.version})"
        rule = self.wanted.rule
        if self.sound:
            return f"{of}: every step is {rule}" + ("" if self.asked else f", {_settings(self.wanted)}")
        first = self.findings[0]
        assert first.off is not None
        what = "the parameter" if first.name == "x" else f"state {first.name}"
        nearest = "" if self.asked else "no rule of the table; nearest is "
        return f"{of}: {nearest}{rule}, step {first.off.step}, {what}, is off"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.headline, style="bold")
        if self.findings:
            first = self.findings[0]
            assert first.off is not None
            line = Text("\n")
            line.append(first.verdict, style=VERDICTS["wrong"].style)
            line.append(f"  {_called(first)} at step {first.off.step}, {first.label}")
            yield line
            value, wanted = told_apart(first.off.value, first.off.wanted)
            yield Text(f"  the optimiser has {value}, its own numbers give {wanted},")
            yield Text(f"  one sound step may move it by {first.off.allowed:.0e}")
            yield Text(f"  {self._why()}")
        table = Table(box=None, padding=(0, 2), pad_edge=True)
        for head in ("number", "kept as", "verdict", "first off at step"):
            table.add_column(head)
        for one in self.numbers:
            step = str(one.off.step) if one.off is not None else ""
            table.add_row(one.name, one.kept if one.name != "x" else "", one.verdict, step)
        yield Text("")
        yield table
        if hidden := [one.name for one in self.numbers if not one.kept]:
            yield Text(
                f"note: the optimiser does not show {', '.join(hidden)}: followed along in balls. "
                "`state={...}` says what it calls them.",
                style="dim",
            )

    def _why(self) -> str:
        if self.cause and self.asked:
            return f"every step is sound by: {self.cause}"
        return (
            f"nearest settings: {_settings(self.wanted)}"
            if not self.asked
            else "no single setting or choice makes it sound"
        )


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers to as many digits as tell them apart, and three more."""
    digits = next((k for k in range(1, 17) if f"{a:.{k}g}" != f"{b:.{k}g}"), 17)
    return f"{a:.{min(digits + 3, 17)}g}", f"{b:.{min(digits + 3, 17)}g}"


def _called(one: Number) -> str:
    if one.name == "x":
        return "the parameter"
    return f"state {one.name}" + (f" ({one.kept})" if one.kept else "")


def _settings(found: Definition) -> str:
    return ", ".join(f"{name}: {text}" for name, text in found.settings)


def check_optimiser(
    make: Any,
    rule: str = "",
    *,
    arguments: Mapping[str, Any] | None = None,
    state: Mapping[str, str] | None = None,
    **settings: Any,
) -> CheckedOptimiser:
    """Judge an optimiser of your own: every step and every state variable, at probing points, in float64.

    `make` is a subclass of `torch.optim.Optimizer`, a function of the parameters that returns one, an optax
    `GradientTransformation`, or a function that returns one; `arguments` are handed to it. `rule` with its `settings`
    (`rule="adam", eps=1e-8`; by the names of torch and optax too, `lr`, `betas`) is what it is held against: what is
    not given is the rule's own default, but the step size, which is the optimiser's where it tells one. Without a rule,
    it is told which one it is. `state`: what it calls a state variable of the rule, `{"m": "average"}`; most are found
    by themselves.

    Raises CommandError for a rule, setting or state variable that does not exist, and what `make` raises.
    """
    side = of_object(make)
    if arguments:
        side = side.with_(arguments)
    traces = traces_of(side)
    assert side.framework is not None
    told = {**told_by(_arguments(side), side.framework), **_told(settings, side)}
    if rule:
        wanted = _wanted(rule, settings, told, side)
    else:
        if settings or state:
            raise CommandError("settings and state are those of a rule: name it, rule='adam'")
        found, nearest = identified(traces, told)
        wanted = found or nearest
    shown = shown_by(wanted, side, traces, state or {})
    numbers = judged(wanted, traces, shown)
    off = any(one.off is not None for one in numbers)
    why, found = cause(wanted, traces, told) if off and rule else ("", None if off else wanted)
    if found is not None and len(shown) < len(wanted.state):
        # State that is off is not known by the rule's numbers, but by those of what the optimiser does instead.
        named = {v: called for v, called in shown_by(found, side, traces, {}).items() if v in wanted.state}
        numbers = judged(wanted, traces, {**named, **shown})
    found = None if isinstance(found, Slipped) else found
    version = f"{side.framework.name} {side.framework.version}"
    return CheckedOptimiser(side.path, version, wanted, found, tuple(numbers), why, bool(rule))


def _arguments(side: Side) -> Mapping[str, Any]:
    """What an optimiser says it was made with."""
    assert side.framework is not None
    given = side.given

    def made(parameters: Any) -> Any:
        return side.make(parameters, **given)

    return side.framework.arguments_of(made if given else side.make)


def _wanted(rule: str, settings: Mapping[str, Any], told: Mapping[str, str], side: Side) -> Definition:
    known = [*RULES[rule].settings] if rule in RULES else []
    own = {name: text for name, text in told.items() if name == "step_size" and name in known}
    by_name = {name: value for name, value in settings.items() if name in known or not _told({name: value}, side)}
    return rule_of(rule, {**own, **_told(settings, side), **by_name})


def _told(settings: Mapping[str, Any], side: Side) -> dict[str, str]:
    """Settings by the names that any framework's optimisers have for them."""
    assert side.framework is not None
    return told_by(settings, side.framework)
