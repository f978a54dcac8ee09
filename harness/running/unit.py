"""One unit of work -> its outcome: the one place where a case, engines, truth and judge meet.

A unit is a case at one point in one dtype. All engines run in it, and its truth is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TypeVar

from ..errors import one_line
from ..graph.graph import Graph
from ..judging.agreement import Named, pairs, pairs_of
from ..judging.allowance import used
from ..judging.classify import Link
from ..judging.expectation import expectations
from ..judging.judge import conventions, judged
from ..judging.second_order import Question, judge_along, numbers
from ..judging.subject import Subject
from ..paths.horizon import Places, places
from ..paths.kept import Kept
from ..paths.parting import partings
from ..paths.planes import plane
from ..paths.summary import summary
from ..paths.trajectory import Path, Taken, judged_path
from ..reading.case import Call, Case
from ..records.evaluation import Array, Evaluation
from ..records.known import Knowledge
from ..records.outcome import Outcome
from ..records.paths import Parting, Plane, Summary
from ..records.rows import PairRow, Quantity, Row, TrajectoryRow
from ..records.verdicts import Verdict
from ..rules.update import Update
from ..truth.sweeps import Key
from .answers import Answer, answer, answer_along, walk, walk_by_truth
from .called import rows_of
from .inside import looked_into
from .offered import variants
from .workers import Host, StoppedError


@dataclass(frozen=True, slots=True)
class Unit:
    """A case at one point in one dtype; the first dtype of a point also checks what the case expects."""

    case: Case
    point: int
    dtype: str
    expectations: bool


def outcome(unit: Unit, engines: Sequence[str], host: Host, kept: Kept | None = None) -> Outcome:
    """Ask every engine, judge every answer; what is `kept` of its paths is not judged again. What goes wrong becomes a
    row; nothing but an interrupt is raised."""
    start, case = perf_counter(), unit.case
    blank = Row(case=case.name, point=unit.point, dtype=unit.dtype, engine="truth")
    empty = Outcome(case=case.name, point=unit.point, dtype=unit.dtype, rows=())
    if case.call is not None:
        return _of_code(unit, case.call, engines, host, empty)
    try:
        inputs, cotangent = case.inputs(unit.point, unit.dtype), case.cotangent(unit.dtype)
        subject = Subject(case.name, unit.point, unit.dtype, case.graph, inputs, cotangent)
    except Exception as error:  # noqa: BLE001 one case that cannot be set up must not cost the others their results
        failed = _failed(blank, "the case could not be set up", error)
        return replace(empty, rows=(failed,), seconds=perf_counter() - start)
    doubt = _doubt(subject, blank)
    first = _gradients(unit, subject, [name for name in engines if name not in variants()], host, blank, doubt)
    beyond = _beyond(unit, subject, engines, host, blank) if case.derivatives else _Beyond([], [], {})
    rows = conventions([*([doubt] if doubt else _expected(unit, blank)), *first.rows, *beyond.rows])
    walked = _Walked([], [], [])
    update = case.walk(unit.dtype)
    if update is not None and not doubt:
        walked = _walked(subject, update, first.answers, host, blank, kept, drawn=unit.expectations)
    versions = {engine: reply.version for engine, reply in first.answers.items()} | beyond.versions
    return replace(
        empty,
        rows=(*rows, *walked.failed),
        pairs=(*first.pairs, *beyond.pairs),
        trajectories=tuple(row for path in walked.paths for row in path.rows),
        summaries=tuple(walked.summaries),
        partings=tuple(walked.partings),
        plane=walked.plane,
        versions={engine: running for engine, running in versions.items() if running},
        seconds=perf_counter() - start,
        used=first.scores,
    )


def _of_code(unit: Unit, call: Call, engines: Sequence[str], host: Host, empty: Outcome) -> Outcome:
    start, case = perf_counter(), unit.case
    try:
        rows, versions = rows_of(case, call, unit.point, unit.dtype, engines, host, expected=unit.expectations)
    except Exception as error:  # noqa: BLE001 see _judged
        blank = Row(case=case.name, point=unit.point, dtype=unit.dtype, engine="truth")
        rows, versions = [_failed(blank, "the judge itself failed, not the code", error)], {}
    return replace(empty, rows=tuple(conventions(rows)), versions=versions, seconds=perf_counter() - start)


@dataclass(frozen=True, slots=True)
class _Gradients:
    """What the engines of a unit answered, and what is said of it."""

    rows: list[Row]
    pairs: list[PairRow]
    answers: dict[str, Answer]
    scores: dict[tuple[str, str, Quantity], tuple[float, ...]]


def _gradients(
    unit: Unit, subject: Subject, engines: Sequence[str], host: Host, blank: Row, doubt: Row | None
) -> _Gradients:
    results = _Gradients([], [], {}, {})
    for engine in engines:
        reply = _asked(host, engine, answer, subject.graph, unit.dtype, subject.inputs, subject.cotangent)
        judgement, links = _judged(subject, engine, reply, blank)
        results.answers[engine] = reply
        if not doubt:
            judgement = _looked_into(subject, engine, judgement, host)
        results.rows.extend(map(_unjudged, judgement) if doubt else judgement)
        results.scores.update({(engine, *key): numbers for key, numbers in used(links, subject.graph).items()})
    results.pairs.extend(pairs(subject, {engine: reply.evaluation for engine, reply in results.answers.items()}))
    return results


@dataclass(frozen=True, slots=True)
class _Walked:
    """The paths of a unit's engines and where they part; `failed` is the row of a parting that could not be told."""

    paths: list[Path]
    summaries: list[Summary]
    partings: list[Parting]
    failed: tuple[Row, ...] = ()
    plane: Plane | None = None


