"""How a fault is planted inside an engine: for one use of one node, while the engine prepares and runs.

In the hand-written engine the sweep itself goes wrong: `gradient.py` hands on another term, sums another
way. In torch and JAX the consumer reads its operand through an identity whose backward pass bends what
comes back; compiled JAX reads everything so, and one program serves all faults, which are among its operands.
What follows in the engine follows from the bent numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any
from unittest.mock import patch

import numpy as np
from bent import in_backprop
from faults import OVERWRITTEN, SWAPPED, TRANSPOSED, UNSUMMED, Bend, first_slice, scales, transposed
from plant import Plant, repeated

from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Shape
from gradaccord.harness.records.evaluation import Array, Evaluate, Evaluation, Inputs, Prepare

# --- the frameworks ----------------------------------------------------------------------------------------

# Planted in what the engine shows: an exchange needs both terms at once, which no identity sees, and JAX's adapter
# reads a node that is used many times only once.
SHOWN = {"pytorch": (SWAPPED,), "jax": (SWAPPED, OVERWRITTEN)}

Identity = Callable[[Any, Shape, Bend], Any]  # (x, the shape that it is repeated to, what bends its cotangent)


@contextmanager
def in_torch(plant: Plant) -> Generator[Prepare]:
    from gradaccord.engines.pytorch import engine as pytorch

    with _reading(plant, pytorch, _torch_identity()) as prepare:
        yield prepare


@contextmanager
def in_jax(plant: Plant) -> Generator[Prepare]:
    from gradaccord.engines.jax import engine as jax

    with _reading(plant, jax, _jax_identity()) as prepare:
        yield prepare


@contextmanager
def in_compiled_jax(plant: Plant | None) -> Generator[Prepare]:
    """One compiled program for all faults, and for none."""
    if plant is not None and plant.fault in SHOWN["jax"]:
        yield lambda graph, dtype: _showing(plant, _turned(graph, dtype, None))
    else:
        yield lambda graph, dtype: _turned(graph, dtype, plant)


@contextmanager
def _reading(plant: Plant, engine: Any, identity: Identity) -> Generator[Prepare]:
    if plant.fault in SHOWN[engine.__name__.split(".")[-2]]:
        yield lambda graph, dtype: _showing(plant, engine.prepare(graph, dtype))
    else:
        with patch.object(engine, "emit", _emitting(plant, identity)):
            yield engine.prepare


def _showing(plant: Plant, evaluate: Evaluate) -> Evaluate:
    """A sound engine that shows its terms exchanged, or an adjoint that is its last term alone."""

    def shown(inputs: Inputs, cotangent: Array) -> Evaluation:
        found = evaluate(inputs, cotangent)
        assert found.terms is not None and found.adjoints is not None
        terms, adjoints, name = dict(found.terms), dict(found.adjoints), plant.argument
        if plant.fault == OVERWRITTEN:
            adjoints[name] = terms[plant.graph.uses_of[name][-1]]
        elif plant.twin is not None:
            terms[plant.use], terms[plant.twin] = terms[plant.twin], terms[plant.use]
            for use in (plant.use, plant.twin):
                name = plant.graph.argument(use)
                adjoints[name] = sum((terms[u] for u in plant.graph.uses_of[name]), start=np.zeros_like(adjoints[name]))
        return replace(found, terms=terms, adjoints=adjoints)

    return shown


def _emitting(plant: Plant, identity: Identity) -> Callable[..., Any]:
    """`emit` whose programs, tagged and plain, read through the identity where the fault is planted."""
    graph = plant.graph
    shape = graph[plant.argument].shape
    victims = [graph.uses.index(plant.use)]
    if plant.fault == UNSUMMED:
        wide = repeated(graph, plant.use)
        index = first_slice(wide, shape)

        def read(use: Callable[[int, Any], Any], k: int, x: Any) -> Any:
            return identity(use(k, x), wide, lambda g: g[index])

    elif plant.fault == OVERWRITTEN:
        *lost, _ = graph.uses_of[plant.argument]
        victims = [graph.uses.index(use) for use in lost]

        def read(use: Callable[[int, Any], Any], k: int, x: Any) -> Any:
            return use(k, identity(x, shape, lambda g: g * 0))

    else:
        bend = plant.bend

        def read(use: Callable[[int, Any], Any], k: int, x: Any) -> Any:
            return identity(use(k, x), shape, bend)

    def emitting(
        graph: Graph, functions: Any, names: Sequence[str], *, tagged: bool = False, held: bool = False
    ) -> Any:
        program = emit(graph, functions, names, tagged=True, held=held)

        def run(use: Callable[[int, Any], Any], *inputs: Any) -> Any:
            return program(lambda k, x: read(use, k, x) if k in victims else use(k, x), *inputs)

        return run if tagged else lambda *inputs: run(lambda k, x: x, *inputs)

    return emitting


@cache
def _torch_identity() -> Identity:
    import torch

    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, shape: Shape, bend: Bend) -> Any:
            ctx.bend = bend
            return x.expand(shape).clone()

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return ctx.bend(grads[0]), None, None

    return Identity.apply  # pyright: ignore[reportReturnType]


@cache
def _jax_identity() -> Identity:
    import jax
    import jax.numpy as jnp

    def identity(x: Any, shape: Shape, bend: Bend) -> Any:
        @jax.custom_vjp
        def same(x: Any) -> Any:
            return jnp.broadcast_to(x, shape)

        same.defvjp(lambda x: (jnp.broadcast_to(x, shape), None), lambda _, g: (bend(g),))
        return same(x)

    return identity


# --- compiled JAX ----------------------------------------------------------------------------------------------


def _turned(graph: Graph, dtype: str, plant: Plant | None) -> Evaluate:
    """The compiled program with its dials set to a fault; its gradients are the adjoints that it shows."""
    import jax as framework

    from gradaccord.engines.jax import engine as jax

    dials = np.tile(np.array([1, 0, 0, 0], dtype), (len(graph.uses), 1))
    if plant is not None:
        factor, shift = scales(dtype).get(plant.fault, (1, 0))
        dials[graph.uses.index(plant.use)] = factor, shift, plant.fault == TRANSPOSED, plant.fault == UNSUMMED
    compiled = _compiled(graph, dtype)

    def programs(inputs: Sequence[Any], seed: Any) -> Any:
        return (None, {}), framework.device_get(compiled(dials, inputs, seed))

    evaluate = jax._evaluator(graph, dtype, programs)

    def turned(inputs: Inputs, cotangent: Array) -> Evaluation:
        found = evaluate(inputs, cotangent)
        if found.adjoints is None:
            return found
        return replace(found, gradients={node.name: found.adjoints[node.name] for node in graph.wanted})

    return turned


@lru_cache(maxsize=64)
def _compiled(graph: Graph, dtype: str) -> Callable[..., Any]:
    """JAX's tagged program, `(dials, inputs, cotangent) -> ...`, in which every use reads through dials of its own."""
    import jax as framework

    from gradaccord.engines.jax import engine as jax

    dials: Any = None  # what is traced

    def emitting(
        graph: Graph, functions: Any, names: Sequence[str], *, tagged: bool = False, held: bool = False
    ) -> Any:
        program = emit(graph, functions, names, tagged=True, held=held)

        def read(use: Callable[[int, Any], Any], k: int, x: Any) -> Any:
            return _dialled(use(k, x), dials[k], repeated(graph, graph.uses[k]))

        return lambda use, *inputs: program(lambda k, x: read(use, k, x), *inputs)

    with patch.object(jax, "emit", emitting):
        tagged = jax._tagged(graph, dtype)

    def run(turned: Any, inputs: Any, cotangent: Any) -> Any:
        nonlocal dials
        dials = turned
        return tagged(inputs, cotangent)

    return framework.jit(run)


