"""Engines that are not what they claim: a sound engine whose answers are spoilt in one way each.

Every entry of `FAKES` is an engine under its own name in this file, so that the harness loads it as it would a
stranger's: `gradaccord run --engine trust/fakes.py:none ...`. `rows` asks each at two points, as a run would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradaccord.engines import backprop
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Array, Evaluate, Evaluation, Inputs, Prepare
from gradaccord.harness.records.rows import Row
from gradaccord.harness.running.answers import answer

QUANTITIES = {"value": "values", "gradient": "gradients", "term": "terms", "adjoint": "adjoints"}


def spoilt(change: Callable[[Evaluation, Inputs, Array, list[Any]], object]) -> Prepare:
    """A prepare function whose honest evaluation passes through `change`, which may keep notes from call to call."""

    def prepare(graph: Graph, dtype: str) -> Evaluate:
        honest, notes = backprop.prepare(graph, dtype), list[Any]()
        return lambda inputs, cotangent: change(honest(inputs, cotangent), inputs, cotangent, notes)  # pyright: ignore[reportReturnType]

    return prepare


def one(field: str, change: Callable[[dict[Any, Any], Any], object]) -> Prepare:
    """One entry of one quantity spoilt: `change` gets its dictionary and the key of the last one."""

    def spoil(evaluation: Evaluation, *_: object) -> Evaluation:
        arrays = dict(getattr(evaluation, field))
        change(arrays, list(arrays)[-1])
        return replace(evaluation, **{field: arrays})

    return spoilt(spoil)


def previous(evaluation: Evaluation, inputs: Inputs, cotangent: Array, notes: list[Any]) -> Evaluation:
    notes.append(evaluation)
    return notes[max(len(notes) - 2, 0)]


def previous_gradients(evaluation: Evaluation, inputs: Inputs, cotangent: Array, notes: list[Any]) -> Evaluation:
    old = previous(evaluation, inputs, cotangent, notes)
    return replace(evaluation, gradients=old.gradients, adjoints=old.adjoints, terms=old.terms)


def first(evaluation: Evaluation, inputs: Inputs, cotangent: Array, notes: list[Any]) -> Evaluation:
    notes.append(evaluation)
    return notes[0]


def changing(evaluation: Evaluation, inputs: Inputs, cotangent: Array, notes: list[Any]) -> Evaluation:
    notes.append(0)
    nudged = {name: array * (1 + 2.0**-50 * len(notes)) for name, array in evaluation.gradients.items()}
    return replace(evaluation, gradients=nudged)


def writing(where: str) -> Prepare:
    def write(evaluation: Evaluation, inputs: Inputs, cotangent: Array, notes: list[Any]) -> Evaluation:
        target = cotangent if where == "cotangent" else inputs[where]
        target[...] = 7
        return evaluation

    return spoilt(write)


def raising(error: type[BaseException]) -> Prepare:
    def fail(*_: object) -> Evaluation:
        raise error("nothing works")

    return spoilt(fail)


def absent(graph: Graph, dtype: str) -> Evaluate:
    raise ValueError("it cannot be prepared")


SPOILS: Mapping[str, Callable[[dict[Any, Any], Any], object]] = {
    "missing key": lambda arrays, key: arrays.pop(key),
    "unknown key": lambda arrays, key: arrays.update(stranger=arrays[key]),
    "wrong shape": lambda arrays, key: arrays.update({key: np.zeros((2, 7))}),
    "wrong dtype": lambda arrays, key: arrays.update({key: arrays[key].astype(np.float16)}),
    "a list for an array": lambda arrays, key: arrays.update({key: arrays[key].tolist()}),
    "NaN": lambda arrays, key: arrays.update({key: np.full_like(arrays[key], np.nan)}),
    "another's array": lambda arrays, key: arrays.update({key: -arrays[key] + 1}),
}

FAKES: dict[str, Prepare] = {
    f"{spoil} in {field}": one(field, change)
    for field in QUANTITIES.values()
    for spoil, change in SPOILS.items()
    if spoil != "missing key" or field not in ("terms", "adjoints")  # whoever shows less is no liar
} | {
    "no output value": one("values", lambda arrays, key: arrays.clear()),
    "no gradients": spoilt(lambda evaluation, *_: replace(evaluation, gradients={})),
    "None for gradients": spoilt(lambda evaluation, *_: replace(evaluation, gradients=None)),  # pyright: ignore[reportArgumentType]
    "the previous call's result": spoilt(previous),
    "the previous call's gradients": spoilt(previous_gradients),
    "the first call's result for ever": spoilt(first),
    "another answer each time": spoilt(changing),
    "mutated input": writing("a"),
    "mutated cotangent": writing("cotangent"),
    "exception": raising(ValueError),
    "exception without a word": spoilt(lambda *_: next(iter(()))),
    "exit": raising(SystemExit),
    "exception while preparing": absent,
    "None": spoilt(lambda *_: None),
    "a dictionary": spoilt(lambda evaluation, *_: {"value": 1.0}),
    "an unknown status": spoilt(lambda evaluation, *_: replace(evaluation, status="splendid")),  # pyright: ignore[reportArgumentType]
}


def identifier(fake: str) -> str:
    return "fake_" + "".join(letter if letter.isalnum() else "_" for letter in fake)


globals().update({identifier(fake): prepare for fake, prepare in FAKES.items()})


def points() -> list[Subject]:
    """One small graph with a broadcast, at two points."""
    found: list[Subject] = []
    for point, (a, b) in enumerate((([0.3, -0.8, 1.2], 0.7), ([1.1, 0.4, -0.6], -0.2))):
        builder = Builder()
        inputs = {"a": np.array(a), "b": np.array(b)}
        for name, array in inputs.items():
            builder.input(name, array.shape)
        Parser(builder).define("y", "tanh(a * b) + sin(a)")
        found.append(Subject("fake", point, "float64", builder.graph(["y"]), inputs, np.array([1.0, -0.5, 2.0])))
    return found


def rows(fake: str) -> list[Row]:
    """All rows that a run would give, one point after the other."""
    engine = f"{Path(__file__)}:{identifier(fake)}"
    found: list[Row] = []
    for about in points():
        said = answer(engine, about.graph, about.dtype, about.inputs, about.cotangent)
        found += judge(about, fake, said.evaluation, said.again)
    return found
