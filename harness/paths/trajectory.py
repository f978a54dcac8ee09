"""The path that an update rule takes, walked by an engine and judged step by step.

An engine evaluates at its own parameters, its optimiser moves them, and every move is held against the
rule in ball arithmetic on the engine's own numbers: its old parameters and state, its gradient, its new
state. What a path carries besides, such as running statistics, are values of the engine's own that its next
step reads as inputs; they are held by their links. So errors of earlier steps never count again, and the
first bad step is known with its cause. Steps stand alone, and all of a path have the same graph: those at
hand are judged together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from ..errors import raised
from ..judging.chain import Chain, judge_together
from ..judging.subject import Subject
from ..records.evaluation import Advance, Array, Evaluate, Evaluation, Inputs, Moved, Optimiser, Unsupported
from ..records.formats import FLOAT32, FORMATS
from ..records.known import NOTHING, Knowledge
from ..records.rows import TrajectoryRow
from ..records.verdicts import FINDINGS, Verdict
from ..rules.definition import Definition
from ..rules.optimiser import row_optimiser
from ..rules.update import Update
from .dialects import dialects, differing, judge, shown
from .ends import CARRY, carried, gradients, moved, output
from .horizon import Floats, Places, glance, places
from .kept import Kept, key_of
from .move import Judged, Move
from .settings import otherwise

K = TypeVar("K")

HELD = 1_000_000  # numbers of a path that are kept before its steps are judged: beyond, nothing is gained


@dataclass(frozen=True, slots=True)
class Path:
    """An engine's path: its rows, and where it was after every step.

    `estimated`: the engine states an error of its gradients that is more than rounding. `note`: what it says of how it
    walked.
    """

    rows: tuple[TrajectoryRow, ...]
    places: Places = field(default_factory=dict[str, Floats])
    estimated: bool = False
    note: str = ""


def trajectory(
    start: Subject,
    engine: str,
    evaluate: Evaluate,
    update: Update,
    optimiser: Optimiser | None = None,
    knowledge: Knowledge = NOTHING,
) -> Path:
    """Walk `update.steps` steps from the inputs of `start`, and judge them: `judged_path`."""
    steps = taken(start, evaluate, update, optimiser or row_optimiser)
    return judged_path(start, engine, steps, update, knowledge)


def judged_path(
    start: Subject,
    engine: str,
    steps: Iterable[Taken],
    update: Update,
    knowledge: Knowledge = NOTHING,
    kept: Kept | None = None,
) -> Path:
    """The path of the steps that an engine has taken from the inputs of `start`, or takes while they are asked for.

    One row for each step and input: the component whose verdict is gravest or whose score is highest.
    `value` is the input's after the step, `reference` what the rule gives on the engine's own numbers,
    `score` the highest of the gradient, the state and the update. Where one of them is off, `cause` names
    the first (`gradient`, `state m`, `update`), and all numbers of the row are its own. Further rows, from step
    0 on, hold the output (contracted with the cotangent) under the output's name; there the cause `value`
    says that its value is off. An input that is carried has a row too: the value that it becomes, what the link of that
    gives, and the cause `carry`. What is not `watched` has no rows. The path ends early where the engine fails, or a
    parameter or what is carried is not finite. What is `kept` of it, of an earlier run, is not judged again.
    """
    rows, been, estimated, note = list[TrajectoryRow](), list[Mapping[str, Floats]](), False, ""
    moving = update.moving(start.graph)

    def watched() -> Iterator[Stand]:
        nonlocal estimated, note
        for stand in along(start, steps, update):
            been.append(glance({name: stand.here.inputs[name] for name in moving}))
            if stand.evaluation is not None:
                estimated |= stand.evaluation.errors is not None
                note = stand.evaluation.reason or note
            if update.watched(stand.done) or stand.last:
                yield stand

    for stands, full in _portions(watched()):
        key = key_of(engine, *map(_numbers, stands)) if kept is not None and full else b""
        known = kept.rows(key) if kept is not None and key else None
        if known is None:
            with np.errstate(all="ignore"):
                known = [*_rows(stands, engine, update, knowledge)]
            if kept is not None and key:
                kept.add(key, known)
        rows += known
    return Path(tuple(rows), places(been), estimated, note)


# --- walking --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """What an engine says where it is, and where its optimiser goes from there.

    A path that ends before its time has `stopped`: with a verdict, and why. `carried` are the inputs that its next
    step has from this one, beside the parameters.
    """

    evaluation: Evaluation | None = None
    moved: Moved | None = None
    stopped: tuple[Verdict, str] | None = None
    carried: Inputs = field(default_factory=dict[str, Array])

    @property
    def last(self) -> bool:
        """Whether the path ends here before its time."""
        return self.stopped is not None or not all(np.isfinite(x).all() for x in self.next.values())

    @property
    def next(self) -> Inputs:
        """The inputs that the next step has of this one; empty where there is none."""
        return {} if self.moved is None else {**self.moved.parameters, **self.carried}


@dataclass(frozen=True, slots=True)
class Stand(Taken):
    """Where a path is after `done` steps, and what is taken there; `state` is that before the move, None before the
    first."""

    done: int = 0
    here: Subject = field(kw_only=True)
    state: Mapping[str, Inputs] | None = None


def along(start: Subject, steps: Iterable[Taken], update: Update) -> Iterator[Stand]:
    """Where a path is at each of its steps."""
    inputs, state = dict[str, Array](), None
    for done, step in enumerate(steps):
        here = start.at({**inputs, **update.read(done)})
        yield Stand(step.evaluation, step.moved, step.stopped, step.carried, done, here=here, state=state)
        if step.moved is not None:
            inputs, state = {**step.next}, step.moved.state


def _wanted(start: Subject) -> Inputs:
    return {node.name: start.inputs[node.name] for node in start.graph.wanted}


def taken(start: Subject, evaluate: Evaluate, update: Update, optimiser: Optimiser) -> Iterator[Taken]:
    """The steps of a path from its start on, judged by nobody."""
    parameters, inputs = _wanted(start), dict[str, Array]()
    definitions = {name: update.of(name).at(x.shape) for name, x in parameters.items()}
    try:
        step = optimiser(update.rule, update.numbers, {name: array.copy() for name, array in parameters.items()})
    except Unsupported as reason:
        yield Taken(stopped=("unsupported", f"update: {reason}"))
        return
    except BaseException as error:  # noqa: BLE001 - whatever a framework raises is its answer, and becomes a row
        yield Taken(stopped=("failed", f"update: {raised(error)}"))
        return
    for done in range(update.steps + 1):
        end = done == update.steps
        evaluation = _evaluated(evaluate, start.at({**inputs, **update.read(done)}))
        if evaluation.status != "ok":
            yield Taken(stopped=(evaluation.status, f"{'value' if end else 'gradient'}: {evaluation.reason}"))
            return
        if end:
            yield Taken(evaluation)
            return
        try:
            carried = update.carried(evaluation.values)
        except KeyError as absent:
            yield Taken(
                evaluation, stopped=("unsupported", f"{CARRY}: it does not show the value of `{absent.args[0]}`")
            )
            return
        moved = _moved(step, evaluation, parameters, definitions)
        if isinstance(moved, str):
            yield Taken(evaluation, stopped=("failed", f"update: {moved}"))
            return
        there = Taken(evaluation, moved, carried=carried)
        yield there
        if there.last:
            return
        parameters, inputs = moved.parameters, {**there.next}


def _evaluated(evaluate: Evaluate, here: Subject) -> Evaluation:
    """What the engine says, in arrays of our own: it may use its own again before the step is judged."""
    try:
        evaluation = evaluate(here.inputs, here.cotangent)
    except BaseException as error:  # noqa: BLE001 - as above
        return Evaluation("failed", raised(error))
    return replace(
        evaluation,
        values=_copied(evaluation.values),
        gradients=_copied(evaluation.gradients),
        terms=None if evaluation.terms is None else _copied(evaluation.terms),
        adjoints=None if evaluation.adjoints is None else _copied(evaluation.adjoints),
        output=None if evaluation.output is None else np.array(evaluation.output),
        errors=None if evaluation.errors is None else _copied(evaluation.errors),
    )


def _moved(step: Advance, evaluation: Evaluation, before: Inputs, definitions: Mapping[str, Definition]) -> Moved | str:
    """The optimiser's answer, in arrays of our own; or what it lacks: a key, the right shape, the right dtype. It may
    show the state of another known definition."""
    try:
        moved = step(_copied(evaluation.gradients))
    except BaseException as error:  # noqa: BLE001 - as above
        return raised(error)
    for name, old in before.items():
        own = {v for v, arrays in moved.state.items() if name in arrays}
        definition = definitions[name]
        if not shown(own, definition):
            others = (one.at(old.shape) for one in dialects(definition))
            definition = next((one for one in others if shown(own, one)), definition)
        answers = {"the parameters": moved.parameters, **{f"state {v}": moved.state.get(v) for v in definition.state}}
        for what, arrays in answers.items():
            scalar = what.removeprefix("state ") in definition.scalars
            now = None if arrays is None else arrays.get(name)
            if now is None:
                return f"{what} of `{name}` is missing"
            start = definition.state.get(what.removeprefix("state "))
            shape, dtype = start.size(old.shape) if start else old.shape, np.asarray(now).dtype
            if np.shape(now) != shape or (not _holds(dtype.name, old.dtype.name) if scalar else dtype != old.dtype):
                wanted = f"{'a float, single precision or better,' if scalar else old.dtype} of shape {shape}"
                return f"{what} of `{name}` is {dtype} of shape {np.shape(now)}, not {wanted}"
    state = {v: {name: np.array(array) for name, array in arrays.items()} for v, arrays in moved.state.items()}
    return Moved({name: np.array(moved.parameters[name]) for name in before}, state)


def _holds(name: str, of: str) -> bool:
    """Whether a number of one precision may stand beside parameters of another: it has their digits, or those of single
    precision."""
    return name in FORMATS and FORMATS[name].unit <= max(FORMATS[of].unit, FLOAT32.unit)


def _copied(arrays: Mapping[K, Array]) -> dict[K, Array]:
    return {key: np.array(array) for key, array in arrays.items()}


# --- judging --------------------------------------------------------------------------------------------------


def _portions(stands: Iterable[Stand]) -> Iterator[tuple[list[Stand], bool]]:
    """The stands of a path, as many at a time as may be held, and whether so many they are."""
    portion, held = list[Stand](), 0
    for stand in stands:
        portion.append(stand)
        held += _size(stand.evaluation)
        if held > HELD:
            yield portion, True
            portion, held = [], 0
    yield portion, False


def _numbers(stand: Stand) -> Sequence[object]:
    """What the rows of a stand are made from, beside the question and who is asked."""
    now = stand.here.inputs, stand.state
    return stand.done, now, stand.evaluation, stand.moved, stand.stopped, stand.carried


def _size(evaluation: Evaluation | None) -> int:
    if evaluation is None:
        return 0
    shown = (evaluation.values, evaluation.terms or {}, evaluation.adjoints or {})
    return sum(array.size for arrays in shown for array in arrays.values())


def _rows(stands: Sequence[Stand], engine: str, update: Update, knowledge: Knowledge) -> Iterator[TrajectoryRow]:
    """Of each stand the output, and the move from there or why there is none."""
    chains = {
        stand.done: Chain(stand.here, stand.evaluation, knowledge=knowledge)
        for stand in stands
        if stand.evaluation is not None
    }
    judge_together([*chains.values()])
    judged, told = _judged_moves({key: move for stand in stands for key, move in _moves(stand)}, update)
    for stand in stands:
        chain, done, subject = chains.get(stand.done), stand.done, stand.here
        if chain is not None:
            yield output(_blank(subject, engine, done, subject.graph.output.name), chain)
        if stand.stopped is not None:
            verdict, cause = stand.stopped
            if verdict == "undefined" and not subject.has_no_truth:
                verdict, cause = "failed", f"{cause}; the truth exists here"
            off = verdict in FINDINGS
            if done == update.steps:  # all moves are made: what is missing is the output at the end
                last = _blank(subject, engine, done, subject.graph.output.name)
                yield replace(last, verdict=verdict, cause=cause, finding=off)
                continue
            for node in subject.graph.wanted:
                blank = _blank(subject, engine, done + 1, node.name)
                yield replace(blank, verdict=verdict, cause=cause, finding=off)
        elif chain is not None and stand.moved is not None:
            found = gradients(chain, engine)
            for name, x in stand.moved.parameters.items():
                blank = _blank(subject, engine, done + 1, name)
                if x.size:
                    yield moved(blank, x, found[name], judged[done, name], chain, told[name])
                else:
                    yield replace(blank, value=0.0)
            for name, node in update.carry.items():
                yield carried(_blank(subject, engine, done + 1, name), chain, node)


def _judged_moves(
    moves: Mapping[tuple[int, str], Move], update: Update
) -> tuple[Mapping[tuple[int, str], Judged], Mapping[str, str]]:
    """Each move by the definition of its input, and of each input the setting that explains what is off by that."""
    definitions = {name: update.of(name).at(move.x.shape) for (_, name), move in moves.items()}
    groups: dict[Definition, dict[tuple[int, str], Move]] = {}
    for key, move in moves.items():
        groups.setdefault(definitions[key[1]], {})[key] = move
    judged, told = dict[tuple[int, str], Judged](), dict[Definition, str]()
    for wanted, own in groups.items():
        found, other = judge([*own.values()], wanted)
        judged |= dict(zip(own, found, strict=True))
        seen = all(shown(move.new_state, wanted) for move in own.values())
        told[wanted] = _told(wanted, other) or (otherwise([*own.values()], found, wanted) if seen else "")
    return judged, {name: told[wanted] for name, wanted in definitions.items()}


def _told(wanted: Definition, other: Definition | None) -> str:
    """The answers that make another definition, as `eps_place: inside`; empty where there is none."""
    return ", ".join(f"{name}: {answer}" for name, answer in differing(wanted, other).items()) if other else ""


def _moves(stand: Stand) -> Iterator[tuple[tuple[int, str], Move]]:
    if stand.evaluation is None or stand.moved is None:
        return
    gradients, total = stand.evaluation.gradients, (stand.state or {}).get("total")
    totals = [] if total is None else [total[name] for name in gradients]
    for name, x in stand.moved.parameters.items():
        if x.size:
            before, after = (
                None if state is None else {v: arrays[name] for v, arrays in state.items() if name in arrays}
                for state in (stand.state, stand.moved.state)
            )
            assert after is not None
            old, gradient, together = stand.here.inputs[name], gradients[name], [*gradients.values()]
            yield (
                (stand.done, name),
                Move(stand.done + 1, stand.here.form, old, gradient, before, after, x, together, totals),
            )


def _blank(subject: Subject, engine: str, step: int, name: str) -> TrajectoryRow:
    return TrajectoryRow(
        case=subject.case, point=subject.point, dtype=subject.dtype, engine=engine, step=step, name=name
    )
