"""Evaluations beside one another: do two agree, and to how many units in the last place."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..records.evaluation import Array, Evaluation
from ..records.rows import PairRow, Quantity
from .classify import place
from .subject import Subject

Named: TypeAlias = tuple[Quantity, str]  # what a number is, and of which node or input


def same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.all(_equal(a, b)))


def _equal(a: Array, b: Array) -> NDArray[np.bool_]:
    """Elementwise, and NaN is NaN."""
    return np.asarray((a == b) | ((a != a) & (b != b)))


def differs(first: Evaluation, second: Evaluation) -> str:
    """What two evaluations of one engine disagree in; empty where they agree bit for bit."""
    if second.status != first.status:
        return f"status {second.status}: {second.reason}"
    numbers: list[tuple[str, Mapping[Any, Array], Mapping[Any, Array]]] = [
        ("value", first.values, second.values),
        ("gradient", first.gradients, second.gradients),
        ("adjoint", first.adjoints or {}, second.adjoints or {}),
        ("term", first.terms or {}, second.terms or {}),
        ("value", _plain(first), _plain(second)),
    ]
    for quantity, arrays, other in numbers:
        for key, array in arrays.items():
            if key not in other or not same_bits(array, other[key]):
                return f"another {quantity} of `{key}`"
    return ""


def _plain(evaluation: Evaluation) -> Mapping[str, Array]:
    return {} if evaluation.output is None else {"the output": evaluation.output}


def pairs(subject: Subject, evaluations: Mapping[str, Evaluation]) -> list[PairRow]:
    """Every pair of engines on the output's value and each input's gradient."""
    output = subject.graph.output.name
    shown: dict[str, dict[Named, Array]] = {}
    for engine, evaluation in evaluations.items():
        if evaluation.status == "ok" and output in evaluation.values:
            plain = evaluation.output
            shown[engine] = {("value", output): evaluation.values[output] if plain is None else plain}
            shown[engine] |= {("gradient", node.name): evaluation.gradients[node.name] for node in subject.graph.wanted}
    return pairs_of(subject, shown)


def pairs_of(subject: Subject, shown: Mapping[str, Mapping[Named, Array]]) -> list[PairRow]:
    """Every pair of engines on every number that both of them show."""
    rows: list[PairRow] = []
    for (a, first), (b, second) in combinations(shown.items(), 2):
        for (quantity, name), x in first.items():
            y = second.get((quantity, name))
            if y is None or x.size == 0:
                continue
            ulps = ulps_between(x, y)
            index = place(np.argmax(ulps), ulps.shape)
            rows.append(
                PairRow(
                    case=subject.case,
                    point=subject.point,
                    dtype=subject.dtype,
                    quantity=quantity,
                    name=name,
                    engine_a=a,
                    engine_b=b,
                    index=index,
                    value_a=float(x[index]),
                    value_b=float(y[index]),
                    ulps=float(ulps[index]),
                )
            )
    return rows


def ulps_between(a: Array, b: Array) -> NDArray[np.float64]:
    """The distance in units in the last place of the larger; infinite where one of them is not a number."""
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(a), np.abs(b))).astype(np.float64)
        distance = np.abs(a.astype(np.float64) - b.astype(np.float64)) / unit
    return np.where(_equal(a, b), 0.0, np.where(np.isnan(distance), np.inf, distance))
