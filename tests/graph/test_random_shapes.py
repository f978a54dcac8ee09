"""What the shape rule of an operation accepts has a formula and a derivative, whatever the shapes: every operation of
the shipped cases with an axis that is left out, moved, emptied or longer, and settings that are off by a little."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.expand import expanded
from gradaccord.harness.graph.gradient import gradient
from gradaccord.harness.graph.node import Constant, GraphError, Shape
from gradaccord.harness.graph.operations import OPERATIONS

from ..shipped import cases

TRIED = 3000


def changed(shape: Shape, draw: random.Random) -> Shape:
    axes = list(shape)
    where = draw.randrange(len(axes)) if axes else 0
    match draw.randrange(5):
        case 0:
            axes.insert(draw.randrange(len(axes) + 1), draw.randrange(4))
        case 1:
            del axes[where : where + 1]
        case 2:
            draw.shuffle(axes)
        case _:
            axes[where : where + 1] = [draw.choice((0, 1, 2, 3))] * bool(axes)
    return tuple(axes)


def moved(value: object, draw: random.Random) -> Any:
    """A setting as it is or, one in five, another of its kind."""
    if isinstance(value, bool) or draw.random() < 0.8:
        return value
    if isinstance(value, int):
        return value + draw.choice((-2, -1, 1, 2))
    if isinstance(value, tuple) and value and all(isinstance(one, int) for one in value):
        where = draw.randrange(len(value))
        return (*value[:where], draw.choice((-1, 0, 1, 2, 3)), *value[where + 1 :])
    return value


def test_what_a_shape_rule_accepts_has_a_formula_and_a_derivative() -> None:
    uses: defaultdict[str, dict[Any, None]] = defaultdict(dict)
    for graph in (case.graph for case in cases()):
        for node in graph.operations:
            if node.op in OPERATIONS:
                args = tuple(
                    arg if isinstance(arg, Constant) else (graph[arg].shape, graph[arg].kind) for arg in node.args
                )
                uses[node.op][args, node.params] = None
    draw, accepted = random.Random(0), 0
    for _ in range(TRIED):
        op = draw.choice([*uses])
        args, params = draw.choice([*uses[op]])
        builder, alike, seed = Builder(), draw.random() < 0.4, draw.random()
        which = draw.randrange(len(args))
        names: list[Any] = []
        for place, arg in enumerate(args):
            if isinstance(arg, Constant):
                names.append(arg)
                continue
            shape, kind = arg
            if alike or place == which:  # one operand, or all in the same way
                shape = changed(shape, random.Random(seed))
            names.append(builder.input(f"x{place}", shape, kind))
        settings = {name: moved(value, draw) for name, value in params}
        try:
            builder.apply(op, names, settings, "y")
        except GraphError:
            continue
        accepted += 1
        graph = builder.graph(["y"])
        try:
            for stable in (False, True):
                expanded(graph, stable=stable)
            if graph.output.kind == "float":
                expanded(gradient(graph).graph, stable=True)
        except GraphError as error:
            pytest.fail(f"{graph.output.shape} {graph}: {error}")
    assert accepted > TRIED / 2
