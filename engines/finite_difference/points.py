"""A graph at many points in one run: what depends on the points has one more axis, the first, that counts them.

`emit` makes a program of one point; this one costs as many calls of NumPy for thousands of points. An operation
needs a row here only where it reads axes or shapes; one without a row that is not elementwise runs point by point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from string import ascii_letters
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ...harness.graph.graph import Graph
from ...harness.graph.node import Arg, Constant, Node, Param
from ...harness.graph.shapes import axes_of, einsum_terms, index_of, one_axis

Array: TypeAlias = NDArray[Any]
Parameters: TypeAlias = Mapping[str, Any]
Shake: TypeAlias = Callable[[Array], Array]
# The output at each point: `objective(values, shake)`; `shake` is handed every operand that a derivative passes.
Program: TypeAlias = Callable[[Mapping[str, Array], "Shake | None"], Array]


def program(graph: Graph, functions: Mapping[str, Any], moved: Collection[str]) -> Program:
    """The output of a graph of primitives at points of the inputs `moved`, which come in shape (points, *shape).

    Everything else comes as it is. Gives an array (points, *output shape), in the dtype that the functions give.
    """
    moving = set(moved)
    for node in graph.operations:
        if moving.intersection(arg for arg in node.args if isinstance(arg, str)):
            moving.add(node.name)
    steps = [_step(graph, node, functions, moving) for node in graph.pruned([graph.output.name]).operations]
    uses = set(graph.uses)
    shaken = {(use.consumer, use.position) for use in uses if graph.argument(use) in moving}

    def run(values: Mapping[str, Array], shake: Shake | None) -> Array:
        numbers = dict(values)
        for node, compute in steps:
            operands: list[Any] = [numbers[arg] if isinstance(arg, str) else arg for arg in node.args]
            if shake is not None:
                for position in range(len(operands)):
                    if (node.name, position) in shaken:
                        operands[position] = shake(operands[position])
            numbers[node.name] = compute(operands)
        output = numbers[graph.output.name]
        if graph.output.name in moving:
            return output
        count = len(numbers[next(iter(moved))])
        return np.broadcast_to(output, (count, *output.shape))

    return run


Step: TypeAlias = "tuple[Node, Callable[[list[Any]], Any]]"


def _step(graph: Graph, node: Node, functions: Mapping[str, Any], moving: Collection[str]) -> Step:
    function: Any = functions[node.op]
    parameters = {name: _parameter(name, value) for name, value in node.params}
    constants = {k: functions["constant"](arg.text) for k, arg in enumerate(node.args) if isinstance(arg, Constant)}
    if node.op == "pow" and (exponent := _whole(node.args[1])) is not None:
        function, constants = _power, {**constants, 1: exponent}
    along = [k for k, arg in enumerate(node.args) if arg in moving]
    shapes = [_shape(graph, arg) for arg in node.args]

    def filled(operands: list[Any]) -> list[Any]:
        return [constants.get(k, operand) for k, operand in enumerate(operands)]

    if not along:
        return node, lambda operands: function(*filled(operands), **parameters)
    if graph.operation(node).elementwise:
        rank = len(node.shape)
        return node, lambda operands: function(*_aligned(filled(operands), along, rank), **parameters)
    if node.op in OVER_AXES:
        # What is not moved is repeated: these join operands, and read the axes of each.
        shifted = OVER_AXES[node.op](parameters, len(shapes[0]), node)
        alone = node.op == "take"  # its indices have no points
        return node, lambda operands: function(*(operands if alone else _repeated(filled(operands), along)), **shifted)
    if node.op in RULES:
        rule = RULES[node.op](shapes, node.shape, parameters)
        return node, lambda operands: rule(function, _repeated(filled(operands), along))
    return node, lambda operands: np.stack(
        [function(*point, **parameters) for point in zip(*_repeated(filled(operands), along), strict=True)]
    )


def _parameter(name: str, value: Param) -> Any:
    return index_of(str(value)) if name == "index" else value


def _power(x: Any, exponent: int) -> Any:
    return x**exponent


def _whole(exponent: Arg) -> int | None:
    """A whole exponent stays an integer: NumPy's `x ** 2` is a square."""
    text = exponent.text if isinstance(exponent, Constant) else ""
    return int(text) if text.lstrip("-").isdigit() else None


def _shape(graph: Graph, arg: Arg) -> tuple[int, ...]:
    return graph[arg].shape if isinstance(arg, str) else ()


