"""How far rounding alone may move a path: the paths of shaken engines (`truth/shaken.py`), walked beside one another.

A shaken engine errs always the same way, with signs that are drawn once for the whole path. So its steps repeat what
real engines do differently, another order of a sum or another `exp`, and errors that add up do so here. How far a few
such paths are from one another is measured, not bounded: that holds for every rule, sees what no first-order bound
does (kinks, saturation), and costs some evaluations a step. A bound from |d step / d parameters| would cost a Hessian
at each step and, its signs lost, soon be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import arrays
from ..graph.emit import Program
from ..graph.gradient import gradient
from ..graph.node import Constant
from ..judging.subject import Subject
from ..records.evaluation import DTYPES, Array, Inputs
from ..records.formats import FORMATS
from ..rules.optimiser import Once, added_up, in_dtype, norm_of_all, reads, started
from ..rules.rule import NORM_OF_ALL
from ..rules.update import Update
from ..truth.shaken import SAMPLES, shaken

WATCHED = 256  # components of an input that are looked at

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = Mapping[str, Floats]  # of each input: after each step, its watched components


def glance(parameters: Inputs) -> Mapping[str, Floats]:
    """The watched components of each input, flat and evenly spread over it."""
    return {name: np.ravel(x)[watched(x.size)].astype(np.float64) for name, x in parameters.items()}


def places(path: Iterable[Mapping[str, Floats]]) -> Places:
    """What a path was at every glance, each input by itself."""
    seen: dict[str, list[Floats]] = {}
    for glimpsed in path:
        for name, components in glimpsed.items():
            seen.setdefault(name, []).append(components)
    return {name: np.array(components) for name, components in seen.items()}


def watched(size: int) -> NDArray[np.int64]:
    """Which components of an input are looked at, flat."""
    return np.linspace(0, size - 1, min(size, WATCHED)).astype(np.int64) if size else np.zeros(0, np.int64)


def envelope(start: Subject, update: Update) -> tuple[Places, Places]:
    """The least and the largest that shaken paths come to: of each input after every step, its watched components."""
    paths = [places(map(glance, shaken_path(start, update, seed))) for seed in range(SAMPLES)]
    together = {name: np.array([path[name] for path in paths]) for name in paths[0]}
    return {name: x.min(axis=0) for name, x in together.items()}, {name: x.max(axis=0) for name, x in together.items()}


def shaken_path(start: Subject, update: Update, seed: int) -> Iterator[Inputs]:
    """The parameters of one shaken engine, and what it carries, after 0, 1, 2, ... steps."""
    dtype, graph = start.dtype, start.graph
    parameters: dict[str, Array] = {node.name: start.inputs[node.name] for node in graph.wanted}
    wanted = {name: update.of(name).at(x.shape) for name, x in parameters.items()}
    names = {name: [v for v in own.state if v not in own.scalars] for name, own in wanted.items()}
    state = {name: {v: started(wanted[name], v, x) for v in names[name]} for name, x in parameters.items()}
    evaluate, once = _evaluate(start, update, seed), {own: Once(own) for own in wanted.values()}
    moves: dict[str, tuple[Program, Sequence[str]]] = {}
    for k, (name, x) in enumerate(parameters.items(), 1):
        row = wanted[name].program(x.shape)
        program = shaken(row, arrays.namespace(dtype), row.outputs, FORMATS[dtype])(seed + SAMPLES * k)
        moves[name] = program, reads(row)
    carried: Inputs = {name: start.inputs[name] for name in update.carry}
    yield {**parameters, **carried}
    for step in range(1, update.steps + 1):
        slopes, carried = evaluate({**start.inputs, **parameters, **carried, **update.read(step - 1)}, start.cotangent)
        norm = norm_of_all(added_up(wanted[name], g, state[name]) for name, g in slopes.items())
        known = {own: {**count(step), NORM_OF_ALL: norm} for own, count in once.items()}
        moved: dict[str, Array] = {}
        for name, x in parameters.items():
            program, operands = moves[name]
            numbers = {key: in_dtype(number, DTYPES[dtype]) for key, number in known[wanted[name]].items()}
            read = {**numbers, "x": x, "g": slopes[name], **state[name]}
            *new, moved[name] = program(*(read[operand] for operand in operands))
            state[name] = dict(zip(names[name], new, strict=True))
        parameters = moved
        yield {**parameters, **carried}


def _evaluate(start: Subject, update: Update, seed: int) -> Callable[[Inputs, Array], tuple[Inputs, Inputs]]:
    """The hand-written engine's gradient, and what it carries to the next step, shaken."""
    graph, dtype = start.graph, start.dtype
    derived, kinds = gradient(graph), {name: start.inputs[name].dtype for name in update.carry}
    wanted = {node.name: derived.adjoints[node.name] for node in graph.wanted}
    names = list(dict.fromkeys([*(arg for arg in wanted.values() if isinstance(arg, str)), *update.carry.values()]))
    program = shaken(derived.graph, arrays.namespace(dtype), names, FORMATS[dtype])(seed)
    number = arrays.namespace(dtype)["constant"]

    def evaluate(inputs: Inputs, cotangent: Array) -> tuple[Inputs, Inputs]:
        operands = {**inputs, derived.seed: cotangent}
        made = dict(zip(names, program(*(operands[node.name][()] for node in derived.graph.inputs)), strict=True))
        slopes = {
            name: np.full(graph[name].shape, number(arg.text)) if isinstance(arg, Constant) else made[arg]
            for name, arg in wanted.items()
        }
        return slopes, {name: np.asarray(x, kinds[name]) for name, x in update.carried(made).items()}

    return evaluate
