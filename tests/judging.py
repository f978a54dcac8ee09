"""What the tests of the judge share: subjects from statements, and a sound engine's answer to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradaccord.engines.backprop import engine as backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.records.rows import Row
from gradaccord.harness.records.verdicts import FINDINGS

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
SMALLEST_FAULT = {"float64": 1e-12, "float32": 1e-5}


def subject(graph: Mapping[str, str], dtype: str = "float64", **inputs: Any) -> Subject:
    """A subject from statements of the case language and arrays."""
    builder = Builder()
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    arrays = {name: a if a.dtype.kind in "ib" else a.astype(dtype) for name, a in arrays.items()}
    for name, array in arrays.items():
        builder.input(name, array.shape, {"f": "float", "i": "int", "b": "bool"}[array.dtype.kind])  # pyright: ignore[reportArgumentType]
    parser = Parser(builder)
    for name, text in graph.items():
        parser.define(name, text)
    output = builder.graph([list(graph)[-1]])
    shape = output.output.shape
    cotangent = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape) if shape else np.ones(())
    return Subject("case", 0, dtype, output, arrays, cotangent.astype(dtype))


def attention(dtype: str = "float64") -> Subject:
    random = np.random.default_rng(7)
    q, k, v = (random.normal(size=size) for size in ((3, 2), (4, 2), (4, 2)))
    graph = {"s": "q @ matrix_transpose(k)", "w": "softmax(s / sqrt(2))", "out": "tanh(w @ v)"}
    return subject(graph, dtype, q=q, k=k, v=v)


def evaluated(about: Subject) -> Evaluation:
    return backprop.prepare(about.graph, about.dtype)(about.inputs, about.cotangent)


def first_off(rows: list[Row]) -> set[str]:
    return {str(row.node) for row in rows if row.verdict in FINDINGS}
