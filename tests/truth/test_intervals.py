"""Large steps are judged in intervals, and no verdict changes: what they settle, balls call sound by the same score.

The witness is FLINT: the same step with intervals switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Node
from gradaccord.harness.judging.classify import sound
from gradaccord.harness.records.formats import FORMATS, Format
from gradaccord.harness.truth import intervals
from gradaccord.harness.truth.links import Step, step_of
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.reference import reference
from gradaccord.harness.truth.residuals import Numerals, Residual

from ..examples import EXAMPLES, example, real

DTYPES = ("float32", "float64")
# Parts of the radius that answers are moved by: within, about 15/16 and 1, beyond.
MOVES = (0.3, 0.92, 0.95, 1.01, 1e3)


class Link:
    """A step of a graph at random numbers, with an engine's answers for its value and terms."""

    def __init__(self, graph: Graph, node: Node, values: dict[str, NDArray[Any]], form: Format, seed: int = 0) -> None:
        self.step: Step = step_of(graph, node)
        self.form = form
        self.operands = [values[arg] for arg in node.args if isinstance(arg, str)]
        random = np.random.default_rng(seed)
        self.g = random.normal(size=node.shape).astype(form.dtype)
        with np.errstate(all="ignore"), working():
            program = self.step.value_program(None)
            exact = [Numerals(x, form).exact for x in self.operands]
            y = program(*exact)[0]
            uses = graph.uses_in[node.name]
            terms = self.step.term_program(None)(*exact, Numerals(self.g, form).exact) if uses else ()
            self.answers = [np.asarray(_floats(x)).astype(form.dtype) for x in (y, *terms)]
        shapes = [values[arg].shape if isinstance(arg, str) else () for arg in node.args]
        places = [use.position for use in uses]
        self.answers[1:] = [np.broadcast_to(term, shapes[k]) for k, term in zip(places, self.answers[1:], strict=True)]

    def residuals(self, answers: Sequence[NDArray[Any]]) -> list[Residual]:
        operands = [Numerals(x, self.form) for x in self.operands]
        y, *terms = (Numerals(x, self.form) for x in answers)
        with working(), np.errstate(all="ignore"):
            found = [self.step.value(operands, y, self.form)]
            if terms:
                found += self.step.terms(operands, y, Numerals(self.g, self.form), terms, self.form)
        return found


_floats = np.frompyfunc(lambda x: float(x.mid()) if hasattr(x, "mid") else float(x), 1, 1)


def links(op: str, dtype: str) -> Iterator[Link]:
    """Every step of the examples of an operation, at numbers of that precision."""
    form = FORMATS[dtype]
    for seed, call in enumerate(EXAMPLES[op]):
        random = np.random.default_rng(seed)
        inputs = {name: draw.at(random) for name, draw in call.operands.items()}
        inputs = {name: x if x.dtype.kind in "bi" else x.astype(dtype) for name, x in inputs.items()}
        truth = reference(call.graph, inputs, np.ones(call.graph.output.shape))
        kinds = {"float": form.dtype, "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}
        values = {node.name: truth.values[node.name].high.astype(kinds[node.kind]) for node in call.graph.nodes}
        for node in call.graph.operations:
            known = [np.isfinite(values[arg]).all() for arg in node.args if isinstance(arg, str)]
            if all(known) and step_of(call.graph, node).value_in_intervals:
                yield Link(call.graph, node, values, form, seed)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each link that intervals were asked about, whether they settled it. They are, however small it is."""
    asked: list[bool] = []
    step = Step

    def counted(method: Any) -> Any:
        def call(*args: Any) -> Any:
            found = method(*args)
            asked.append(found is not None)
            return found

        return call

    monkeypatch.setattr(intervals, "LARGE", 0)
    for name in ("_value_in_intervals", "_terms_in_intervals"):
        monkeypatch.setattr(step, name, counted(getattr(step, name)))
    return asked


def in_balls(monkeypatch: pytest.MonkeyPatch, link: Link, answers: Sequence[NDArray[Any]]) -> list[Residual]:
    with monkeypatch.context() as patch:
        patch.setattr(intervals, "LARGE", 10**9)
        return link.residuals(answers)


@pytest.mark.parametrize("op, dtype", [*zip(EXAMPLES, cycle(DTYPES), strict=False)])
def test_what_intervals_settle_balls_call_sound_by_the_same_score(
    op: str, dtype: str, settled: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for link in links(op, dtype):
        random = np.random.default_rng(1)
        radii = [residual.radius for residual in in_balls(monkeypatch, link, link.answers)]
        for part in MOVES:
            signs = [random.choice([-1.0, 1.0], size=radius.shape) for radius in radii]
            with np.errstate(all="ignore"):
                answers = [
                    (answer + sign * part * np.where(np.isfinite(radius), radius, 0)).astype(link.form.dtype)
                    for answer, sign, radius in zip(link.answers, signs, radii, strict=True)
                ]
            found = link.residuals(answers)
            for mine, theirs in zip(found, in_balls(monkeypatch, link, answers), strict=True):
                if mine.radius is theirs.radius or not np.all(mine.enclosed):
                    continue
                # They differ by squares of u: in the middles of quotients.
                np.testing.assert_allclose(mine.score, theirs.score, rtol=2.0**-6, atol=2.0**-6)
                np.testing.assert_array_equal(sound(mine, link.form), sound(theirs, link.form))
                for here, there in ((mine.exact, theirs.exact), (mine.off, theirs.off)):
                    assert np.all(np.abs(here - there) <= 2.0**-6 * theirs.radius + 2.0**-52 * np.abs(there))


WORDS = ("x * y", "x + y", "x - y", "x / y", "sqrt(x * x)", "square(x) * 2.5", "relu(x - y)", "maximum(x, y)", "abs(x)")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", WORDS)
def test_a_sound_step_is_settled_and_one_number_that_is_off_is_not(text: str, dtype: str, settled: list[bool]) -> None:
    names = [name for name in "xy" if name in text]
    graph = example(text, **dict.fromkeys(names, real(40, 30))).graph
    random, form = np.random.default_rng(3), FORMATS[dtype]
    inputs = {name: random.normal(size=(40, 30)).astype(dtype) for name in names}
    truth = reference(graph, inputs, np.ones((40, 30)))
    values = {node.name: truth.values[node.name].high.astype(dtype) for node in graph.nodes}
    for node in graph.operations:
        link = Link(graph, node, values, form)
        settled.clear()
        found = link.residuals(link.answers)
        assert settled == [True] * len(settled)
        for which, residual in enumerate(found):
            answers = list(link.answers)
            answers[which] = answers[which].copy()
            if not residual.radius[7, 11]:
                continue
            answers[which][7, 11] += residual.radius[7, 11] * 1.5 + np.spacing(np.abs(answers[which][7, 11]))
            settled.clear()
            off = link.residuals(answers)[which]
            assert False in settled
            assert not sound(off, form)[7, 11]
            assert sound(off, form).sum() == off.engine.size - 1
