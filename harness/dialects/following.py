"""A definition followed along given gradients: in exact balls, in balls that hold every sound rounding, in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any, Literal, TypeAlias, cast

import flint
import numpy as np

from ..arithmetic import arrays
from ..graph.emit import Program, emit
from ..graph.graph import Graph
from ..graph.node import Shape
from ..paths.arithmetic import counting, stepping
from ..records.evaluation import Array
from ..records.formats import FORMATS, Format
from ..rules.definition import NEW, Definition
from ..rules.optimiser import added_up, norm_of_all, reads
from ..rules.rule import NORM_OF_ALL
from ..truth.numbers import to_balls
from ..truth.precision import working
from ..truth.rounding import entered, floats, radii
from .probing import Scene, Trace

Arithmetic: TypeAlias = Literal["exact", "rounded", "float64"]
FORM = FORMATS["float64"]
SLACK = 4  # other forms of a line round otherwise: lerp, and decay that multiplies x
LEAST = 1e-290
NORM_COST = 16  # roundings of a norm over some hundred numbers


class Follower:
    """The parameters and the state of a definition, moved by given gradients."""

    def __init__(
        self, definition: Definition, start: Mapping[str, Array], arithmetic: Arithmetic, scalars: Format = FORM
    ) -> None:
        """`scalars`: the precision of what is computed once a step."""
        self._definition, self._arithmetic, self._scalar, self._t = definition, arithmetic, scalars, 0
        shapes = {np.shape(x) for x in start.values()}
        self._once = _compiled(definition.once, arithmetic, scalars, once=True)
        self._programs = {shape: _compiled(definition.program(shape), arithmetic, FORM) for shape in shapes}
        self.x = {name: self._entered(x) for name, x in start.items()}
        self._scalars = {v: self._started(v, np.zeros(()), ()) for v in definition.scalars}
        names = [v for v in definition.state if v not in definition.scalars]
        self.state = {v: {name: self._started(v, self.x[name], x.shape) for name, x in start.items()} for v in names}

    def step(self, gradients: Mapping[str, Array]) -> None:
        """One step from the numbers that stand in `x` and `state`."""
        self._t += 1
        definition = self._definition
        numbers: dict[str, Any] = {"t": self._exactly(np.array(float(self._t))), **self._scalars}
        made = self._once.program(*(numbers[name] for name in self._once.reads))
        numbers |= dict(zip(definition.once_names, made, strict=True))
        self._scalars = {v: numbers[NEW + v] for v in self._scalars}
        if definition.together:
            numbers[NORM_OF_ALL] = self._norm(gradients)
        for name, x in self.x.items():
            moving = self._programs[np.shape(x)]
            own = {"x": x, "g": self._entered(gradients[name]), **{v: self.state[v][name] for v in self.state}}
            values = {**numbers, **own}
            *new, moved = moving.program(*(values[operand] for operand in moving.reads))
            self.x[name] = _whole(moved, np.shape(x))
            for v, value in zip(self.state, new, strict=True):
                self.state[v][name] = _whole(value, np.shape(x))

    def _norm(self, gradients: Mapping[str, Array]) -> Any:
        if self._arithmetic == "float64":
            own = ({v: arrays[name] for v, arrays in self.state.items()} for name in gradients)
            return norm_of_all(map(added_up, repeat(self._definition), gradients.values(), own))
        balls: list[Any] = [to_balls(np.asarray(g, dtype=np.float64)) for g in gradients.values()]
        if (share := self._definition.share) is not None:
            totals = self.state["total"]
            balls = [ball / flint.arb(share) + totals[name] for name, ball in zip(gradients, balls, strict=True)]
        squares: Any = sum(np.square(ball).sum() for ball in balls)
        norm = np.asarray(squares.sqrt(), dtype=object)
        return entered(norm, FORM, NORM_COST) if self._arithmetic == "rounded" else norm

    def enters(self, x: Mapping[str, Array]) -> None:
        """Go on from an engine's own parameters."""
        self.x = {name: self._entered(array) for name, array in x.items()}

    def remembers(self, v: str, arrays_: Mapping[str, Array]) -> None:
        """Go on from an engine's own state variable."""
        if v in self._scalars:
            self._scalars[v] = self._entered(np.asarray(next(iter(arrays_.values())), dtype=np.float64).reshape(()))
        else:
            self.state[v] = {name: self._entered(array) for name, array in arrays_.items()}

    def of(self, v: str, parameter: str) -> Any:
        return self._scalars[v] if v in self._scalars else self.state[v][parameter]

    def _exactly(self, array: Array) -> Any:
        return array if self._arithmetic == "float64" else to_balls(array)

    def _entered(self, array: Array) -> Any:
        numbers: Any = self._exactly(np.asarray(array, dtype=np.float64))
        if self._arithmetic != "rounded":
            return numbers
        return cast("Any", np).where(array == 0, numbers, entered(numbers, FORM))

    def _started(self, v: str, x: Any, shape: tuple[int, ...]) -> Any:
        starting = _starting(self._definition, v, shape, self._arithmetic, self._scalar)
        made = np.asarray(starting.program(*([x] if starting.reads else []))[0])
        keeps = v in self._definition.scalars and self._arithmetic == "rounded"
        return entered(made, self._scalar) if keeps else made


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A graph as a program, and the names of what it takes."""

    reads: tuple[str, ...]
    program: Program


@lru_cache(maxsize=8192)
def _compiled(graph: Graph, arithmetic: Arithmetic, form: Format, *, once: bool = False) -> _Compiled:
    """`once`: what is computed once a step, where whole numbers are exact."""
    if arithmetic == "float64":
        return _Compiled(reads(graph), emit(graph, arrays.namespace("float64"), graph.outputs))
    own = form if arithmetic == "rounded" else None
    balls = counting(own) if once else stepping(own)
    return _Compiled(reads(graph), emit(graph, balls, graph.outputs, operators=False))


@lru_cache(maxsize=8192)
def _starting(definition: Definition, v: str, shape: Shape, arithmetic: Arithmetic, form: Format) -> _Compiled:
    return _compiled(definition.start_of(v, shape), arithmetic, form)


def _whole(numbers: Any, shape: Shape) -> Any:
    return numbers if np.shape(numbers) == shape else np.broadcast_to(np.asarray(numbers), shape)


@dataclass(frozen=True, slots=True)
class Off:
    """A number of a step that a definition does not allow: `what` is `x` or a state variable; the step is from 1."""

    what: str
    step: int
    parameter: str
    component: int
    value: float
    wanted: float
    allowed: float

    @property
    def off(self) -> float:
        return abs(self.value - self.wanted)


def held(definition: Definition, trace: Trace, shown: Mapping[str, str], *, strict: bool = False) -> list[Off]:
    """Where an optimiser is not what a definition says: at each step from its own parameters, and from its own state
    where it is `shown` (state variable -> the optimiser's name of it). State that is hidden goes along in balls. A
    number where the definition has none is off only if `strict`."""
    found: list[Off] = []
    with working(), np.errstate(all="ignore"):
        follower = Follower(definition, trace.scene.start, "rounded", _of_scalars(definition, trace, shown))
        for k, stepped in enumerate(trace.steps):
            follower.enters(trace.before(k))
            follower.step(trace.scene.gradients[k])
            for v, called in shown.items():
                own = stepped.state.get(called, {})
                for name, array in own.items():
                    found += _outside(v, k + 1, name, array, follower.of(v, name), strict)
                if {*own} >= {*trace.scene.start}:
                    follower.remembers(v, own)
            for name, array in stepped.x.items():
                found += _outside("x", k + 1, name, array, follower.x[name], strict)
    return found


def _of_scalars(definition: Definition, trace: Trace, shown: Mapping[str, str]) -> Format:
    """The precision of an optimiser's scalars: torch keeps some in its default dtype, whatever the parameters have."""
    kept = [trace.steps[0].state.get(shown[v], {}) for v in definition.scalars if v in shown]
    formats = [FORMATS[array.dtype.name] for own in kept for array in own.values() if array.dtype.name in FORMATS]
    return max(formats, key=lambda form: form.unit, default=FORM)


def _outside(what: str, step: int, name: str, array: Array, ball: Any, strict: bool) -> list[Off]:
    """Components that are off, of what an optimiser keeps as one number each of the parameter's. Of a ball that is not
    finite nothing is known."""
    shape = np.broadcast_shapes(np.shape(array), np.shape(ball))
    wanted, radius = (np.broadcast_to(made(ball), shape).reshape(-1) for made in (floats, radii))
    values = np.broadcast_to(np.asarray(array, dtype=np.float64), shape).reshape(-1)
    allowed = SLACK * radius + LEAST
    open_ = ~np.isfinite(wanted) | ~np.isfinite(radius)
    outside = ~open_ & ~(np.abs(values - wanted) <= allowed) | (open_ & np.isfinite(values) & strict)
    return [
        Off(what, step, name, int(c), float(values[c]), float(wanted[c]), float(allowed[c]))
        for c in np.flatnonzero(outside)
    ]


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two moves of one component are apart, relative to the larger; steps are from 1."""

    label: str
    step: int
    a: float
    b: float
    size: float = 0.0  # the largest move of the component in all steps, where the two are measured by that

    @property
    def relative(self) -> float:
        if self.a == self.b or (np.isnan(self.a) and np.isnan(self.b)):
            return 0.0
        largest = max(abs(self.a), abs(self.b), self.size)
        return abs(self.a - self.b) / largest if np.isfinite(largest) else np.inf


def apart(a: Definition, b: Definition, scene: Scene) -> list[Apart]:
    """How far two definitions are apart at every step and component of a scene, in exact arithmetic. Where one of them
    has no number there, nothing is told."""
    told: list[Apart] = []
    with working(), np.errstate(all="ignore"):
        one, other = (Follower(definition, scene.start, "exact") for definition in (a, b))
        for k, gradients in enumerate(scene.gradients):
            before = [dict(follower.x) for follower in (one, other)]
            for follower in (one, other):
                follower.step(gradients)
            for name in scene.start:
                moves = [follower.x[name] - old[name] for follower, old in zip((one, other), before, strict=True)]
                told += _apart(scene, name, k + 1, *moves)
    return told


def alike(a: Definition, b: Definition, scene: Scene) -> bool:
    """Whether two definitions may be the same: as far as float64 tells."""
    with np.errstate(all="ignore"):
        one, other = (Follower(definition, scene.start, "float64") for definition in (a, b))
        for gradients in scene.gradients:
            for follower in (one, other):
                follower.step(gradients)
        gaps = [(np.asarray(one.x[name], float), np.asarray(other.x[name], float)) for name in scene.start]
    return all(np.allclose(x, y, rtol=1e-7, atol=1e-12, equal_nan=True) for x, y in gaps)


def _apart(scene: Scene, name: str, step: int, a: Any, b: Any) -> list[Apart]:
    gap, of_a = (np.reshape(floats(ball), -1) for ball in (a - b, a))
    blur = np.reshape(radii(a - b), -1)
    of_b = np.where(np.abs(gap) <= blur, of_a, of_a - gap)  # not those of its ball: a gap may be far below its digits
    known = np.flatnonzero(np.isfinite(gap) & np.isfinite(blur))
    if len(scene.labels[name]) == 1:
        return _told(scene, name, step, of_a[known], of_b[known], np.zeros(len(known))) if len(known) else []
    return [Apart(scene.label(name, int(c)), step, float(of_a[c]), float(of_b[c])) for c in known]


def parted(a: Trace, b: Trace) -> list[Apart]:
    """How far two optimisers came apart at every step and component, in what they gave, relative to the largest move of
    that component. What x may hide is left out: a move is known to a few units in the last place of the parameter."""
    told = list[Apart]()
    largest = {name: np.maximum(*(_largest(trace, name) for trace in (a, b))) for name in a.scene.start}
    for k, (one, other) in enumerate(zip(a.steps, b.steps, strict=True)):
        for name in a.scene.start:
            old = [np.asarray(trace.before(k)[name], dtype=np.float64).reshape(-1) for trace in (a, b)]
            new = [np.asarray(stepped.x[name], dtype=np.float64).reshape(-1) for stepped in (one, other)]
            moves = [after - before for after, before in zip(new, old, strict=True)]
            size = np.maximum(*map(np.abs, new))
            hidden = np.abs(moves[0] - moves[1]) <= 8 * FORM.unit * size
            told += _told(a.scene, name, k + 1, moves[0], np.where(hidden, moves[0], moves[1]), largest[name])
    return told


def _told(scene: Scene, name: str, step: int, a: Any, b: Any, size: Any) -> list[Apart]:
    """Moves of one parameter in one step; of many with one label those alone that are farthest apart."""
    labels = scene.labels[name]
    which: Any = np.arange(len(a))
    if len(labels) == 1:
        with np.errstate(all="ignore"):
            far = np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), size)
        which = [np.argmax(np.where(np.isnan(far), np.where(np.isnan(a) == np.isnan(b), 0, np.inf), far))]
    return [Apart(scene.label(name, int(c)), step, float(a[c]), float(b[c]), float(size[c])) for c in which]


def same_bits(a: Trace, b: Trace) -> bool:
    """Whether two optimisers gave the same numbers in every step."""
    return all(
        np.array_equal(one.x[name], other.x[name], equal_nan=True)
        for one, other in zip(a.steps, b.steps, strict=True)
        for name in a.scene.start
    )


def _largest(trace: Trace, name: str) -> Any:
    """The largest move of each component of a parameter, 0 where it is not finite."""
    whole = np.array([trace.scene.start[name], *(stepped.x[name] for stepped in trace.steps)], dtype=np.float64)
    moves = np.abs(np.diff(whole.reshape(len(whole), -1), axis=0))
    return np.where(np.isfinite(moves), moves, 0).max(axis=0)


def errors(definition: Definition, trace: Trace) -> Any:
    """How far an optimiser's moves are from those of a definition, in float64, relative to the largest move of each
    component: an array (steps, components). Each step begins at the optimiser's own parameters; state goes along."""
    moved: dict[str, list[Any]] = {name: [] for name in trace.scene.start}
    with np.errstate(all="ignore"):
        follower = Follower(definition, trace.scene.start, "float64")
        for k, gradients in enumerate(trace.scene.gradients):
            follower.enters(trace.before(k))
            follower.step(gradients)
            for name, numbers in moved.items():
                numbers.append(follower.x[name])
        return np.concatenate([_errors(trace, name, np.array(numbers)) for name, numbers in moved.items()], axis=1)


def _errors(trace: Trace, name: str, moved: Any) -> Any:
    """Of one parameter, (steps, components)."""
    given = np.array([stepped.x[name] for stepped in trace.steps]).reshape(len(moved), -1)
    gap, largest = moved.astype(np.float64).reshape(given.shape) - given, _largest(trace, name)
    hidden = np.abs(gap) <= 8 * FORM.unit * np.abs(given)
    return np.where(hidden, 0.0, gap / np.where(largest > 0, largest, 1.0))


def worst(told: Sequence[Apart]) -> Apart | None:
    """Where two are farthest apart; None where they are nowhere."""
    most = max(told, key=lambda one: one.relative, default=None)
    return most if most is not None and most.relative else None
