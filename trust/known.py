"""What the searches found, each as its smallest case, run again every time: of the judge, and of engines.

An entry that no longer happens is stale, and says so. Entries of the judge wait for a remedy in `harness/`; those of
engines are right to be findings, verified by hand against mpmath or by the formula that the framework documents.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from alarms import ALL, engines
from planting import Plant, in_backprop

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.expression import Parser
from gradaccord.harness.graph.graph import Use
from gradaccord.harness.judge import judge
from gradaccord.harness.rows import FINDINGS
from gradaccord.harness.subject import Subject


@dataclass(frozen=True, slots=True)
class Known:
    """`y` of the inputs in a dtype. `blamed`: the links that the judge names; `truth`: what is so.

    `factor`: planted in the term of the first input, at its first use, in the hand-written engine.
    """

    text: str
    inputs: Mapping[str, Any]
    blamed: frozenset[str]
    truth: str
    engines: tuple[str, ...] = ("backprop",)
    dtype: str = "float64"
    factor: float = 1.0
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def subject(self) -> Subject:
        builder = Builder()
        inputs = {name: np.asarray(value, self.dtype) for name, value in self.inputs.items()}
        for name, array in inputs.items():
            builder.input(name, array.shape)
        parser = Parser(builder)
        for name, text in {**self.more, "y": self.text}.items():
            parser.define(name, text)
        graph = builder.graph(["y"])
        return Subject("known", 0, self.dtype, graph, inputs, np.ones(graph.output.shape, self.dtype))

    def found(self, engine: str) -> frozenset[str]:
        """The links that the judge names now."""
        about = self.subject
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if self.factor == 1:
                evaluation = engines()[engine](about.graph, about.dtype)(about.inputs, about.cotangent)
            else:
                plant = Plant(about.graph, about.dtype, Use("y", 0), "", lambda term: term * self.factor)
                with in_backprop(plant) as prepare:
                    evaluation = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
            return frozenset(row.node for row in judge(about, engine, evaluation) if row.verdict in FINDINGS)


def links(*names: str) -> frozenset[str]:
    return frozenset(names)


OF_THE_JUDGE = (
    Known(
        "lgamma(x)", {"x": -2.7}, links(),
        "misses a factor of 1 + 1e-10: FLINT's digamma of a ball left of 0 is 50,000 times wider than it need be",
        factor=1 + 1e-10,
    ),
    Known(
        "maximum(a, b)", {"a": 2.0, "b": 1.0}, links("term of a in y[0]", "term of b in y[1]"),
        "blames the term of b as well, where only that of a was doubled and nothing is tied",
        factor=2.0,
    ),
    Known(
        "maximum(a, l)", {"a": 2.0, "b": -1.0}, links("term of a in y[0]", "term of l in y[1]"),
        "a false alarm: y is NaN, its derivative does not exist, yet the terms are asked to sum to the adjoint",
        more={"l": "log(b)"}, engines=("backprop", "jax"),
    ),
    Known(
        "maximum(a, l)", {"a": 2.0, "b": -1.0}, links("term of a in y[0]", "term of l in y[1]"),
        "a false alarm: y is NaN, yet a comparison with NaN counts as decided and each term as 0",
        more={"l": "log(b)"}, engines=("torch",),
    ),
    Known(
        "logaddexp(a, b)", {"a": -0.9143483591340287, "b": -0.5036147495878182}, links("value of y"),
        "a false alarm: next to the root e^a + e^b = 1 the usual formula, max + log1p(e^-|a - b|), cancels",
        engines=ALL,
    ),
    Known(
        "s * 1.7", {"a": [0.3, 0.8, 0.7]}, links("gradient of a"),
        "a false alarm: 1/a - a/a^2 cancels to 0 in the program that shows its links, to a rounding in the plain one",
        engines=("jax:jit",), dtype="float32", more={"r": "reciprocal(a)", "s": "a * r"},
    ),
    Known(
        "acosh(x)", {"x": -1e30}, links("term of x in y[0]"),
        "a false alarm: the function does not exist there, yet its derivative's formula is asked for",
        engines=ALL, dtype="float32",
    ),
)  # fmt: skip

OF_ENGINES = (
    Known(
        "atan2(b, a)", {"b": 1.0, "a": 1e200}, links("term of b in y[0]"),
        "1e-200, not 0: a^2 + b^2 overflows", engines=ALL,
    ),
    Known(
        "asinh(x)", {"x": 1e30}, links("term of x in y[0]"), "1e-30, not 0: x^2 + 1 overflows",
        engines=ALL, dtype="float32",
    ),
    Known(
        "acosh(x)", {"x": 1e30}, links("term of x in y[0]"), "1e-30, not 0: (x - 1) (x + 1) overflows",
        engines=ALL, dtype="float32",
    ),
    Known(
        "gelu(x, approximate='tanh')", {"x": 1e30}, links("term of x in y[0]"),
        "1, not NaN: 0 times the overflow of x^2", engines=ALL, dtype="float32",
    ),
    Known(
        "lgamma(x)", {"x": -1e-200}, links("value of y"), "460.517, not infinity: -log |x|",
    ),
    Known(
        "l / c", {"a": 1e5, "b": 1e20, "c": 1e20}, links("value of y"),
        "1e-35, not 0: XLA makes a / (b c) of (a / b) / c, and b c overflows",
        engines=("jax:jit",), dtype="float32", more={"l": "a / b"},
    ),
    Known(
        "p * c", {"a": 0.01, "b": -18.9, "c": 1e-30}, links("term of a in p[0]"),
        "-1.19e11, not infinity: a^(b - 1) overflows before b and the adjoint make it small",
        engines=ALL, dtype="float32", more={"p": "a ** b"},
    ),
    Known(
        "digamma(x)", {"x": 1e200}, links("term of x in y[0]"), "1e-200, not 0", engines=("jax",),
    ),
    Known(
        "layer_norm(x)", {"x": [1.0, 1.001, 1.002]}, links("value of y"),
        "right to 37 bits: the variance is mean(x^2) - mean(x)^2, `algorithm='fast'` of jax.nn.standardize",
        engines=("jax",),
    ),
)  # fmt: skip

UNSEEN = """Not run again: engines that chose alike at a kink are findings where the printed ends of the hull differ in
their sixth digit (`maximum(a, b)` at 1 and 1 in float32, whose adjoints are 0.3452945 and the number below it)."""


def rows(entries: tuple[Known, ...]) -> Iterator[list[str]]:
    """The case, the engine, what the judge says, what is true, whether that is still so."""
    for entry in entries:
        for engine in entry.engines:
            found = entry.found(engine)
            text = "; ".join(f"{name} = {value}" for name, value in {**entry.inputs, **entry.more}.items())
            planted = "" if entry.factor == 1 else f", its first term times {entry.factor!r}"
            said = ", ".join(sorted(found)) or "nothing"
            still = "yes" if found == entry.blamed else "**stale**"
            yield [f"`{text}; {entry.text}`{planted}", f"{engine}, {entry.dtype}", said, entry.truth, still]
