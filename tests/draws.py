"""Calls of operations and the operands that they read: what tables of examples are written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser


@dataclass(frozen=True)
class Draw:
    """An operand: its shape and where its numbers lie. Whole numbers below `below` where that is given."""

    shape: tuple[int, ...]
    low: float = -3
    high: float = 3
    below: int = 0
    condition: bool = False
    constant: bool = False

    def at(self, random: np.random.Generator) -> Any:
        if self.below:
            return random.integers(self.below, size=self.shape)
        if self.condition:
            return random.integers(2, size=self.shape).astype(bool)
        return np.asarray(random.uniform(self.low, self.high, self.shape))

    @property
    def kind(self) -> Any:
        return "int" if self.below else "bool" if self.condition else "float"


@dataclass(frozen=True)
class Example:
    text: str
    operands: dict[str, Draw]

    @property
    def graph(self) -> Graph:
        builder = Builder()
        for name, draw in self.operands.items():
            builder.input(name, draw.shape, draw.kind, constant=draw.constant)
        Parser(builder).define("result", self.text)
        return builder.graph(["result"])


def example(text: str, **operands: Draw) -> Example:
    return Example(text, operands)


def real(*shape: int) -> Draw:
    return Draw(shape)


def positive(*shape: int) -> Draw:
    return Draw(shape, 0.2, 4)


def inside(*shape: int) -> Draw:
    return Draw(shape, -0.9, 0.9)


def share(*shape: int) -> Draw:
    return Draw(shape, 0.05, 0.95)


def held(*shape: int) -> Draw:
    """Weights of a loss: torch has no derivative in them."""
    return Draw(shape, 0.2, 4, constant=True)


def above_one(*shape: int) -> Draw:
    return Draw(shape, 1.1, 4)


def left_of_zero(*shape: int) -> Draw:
    """Between the poles of the gamma function at -3 and -2."""
    return Draw(shape, -2.9, -2.1)


def wide(*shape: int) -> Draw:
    """So far out that a careless formula overflows or cancels."""
    return Draw(shape, -30, 30)


def index(below: int, *shape: int) -> Draw:
    return Draw(shape, below=below)


def condition(*shape: int) -> Draw:
    return Draw(shape, condition=True)


def unary(op: str, draw: Callable[..., Draw] = real) -> list[Example]:
    return [example(f"{op}(x)", x=draw()), example(f"{op}(x)", x=draw(3)), example(f"{op}(x)", x=draw(2, 1, 2))]


def binary(op: str, left: Callable[..., Draw] = real, right: Callable[..., Draw] = real) -> list[Example]:
    shapes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((), ()),
        ((2, 1), (3,)),
        ((2, 3), ()),
        ((1, 2), (3, 1, 2)),
    ]
    calls = [example(f"{op}(a, b)", a=left(*a), b=right(*b)) for a, b in shapes]
    return [
        *calls,
        example(f"{op}(a, 2)", a=left(2)),
        example(f"{op}(2, b)", b=right(2)),
        example(f"{op}(a, a * a)", a=positive(2)),
    ]


def compared(symbol: str) -> list[Example]:
    return [
        example(f"where(a {symbol} b, a * a, b * 3)", a=real(2, 1), b=real(4)),
        example(f"where(a {symbol} 0, a, a * a)", a=real(4)),
    ]


def reduction(op: str, extra: str = "", draw: Callable[..., Draw] = real) -> list[Example]:
    calls = [
        "axis=0",
        "axis=1",
        "axis=-1, keepdims=True",
        "axis=[0, 2]",
        "axis=[-1, 0], keepdims=True",
        "keepdims=True",
    ]
    return [
        example(f"{op}(x{extra})", x=draw(3)),
        example(f"{op}(x{extra})", x=draw(2, 3)),
        *(example(f"{op}(x, {call}{extra})", x=draw(2, 3, 2)) for call in calls),
    ]


def correlation(op: str) -> list[Example]:
    """Both operands of the correlation and of its two transposes, by one table of geometries."""
    geometries: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], tuple[int, ...]]] = [
        ((1, 1, 3, 3), (1, 1, 2, 2), {}, (1, 1, 2, 2)),
        ((2, 2, 3, 3), (2, 2, 1, 1), {}, (2, 2, 3, 3)),
        ((2, 3, 2, 2), (2, 3, 2, 2), {}, (2, 2, 1, 1)),
        ((2, 2, 5, 4), (3, 2, 3, 2), {"stride": [2, 1], "padding": [1, 2]}, (2, 3, 3, 7)),
        ((1, 4, 5, 6), (6, 2, 2, 3), {"stride": [1, 2], "dilation": [2, 1], "groups": 2}, (1, 6, 3, 2)),
        (
            (1, 2, 6, 5),
            (2, 1, 2, 2),
            {"stride": [3, 2], "padding": [0, 1], "dilation": [1, 2], "groups": 2},
            (1, 2, 2, 3),
        ),
    ]
    calls: list[Example] = []
    for x, weight, settings, y in geometries:
        extra = "".join(f", {name}={value}" for name, value in settings.items())
        if op == "correlate2d_input":
            calls.append(example(f"{op}(g, w, shape={list(x)}{extra})", g=real(*y), w=real(*weight)))
        elif op == "correlate2d_weight":
            calls.append(example(f"{op}(g, x, shape={list(weight)}{extra})", g=real(*y), x=real(*x)))
        else:
            calls.append(example(f"{op}(x, w{extra})", x=real(*x), w=real(*weight)))
            if op == "conv2d":
                calls.append(example(f"{op}(x, w, b{extra})", x=real(*x), w=real(*weight), b=real(weight[0])))
    return calls
