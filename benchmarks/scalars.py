"""A chain of single numbers with reuse, written once as steps; each contestant gets it in its own form.

`by_hand` writes the straight-line Python that a person would write, and owes nothing to `emit`:
values forward, adjoints backward, `+=` where a number is used again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.graph.language.expression import Parser

INPUTS = {"a": 0.5, "b": 0.3, "c": 0.7}


@dataclass(frozen=True)
class Step:
    """`name = left op right`; `right` is a name, a whole exponent, or nothing for tanh."""

    name: str
    op: str
    left: str
    right: str


def steps(count: int, power: str = "**") -> list[Step]:
    """`t * a`, `+ b`, `** 2` (or tanh), `* c`, and a sum with the number of four steps before."""
    found: list[Step] = []
    last = "a"
    for k in range(count):
        op, right = [("*", "a"), ("+", "b"), (power, "2"), ("*", "c"), ("+", f"t{k - 4}" if k > 4 else "a")][k % 5]
        found.append(Step(f"t{k}", op, last, right if op != "tanh" else ""))
        last = f"t{k}"
    return found


def graph(chain: list[Step]) -> Graph:
    builder = Builder()
    for name in INPUTS:
        builder.input(name, ())
    parser = Parser(builder)
    for step in chain:
        parser.define(step.name, f"tanh({step.left})" if step.op == "tanh" else f"{step.left} {step.op} {step.right}")
    return builder.graph([chain[-1].name])


def by_hand(chain: list[Step]) -> Callable[..., tuple[float, ...]]:
    """Value and gradient as straight-line Python, compiled."""
    lines = [f"def f({', '.join(INPUTS)}):"]
    for step in chain:
        right = f"tanh({step.left})" if step.op == "tanh" else f"{step.left} {step.op} {step.right}"
        lines.append(f"    {step.name} = {right}")
    reached: set[str] = set()

    def add(name: str, term: str) -> None:
        lines.append(f"    d{name} {'+=' if name in reached else '='} {term}")
        reached.add(name)

    for k, step in enumerate(reversed(chain)):
        d = f"d{step.name}"
        if k == 0:
            lines.append(f"    {d} = 1.0")
        match step.op:
            case "+":
                add(step.left, d)
                add(step.right, d)
            case "*":
                add(step.left, f"{d} * {step.right}")
                add(step.right, f"{d} * {step.left}")
            case "**":
                add(step.left, f"{d} * 2.0 * {step.left}")
            case _:
                add(step.left, f"{d} * (1.0 - {step.name} * {step.name})")
    lines.append(f"    return {chain[-1].name}, {', '.join('d' + name for name in INPUTS)}")
    scope: dict[str, Any] = {"tanh": math.tanh}
    exec(compile("\n".join(lines), "<by hand>", "exec"), scope)
    return scope["f"]


def as_function(chain: list[Step]) -> Callable[..., Any]:
    """The value as straight-line Python, for libraries that differentiate functions: no table of names is timed."""
    lines = [f"def f(tanh, {', '.join(INPUTS)}):"]
    for step in chain:
        right = f"tanh({step.left})" if step.op == "tanh" else f"{step.left} {step.op} {step.right}"
        lines.append(f"    {step.name} = {right}")
    lines.append(f"    return {chain[-1].name}")
    scope: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<forward>", "exec"), scope)
    return scope["f"]


def micrograd(chain: list[Step]) -> Callable[[], tuple[float, ...]]:
    from micrograd.engine import Value  # pyright: ignore[reportMissingImports]

    forward = as_function(chain)

    def call() -> tuple[float, ...]:
        leaves = [Value(x) for x in INPUTS.values()]
        y = forward(None, *leaves)
        y.backward()
        return y.data, *(leaf.grad for leaf in leaves)

    return call


def torch_eager(chain: list[Step]) -> Callable[[], tuple[float, ...]]:
    import torch

    forward = as_function(chain)
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in INPUTS.values()]

    def call() -> tuple[float, ...]:
        y = forward(torch.tanh, *leaves)
        return y.item(), *(g.item() for g in torch.autograd.grad(y, leaves))

    return call


def hips_autograd(chain: list[Step]) -> Callable[[], tuple[float, ...]]:
    autograd: Any = import_module("autograd")
    anp: Any = import_module("autograd.numpy")

    forward = as_function(chain)
    both = autograd.value_and_grad(lambda a, b, c: forward(anp.tanh, a, b, c), argnum=(0, 1, 2))

    def call() -> tuple[float, ...]:
        y, gradient = both(*INPUTS.values())
        return float(y), *map(float, gradient)

    return call


def agree(found: tuple[float, ...], expected: tuple[float, ...]) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-9, atol=0))