def _walked(
    subject: Subject,
    update: Update,
    answers: Mapping[str, Answer],
    host: Host,
    blank: Row,
    kept: Kept | None,
    *,
    drawn: bool,
) -> _Walked:
    """`drawn`: with what a picture of the plane is made from."""
    paths = {
        engine: _path(host, engine, subject, update, reply.knowledge, kept)
        for engine, reply in answers.items()
        if reply.evaluation.status == "ok"
    }
    output, state = subject.graph.output.name, update.reaches_output(subject.graph)
    summaries = [replace(summary(path.rows, update, output, state=state), note=path.note) for path in paths.values()]

    def swap(engine: str, steps: int) -> Places | None:
        try:
            shorter = replace(update, steps=steps)
            return places(host.each(engine, walk_by_truth, replace(subject), shorter))
        except StoppedError:
            return None

    try:
        found = partings(subject, update, paths, swap)
        return _Walked([*paths.values()], summaries, found, plane=plane(subject, update, paths) if drawn else None)
    except Exception as error:  # noqa: BLE001 see _judged
        failed = _failed(blank, "it could not be told where paths part", error)
        return _Walked([*paths.values()], summaries, [], (failed,))


@dataclass(frozen=True, slots=True)
class _Beyond:
    """What a unit yields beyond the gradient."""

    rows: list[Row]
    pairs: list[PairRow]
    versions: dict[str, str]


def _beyond(unit: Unit, subject: Subject, engines: Sequence[str], host: Host, blank: Row) -> _Beyond:
    """Tangents and Hessian-vector products, as far as the case asks for them."""
    asked = unit.case.derivatives
    question = Question(subject, unit.case.direction(unit.dtype))
    try:
        doubt = _doubt(question, blank)
    except Exception as error:  # noqa: BLE001 see _judged
        return _Beyond([_failed(blank, "the gradient graph could not be set up", error)], [], {})
    results = _Beyond([replace(doubt, reason=f"second order: {doubt.reason}")] if doubt else [], [], {})
    shown: dict[str, dict[Named, Array]] = {}
    for engine in engines:
        reply = _asked(
            host, engine, answer_along,
            subject.graph, subject.dtype, subject.inputs, subject.cotangent, question.direction, asked,
        )  # fmt: skip
        if reply is None:
            continue
        try:
            rows = judge_along(question, engine, reply.evaluation, reply.again, reply.seconds, asked, reply.knowledge)
        except Exception as error:  # noqa: BLE001 see _judged
            rows = [_failed(replace(blank, engine=engine), "the judge itself failed, not the engine", error)]
        results.rows.extend(map(_unjudged, rows) if doubt else rows)
        if reply.version:
            results.versions[engine] = reply.version
        if reply.evaluation.status == "ok":
            shown[engine] = numbers(question, reply.evaluation, asked)
    results.pairs.extend(pairs_of(subject, shown))
    return results


