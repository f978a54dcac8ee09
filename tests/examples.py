"""For each operation, calls and the operands that they read: what the tests of rules, engines and proofs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.operations import OPERATIONS


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


EXAMPLES: dict[str, list[Example]] = {
    # A function of one number is looked at everywhere where nothing else is said.
    **{op: unary(op) for op, row in OPERATIONS.items() if row.signature == "x" and row.elementwise},
    "add": binary("add"),
    "subtract": binary("subtract"),
    "multiply": binary("multiply"),
    "divide": binary("divide", right=positive) + binary("divide", right=left_of_zero),
    "sqrt": unary("sqrt", positive),
    "reciprocal": unary("reciprocal", positive) + unary("reciprocal", left_of_zero),
    "pow": [
        *binary("pow", positive),
        *(example(f"x ** {n}", x=real(3)) for n in (1, 2, 3, 5, -1, -2)),
        example("x ** 0", x=real(3)),
        example("x ** 0.5", x=positive(2)),
        example("x ** -1.7", x=positive(2)),
    ],
    "hypot": binary("hypot"),
    "log": unary("log", positive),
    "log1p": unary("log1p", inside),
    "log2": unary("log2", positive),
    "log10": unary("log10", positive),
    "logaddexp": [*binary("logaddexp"), example("logaddexp(a, b)", a=wide(3), b=wide(3))],
    "asin": unary("asin", inside),
    "acos": unary("acos", inside),
    "atan2": binary("atan2") + binary("atan2", left_of_zero, left_of_zero),
    "tanh": [*unary("tanh"), example("tanh(x)", x=wide(3))],
    "acosh": unary("acosh", above_one),
    "atanh": unary("atanh", inside),
    "erfc": [*unary("erfc"), example("erfc(x)", x=wide(3))],
    "lgamma": unary("lgamma", positive) + unary("lgamma", left_of_zero),
    "digamma": unary("digamma", positive) + unary("digamma", left_of_zero),
    "polygamma": [example(f"polygamma(x, n={n})", x=draw(2)) for n in (1, 2, 3) for draw in (positive, left_of_zero)],
    "sigmoid": [*unary("sigmoid"), example("sigmoid(x)", x=wide(3))],
    "softplus": [*unary("softplus"), example("softplus(x)", x=wide(3))],
    "leaky_relu": [*unary("leaky_relu"), example("leaky_relu(x, negative_slope=0.3)", x=real(4))],
    "elu": [*unary("elu"), example("elu(x, alpha=0.7)", x=real(4)), example("elu(x)", x=wide(4))],
    "silu": [*unary("silu"), example("silu(x)", x=wide(3))],
    "gelu": [*unary("gelu"), example("gelu(x)", x=wide(3)), example("gelu(x, approximate='tanh')", x=real(3))],
    "maximum": binary("maximum")[:-1],
    "minimum": binary("minimum")[:-1],
    "clip": [
        example("clip(x, -1, 1)", x=real(5)),
        example("clip(x, low, high)", x=real(2, 3), low=real(3), high=positive(2, 1)),
    ],
    "where": [
        example("where(c, a, b)", c=condition(4), a=real(4), b=real(4)),
        example("where(c, a, b)", c=condition(3), a=real(2, 1), b=real()),
        example("where(c, a, 1)", c=condition(2, 3), a=real(2, 3)),
        example("where(c, 0, b)", c=condition(2, 3), b=real(3)),
    ],
    "floor": [*unary("floor"), example("x * floor(x)", x=real(4))],
    "ceil": [*unary("ceil"), example("x * ceil(x)", x=real(4))],
    "less": compared("<"),
    "less_equal": compared("<="),
    "greater": compared(">"),
    "greater_equal": compared(">="),
    "equal": compared("=="),
    "not_equal": compared("!="),
    "stop_gradient": [example("x * stop_gradient(x)", x=real(3))],
    "sum": [*reduction("sum"), example("sum(x)", x=real())],
    "mean": [*reduction("mean"), example("mean(x)", x=real())],
    "prod": [
        *reduction("prod"),
        example("prod(x)", x=real()),
        example("prod(x)", x=real(7)),
        example("prod(x, axis=[])", x=real(2)),
    ],
    "max": [*reduction("max"), example("max(x)", x=real())],
    "min": [*reduction("min"), example("min(x)", x=real())],
    "max_share": [example("x * max_share(x)", x=real(4)), example("x * max_share(x, axis=1)", x=real(2, 3))],
    "var": [
        *reduction("var"),
        *reduction("var", ", correction=1")[:1],
        example("var(x, axis=1, correction=1)", x=real(2, 3)),
    ],
    "std": [*reduction("std")[:3], example("std(x, axis=-1, correction=1, keepdims=True)", x=real(2, 3))],
    "norm": reduction("norm"),
    "logsumexp": [*reduction("logsumexp"), example("logsumexp(x, axis=1)", x=wide(2, 3))],
    "softmax": [
        example("softmax(x)", x=real(3)),
        example("softmax(x, axis=0)", x=real(2, 3)),
        example("softmax(x)", x=wide(2, 3)),
    ],
    "log_softmax": [
        example("log_softmax(x)", x=real(3)),
        example("log_softmax(x, axis=0)", x=real(2, 3)),
        example("log_softmax(x)", x=wide(2, 3)),
    ],
    "cumsum": [
        example("cumsum(x, axis=0)", x=real(4)),
        example("cumsum(x, axis=-1)", x=real(2, 3)),
        example("cumsum(x, axis=0)", x=real(2, 3)),
    ],
    "matmul": [
        example("a @ b", a=real(*a), b=real(*b))
        for a, b in (
            ((3,), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3,)),
            ((2, 3), (3, 4)),
            ((2, 3), (2, 3, 2)),
            ((2, 2, 3), (3, 2)),
            ((3,), (2, 3, 2)),
            ((2, 2, 3), (3,)),
            ((2, 1, 2, 3), (3, 3, 2)),
            ((1, 1), (1, 1)),
        )
    ]
    + [example("a @ a", a=real(2, 2))],
    "vecdot": [
        example("vecdot(a, b)", a=real(3), b=real(3)),
        example("vecdot(a, b)", a=real(2, 1, 3), b=real(2, 3)),
        example("vecdot(a, b, axis=-2)", a=real(2, 3), b=real(2, 1)),
    ],
    "outer": [example("outer(a, b)", a=real(2), b=real(3)), example("outer(a, a)", a=real(2))],
    "einsum": [
        example("einsum('ij,jk->ik', a, b)", a=real(2, 3), b=real(3, 2)),
        example("einsum('ij->ji', a)", a=real(2, 3)),
        example("einsum('ij->i', a)", a=real(2, 3)),
        example("einsum('ij->', a)", a=real(2, 3)),
        example("einsum('bij,bkj->bik', a, b)", a=real(2, 2, 3), b=real(2, 1, 3)),
        example("einsum('i,ij,j->', a, b, c)", a=real(2), b=real(2, 3), c=real(3)),
        example("einsum('ij,kl->il', a, b)", a=real(2, 3), b=real(2, 2)),
        example("einsum('ij,ij->ij', a, b)", a=real(2, 3), b=real(2, 3)),
        example("einsum(',i->i', a, b)", a=real(), b=real(2)),
        example("einsum('ij,ij->i', a, a)", a=real(2, 2)),
    ],
    "linear": [
        example("linear(x, w)", x=real(3), w=real(2, 3)),
        example("linear(x, w, b)", x=real(4, 3), w=real(2, 3), b=real(2)),
        example("linear(x, w, b)", x=real(2, 2, 3), w=real(2, 3), b=real(2)),
    ],
    "conv2d": correlation("conv2d"),
    "correlate2d": correlation("correlate2d"),
    "correlate2d_input": correlation("correlate2d_input"),
    "correlate2d_weight": correlation("correlate2d_weight"),
    "permute_dims": [
        example("permute_dims(x, axes=[1, 0])", x=real(2, 3)),
        example("permute_dims(x, axes=[2, 0, 1])", x=real(2, 3, 4)),
        example("permute_dims(x, axes=[-1, 0, 1])", x=real(2, 3, 4)),
    ],
    "matrix_transpose": [example("matrix_transpose(x)", x=real(2, 3)), example("matrix_transpose(x)", x=real(2, 3, 2))],
    "reshape": [
        example("reshape(x, shape=[3, 2])", x=real(2, 3)),
        example("reshape(x, shape=[-1])", x=real(2, 3)),
        example("reshape(x, shape=[])", x=real(1, 1)),
        example("reshape(x, shape=[1, 1])", x=real()),
    ],
    "broadcast_to": [
        example("broadcast_to(x, shape=[2, 3])", x=real(3)),
        example("broadcast_to(x, shape=[2, 3])", x=real(2, 1)),
        example("broadcast_to(x, shape=[2])", x=real()),
    ],
    "expand_dims": [
        example("expand_dims(x, axis=0)", x=real(2)),
        example("expand_dims(x, axis=-1)", x=real(2, 3)),
        example("expand_dims(x, axis=0)", x=real()),
    ],
    "squeeze": [
        example("squeeze(x, axis=0)", x=real(1, 2)),
        example("squeeze(x, axis=[0, -1])", x=real(1, 2, 1)),
        example("squeeze(x, axis=0)", x=real(1)),
    ],
    "concat": [
        example("concat([a, b])", a=real(2), b=real(3)),
        example("concat([a, b, a], axis=-1)", a=real(2, 1), b=real(2, 2)),
    ],
    "stack": [
        example("stack([a, b])", a=real(), b=real()),
        example("stack([a, b], axis=-1)", a=real(2, 3), b=real(2, 3)),
        example("stack([a, a], axis=1)", a=real(2)),
    ],
    "getitem": [
        example(f"x[{i}]", x=real(3, 4))
        for i in ("0", "-1, 1", "0:2", "..., 1:", "::-1", ":, ::2", "None, 1, ..., None", "1:1", "2:0:-1, -3:")
    ],
    "place": [
        example("place(x, index='1:3', shape=[4])", x=real(2)),
        example("place(x, index='1, ::-2', shape=[2, 3])", x=real(2)),
        example("place(x, index='-1', shape=[3])", x=real()),
    ],
    "take": [
        example("take(x, i, axis=0)", x=real(3), i=index(3, 5)),
        example("take(x, i, axis=-1)", x=real(2, 3), i=index(3, 2)),
        example("take(x, i, axis=0)", x=real(5, 2), i=index(5, 2, 3)),
        example("take(x, i, axis=-2)", x=real(2, 3, 2), i=index(3, 2, 2)),
    ],
    "scatter_add": [
        example("scatter_add(x, i, axis=0, size=3)", x=real(5), i=index(3, 5)),
        example("scatter_add(x, i, axis=-1, size=4)", x=real(2, 3), i=index(4, 3)),
        example("scatter_add(x, i, axis=0, size=3)", x=real(2, 3, 2), i=index(3, 2, 3)),
        example("scatter_add(x, i, axis=-1, size=4)", x=real(2, 3, 2), i=index(4, 3, 2)),
    ],
    "flip": [
        example("flip(x)", x=real(2, 3)),
        example("flip(x, axis=1)", x=real(2, 3)),
        example("flip(x, axis=[0, -1])", x=real(2, 3, 2)),
    ],
    "roll": [
        example("roll(x, shift=1, axis=0)", x=real(3)),
        example("roll(x, shift=-2, axis=-1)", x=real(2, 5)),
        example("roll(x, shift=7, axis=1)", x=real(2, 3)),
    ],
    "pad": [
        example("pad(x, widths=[[1, 2]])", x=real(2)),
        example("pad(x, widths=[[0, 1], [2, 0]], value=0.1)", x=real(2, 3)),
    ],
    "one_hot": [
        example("one_hot(i, size=3) * x", i=index(3, 2), x=real(3)),
        example("one_hot(i, size=3) * x", i=index(3), x=real(3)),
    ],
    "astype": [
        example("astype(c) * x", c=condition(3), x=real(3)),
        example("astype(i) * x", i=index(4, 3), x=real(3)),
        example("astype(x > 0) * x", x=real(4)),
    ],
    "mse_loss": [example("mse_loss(x, t)", x=real(3), t=real(3)), example("mse_loss(x, t)", x=real(2, 3), t=real(3))],
    "cross_entropy": [
        example("cross_entropy(x, t)", x=real(3), t=index(3)),
        example("cross_entropy(x, t)", x=real(2, 3), t=index(3, 2)),
        example("cross_entropy(x, t)", x=wide(4, 3), t=index(3, 4)),
    ],
    "layer_norm": [
        example("layer_norm(x)", x=real(3)),
        example("layer_norm(x, w, b)", x=real(2, 3), w=real(3), b=real(3)),
        example("layer_norm(x, w, axis=[-2, -1], eps=0.1)", x=real(2, 2, 3), w=real(2, 3)),
    ],
}
