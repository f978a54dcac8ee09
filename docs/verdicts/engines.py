"""Two engines with one fault each, for the verdicts that no installed engine shows by itself.

Named on the command line by file and function: `--engine docs/verdicts/engines.py:forgetful`.
"""

from __future__ import annotations

import time
from dataclasses import replace

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


def hanging(graph: Graph, dtype: str) -> Evaluate:
    """Never comes back, as a deadlock between threads does not."""

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        while True:
            time.sleep(60)

    return evaluate
