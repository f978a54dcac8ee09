"""Graphs for every row of the vocabulary: the examples that prove its rules (`tests/examples.py`), made subjects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Use
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.judging.subject import Subject
from tests.examples import EXAMPLES, Example

__all__ = ["EXAMPLES", "Example", "argument", "subject", "victims"]

ROWS = [name for name, operation in OPERATIONS.items() if operation.differentiable and operation.kind == "float"]


def subject(example: Example, dtype: str, seed: int, *, again: bool = False) -> Subject:
    """The example at one random point: its result times 0.7 and a cotangent of both signs.

    `again`: every operand is read a second time, so that its terms have to be added.
    """
    builder, random = Builder(), np.random.default_rng(seed)
    inputs = {name: np.asarray(draw.at(random)) for name, draw in example.operands.items()}
    inputs = {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in inputs.items()}
    for name, draw in example.operands.items():
        builder.input(name, draw.shape, draw.kind, constant=draw.constant)
    parser = Parser(builder)
    parser.define("result", example.text)
    text = "result * 0.7"
    if again:  # a scalar whose derivative differs from element to element
        floats = [name for name, draw in example.operands.items() if draw.kind == "float"]
        text = " + ".join(["sum(sin(result))", *(f"sum({name} * {name})" for name in floats)])
    parser.define("out", text)
    graph = builder.graph(["out"])
    shape = graph.output.shape
    cotangent = random.uniform(0.5, 1.5, shape) * random.choice([-1.0, 1.0], shape) if shape else np.ones(())
    return Subject(example.text, seed, dtype, graph, inputs, cotangent.astype(dtype))


def victims(op: str, about: Subject) -> Iterator[Use]:
    """The uses by the row's own operation."""
    for use in about.graph.uses:
        if about.graph[use.consumer].op == op and not use.consumer.startswith("out"):
            yield use


def argument(op: str, position: int) -> str:
    operands = OPERATIONS[op].operands
    return operands[0].name if operands[0].variadic else operands[position].name
