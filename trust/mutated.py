"""Mutations by machine: a step of a heard port is changed in ways that no table of edits knows. Is it pinned?

An operand, a constant or the operation is exchanged, operands are swapped, or the result is taken times 1.001. Every
node has a place of its own here, so that what is named is a node and not a line with five of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Literal

import numpy as np
from ported import Variant, ready

from gradaccord.harness.alignment.align import align
from gradaccord.harness.alignment.side import Side
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.node import Constant, Node
from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.hearing.heard import Ask, Heard, Place
from gradaccord.harness.own.take import take, take_like
from gradaccord.harness.records.evaluation import Array

Result = Literal["pinned", "beside", "elsewhere", "missed", "no effect"]
EXCHANGED: Mapping[str, tuple[str, ...]] = {
    "add": ("subtract", "multiply"),
    "subtract": ("add",),
    "multiply": ("add", "divide"),
    "divide": ("multiply",),
    "exp": ("expm1",),
    "tanh": ("sigmoid",),
    "erf": ("tanh",),
    "erfc": ("erf",),
    "sqrt": ("square",),
    "square": ("abs",),
    "maximum": ("minimum",),
    "max": ("min",),
    "log": ("log1p",),
}
SWAPPED = ("subtract", "divide", "matmul")
FACTOR = "1.001"
UNMOVED = 1e-8  # of the largest number of an output

Make = Callable[[Builder, Node], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A node of a port's graph, and what it becomes; `kind` and `text` say it in words."""

    node: str
    kind: str
    text: str
    make: Make


@dataclass(frozen=True, slots=True)
class Outcome:
    """`pinned`: the mutated node is the first divergent one; `beside`: a node that reads it, or that it reads, is;
    `missed`: called the same although the output moved; `no effect`: the output did not move."""

    pair: str
    mutation: Mutation
    result: Result
    said: str = ""


def outcomes(name: str, most: int, seed: int) -> Iterator[Outcome]:
    """At most so many mutations of a pair's port, drawn evenly over its nodes."""
    original, port = heard(name)
    rng = Random(seed)
    found = [mutation for node in port.graph.operations for mutation in mutations(port.graph, node, rng)]
    for mutation in rng.sample(found, len(found)):
        if most <= 0:
            return
        graph = _mutated(port.graph, mutation)
        if graph is not None:
            outcome = _outcome(name, original, port, graph, mutation)
            most -= outcome is not None and outcome.result != "no effect"
            if outcome is not None:
                yield outcome


def mutations(graph: Graph, node: Node, rng: Random) -> Iterator[Mutation]:
    if node.kind != "float":
        return
    for op in EXCHANGED.get(node.op, ()):
        kept = {name: value for name, value in node.params if name in OPERATIONS[op].parameters}
        yield Mutation(node.name, "operation", f"{op} for {node.op}", _made(op, node.args, kept))
    for place, arg in enumerate(node.args):
        if isinstance(arg, Constant) and arg.exact is not None:
            other = Constant(repr(float(arg.exact) * 1.001 + 1e-7))
            yield Mutation(node.name, "constant", f"{other.text} for {arg.text}", _reading(node, place, other))
        elif isinstance(arg, str) and (others := _like(graph, node, arg)):
            chosen = rng.choice(others)
            yield Mutation(node.name, "operand", f"reads {chosen}, not {arg}", _reading(node, place, chosen))
    yield Mutation(node.name, "factor", f"times {FACTOR}", _scaled)
    if node.op in SWAPPED and all(isinstance(arg, str) for arg in node.args):
        yield Mutation(node.name, "swapped", "operands swapped", _made(node.op, node.args[::-1], dict(node.params)))


@cache
def heard(name: str) -> tuple[Heard, Heard]:
    """The original and the port as it is, at the second of the points that `compare` takes; each node of either has
    a place of its own."""
    about = ready(name, Variant("as it is"))
    ask = Ask(dtype="float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = take(about.original, about.inputs, {}, ask)
        second = take_like(first, about.port, about.convert, ask)
    return _placed(first.points[-1].heard, "original"), _placed(second.points[-1].heard, "port")


def _placed(heard: Heard, side: str) -> Heard:
    places = {node.name: Place(side, k + 1, call=node.op) for k, node in enumerate(heard.graph.nodes)}
    return replace(heard, places=places)


def _outcome(name: str, original: Heard, port: Heard, graph: Graph, mutation: Mutation) -> Outcome | None:
    """None where the numbers of the mutated graph are no numbers, or shapes do not fit inside of a definition."""
    changed = replace(port, graph=graph)
    try:
        with np.errstate(all="ignore"):
            before, after = _before(name), _outputs(changed)
    except ValueError:
        return None
    if not all(np.isfinite(x).all() for x in after):
        return None
    if all(_same(x, y) for x, y in zip(before, after, strict=True)):
        return Outcome(name, mutation, "no effect")
    divergences = align(original, changed).divergences
    if not divergences:
        return Outcome(name, mutation, "missed")
    first = divergences[0]
    nodes = [node.name for node in port.graph.nodes]
    named = nodes[first.b.line - 1] if first.b.line else ""
    said = f"{named or 'nothing'}: {first.reason or 'no reason'}"
    if named == mutation.node:
        return Outcome(name, mutation, "pinned", said)
    near = named and (named in port.graph[mutation.node].args or mutation.node in port.graph[named].args)
    return Outcome(name, mutation, "beside" if near else "elsewhere", said)


@cache
def _before(name: str) -> list[Array]:
    return _outputs(heard(name)[1])


def _outputs(heard: Heard) -> list[Array]:
    numbers = Side.of(heard).numbers
    return [numbers[name] for name in heard.outputs]


def _same(x: Array, y: Array) -> bool:
    return x.shape == y.shape and bool(np.abs(x - y).max(initial=0) <= UNMOVED * np.abs(x).max(initial=0))


def _mutated(graph: Graph, mutation: Mutation) -> Graph | None:
    """None where the shapes do not fit."""
    builder = Builder(graph.definitions)
    try:
        for node in graph.nodes:
            if node.name == mutation.node:
                mutation.make(builder, node)
            else:
                builder.add(node)
        return builder.graph(graph.outputs)
    except Exception:  # noqa: BLE001 - what the vocabulary refuses is no mutation
        return None


def _like(graph: Graph, node: Node, arg: str) -> list[str]:
    """Earlier floats of an operand's shape."""
    names = [one.name for one in graph.nodes]
    past = graph.nodes[: names.index(node.name)]
    return [one.name for one in past if one.name != arg and one.shape == graph[arg].shape and one.kind == "float"]


def _reading(node: Node, place: int, arg: str | Constant) -> Make:
    return _made(node.op, (*node.args[:place], arg, *node.args[place + 1 :]), dict(node.params))


def _made(op: str, args: tuple[str | Constant, ...], params: Mapping[str, object]) -> Make:
    def make(builder: Builder, node: Node) -> None:
        builder.apply(op, args, dict(params), node.name)

    return make


def _scaled(builder: Builder, node: Node) -> None:
    inner = builder.apply(node.op, node.args, dict(node.params), f"{node.name}:raw")
    builder.apply("multiply", [inner, Constant(FACTOR)], {}, node.name)
