"""One optimiser held against a rule: every step, every state variable, and what is wrong where one is off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ..errors import CommandError
from ..records.evaluation import Array
from ..rules.definition import Definition, definition
from ..rules.rule import COMMON, Setting
from .following import Follower, Off, held
from .identify import CLOSE, beside, error_of, explains, fit, identified, rounded, swapped
from .probing import Trace, matrices, numbers, taken
from .sides import Side
from .slips import slips

STARTS = {
    "momentum": "0.5",
    "weight_decay": "0.01",
    "clip_norm": "1",
    "clip_value": "0.5",
}  # of settings that are 0: where a fit begins
HALF = 0.5  # of its numbers, which what is a state variable has at least, though some are wrong
COUNTED = 4  # how far beyond a whole number another one is looked for


@dataclass(frozen=True, slots=True)
class Number:
    """A state variable of the rule, or the parameter `x`. `kept`: what the optimiser calls it; empty for state that it
    does not show, which was followed along. `off`: the first step and component that is not what the rule says."""

    name: str
    kept: str
    off: Off | None
    label: str = ""

    @property
    def verdict(self) -> str:
        if self.off is not None:
            return "wrong" if np.isfinite(self.off.value) else "not finite"
        return "agree" if self.kept else "not shown"


def traces_of(side: Side) -> list[Trace]:
    """What an optimiser does at the probing points that it takes. What its own code raises at all of them goes on."""
    if side.missing:
        name = side.missing[0]
        raise CommandError(f"{side.path} needs `{name}`: check_optimiser(..., arguments={{{name!r}: ...}})")
    traces, error = list[Trace](), None
    for scene in (numbers(), matrices()):
        try:
            traces.append(taken(scene, side.begin))
        except CommandError:
            raise
        except Exception as raised:  # noqa: BLE001  # whatever a user's own code raises
            error = raised
    if not traces:
        assert error is not None
        raise error
    return traces


def judged(wanted: Definition, traces: Sequence[Trace], shown: Mapping[str, str]) -> list[Number]:
    """Every state variable and, last, the parameter, each with where it is off first."""
    found = [(trace, off) for trace in traces for off in held(wanted, trace, shown)]
    told = list[Number]()
    for name in (*wanted.state, "x"):
        first = min(((off.step, k) for k, (_, off) in enumerate(found) if off.what == name), default=None)
        trace, off = found[first[1]] if first is not None else (None, None)
        label = "" if trace is None or off is None else trace.scene.label(off.parameter, off.component)
        told.append(Number(name, shown.get(name, "" if name != "x" else "x"), off, label))
    return told


def shown_by(wanted: Definition, side: Side, traces: Sequence[Trace], given: Mapping[str, str]) -> dict[str, str]:
    """State variable of the rule -> what the optimiser calls it: as given, as its framework's own optimiser of that
    rule calls it, or by its numbers."""
    kept = _kept(traces)
    for v, called in given.items():
        if v not in wanted.state:
            raise CommandError(
                f"state: `{v}` is no state variable of {wanted.rule}. It has: {', '.join(wanted.state)}."
            )
        if called not in kept:
            raise CommandError(f"state: the optimiser keeps no `{called}`. It keeps: {', '.join(kept) or 'nothing'}.")
    shown = dict(given)
    natives = side.framework.natives if side.framework is not None else ()
    names = [native.state for native in natives if native.rule == wanted.rule]
    for v in wanted.state:
        known = [of[v] for of in names if isinstance(of.get(v), str) and of[v] in kept]
        if v not in shown and known:
            shown[v] = known[0]
    alike = _alike(wanted, [v for v in wanted.state if v not in shown], kept, traces)
    for v, called in sorted(alike, key=lambda pair: -alike[pair]):  # of those alike, the first of each
        if v not in shown and called not in shown.values() and alike[v, called] > HALF:
            shown[v] = called
    return shown


def _kept(traces: Sequence[Trace]) -> list[str]:
    """What an optimiser keeps of every parameter, in its shape or as one number."""
    found = list[str]()
    for name in dict.fromkeys(name for trace in traces for name in trace.steps[0].state):
        arrays = [(trace.steps[0].state.get(name, {}), trace.scene.start) for trace in traces]
        if all(p in own and np.shape(own[p]) in ((), np.shape(x)) for own, start in arrays for p, x in start.items()):
            found.append(name)
    return found


def _alike(
    wanted: Definition, variables: Sequence[str], kept: Sequence[str], traces: Sequence[Trace]
) -> dict[tuple[str, str], float]:
    """Of how many of its numbers what an optimiser keeps is a state variable, over all steps; of those that are not 0
    on both sides, where there are any."""
    counts = {(v, name): np.zeros(2) for v in variables for name in kept}
    with np.errstate(all="ignore"):
        for trace in traces:
            follower = Follower(wanted, trace.scene.start, "float64")
            for k, stepped in enumerate(trace.steps):
                follower.enters(trace.before(k))
                follower.step(trace.scene.gradients[k])
                for (v, name), count in counts.items():
                    for parameter in trace.scene.start:
                        count += _in_common(stepped.state[name][parameter], follower.of(v, parameter))
    return {pair: 1.0 if not all_ else equal / all_ for pair, (equal, all_) in counts.items()}


def _in_common(own: Array, ours: Array) -> tuple[int, int]:
    """How many numbers are equal, and how many there are, but for those that are 0 in both."""
    if np.shape(own) != np.shape(ours):
        return 0, max(np.size(own), 1)
    equal, none = np.isclose(own, ours, rtol=1e-6, atol=0, equal_nan=True), (own == 0) & (ours == 0)
    return int(np.sum(equal & ~none)), int(np.sum(~none))


# --- what is wrong ------------------------------------------------------------------------------------------


def cause(wanted: Definition, traces: Sequence[Trace], told: Mapping[str, str]) -> tuple[str, Definition | None]:
    """What is wrong with an optimiser that is off: what it shows of its state, a setting, another definition, a mistake
    of the list, or another rule; in words, with the definition that it steps by, which a mistake makes nobody's. Empty
    where nothing explains all steps."""
    if explains(wanted, traces):
        return "state that the optimiser does not show", wanted
    if settings := [*_settings(wanted, traces)]:
        words = " or ".join(f"{name}: {found.chosen[name]}" for name, found in settings)
        return words, settings[0][1]

    def sound(other: Definition) -> bool:
        return _may_be(other, traces) and explains(other, traces)

    other, words = beside(wanted, sound)
    if other is not None:
        return words, other
    for exchanged, words in swapped(wanted):
        if sound(exchanged):
            return words, exchanged
    for slipped in slips(wanted):
        if sound(slipped):
            return slipped.words, slipped
    found, _ = identified(traces, told)
    return (f"it is {found.rule}", found) if found is not None else ("", None)


def _may_be(other: Definition, traces: Sequence[Trace]) -> bool:
    """What float64 tells, where there are numbers."""
    error = error_of(other, traces)
    return error <= CLOSE or not np.isfinite(error)


def _settings(wanted: Definition, traces: Sequence[Trace]) -> Iterator[tuple[str, Definition]]:
    """Each setting with which alone every step is sound."""
    for name, begun in _begun(wanted):
        nothing = definition(wanted.rule, {**wanted.chosen, name: "0"})
        allowed = wanted.row.allowed(name)
        assert isinstance(allowed, Setting)
        if allowed.whole:
            counts = range(int(allowed.least), int(begun.chosen[name]) + COUNTED)
            others = (definition(wanted.rule, {**wanted.chosen, name: str(count)}) for count in counts)
            yield from ((name, other) for other in others if other != wanted and _sound(other, traces))
            continue
        if allowed.holds(Decimal(0)) and _sound(nothing, traces):
            yield name, nothing
            continue
        fitted = fit(begun, traces, names=(name,))
        found = rounded(fitted, traces, names=(name,)) if error_of(fitted, traces) <= CLOSE * 10 else None
        if found is not None and found != wanted:
            yield name, found


def _begun(wanted: Definition) -> Iterator[tuple[str, Definition]]:
    for name in dict.fromkeys([*wanted.constants, *STARTS]):
        allowed = wanted.row.allowed(name)
        if not isinstance(allowed, Setting):
            continue
        if float(wanted.constants.get(name, "0")):
            yield name, wanted
        elif name in wanted.row.settings or name in COMMON:
            yield name, definition(wanted.rule, {**wanted.chosen, name: STARTS.get(name, "1e-6")})


def _sound(found: Definition, traces: Sequence[Trace]) -> bool:
    return _may_be(found, traces) and explains(found, traces)
