"""The hand-written engine: backpropagation in plain Python, on floats or NumPy arrays.

Three pieces, to be read in one sitting: the rules (`harness/graph/operations/`), the sweep that
strings them together into another graph (`harness/graph/gradient.py`), and the run, which is here:
that graph as straight-line Python, compiled once. Knows NumPy and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from platform import python_version
from typing import Any

import numpy as np

from ..harness.arithmetic import arrays, floats
from ..harness.graph.emit import Program, emit, missing
from ..harness.graph.gradient import gradient
from ..harness.graph.graph import Graph
from ..harness.graph.node import Arg, Constant, Shape
from ..harness.records.evaluation import DTYPES, Array, Engine, Evaluate, Evaluation, Inputs, Unsupported
from ..harness.rules.optimiser import row_optimiser


def prepare(graph: Graph, dtype: str) -> Evaluate:
    """The graph and its gradient, compiled. Shows all of the inside: values, terms, adjoints, gradients."""
    derived = gradient(graph)
    shown = [node.name for node in graph.nodes]
    derivatives = [*derived.adjoints.values(), *derived.terms.values()]
    names = tuple(dict.fromkeys([*shown, *(arg for arg in derivatives if isinstance(arg, str))]))
    run = _runner(derived.graph, dtype, names)
    kinds = {"float": DTYPES[dtype], "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}
    types = [kinds[derived.graph[name].kind] for name in names]
    number = arrays.namespace(dtype)["constant"]
    constants: dict[str | tuple[str, Shape], Array] = {}

    def key(arg: Arg, shape: Shape) -> str | tuple[str, Shape]:
        """Where a derivative will be found: under its name; a constant as an array of its shape, made now."""
        if not isinstance(arg, Constant):
            return arg
        constants.setdefault((arg.text, shape), np.full(shape, number(arg.text)))
        return arg.text, shape

    adjoints = {name: key(arg, graph[name].shape) for name, arg in derived.adjoints.items()}
    terms = {use: key(arg, graph[graph.argument(use)].shape) for use, arg in derived.terms.items()}
    gradients = {node.name: adjoints[node.name] for node in graph.wanted}

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        values = {**inputs, derived.seed: cotangent}
        numbers = run([values[node.name] for node in derived.graph.inputs])
        made = {**constants, **dict(zip(names, map(np.asarray, numbers, types), strict=True))}
        return Evaluation(
            "ok",
            values={name: made[name] for name in shown},
            gradients={name: made[place] for name, place in gradients.items()},
            terms={use: made[place] for use, place in terms.items()},
            adjoints={name: made[place] for name, place in adjoints.items()},
        )

    return evaluate


def value_and_gradient(graph: Graph, dtype: str = "float64") -> Callable[..., tuple[Any, ...]]:
    """The compiled function alone, for speed: `f(*inputs) -> (value, gradient, ...)`.

    It takes the inputs of the graph in order, then the cotangent where the output is not a scalar, and
    returns the output and the gradient of each wanted input, in order. A float64 graph of single numbers
    takes and returns Python floats, and raises what Python raises (`ZeroDivisionError`, ...); any other
    takes and returns arrays, and warns as NumPy does.
    """
    derived = gradient(graph)
    names = [graph.output.name, *derived.graph.outputs[len(graph.outputs) :]]
    if _on_floats(derived.graph, dtype):
        return emit(derived.graph, floats.NAMESPACE, names, nested=True)
    return _on_arrays(derived.graph, dtype, names)


def _runner(graph: Graph, dtype: str, names: Sequence[str]) -> Callable[[list[Array]], tuple[Any, ...]]:
    """A program from arrays to numbers of any kind: on floats, and where those cannot, on NumPy."""
    on_arrays: list[Program] = []

    def run_arrays(inputs: list[Array]) -> tuple[Any, ...]:
        if not on_arrays:  # compiled when first needed
            on_arrays.append(_on_arrays(graph, dtype, names))
        with np.errstate(all="ignore"):
            # `[()]` makes a NumPy scalar of a zero-dimensional array, which is much faster.
            return on_arrays[0](*[array[()] for array in inputs])

    if not _on_floats(graph, dtype):
        if absent := missing(graph, arrays.namespace(dtype)):
            raise Unsupported(f"no {', '.join(absent)}")
        return run_arrays
    on_floats = emit(graph, floats.NAMESPACE, names, nested=True)

    def run_floats(inputs: list[Array]) -> tuple[Any, ...]:
        try:
            numbers = on_floats(*[array.item() for array in inputs])
        except floats.TROUBLE:
            return run_arrays(inputs)
        return run_arrays(inputs) if complex in map(type, numbers) else numbers

    return run_floats


def _on_arrays(graph: Graph, dtype: str, names: Sequence[str]) -> Program:
    return emit(graph, arrays.namespace(dtype), names, operators=dtype not in arrays.HALVES, nested=True)


def _on_floats(graph: Graph, dtype: str) -> bool:
    """Whether every node is one float64 number and `math` has every operation."""
    scalar = all(node.shape == () and node.kind != "int" for node in graph.nodes)
    return scalar and dtype == "float64" and not missing(graph, floats.NAMESPACE)


engine = Engine(
    prepare,
    optimiser=row_optimiser,
    version=lambda: f"Python {python_version()}, NumPy {np.__version__}",
    again=True,
    groups=True,
)
