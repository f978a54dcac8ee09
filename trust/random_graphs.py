"""Random graphs over the vocabulary, as a Hypothesis strategy, so that whatever fails shrinks to a small case.

A graph is one to twelve statements of the case language over up to three inputs, single numbers, vectors and
matrices. Where an operation exists on part of the line alone, mostly it is led there, sometimes not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.graph.node import Shape
from gradaccord.harness.judging.subject import Subject

SHAPES: Sequence[Shape] = ((), (3,), (2, 3))
SCALES = (1e-3, 1.0, 1e3)

UNARY = (
    "-{x}", "abs({x})", "square({x})", "exp({x})", "expm1({x})", "sin({x})", "cos({x})", "tan({x})", "atan({x})",
    "sinh({x})", "cosh({x})", "tanh({x})", "asinh({x})", "erf({x})", "erfc({x})", "sigmoid({x})", "softplus({x})",
    "relu({x})", "leaky_relu({x})", "elu({x})", "silu({x})", "gelu({x})", "gelu({x}, approximate='tanh')", "{x} ** 2",
    "{x} ** 3", "1.7 * {x}", "{x} + 0.3", "1 - {x}", "reciprocal({x})", "lgamma({x})",
    "sqrt(abs({x}) + 0.1)", "log({x})", "log(abs({x}) + 0.1)", "log1p(abs({x}))",
    "log2(abs({x}) + 0.5)", "log10(abs({x}) + 0.5)",
    "asin(0.9 * sin({x}))", "acos(0.9 * sin({x}))", "atanh(0.9 * tanh({x}))", "acosh(abs({x}) + 1.5)",
    "lgamma(abs({x}) + 0.3)", "digamma(abs({x}) + 0.3)", "clip({x}, -1, 1)", "where({x} > 0, {x}, {x} * {x})",
    "{x} * stop_gradient({x})", "floor({x}) * {x}", "(abs({x}) + 0.1) ** 0.7",
)  # fmt: skip
BINARY = (
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} / {y}", "{x} / (abs({y}) + 0.5)", "maximum({x}, {y})",
    "minimum({x}, {y})", "hypot({x}, {y})", "atan2({x}, {y})", "logaddexp({x}, {y})", "(abs({x}) + 0.1) ** {y}",
    "where({x} < {y}, {y}, sin({x}))", "clip({x}, -1, {y})", "mse_loss({x}, {y})",
)  # fmt: skip
ON_ARRAYS = (
    "sum({x})", "mean({x})", "max({x})", "min({x})", "prod({x})", "norm({x})", "logsumexp({x})", "var({x})",
    "std({x})", "softmax({x})", "log_softmax({x})", "layer_norm({x})", "cumsum({x}, axis=0)", "{x}[0]", "flip({x})",
    "sum({x}, axis=0)", "mean({x}, axis=-1, keepdims=True)", "max({x}, axis=0)", "reshape({x}, shape=[-1])",
    "roll({x}, shift=1, axis=0)", "pad({x}[..., 0:2], widths={pad})", "concat([{x}, {x}])", "stack([{x}, {x}])",
)  # fmt: skip
ON_MATRICES = ("{x} @ matrix_transpose({x})", "matrix_transpose({x})", "permute_dims({x}, axes=[1, 0])")


@dataclass(frozen=True)
class RandomGraph:
    """Statements and the shapes of the inputs that they read."""

    inputs: Mapping[str, Shape]
    statements: Mapping[str, str]

    @cached_property
    def graph(self) -> Graph:
        builder = self._builder()
        name = list(self.statements)[-1]
        return builder.graph([name]).pruned([name])

    def _builder(self) -> Builder:
        builder = Builder()
        for name, shape in self.inputs.items():
            builder.input(name, shape)
        parser = Parser(builder)
        for name, text in self.statements.items():
            parser.define(name, text)
        return builder

    def subject(self, dtype: str, scale: float, seed: int) -> Subject:
        """A random point: normal numbers times the scale."""
        random = np.random.default_rng(seed)
        arrays = {name: random.normal(0, scale, shape).astype(dtype) for name, shape in self.inputs.items()}
        inputs = {name: np.asarray(array, dtype) for name, array in arrays.items()}
        shape = self.graph.output.shape
        cotangent = np.asarray(random.uniform(-1, 2, shape) if shape else 1.0, dtype)
        return Subject(str(self), seed, dtype, self.graph, inputs, cotangent)

    def __str__(self) -> str:
        inputs = ", ".join(f"{name}: {list(shape)}" for name, shape in self.inputs.items())
        return f"{inputs}; " + "; ".join(f"{name} = {text}" for name, text in self.statements.items())


@st.composite
def random_graphs(draw: Any, most: int = 12) -> RandomGraph:
    inputs: dict[str, Shape] = {
        name: draw(st.sampled_from(SHAPES)) for name in "abc"[: draw(st.integers(min_value=1, max_value=3))]
    }
    builder = RandomGraph(inputs, {})._builder()
    parser, statements = Parser(builder), dict[str, str]()
    known = dict(inputs)
    for k in range(draw(st.integers(min_value=1, max_value=most))):
        # The newest first: what is made is mostly read, and shrinking leads to chains.
        names = list(reversed(known))
        x = draw(st.sampled_from(names))
        text = draw(st.sampled_from(_statements(known, x, [y for y in names if _fit(known[x], known[y])])))
        name = f"t{k}"
        parser.define(name, text)
        statements[name], known[name] = text, builder.shape(name)
    return RandomGraph(inputs, statements)


def _statements(known: Mapping[str, Shape], x: str, fitting: Sequence[str]) -> list[str]:
    """All that may be computed of x and of what broadcasts with it."""
    shape = known[x]
    found = [text.format(x=x) for text in UNARY]
    found += [text.format(x=x, y=y) for y in fitting for text in BINARY if _allowed(text, shape, known[y])]
    if shape:
        widths = [[0, 0]] * (len(shape) - 1) + [[1, 2]]
        found += [text.format(x=x, pad=widths) for text in ON_ARRAYS if shape[-1] > 1 or "0:2" not in text]
    if len(shape) == 2:
        found += [text.format(x=x) for text in ON_MATRICES]
        found += [f"{x} @ {y}" for y in known if known[y][:1] == shape[-1:] and len(known[y]) <= 2]
        found += [f"linear({x}, {y})" for y in known if len(known[y]) == 2 and known[y][-1:] == shape[-1:]]
        found += [f"matrix_transpose({x}) @ {y}" for y in known if len(known[y]) == 2 and known[y][0] == shape[0]]
    if len(shape) == 1:
        found += [text for y in known if known[y] == shape for text in (f"vecdot({x}, {y})", f"outer({x}, {y})")]
    return found


def _fit(a: Shape, b: Shape) -> bool:
    try:
        return len(np.broadcast_shapes(a, b)) <= 3
    except ValueError:
        return False


def _allowed(text: str, x: Shape, y: Shape) -> bool:
    # torch's clamp refuses a bound that is wider than x: the ledger has it.
    return not text.startswith("clip") or np.broadcast_shapes(x, y) == x
