"""For each operation, calls and the operands that they read: what the tests of rules, engines and proofs share."""

from __future__ import annotations

from gradaccord.harness.graph.operations import OPERATIONS

from .draws import (
    Draw,
    Example,
    above_one,
    binary,
    compared,
    condition,
    correlation,
    example,
    index,
    inside,
    left_of_zero,
    positive,
    real,
    reduction,
    unary,
    wide,
)
from .layer_examples import LAYERS

__all__ = ["EXAMPLES", "Draw", "Example", "example", "real"]

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
    "xlogy": binary("xlogy", right=positive)[:-1],
    "rsqrt": unary("rsqrt", positive),
    "logaddexp2": binary("logaddexp2")[:-1],
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
    "log_sigmoid": [*unary("log_sigmoid"), example("log_sigmoid(x)", x=wide(3))],
    "leaky_relu": [*unary("leaky_relu"), example("leaky_relu(x, negative_slope=0.3)", x=real(4))],
    "elu": [*unary("elu"), example("elu(x, alpha=0.7)", x=real(4)), example("elu(x)", x=wide(4))],
    "silu": [*unary("silu"), example("silu(x)", x=wide(3))],
    "gelu": [*unary("gelu"), example("gelu(x)", x=wide(3)), example("gelu(x, approximate='tanh')", x=real(3))],
    "mish": [*unary("mish"), example("mish(x)", x=wide(3))],
    "celu": [example("celu(x, alpha=0.7)", x=real(4)), example("celu(x)", x=real(4))],
    "hardtanh": [example("hardtanh(x)", x=real(5)), example("hardtanh(x, min_val=-0.5, max_val=2)", x=real(5))],
    "hardshrink": [example("hardshrink(x)", x=real(5)), example("hardshrink(x, lambd=1.5)", x=real(2, 3))],
    "softshrink": [example("softshrink(x)", x=real(5)), example("softshrink(x, lambd=1.5)", x=real(2, 3))],
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
    "logical_and": [
        example("where(p and q, a, a * a)", p=condition(4), q=condition(4), a=real(4)),
        example("where((a > 0) & (a < 1), a * a, 3 * a)", a=real(4)),
    ],
    "logical_or": [
        example("where(p or q, a, a * a)", p=condition(2, 1), q=condition(4), a=real(2, 4)),
        example("where((a < 0) | (a > 1), a * a, 3 * a)", a=real(4)),
    ],
    "logical_not": [
        example("where(not p, a, a * a)", p=condition(4), a=real(4)),
        example("where(~(a > 0), a * a, 3 * a)", a=real()),
    ],
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
    "cumprod": [
        example("cumprod(x, axis=0)", x=real(4)),
        example("cumprod(x, axis=-1)", x=real(2, 3)),
        example("cumprod(x, axis=0)", x=real(2, 3)),
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
    "take_along_axis": [
        example("take_along_axis(x, i, axis=1)", x=real(2, 3), i=index(3, 2, 4)),
        example("take_along_axis(x, i, axis=-2)", x=real(3, 2), i=index(3, 1, 2)),
        example("take_along_axis(x, i, axis=0)", x=real(3), i=index(3, 5)),
    ],
    "scatter_add_along_axis": [
        example("scatter_add_along_axis(x, i, axis=0, size=2)", x=real(4), i=index(2, 4)),
        example("scatter_add_along_axis(x, i, axis=-2, size=3)", x=real(2, 2), i=index(3, 2, 2)),
        example("scatter_add_along_axis(x, i, axis=1, size=3)", x=real(2, 4), i=index(3, 2, 4)),
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
    "tile": [
        example("tile(x, repeats=[2])", x=real(3)),
        example("tile(x, repeats=[2, 1, 3])", x=real(2, 2)),
    ],
    "pixel_shuffle": [
        example("pixel_shuffle(x, factor=2)", x=real(1, 4, 2, 1)),
        example("pixel_shuffle(x, factor=3)", x=real(9, 1, 2)),
    ],
    "upsample_nearest": [
        example("upsample_nearest(x, factor=2)", x=real(1, 2, 3)),
        example("upsample_nearest(x, factor=3)", x=real(1, 1, 2, 2)),
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
    **LAYERS,
}
