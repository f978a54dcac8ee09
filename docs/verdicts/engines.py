"""Engines with one fault each, for the verdicts that no installed engine shows by itself.

Named on the command line by file and function: `--engine docs/verdicts/engines.py:forgetful`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradaccord.engines import backprop
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.records.evaluation import Array, Evaluate, Evaluation, Inputs


def forgetful(graph: Graph, dtype: str) -> Evaluate:
    """Never sets its gradients back to zero: each call adds to what the last one left."""
    sound = backprop.prepare(graph, dtype)
    total: dict[str, Array] = {}

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        evaluation = sound(inputs, cotangent)
        for name, gradient in evaluation.gradients.items():
            total[name] = total.get(name, 0) + gradient
        return replace(evaluation, gradients=dict(total))

    return evaluate


def single(graph: Graph, dtype: str) -> Evaluate:
    """Keeps what flows back in float32."""
    return _bent(graph, dtype, lambda x: np.asarray(x, np.float32).astype(x.dtype))


def mirrored(graph: Graph, dtype: str) -> Evaluate:
    """Takes every derivative with the other sign."""
    return _bent(graph, dtype, lambda x: -x)


def _bent(graph: Graph, dtype: str, bend: Callable[[Array], Array]) -> Evaluate:
    sound = backprop.prepare(graph, dtype)

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        found = sound(inputs, cotangent)
        output = graph.output.name
        adjoints = {name: x if name == output else bend(x) for name, x in (found.adjoints or {}).items()}
        terms = {use: bend(x) for use, x in (found.terms or {}).items()}
        gradients = {name: bend(x) for name, x in found.gradients.items()}
        return replace(found, adjoints=adjoints, terms=terms, gradients=gradients)

    return evaluate


def sineless(graph: Graph, dtype: str) -> Evaluate:
    """Lacks an operation, and says so too late."""

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        raise NotImplementedError("this engine has no sin")

    return evaluate


def hanging(graph: Graph, dtype: str) -> Evaluate:
    """Never comes back, as a deadlock between threads does not."""

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        while True:
            time.sleep(60)

    return evaluate