def _aligned(operands: list[Any], along: Sequence[int], rank: int) -> list[Any]:
    """Operands that broadcast: their axes are counted from the last, the points stay the first."""
    for k in along:
        x = operands[k]
        operands[k] = x.reshape(x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:])
    return operands


def _repeated(operands: list[Any], along: Sequence[int]) -> list[Any]:
    count = len(operands[along[0]])
    return [x if k in along else np.broadcast_to(x, (count, *np.shape(x))) for k, x in enumerate(operands)]


# --- operations that read axes: (parameters, rank of the first operand, node) -> those of all points --------------


def _axes(parameters: Parameters, rank: int, node: Node) -> Parameters:
    return {**parameters, "axis": tuple(axis + 1 for axis in axes_of(parameters["axis"], rank))}


def _one_axis(parameters: Parameters, rank: int, node: Node) -> Parameters:
    return {**parameters, "axis": one_axis(parameters["axis"], rank) + 1}


def _new_axis(parameters: Parameters, rank: int, node: Node) -> Parameters:
    return {**parameters, "axis": one_axis(parameters["axis"], len(node.shape)) + 1}


OVER_AXES: Mapping[str, Callable[[Parameters, int, Node], Parameters]] = {
    "sum": _axes,
    "max": _axes,
    "max_share": _axes,
    "flip": _axes,
    "squeeze": _axes,
    "cumsum": _one_axis,
    "concat": _one_axis,
    "take": _one_axis,
    "stack": _new_axis,
    "expand_dims": _new_axis,
    "matrix_transpose": lambda parameters, rank, node: parameters,
    "getitem": lambda parameters, rank, node: {"index": (slice(None), *parameters["index"])},
    "pad": lambda parameters, rank, node: {**parameters, "widths": ((0, 0), *parameters["widths"])},
    "permute_dims": lambda parameters, rank, node: {
        "axes": (0, *(axis % rank + 1 for axis in cast("tuple[int, ...]", parameters["axes"])))
    },
}

# --- operations that read shapes: (shapes, shape of the result, parameters) -> (function, operands) -> result -----

Shapes: TypeAlias = "Sequence[tuple[int, ...]]"
Rule: TypeAlias = Callable[[Any, "list[Any]"], Any]


def _reshape(shapes: Shapes, shape: tuple[int, ...], parameters: Parameters) -> Rule:
    return lambda function, xs: xs[0].reshape(len(xs[0]), *shape)


def _broadcast_to(shapes: Shapes, shape: tuple[int, ...], parameters: Parameters) -> Rule:
    return lambda function, xs: np.broadcast_to(_aligned(xs, [0], len(shape))[0], (len(xs[0]), *shape))


def _matmul(shapes: Shapes, shape: tuple[int, ...], parameters: Parameters) -> Rule:
    """A vector is a row on the left and a column on the right, whose axis the result does not have."""
    left, right = (len(operand) == 1 for operand in shapes)
    rank = max(map(len, shapes), default=2)

    def rule(function: Any, xs: list[Any]) -> Any:
        a, b = xs
        a, b = a[:, None, :] if left else a, b[:, :, None] if right else b
        y = function(*_aligned([a, b], [0, 1], max(rank, 2)))
        return y.reshape(len(a), *shape)

    return rule


def _einsum(shapes: Shapes, shape: tuple[int, ...], parameters: Parameters) -> Rule:
    terms, output = einsum_terms(parameters["subscripts"])
    points = next(letter for letter in ascii_letters if letter not in parameters["subscripts"])
    subscripts = ",".join(points + term for term in terms) + "->" + points + output
    return lambda function, xs: function(*xs, subscripts=subscripts)


def _correlate2d(shapes: Shapes, shape: tuple[int, ...], parameters: Parameters) -> Rule:
    """Each point is a group of channels of its own."""
    (batch, channels, *size), (out, *kernel) = shapes

    def rule(function: Any, xs: list[Any]) -> Any:
        x, weight = xs
        count = len(x)
        images = x.swapaxes(0, 1).reshape(batch, count * channels, *size)
        groups = count * parameters["groups"]
        y = function(images, weight.reshape(count * out, *kernel), **{**parameters, "groups": groups})
        return y.reshape(batch, count, *shape[1:]).swapaxes(0, 1)

    return rule


RULES: Mapping[str, Callable[[Shapes, tuple[int, ...], Parameters], Rule]] = {
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "matmul": _matmul,
    "einsum": _einsum,
    "correlate2d": _correlate2d,
}