def _dialled(x: Any, dials: Any, repeated: Shape) -> Any:
    """x, repeated. Its cotangent is summed or not, transposed or not, then multiplied, and something is added."""
    import jax
    import jax.numpy as jnp

    def repeat(x: Any) -> Any:
        return jnp.broadcast_to(x, repeated)

    def back(dials: Any, g: Any) -> Any:
        factor, shift, turned, first = dials
        if x.shape != repeated:
            (summed,) = jax.linear_transpose(repeat, jax.ShapeDtypeStruct(x.shape, x.dtype))(g)
            g = jnp.where(first, g[first_slice(repeated, x.shape)], summed)
        g = jnp.where(turned, transposed(g), g)
        return g * factor + shift, jnp.zeros_like(dials)

    same = jax.custom_vjp(lambda x, dials: repeat(x))
    same.defvjp(lambda x, dials: (repeat(x), dials), back)
    return same(x, dials)


ENGINES: dict[str, Callable[[Plant], AbstractContextManager[Prepare]]] = {
    "backprop": in_backprop,
    "torch": in_torch,
    "jax": in_jax,
    "jax:jit": in_compiled_jax,
}


def moved(sound: Any, bent: Any) -> Any:
    """How far every number of a term has moved; infinite where it is no longer a number."""
    with np.errstate(all="ignore"):
        distance = np.abs(np.asarray(bent, np.float64) - np.asarray(sound, np.float64))
    return np.where(np.isnan(distance), np.inf, distance)
