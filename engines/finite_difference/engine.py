"""Finite differences: a contestant that knows nothing of derivatives, and says how far it trusts itself.

Only the value of the graph is used. Each component comes with an error estimate, so it is judged by
what it promised:

* where the graph is analytic, by the complex step: Im f(x + ih) / h, which cancels nothing
  (Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions");
* else by central differences over a row of steps, extrapolated to step 0 (Ridders 1982, "Accurate
  computation of F'(x) and F'(x)F''(x)"). The second differences are extrapolated as well: what
  remains of them at step 0 is a kink, and goes into the error estimate: as the finest steps see it.

Rounding noise is measured, not guessed: the same program runs again with every operand randomly
changed in its last digits (Monte Carlo arithmetic, Parker 1997). Knows NumPy and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.arithmetic import arrays
from ...harness.graph.emit import emit, missing
from ...harness.graph.expand import expanded
from ...harness.graph.graph import Graph
from ...harness.graph.node import Node
from ...harness.records.evaluation import Array, Engine, Evaluate, Evaluation, Inputs, Unsupported
from .points import Program, program

Vector: TypeAlias = NDArray[Any]
# Points (rows) -> the contracted output at each; `noisy` changes every operand in its last digits.
Objective: TypeAlias = Callable[..., Vector]

LIMIT = 2000  # components; each needs some 25 runs of the graph
CHUNK = 200_000  # numbers of the largest node that are held at a time: more do not fit into caches
STEPS = 12
FIRST_STEP = 0.2718  # times the scale of x; no multiple of any likely period
NOISE = 16.0  # half to all of so many units roundoff is how far noise moves an operand: more than any one rounding
SAMPLES = 4
TRUST = 2.0  # the largest of few samples, taken for a bound
DTYPES = ("float64", "float32")  # fewer digits leave none to subtract
COMPLEX_STEP = {"float64": 2.0**-100, "float32": 2.0**-30}  # times the scale of x: its square vanishes
COMPLEX = {"float64": np.complex128, "float32": np.complex64}


def log1p(z: Any) -> Any:
    """ln(1 + z): NumPy's own forms 1 + z, which loses the digits of a small z."""
    if not np.iscomplexobj(z):
        return np.log1p(z)
    result = np.empty_like(z)
    result.real, result.imag = np.log1p(z.real), np.atan2(z.imag, 1 + z.real)
    return result[()]


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softplus(z: Any) -> Any:
    return log1p(np.exp(z))


def logaddexp(a: Any, b: Any) -> Any:
    """From the larger: from the smaller, its slope would be 1 minus nearly 1, which no shaken operand shows."""
    where: Any = np.where
    first = np.real(a) >= np.real(b)
    return where(first, a, b) + log1p(np.exp(where(first, b - a, a - b)))


ON_COMPLEX: Mapping[str, Any] = {"log1p": log1p, "sigmoid": sigmoid, "softplus": softplus, "logaddexp": logaddexp}


