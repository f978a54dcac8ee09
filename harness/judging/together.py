"""Derivatives at a kink, each within its hull, held against what choices can give together (`truth/together.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Index, Row, component
from ..records.verdicts import FINDINGS
from ..truth.germs import mover
from ..truth.links import Step
from ..truth.precision import working
from ..truth.residuals import Numerals, Residual
from ..truth.together import LENGTH, Outside, Part, outside
from .classify import place
from .subject import LARGEST, Subject


def of_step(
    step: Step, operands: Sequence[Numerals], y: Numerals, g: Numerals, residuals: Sequence[Residual]
) -> tuple[Outside, Index] | None:
    """Where the terms of one step are of no choice at a kink, and the place, empty of more than one element."""
    shape, arrays = g.array.shape, [x.array for x in operands]
    if step.operation.shares:  # by their order alone, which an infinity has too; only, along one nothing moves
        arrays = [x if x.dtype.kind in "bi" else np.clip(x, -g.form.largest, g.form.largest) for x in arrays]
    apart = step.elementwise and all(x.shape == shape for x in arrays)
    if apart and len(step.active) == 1:
        return None  # each is alone in its hull
    names = [f"x{position}" for position in step.active]
    parts = {name: _part(residual, g.form) for name, residual in zip(names, residuals, strict=True)}
    if not any(part.open.any() for part in parts.values()) or _beside(step, operands, y):
        return None
    inputs = {node.name: x for node, x in zip(step.graph.inputs, arrays, strict=True)}
    nowhere = [np.isnan(x.astype(np.float64)) for x in arrays if x.dtype.kind not in "bi"]
    with working():
        if not apart:
            if step.size > LARGEST or any(x.any() for x in nowhere):
                return None
            found = outside(step.open_germs(), inputs, g.array, parts)
            return found and (found, ())
        at = np.any([part.open for part in parts.values()], axis=0) & ~np.any(nowhere, axis=0)
        parts = {name: Part(part.engine[at], part.open[at], part.slack[at]) for name, part in parts.items()}
        inputs = {name: x[at] for name, x in inputs.items()}
        found = outside(step.open_germs(), inputs, g.array[at], parts, apart=True)
        return found and (found, place(np.flatnonzero(at)[found.place], shape))


def _part(residual: Residual, form: Format) -> Part:
    engine = residual.engine.astype(np.float64)
    with np.errstate(all="ignore"):
        rounding = np.maximum(residual.radius - (residual.high - residual.low) / 2, 0.0)
        slack = 2 * rounding + 4 * form.step * np.abs(engine) + form.smallest
        # Where there is no derivative at all, nothing is known of rounding either.
        nowhere = ~np.isfinite(residual.exact)
        slack = np.where(nowhere, form.unit**0.5 * np.abs(engine) + form.smallest, slack)
    some = _open(nowhere | (residual.kink & residual.enclosed), engine)
    return Part(engine, some, np.where(some, slack, 0.0))


def _beside(step: Step, operands: Sequence[Numerals], y: Numerals) -> bool:
    """Whether an engine's own rounding has moved it away from a kink: its mean of equal numbers is not one of them."""
    exact = np.broadcast_to(step.value_program(None)(*(x.exact for x in operands))[0], y.array.shape)
    return any(ball.contains(0) for ball in exact[y.array != 0].flat)


def _open(anything: NDArray[np.bool_], engine: Array) -> NDArray[np.bool_]:
    return anything & np.isfinite(engine)


MOST = 64  # open components of gradients that show no links, each with what rounding may do to it


def of_gradients(rows: Sequence[Row], subject: Subject, gradients: Mapping[str, Array]) -> list[Row]:
    """The rows of an evaluation that shows gradients alone; those of conventions are findings where these are of no
    choice together. Where links are shown, each of them is held so."""
    told = [row for row in rows if row.quantity == "gradient" and row.verdict == "convention"]
    if not told or subject.tangent_of or any(row.verdict in FINDINGS and row.quantity == "gradient" for row in rows):
        return list(rows)
    found = _of_whole(subject, gradients)
    if found is None:
        return list(rows)

    def off(row: Row) -> Row:
        reason = f"{row.quantity} of `{row.name}`{component(row.index)}: {row.reason}; {found}"
        return replace(
            row, verdict="wrong", reason=reason, finding=True, choice=(), node=subject.named("gradient", row.name)
        )

    return [off(row) if row in told else row for row in rows]


def _of_whole(subject: Subject, gradients: Mapping[str, Array]) -> Outside | None:
    graph, form = subject.graph.pruned([subject.graph.output.name]), subject.form
    parts = dict[str, Part]()
    for node in graph.wanted:
        truth, engine = subject.truth.adjoints[node.name], gradients[node.name].astype(np.float64)
        some = _open(~truth.tight | ~np.isfinite(truth.high), engine)
        if some.any():
            parts[node.name] = Part(engine, some, np.array(4 * form.unit**0.5 * np.abs(engine) + form.smallest))
    size = sum(int(np.prod(node.shape)) for node in graph.nodes)
    if not parts or size > LARGEST or sum(int(part.open.sum()) for part in parts.values()) > MOST:
        return None
    for name, part in parts.items():
        asked = subject.asked("gradient", name)
        for index in map(tuple, np.argwhere(part.open).tolist()):
            bound = asked.probe(index).bound
            if subject.sensitivity.too_large or not np.isfinite(bound):
                return None
            part.slack[index] += 4 * bound
    with working():
        move = mover(graph, power=2, length=LENGTH, ties="open")
        return outside(move, subject.inputs, subject.cotangent, parts)
