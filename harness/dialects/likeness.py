"""How alike two optimisers step at the probing points: in what they gave, and by their definitions in exact
arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log10
from typing import Any

from ..errors import CommandError, one_line
from ..rules.definition import Definition
from .following import Apart, alike, apart, held, parted, same_bits, worst
from .identify import identified, told_by
from .probing import Scene, Trace, matrices, numbers, schedule, taken
from .sides import Side

NEAR = 1.2e-7  # of a move, two roundings of float32: what optimisers that no table knows may differ by, and be equal
EXACT = 1e-18  # of a move, in exact arithmetic: far below the digits of float64
SCHEDULE = ("_schedule", "_decay", "schedules.")


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two optimisers stepped: to how many digits of the largest move of each component, infinite where no
    more can be told beside the parameter; and whether bit for bit."""

    digits: float
    bits: bool


def scenes(*paths: str) -> tuple[Scene, ...]:
    """Where optimisers are looked at. Some rules are others for large matrices."""
    if any(".lr_scheduler." in path or path.endswith(SCHEDULE) for path in paths):
        return (schedule(),)
    large = any("adafactor" in path.lower() for path in paths)
    beside = (matrices((130, 128), label="large matrices"),) if large else ()
    return (numbers(), matrices(), *beside)


def both(a: Side, b: Side) -> tuple[list[tuple[Trace, Trace]], str]:
    """What both do at each scene that both take; why one was left out."""
    pairs, skipped = list[tuple[Trace, Trace]](), ""
    for scene in scenes(a.path, b.path):
        try:
            pairs.append((taken(scene, a.begin), taken(scene, b.begin)))
        except CommandError:
            raise
        except Exception as error:  # noqa: BLE001  # a framework's, or a user's own code: it takes no such parameters
            skipped = one_line(error)
    if not pairs:
        raise CommandError(f"{a.text} and {b.text} could not be stepped: {skipped}")
    return pairs, skipped


def definition_of(side: Side, traces: Sequence[Trace]) -> Definition | None:
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
    known: Mapping[str, Any] = native.state if native is not None else {}
    return {v: called for v, called in known.items() if isinstance(called, str) and v in found.state}


def gaps(a: Definition, b: Definition, at: Sequence[Scene]) -> list[Apart]:
    return [one for scene in at for one in apart(a, b, scene)]


def same(a: Definition, b: Definition) -> bool:
    """Whether two definitions step alike: in float64 first, which is quick, then in exact arithmetic."""
    if a == b:
        return True
    return alike(a, b, numbers()) and most(gaps(a, b, [numbers(), matrices()])) <= EXACT


def most(told: Sequence[Apart]) -> float:
    farthest = worst(told)
    return 0.0 if farthest is None else farthest.relative


def lost(pairs: Sequence[tuple[Trace, Trace]]) -> list[Apart]:
    """Where one has a number and the other has none."""
    told = (one for pair in pairs for one in parted(*pair))
    return [one for one in told if isfinite(one.a) != isfinite(one.b)]


def likeness(pairs: Sequence[tuple[Trace, Trace]]) -> Likeness:
    farthest = most([one for pair in pairs for one in parted(*pair)])
    digits = inf if farthest == 0 else max(0.0, -log10(farthest)) if isfinite(farthest) else 0.0
    return Likeness(digits, all(same_bits(*pair) for pair in pairs))


def agree(a: Side, b: Side) -> Likeness | None:
    """How alike two step; None where they do not, or where one has no number."""
    try:
        pairs, _ = both(a, b)
    except CommandError:
        return None
    told = [one for pair in pairs for one in parted(*pair)]
    if not all(isfinite(one.a) and isfinite(one.b) for one in told):
        return None
    of_a, of_b = a.definition, b.definition
    if of_a is not None and of_b is not None:
        alike_ = most(gaps(of_a, of_b, [pair[0].scene for pair in pairs])) <= EXACT
    else:
        alike_ = most(told) <= NEAR
    return likeness(pairs) if alike_ else None