def prepare(graph: Graph, dtype: str) -> Evaluate:
    """The forward program alone. Raises `Unsupported` for too many components or too few digits."""
    if dtype not in DTYPES:
        raise Unsupported(f"a difference of two numbers in {dtype} has too few digits left")
    plain = expanded(graph, stable=True)
    count = sum(int(np.prod(node.shape)) for node in graph.wanted)
    if count > LIMIT:
        raise Unsupported(f"{count} components of the gradient, more than {LIMIT}: each takes many runs of the graph")
    namespace = arrays.namespace(dtype)
    if absent := missing(plain, namespace):
        raise Unsupported(f"no {', '.join(absent)}")
    shown = [node.name for node in graph.nodes]
    held = [node.name for node in plain.nodes if node.op == "stop_gradient"]
    forward = emit(plain, namespace, [*shown, *held])
    free = _held_constant(plain)
    moved = [node.name for node in free.wanted]
    on_line = program(free, namespace, moved)
    on_plane = program(free, {**namespace, **ON_COMPLEX}, moved) if _analytic(free) else None
    largest = max(count, *(int(np.prod(node.shape)) for node in free.nodes))
    kinds = {"float": np.dtype(dtype), "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}

    def evaluate(inputs: Inputs, cotangent: Array) -> Evaluation:
        with np.errstate(all="ignore"):
            results = forward(*[inputs[node.name][()] for node in plain.inputs])
            numbers = dict(zip([*shown, *held], map(np.asarray, results), strict=True))
            values = {**inputs, **{name: numbers[name] for name in held}}
            x = np.concatenate([np.zeros(0), *(inputs[node.name].ravel() for node in graph.wanted)]).astype(float)
            slope, error, kink = np.full_like(x, np.nan), np.full_like(x, np.inf), np.zeros_like(x)
            used = np.full_like(x, np.inf)
            if on_plane is not None:
                objective = _objective(free, on_plane, values, cotangent, COMPLEX[dtype])
                slope, error = _by_complex_step(objective, x, largest, dtype)
            objective = _objective(free, on_line, values, cotangent, np.dtype(dtype).type)
            for scale in (np.where(np.abs(x) > 0.125, np.abs(x), 1.0), np.where(np.abs(x) > 0.125, 1.0, np.abs(x))):
                # The first scale serves nearly all; the other is for a function much steeper or flatter than x.
                poor = np.flatnonzero(~(error + kink <= np.sqrt(_unit(dtype)) * np.abs(slope)) & (scale > 0))
                *other, bend = _by_differences(objective, x, scale, poor, largest, cotangent, dtype)
                slope[poor], error[poor] = _reconciled((slope[poor], error[poor]), other)
                finer = scale[poor] < used[poor]  # coarser steps may be too coarse to see a kink
                kink[poor], used[poor] = np.where(finer, bend, kink[poor]), np.fmin(used[poor], scale[poor])
        places = np.cumsum([0, *(int(np.prod(node.shape)) for node in graph.wanted)])
        parts = {
            node.name: (slice(start, stop), node.shape)
            for node, start, stop in zip(graph.wanted, places, places[1:], strict=False)
        }
        error = error + kink + _unit(dtype) * np.abs(slope)
        error = np.where(error <= np.abs(slope) / 2, error, np.inf)  # where no digit is left, it has no number
        return Evaluation(
            "ok",
            values={node.name: numbers[node.name].astype(kinds[node.kind]) for node in graph.nodes},
            gradients={name: slope[part].reshape(shape).astype(dtype) for name, (part, shape) in parts.items()},
            errors={name: error[part].reshape(shape) for name, (part, shape) in parts.items()},
        )

    return evaluate


def _reconciled(first: Sequence[Vector], second: Sequence[Vector]) -> tuple[Vector, Vector]:
    """Of two estimates the one with the smaller error, which is raised where the two contradict each other."""
    (a, a_error), (b, b_error) = first, second
    error = np.fmax(np.fmin(a_error, b_error), _contradiction(a - b, np.fmax(a_error, b_error)))
    return np.where(b_error < a_error, b, np.where(np.isnan(a), b, a)), error


def _contradiction(difference: Vector, bound: Vector) -> Vector:
    """Twice a difference that is more than rounding explains: noise is shaken to some 30 times its size."""
    return np.where(np.abs(difference) > bound / 8, 2 * np.abs(difference), 0.0)


def _unit(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2


# --- the output as a function of one vector ----------------------------------------------------------------


def _held_constant(graph: Graph) -> Graph:
    """A graph with each `stop_gradient` as an input that stays what it was: a difference cannot see through one."""
    nodes = (
        Node(node.name, "input", (), (), node.shape, node.kind, constant=True) if node.op == "stop_gradient" else node
        for node in graph.nodes
    )
    return replace(graph, nodes=tuple(nodes))


def _objective(graph: Graph, program: Program, inputs: Inputs, cotangent: Array, kind: Any) -> Objective:
    """The sum of cotangent * output, at rows of points: the wanted inputs one after another."""
    rng = np.random.default_rng(0)
    unit, real = float(np.finfo(kind).eps) / 2, np.finfo(kind).dtype
    held = {node.name: inputs[node.name][()] for node in graph.inputs if node not in graph.wanted}
    weights = cotangent.astype(float)

    def shaken(x: Any) -> Any:
        if np.iscomplexobj(x):  # roundings of the two parts are independent
            return real_shaken(x.real) + kind(1j) * real_shaken(x.imag)
        return real_shaken(x)

    def real_shaken(x: Any) -> Any:
        size = rng.random(np.shape(x)) - 0.5
        return x * (1 + NOISE * unit * (size + np.copysign(0.5, size))).astype(real)

    def objective(points: Vector, *, noisy: bool = False) -> Vector:
        values, place = dict(held), 0
        for node in graph.wanted:
            size = int(np.prod(node.shape))
            values[node.name] = points[:, place : place + size].astype(kind).reshape(len(points), *node.shape)
            place += size
        output = program(values, shaken if noisy else None)
        return np.sum(weights * output, axis=tuple(range(1, output.ndim)))

    return objective


def _analytic(graph: Graph) -> bool:
    """Whether every node on a path from an input to the output is analytic."""
    relevant = {graph.output.name}
    for node in reversed(graph.operations):
        if node.name not in relevant or node.name not in graph.active:
            continue
        analytic = graph.operation(node).analytic
        if not (analytic(node) if callable(analytic) else analytic):
            return False
        relevant.update(arg for arg in node.args if isinstance(arg, str))
    return True


def _in_chunks(rows_per_component: int, components: Vector, largest: int) -> list[Vector]:
    count = max(1, CHUNK // max(1, rows_per_component * largest))
    return [components[start : start + count] for start in range(0, len(components), count)]


# --- the complex step ------------------------------------------------------------------------------------------


def _by_complex_step(objective: Objective, x: Vector, largest: int, dtype: str) -> tuple[Vector, Vector]:
    """Slopes and error estimates: the spread of runs with other steps and shaken operands."""
    step = COMPLEX_STEP[dtype] * np.where(x == 0, 1.0, np.abs(x))
    slopes = np.empty((SAMPLES + 1, x.size))
    try:
        for sample in range(SAMPLES + 1):
            h = step / 2**sample
            for part in _in_chunks(1, np.arange(x.size), largest):
                points = np.repeat(x[None].astype(complex), len(part), axis=0)
                points[np.arange(len(part)), part] += 1j * h[part]
                slopes[sample, part] = np.imag(objective(points, noisy=sample > 0)) / h[part]
    except TypeError:  # something beside the path, such as floor, that has no complex form
        return np.full(x.size, np.nan), np.full(x.size, np.inf)
    spread = np.abs(slopes[1:] - slopes[0]).max(axis=0)
    smallest = float(np.finfo(dtype).tiny) / step
    error = TRUST * spread + NOISE * _unit(dtype) * np.abs(slopes[0]) + 2.0**SAMPLES * smallest
    return slopes[0], np.where(np.isfinite(error), error, np.inf)


# --- central differences -----------------------------------------------------------------------------------------


def _by_differences(
    objective: Objective,
    x: Vector,
    scale: Vector,
    components: Vector,
    largest: int,
    cotangent: Array,
    dtype: str,
) -> tuple[Vector, Vector, Vector]:
    """Slopes, error estimates, and what of a kink remains at step 0, of some components; steps begin at the scale and
    halve."""
    slope, error, bend = np.full(len(components), np.nan), np.full(len(components), np.inf), np.zeros(len(components))
    if not len(components):
        return slope, error, bend
    (here,) = objective(x[None])
    shaken = objective(np.repeat(x[None], SAMPLES, axis=0), noisy=True)
    noise = TRUST * np.abs(shaken - here).max() + _unit(dtype) * np.sum(np.abs(cotangent)) * abs(here)
    done = 0
    for part in _in_chunks(2 * STEPS, components, largest):
        rows = np.arange(len(part))
        steps = FIRST_STEP * scale[part] / 2.0 ** np.arange(STEPS)[:, None]
        points = np.repeat(x[None], 2 * STEPS * len(part), axis=0).reshape(2, STEPS, len(part), x.size)
        points[0, :, rows, part] += steps.T
        points[1, :, rows, part] -= steps.T
        points = points.astype(dtype).astype(float)
        right, left = objective(points.reshape(-1, x.size)).astype(float).reshape(2, STEPS, len(part))
        h = (points[0, :, rows, part] - points[1, :, rows, part]).T / 2  # as it was after rounding
        h = np.where(h > 0, h, np.nan)
        floor = noise / h
        central = (right - left) / (2 * h)
        estimate, bound, finest = _extrapolated(central, floor, [4.0**j for j in range(1, STEPS)])
        # Finer steps than those used, where only noise is larger, must not contradict.
        finer = _contradiction(estimate - (4 * central[1:] - central[:-1]) / 3, 2 * floor[1:])
        contradiction = np.fmax.reduce(np.where(np.arange(1, STEPS)[:, None] > finest, finer, 0.0))
        kink, _, _ = _extrapolated((right - 2 * here + left) / h, 4 * floor, [2.0**j for j in range(1, 9, 2)])
        here_on = slice(done, done + len(part))
        slope[here_on], error[here_on] = estimate, np.fmax(bound, contradiction)
        bend[here_on] = np.nan_to_num(np.abs(kink))
        done += len(part)
    return slope, error, bend


def _extrapolated(column: Vector, noise: Vector, factors: Sequence[float]) -> tuple[Vector, Vector, Vector]:
    """Neville's tableau over steps (rows) that halve: for each component its best entry, its error, its finest row.

    `factors`: 2^p for each power p of the step in the error, ascending. An entry's error is its distance
    to the two that it came from, and the noise that reaches it.
    """
    count = column.shape[1]
    best, error, finest = np.full(count, np.nan), np.full(count, np.inf), np.zeros(count, int)
    for order, factor in enumerate(factors[: len(column) - 1], start=1):
        finer = (factor * column[1:] - column[:-1]) / (factor - 1)
        noise = (factor * noise[1:] + noise[:-1]) / (factor - 1)
        distance = np.maximum(np.abs(finer - column[1:]), np.abs(finer - column[:-1])) + noise
        distance = np.where(np.isfinite(distance), distance, np.inf)
        row = distance.argmin(axis=0)
        value, bound = finer[row, np.arange(count)], distance[row, np.arange(count)]
        better = bound < error
        best, error = np.where(better, value, best), np.where(better, bound, error)
        finest = np.where(better, row + order, finest)
        column = finer
    return best, error, finest


engine = Engine(prepare, version=lambda: f"NumPy {np.__version__}")
