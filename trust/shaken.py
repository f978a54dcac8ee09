"""What one sound step may move a term by, estimated without the judge: Monte Carlo arithmetic (Parker 1997).

The rule's own formula runs in exact arithmetic with every number that enters and every result shaken by a random
sign times its rounding. How far the outcome spreads is what rounding can do there, up to a small factor. The judge's
radius must not be much wider: what it lets through beyond that is a fault missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
from flint import arb

from gradaccord.harness.graph.node import Use
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Array, Evaluation
from gradaccord.harness.records.formats import Format
from gradaccord.harness.truth import links, precision
from gradaccord.harness.truth.next_to_one import units
from gradaccord.harness.truth.numbers import to_balls
from gradaccord.harness.truth.rounding import floats, middle

SAMPLES = 12


def spread(subject: Subject, evaluation: Evaluation, use: Use) -> Array:
    """For each element of the term of a use, the furthest from the engine's own that shaking brought it."""
    graph, form, random = subject.graph, subject.form, np.random.default_rng(0)
    node = graph[use.consumer]
    which = graph.uses_in[node.name].index(use)
    assert evaluation.adjoints is not None and evaluation.terms is not None
    given = [(evaluation.values[arg], 1.0) for arg in node.args if isinstance(arg, str)]
    operation = graph.operation(node)
    if operation.primitive:
        given.append((evaluation.values[node.name], max(units(operation.name, form), 1)))
    given.append((evaluation.adjoints[node.name], 1.0))
    with precision.working():
        with patch.object(links, "rounded", lambda space, form, **_: _shaking(space, form, random)):
            program = subject.steps[node.name]._term_program(form)
        exact = [(array if array.dtype.kind in "bi" else to_balls(array), cost) for array, cost in given]
        samples = [
            floats(program(*(_shaken(array, cost * form.unit, random) for array, cost in exact))[which])
            for _ in range(SAMPLES)
        ]
    sound = evaluation.terms[use].astype(np.float64)
    with np.errstate(all="ignore"):
        far = np.max([np.abs(np.broadcast_to(sample, sound.shape) - sound) for sample in samples], axis=0)
        return far + np.abs(sound) * form.unit + form.smallest


def _shaking(
    namespace: Mapping[str, Callable[..., Any]], form: Format, random: np.random.Generator
) -> Mapping[str, Callable[..., Any]]:
    def shaking(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if name != "constant" and OPERATIONS[name].selects:
            return lambda *operands, **params: function(*map(middle, operands), **params)
        cost = 1.0 if name == "constant" else units(name, form)
        return lambda *operands, **params: _shaken(function(*operands, **params), cost * form.unit, random)

    return {name: shaking(name, function) for name, function in namespace.items()}


def _shaken(numbers: Any, size: float, random: np.random.Generator) -> Any:
    if np.asarray(numbers).dtype != object or size == 0:
        return numbers
    signs = random.choice([-1.0, 1.0], np.shape(numbers))
    return numbers * _factor(signs * size)


_factor = np.frompyfunc(lambda shift: 1 + arb(shift), 1, 1)