A = TypeVar("A")


def _asked(host: Host, engine: str, question: Callable[..., A], *about: Any) -> A | Answer:
    """What an engine answers to a question, or why it gave no answer."""
    try:
        return host.call(engine, question, *about)
    except StoppedError as stopped:
        return Answer(Evaluation("timed out" if stopped.timed_out else "failed", str(stopped)))


def _path(host: Host, engine: str, subject: Subject, update: Update, knowledge: Knowledge, kept: Kept | None) -> Path:
    try:
        return judged_path(replace(subject), engine, _steps(host, engine, subject, update), update, knowledge, kept)
    except Exception as error:  # noqa: BLE001 see _judged
        cause = f"the judge itself failed, not the engine: {one_line(error)}"
    row = TrajectoryRow(
        case=subject.case,
        point=subject.point,
        dtype=subject.dtype,
        engine=engine,
        step=0,
        name=subject.graph.output.name,
        verdict="failed",
        cause=cause,
        finding=True,
    )
    return Path((row,))


def _steps(host: Host, engine: str, subject: Subject, update: Update) -> Iterator[Taken]:
    """The steps that the engine takes; where it gives no answer, why."""
    try:
        yield from host.each(engine, walk, replace(subject), update)
    except StoppedError as stopped:
        yield Taken(stopped=("timed out" if stopped.timed_out else "failed", str(stopped)))


def _judged(subject: Subject, engine: str, reply: Answer, blank: Row) -> tuple[list[Row], Mapping[Key, Link]]:
    try:
        return judged(subject, engine, reply.evaluation, reply.again, reply.seconds, knowledge=reply.knowledge)
    except Exception as error:  # noqa: BLE001 a defect of the judge is a row too, and blames the judge
        return [_failed(replace(blank, engine=engine), "the judge itself failed, not the engine", error)], {}


def _looked_into(subject: Subject, engine: str, rows: list[Row], host: Host) -> list[Row]:
    def ask(graph: Graph) -> Answer:
        return _asked(host, engine, answer, graph, subject.dtype, subject.inputs, subject.cotangent)

    try:
        return looked_into(subject, engine, rows, ask)
    except Exception as error:  # noqa: BLE001 see _judged
        blank = replace(rows[0], quantity="run", name="", use=None, index=(), node="", accepted="")
        return [*rows, _failed(blank, "it could not be told what is off inside a definition", error)]


def _expected(unit: Unit, blank: Row) -> list[Row]:
    try:
        return expectations(unit.case, unit.point) if unit.expectations else []
    except Exception as error:  # noqa: BLE001 see _judged
        return [_failed(blank, "the expectations could not be checked", error)]


def _doubt(subject: Subject | Question, blank: Row) -> Row | None:
    """The row of a reference that does not stand: then nobody is judged by it."""
    start, node = perf_counter(), ""
    try:
        proof = subject.proof
        if not proof.failed:
            return None
        failure, node = proof.failure, proof.suspect
    except Exception as error:  # noqa: BLE001 a reference that cannot be computed is one that nobody can be judged by
        failure = f"it could not be computed: {one_line(error)}"
    seconds = perf_counter() - start
    verdict: Verdict = "reference unreliable"
    return replace(blank, verdict=verdict, reason=failure, node=node, seconds=seconds, finding=True)


def _unjudged(row: Row) -> Row:
    """An engine's row without what an unreliable reference says of its numbers."""
    if row.quantity == "run":
        return row
    return replace(
        row, verdict="not judged", reason="reference unreliable", node="", finding=False,
        reference=None, error=None, score=None, digits=None,
    )  # fmt: skip


def lost(unit: Unit, error: Exception) -> Outcome:
    """The outcome of a unit whose worker died though each engine had a process of its own."""
    blank = Row(case=unit.case.name, point=unit.point, dtype=unit.dtype, engine="truth")
    row = _failed(blank, "its worker gave no answer", error)
    return Outcome(case=unit.case.name, point=unit.point, dtype=unit.dtype, rows=(row,))


def _failed(blank: Row, what: str, error: Exception) -> Row:
    return replace(blank, verdict="failed", reason=f"{what}: {one_line(error)}", finding=True)
