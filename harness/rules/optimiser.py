"""The optimiser that runs a rule's row, for engines that have none of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..arithmetic import arrays, floats
from ..graph.emit import Program, emit
from ..graph.graph import Graph
from ..records.evaluation import Advance, Array, Given, Moved
from .definition import GROUPS, NEW, Definition, grouped
from .rule import NORM_OF_ALL
from .schedules import Schedule


def row_optimiser(rule: str, settings: Mapping[str, Any], start: Mapping[str, Array]) -> Advance:
    """An `Optimiser` that runs a rule's row on NumPy arrays of the parameters' dtype.

    What is computed once a step is computed in float64.
    """
    groups = [
        _RowStep(wanted, {name: start[name] for name in names})
        for wanted, names in asked(rule, settings, start).items()
    ]

    def step(gradients: Mapping[str, Array]) -> Moved:
        norm = norm_of_all(g for group in groups for g in group.added_up(gradients))
        parameters, state = dict[str, Array](), dict[str, dict[str, Array]]()
        for group in groups:
            moved = group(gradients, norm)
            parameters |= moved.parameters
            for variable, own in moved.state.items():
                state.setdefault(variable, {}).update(own)
        return Moved({name: parameters[name] for name in start}, state)

    return step


def asked(rule: str, settings: Mapping[str, Any], names: Iterable[str]) -> dict[Definition, list[str]]:
    """What an optimiser is asked for: definitions, each with the names of the inputs that it moves."""
    groups = {name: texts(own) for name, own in settings.get(GROUPS, {}).items()}
    return grouped(rule, texts({name: value for name, value in settings.items() if name != GROUPS}), groups, names)


def texts(settings: Mapping[str, Given]) -> dict[str, str]:
    """Settings as an optimiser takes them, as texts."""
    return {name: _text(value) for name, value in settings.items()}


def _text(value: Given) -> str:
    if isinstance(value, str):
        return value
    return value.text if isinstance(value, Schedule) else repr(float(value))  # type: ignore[arg-type]


class Once:
    """What is computed once a step, in float64, and the scalar state. Called with the step's number."""

    def __init__(self, definition: Definition) -> None:
        graph = definition.once
        self._names, self._reads = definition.once_names, reads(graph)
        self._plain = emit(graph, floats.NAMESPACE, graph.outputs)
        self._arrays = emit(graph, arrays.namespace("float64"), graph.outputs)
        self.state = {name: float(started(definition, name, np.zeros(()))) for name in definition.scalars}

    def __call__(self, t: int) -> Mapping[str, float | bool]:
        """By the names of other graphs; the state that was before goes by its own name."""
        numbers: dict[str, float | bool] = {"t": float(t), **self.state}
        operands = [numbers[name] for name in self._reads]
        try:
            made = self._plain(*operands)
        except floats.TROUBLE:
            with np.errstate(all="ignore"):
                made = self._arrays(*map(np.asarray, operands))
        numbers |= dict(zip(self._names, made, strict=True))
        self.state = {name: float(numbers[NEW + name]) for name in self.state}
        return numbers


def reads(graph: Graph) -> tuple[str, ...]:
    return tuple(node.name for node in graph.inputs)


def compiled(graph: Graph, dtype: str) -> Program:
    """A graph of a definition on arrays of a dtype. Half precisions keep settings in float32: 1 - 0.999 is not 0."""
    if dtype not in arrays.HALVES:
        return emit(graph, arrays.namespace(dtype), graph.outputs)
    functions = {**arrays.namespace(dtype), "constant": arrays.namespace("float32")["constant"]}
    return emit(graph, functions, graph.outputs, operators=False)


def started(definition: Definition, name: str, x: Array) -> Array:
    """A state variable before the first step, in the dtype of x."""
    graph = definition.start_of(name, x.shape)
    return np.array(compiled(graph, x.dtype.name)(x)[0], dtype=x.dtype)


def norm_of_all(gradients: Iterable[Array]) -> float:
    """The Euclidean norm of all gradients together, in float64."""
    return float(np.sqrt(sum(np.sum(np.square(g.astype(np.float64))) for g in gradients)))


def added_up(definition: Definition, gradient: Array, state: Mapping[str, Array]) -> Array:
    """The gradient that a rule steps by: with what has come since its last step, in float64."""
    if definition.share is None:
        return gradient
    return state["total"].astype(np.float64) + gradient.astype(np.float64) / definition.share


def in_dtype(number: float | bool, dtype: np.dtype[Any]) -> Any:
    """A number of a step as an operand beside arrays of a dtype, which it does not widen; half precisions reckon in
    float32."""
    if isinstance(number, bool | np.bool_):
        return np.bool_(number)
    return (np.float32 if dtype.name in arrays.HALVES else dtype.type)(number)


class _RowStep:
    """The parameters, their state and the number of the step, moved by the compiled row."""

    def __init__(self, definition: Definition, start: Mapping[str, Array]) -> None:
        self._definition, self._once, self._scalars = definition, Once(definition), definition.scalars
        self._own = {name: definition.at(x.shape) for name, x in start.items()}
        self._graphs = {name: self._own[name].program(x.shape) for name, x in start.items()}
        programs = {x.shape: compiled(self._graphs[name], x.dtype.name) for name, x in start.items()}
        self._programs = {name: programs[x.shape] for name, x in start.items()}
        self._names = {name: [v for v in own.state if v not in self._scalars] for name, own in self._own.items()}
        self._parameters, self._t = dict(start), 0
        self._state = {
            name: {v: started(self._own[name], v, x) for v in self._names[name]} for name, x in start.items()
        }

    def added_up(self, gradients: Mapping[str, Array]) -> Iterator[Array]:
        for name in self._parameters:
            yield added_up(self._definition, gradients[name], self._state[name])

    def __call__(self, gradients: Mapping[str, Array], norm: float) -> Moved:
        self._t += 1
        parameters, state = dict[str, Array](), dict[str, dict[str, Array]]()
        with np.errstate(all="ignore"):
            once = {**self._once(self._t), NORM_OF_ALL: norm}
            for name, x in self._parameters.items():
                numbers = {key: in_dtype(number, x.dtype) for key, number in once.items()}
                numbers |= {"x": x[()], "g": gradients[name][()], **{v: s[()] for v, s in self._state[name].items()}}
                *new, moved = self._programs[name](*(numbers[key] for key in reads(self._graphs[name])))
                parameters[name] = np.array(np.broadcast_to(moved, x.shape), dtype=x.dtype)
                for v, number in zip(self._names[name], new, strict=True):
                    size = self._own[name].state[v].size(x.shape)
                    state.setdefault(v, {})[name] = np.array(np.broadcast_to(number, size), dtype=x.dtype)
                for v in self._scalars:
                    state.setdefault(v, {})[name] = np.array(once[NEW + v], dtype=np.float64)
        self._parameters = parameters
        self._state = {name: {v: state[v][name] for v in names} for name, names in self._names.items()}
        return Moved(dict(parameters), state)
