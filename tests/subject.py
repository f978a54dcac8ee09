"""What the tests of the judge share: subjects from statements, and a sound engine's answer to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradaccord.engines.backprop import engine as backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Kind
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import DTYPES, Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
SMALLEST_FAULT = {"float64": 1e-12, "float32": 1e-5}


KINDS: Mapping[str, Kind] = {"i": "int", "b": "bool"}


def subject(graph: str | Mapping[str, str], dtype: str = "float64", **inputs: Any) -> Subject:
    """A subject from statements of the case language, or one expression that is called `f`, and arrays.

    Integers and booleans stay what they are.
    """
    graph = {"f": graph} if isinstance(graph, str) else graph
    builder, kind = Builder(), DTYPES[dtype]
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    arrays = {name: a if a.dtype.kind in "ib" else a.astype(kind) for name, a in arrays.items()}
    for name, array in arrays.items():
        builder.input(name, array.shape, KINDS.get(array.dtype.kind, "float"))
    parser = Parser(builder)
    for name, text in graph.items():
        parser.define(name, text)
    output = builder.graph([list(graph)[-1]])
    shape = output.output.shape
    seed = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape) if shape else np.ones(())
    return Subject("case", 0, dtype, output, arrays, seed.astype(kind))


def attention(dtype: str = "float64") -> Subject:
    random = np.random.default_rng(7)
    q, k, v = (random.normal(size=size) for size in ((3, 2), (4, 2), (4, 2)))
    graph = {"s": "q @ matrix_transpose(k)", "w": "softmax(s / sqrt(2))", "out": "tanh(w @ v)"}
    return subject(graph, dtype, q=q, k=k, v=v)


def evaluated(about: Subject) -> Evaluation:
    return backprop.prepare(about.graph, about.dtype)(about.inputs, about.cotangent)


def first_off(rows: list[Row]) -> set[str]:
    return {str(row.node) for row in rows if row.verdict in FINDINGS}
