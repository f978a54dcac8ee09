"""What is known of paths once they are walked: each in a line, and where two of them part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..words import counted
from .rows import Index, TrajectoryRow, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One path: from where to where the output went in how many of the `asked` steps, and the first step that is off.

    `unjudged` counts the steps of which something could not be judged; `why` says why the path was not walked, or not
    to its end, if that is no finding. `against` counts the steps on which the output moved the other way than the rule
    promises, as far as outputs are known; `kept` says whether from start to end it moved as promised (None: it stood
    still, or is not known). With `batches` each output is of other data, with `state` it reads what the path carries,
    and no such step is counted. Only every
    `watch`-th step is judged, and only there the output is known.
    `note` is what the engine says of how it walked. `dialect` is what it does otherwise than the case, in words, where
    that is another known definition of the rule.
    """

    case: str
    point: int
    dtype: str
    engine: str
    rule: str
    promise: str
    steps: int
    asked: int
    start: float | None
    end: float | None
    against: int
    kept: bool | None
    first: TrajectoryRow | None
    known: int = 0
    unjudged: int = 0
    why: str = ""
    note: str = ""
    dialect: str = ""
    watch: int = 1
    batches: bool = False
    state: bool = False

    @property
    def sound(self) -> bool:
        """Whether every step that was asked for was taken, judged and found sound."""
        return self.first is None and not self.unjudged and self.steps == self.asked

    @property
    def _watched(self) -> str:
        judged = range(1, self.steps + 1, self.watch)
        return f"each step that was judged ({', '.join(map(str, judged[:2]))}{', ...' if len(judged) > 2 else ''})"

    def __str__(self) -> str:
        short = self.steps < self.asked
        steps = f"{self.steps} of {counted(self.asked, 'step')}" if short else counted(self.steps, "step")
        went = f"{self.engine}: {self.rule}, {steps}"
        if self.start is not None and self.end is not None:
            kept = f"{self.promise} as promised"
            moved = {True: kept, False: f"not {kept}", None: "and did not move"}[self.kept]
            own = "batch" if self.batches else "state" if self.state else ""
            moved = f"each of its own {own}" if own else moved
            went += f", output from {self.start:.6g} to {self.end:.6g}, {moved}"
            compared = -(-self.steps // self.watch)
            went += f" ({self.against} of {counted(compared, 'step')} the other way)" if self.against else ""
        if self.first is not None:
            first = self.first
            told = f"{went}; first off at step {first.step} in {element(first.name, first.index)}: {first.cause}"
            known = first.reference is not None
            told += f", {first.verdict}" + (f" ({first.value!r}, should be {first.reference!r})" if known else "")
            if self.dialect:
                return f"{told}; another definition: {self.dialect}; with `{first.setting}` the case has it too"
            return told + (f"; with `{first.setting}` alone it would be sound" if first.setting else "")
        known = f", but for {counted(self.known, 'known disagreement')}" if self.known else ""
        if self.sound:
            return f"{went}; {'every step' if self.watch == 1 else self._watched} is sound{known}"
        told = [f"no step is known to be off{known}"] if self.steps else []
        told += [f"{self.unjudged} could not be judged"] if self.unjudged else []
        return f"{went}; {', '.join([*told, self.why] if self.why else told)}"


def together(paths: Sequence[Summary]) -> str:
    """All paths of a run in a sentence, such as `8 paths: 1 with a step that is off; 1 not walked; else sound`."""
    off = [path for path in paths if path.first is not None]
    none = [path for path in paths if path.first is None and not path.steps]
    short = [path for path in paths if path.first is None and 0 < path.steps < path.asked]
    open_ = [path for path in paths if path.first is None and path.unjudged]
    told = [f"{len(off)} with a step that is off"] if off else []
    told += [f"{len(none)} not walked ({', '.join(dict.fromkeys(path.why for path in none))})"] if none else []
    told += [f"{len(short)} that ended early"] if short else []
    steps = sum(path.unjudged for path in open_)
    told += [f"{len(open_)} with {counted(steps, 'step')} that could not be judged"] if open_ else []
    told += ["all other steps are sound" if told else "every step is sound"]
    return f"{counted(len(paths), 'path')}: {'; '.join(told)}"


@dataclass(frozen=True, slots=True)
class Growth:
    """How a gap grows from the step `begin` on: by the `rate` at each step (`factor`), or as that power of the steps
    (`power`); `fit` is the part of the spread of its logarithm that this tells (R squared)."""

    kind: Literal["factor", "power"]
    rate: float
    fit: float
    begin: int

    def __str__(self) -> str:
        by_power = f"as the steps to the power {self.rate:.2g}"
        grows = f"{self.rate:.3g}-fold a step" if self.kind == "factor" else by_power
        return f"the gap grows {grows} from step {self.begin} on (R² {self.fit:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first step after which two engines agree in fewer than half of the dtype's digits, beside the input's size.

    `horizon` is the first step after which rounding alone may have done so (None: not on this path), `before` the first
    thing that was not sound on either path up to the parting, of what was judged: every `watch`-th step. `growth` is
    how the gap has grown up to there, `gaps` the gap itself on all of the path: (step, how far apart), some of many.

    Before the horizon the optimisers were swapped: walked on the truth's gradients for `swapped` steps (0: that was not
    done), they have parted after the step `again`, or have not. `state`: what the path carries was the truth's there,
    too.
    """

    case: str
    point: int
    dtype: str
    engine_a: str
    engine_b: str
    step: int
    name: str
    index: Index
    value_a: float
    value_b: float
    horizon: int | None
    before: str
    watch: int = 1
    growth: Growth | None = None
    swapped: int = 0
    again: int | None = None
    state: bool = False
    gaps: tuple[tuple[int, float], ...] = ()

    @property
    def early(self) -> bool:
        """Whether rounding alone does not part them so soon."""
        return self.horizon is None or self.horizon > self.step

    @property
    def unexplained(self) -> bool:
        """Neither a step that is not sound nor rounding has parted them."""
        return not self.before and self.early

    @property
    def there(self) -> str:
        return f"{element(self.name, self.index)} is {self.value_a:.6g} and {self.value_b - self.value_a:+.2g}"

    @property
    def why(self) -> str:
        sound = "every step is sound" if self.watch == 1 else "every step that was judged is sound"
        if not self.before and not self.unexplained:
            return f"rounding, horizon at step {self.horizon}: {sound}"
        told = self.before or sound
        told += ", yet" if self.unexplained else ";"
        if self.horizon is None:
            return f"{told} rounding alone may part them on no step of this path{self._blamed}"
        only = "only " if self.unexplained else ""
        return f"{told} rounding alone may part them {only}from step {self.horizon} on{self._blamed}"

    @property
    def _blamed(self) -> str:
        """What the swapped optimisers say."""
        if not self.swapped:
            return ""
        given = "gradients and carried values" if self.state else "gradients"
        if self.again is None:
            part = "these part" if self.state else "the gradients part"
            return f"; on the truth's {given} their optimisers stay together, so that {part} them"
        return f"; on the truth's {given} they part as well, at step {self.again}, by their optimisers"

    def __str__(self) -> str:
        told = f"{self.engine_a} and {self.engine_b} part at step {self.step}: {self.there}"
        return f"{told}; {f'{self.growth}; ' if self.growth else ''}{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """The paths of a case that moves two numbers, and the output around them.

    `names` are those of the two, the first across; `low` and `high` the corners of what is looked at. `values` is the
    contracted output in rows from the lowest up, evenly spread from corner to corner, NaN where there is none; empty
    where each step has an output of its own. `trails` are the places of each engine, some of many, with the first and
    the last.
    """

    case: str
    point: int
    dtype: str
    rule: str
    steps: int
    names: tuple[str, str]
    low: tuple[float, float]
    high: tuple[float, float]
    values: tuple[tuple[float, ...], ...]
    trails: Mapping[str, tuple[tuple[float, float], ...]]
