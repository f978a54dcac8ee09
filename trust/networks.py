"""The functions that checkers are compared on, written once for torch, JAX, NumPy and the case language.

Each has one `tanh` whose derivative is bent; everything else is sound. `function(xp, step)` gives a function of x in
the namespace `xp`, in which `step` stands for that tanh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.subject import Subject

Step = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Network:
    """`statements` in the case language, where the node `bent` is the tanh; `function` is the same in a namespace."""

    x: Any
    weights: Mapping[str, Any]
    statements: Mapping[str, str]
    function: Callable[[Any, Step, Any, Mapping[str, Any]], Any]

    @property
    def subject(self) -> Subject:
        builder = Builder()
        builder.input("x", self.x.shape)
        for name, array in self.weights.items():
            builder.input(name, array.shape, constant=True)
        parser = Parser(builder)
        for name, text in self.statements.items():
            parser.define(name, text)
        graph = builder.graph([list(self.statements)[-1]])
        return Subject("network", 0, "float64", graph, {"x": self.x, **self.weights}, np.ones(()))


def one_step() -> Network:
    random = np.random.default_rng(1)

    def function(xp: Any, step: Step, x: Any, w: Mapping[str, Any]) -> Any:
        return (step(x) * w["c"]).sum()

    return Network(
        random.normal(size=8), {"c": random.normal(size=8)}, {"bent": "tanh(x)", "out": "sum(bent * c)"}, function
    )


def layers(count: int = 16, width: int = 8) -> Network:
    """`tanh(W h)` again and again; the step in the middle is bent."""
    random = np.random.default_rng(2)
    weights = {f"w{k}": random.normal(size=(width, width)) / width**0.5 for k in range(count)}

    def function(xp: Any, step: Step, x: Any, w: Mapping[str, Any]) -> Any:
        for k in range(count):
            x = (step if k == count // 2 else xp.tanh)(w[f"w{k}"] @ x)
        return x.sum()

    names = ["x", *("bent" if k == count // 2 else f"h{k}" for k in range(count))]
    statements = {name: f"tanh(w{k} @ {names[k]})" for k, name in enumerate(names[1:])}
    return Network(random.normal(size=width), weights, {**statements, "out": f"sum({names[-1]})"}, function)


def attention(count: int = 4, width: int = 4) -> Network:
    """Blocks x + tanh(softmax(x Q (x K)^T) x V); the step in the second is bent."""
    random = np.random.default_rng(3)
    weights = {f"{n}{k}": random.normal(size=(width, width)) for k in range(count) for n in "qkv"}

    def function(xp: Any, step: Step, x: Any, w: Mapping[str, Any]) -> Any:
        for k in range(count):
            e = xp.exp((x @ w[f"q{k}"]) @ (x @ w[f"k{k}"]).T)
            shares = e / e.sum(-1).reshape(-1, 1)
            x = x + (step if k == 1 else xp.tanh)(shares @ (x @ w[f"v{k}"]))
        return x.sum()

    statements: dict[str, str] = {}
    for k in range(count):
        x, name = ("x" if k == 0 else f"h{k - 1}"), ("bent" if k == 1 else f"t{k}")
        statements[f"e{k}"] = f"exp(({x} @ q{k}) @ matrix_transpose({x} @ k{k}))"
        statements[f"s{k}"] = f"e{k} / sum(e{k}, axis=-1, keepdims=True)"
        statements[name] = f"tanh(s{k} @ ({x} @ v{k}))"
        statements[f"h{k}"] = f"{x} + {name}"
    return Network(random.normal(size=(3, width)), weights, {**statements, "out": f"sum(h{count - 1})"}, function)


NETWORKS: Mapping[str, Callable[[], Network]] = {
    "one step, 8 numbers": one_step,
    "16 layers": layers,
    "4 attention blocks": attention,
}
