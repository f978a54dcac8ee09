"""Defects of engines that the searches found, each as its smallest case, run again every time.

An entry that no longer happens is stale, and says so. Each was verified by hand, against mpmath or by the formula that
the framework documents.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from alarms import ALL, engines

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.verdicts import FINDINGS


@dataclass(frozen=True, slots=True)
class Known:
    """`y` of the inputs in a dtype. `blamed`: the links that the judge names; `truth`: what is so."""

    text: str
    inputs: Mapping[str, Any]
    blamed: frozenset[str]
    truth: str
    engines: tuple[str, ...] = ("backprop",)
    dtype: str = "float64"
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
            evaluation = engines()[engine](about.graph, about.dtype)(about.inputs, about.cotangent)
            return frozenset(str(row.node) for row in judge(about, engine, evaluation) if row.verdict in FINDINGS)


def links(*names: str) -> frozenset[str]:
    return frozenset(names)


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


def rows(entries: tuple[Known, ...]) -> Iterator[list[str]]:
    """The case, the engine, what the judge says, what is true, whether that is still so."""
    for entry in entries:
        for engine in entry.engines:
            found = entry.found(engine)
            text = "; ".join(f"{name} = {value}" for name, value in {**entry.inputs, **entry.more}.items())
            said = ", ".join(sorted(found)) or "nothing"
            still = "yes" if found == entry.blamed else "**stale**"
            yield [f"`{text}; {entry.text}`", f"{engine}, {entry.dtype}", said, entry.truth, still]
