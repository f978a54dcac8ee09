"""The judge's own cost: links of a large network, of long chains and of products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from timing import once

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Evaluation
from gradaccord.harness.truth import products
from gradaccord.harness.truth.precision import working
from gradaccord.harness.truth.residuals import Numerals, Residual

DTYPES = ("float64", "float32")


def network(dtype: str, batch: int = 16) -> Subject:
    """A 784-128-10 classifier: 100,352 + 1,280 weights, cross entropy."""
    random = np.random.default_rng(0)
    builder = Builder()
    builder.input("x", (batch, 784), constant=True)
    for name, shape in {"w1": (784, 128), "b1": (128,), "w2": (128, 10), "b2": (10,)}.items():
        builder.input(name, shape)
    builder.input("target", (batch,), "int")
    parser = Parser(builder)
    parser.define("h", "tanh(x @ w1 + b1)")
    parser.define("y", "cross_entropy(h @ w2 + b2, target)")
    graph = builder.graph(["y"])
    inputs: dict[str, Any] = {
        node.name: (random.normal(size=node.shape) / np.sqrt(node.shape[0])).astype(dtype)
        for node in graph.inputs
        if node.kind == "float"
    }
    inputs["target"] = random.integers(0, 10, batch)
    return Subject("network", 0, dtype, graph, inputs, np.ones((), dtype))


def chain(nodes: int) -> Subject:
    builder = Builder()
    builder.input("x0", ())
    parser = Parser(builder)
    for k in range(nodes):
        parser.define(f"x{k + 1}", f"tanh(x{k})" if k % 2 else f"x{k} * 1.25")
    return Subject("chain", 0, "float64", builder.graph([f"x{nodes}"]), {"x0": np.array(0.3)}, np.ones(()))


def elementwise(count: int) -> Subject:
    builder = Builder()
    builder.input("x", (count,))
    Parser(builder).define("y", "tanh(x) * x")
    x = np.random.default_rng(0).normal(size=count)
    return Subject("elementwise", 0, "float64", builder.graph(["y"]), {"x": x}, np.ones(count))


def product(size: int, dtype: str) -> Subject:
    random = np.random.default_rng(0)
    builder = Builder()
    inputs = {name: random.normal(size=(size, size)).astype(dtype) for name in "ab"}
    for name in inputs:
        builder.input(name, (size, size))
    Parser(builder).define("y", "a @ b")
    return Subject("product", 0, dtype, builder.graph(["y"]), inputs, random.normal(size=(size, size)).astype(dtype))


def elements(evaluation: Evaluation) -> int:
    """How many numbers are judged: values, terms and adjoints."""
    shown = [evaluation.values, evaluation.terms or {}, evaluation.adjoints or {}]
    return sum(array.size for arrays in shown for array in arrays.values())


def link_rows() -> Iterator[list[str]]:
    subjects = [(f"784-128-10, batch 16, {dtype}", network(dtype)) for dtype in DTYPES]
    subjects += [(f"tanh(x) * x of {count:,} numbers", elementwise(count)) for count in (25_000, 100_000)]
    subjects += [(f"chain of {count:,} single numbers", chain(count)) for count in (500, 1000, 2000, 4000)]
    for name, subject in subjects:
        evaluation = prepare(subject.graph, subject.dtype)(subject.inputs, subject.cotangent)
        truth = once(lambda s=subject: s.truth)
        judge(subject, "backprop", evaluation)  # compiles the steps
        seconds = min(once(lambda s=subject, e=evaluation: judge(s, "backprop", e)) for _ in range(3))
        count = elements(evaluation)
        yield [name, f"{count:,}", f"{truth:.2f} s", f"{seconds:.2f} s", f"{seconds / count * 1e6:.1f} µs"]


def product_rows() -> Iterator[list[str]]:
    """A product of two square matrices: its value's link, and all of its links with and without balls."""
    for size in (64, 128, 256, 512):
        for dtype in DTYPES:
            subject = product(size, dtype)
            evaluation, form = prepare(subject.graph, dtype)(subject.inputs, subject.cotangent), subject.form

            def value(s: Subject = subject, e: Evaluation = evaluation) -> Residual:
                a, b, y = (Numerals(e.values[name], s.form) for name in ("a", "b", "y"))
                with working():
                    return s.steps["y"].value([a, b], y, s.form)

            def links(s: Subject = subject, e: Evaluation = evaluation) -> None:
                Chain(s, e).judge()

            fewest = products.SMALLEST
            products.SMALLEST = 10**9
            slow = once(links)
            products.SMALLEST = fewest
            links()  # compiles the steps
            one, fast = (min(once(call) for _ in range(5)) for call in (value, links))
            each = fast / elements(evaluation) * 1e6
            yield [
                f"{size} by {size}, {form.name}",
                f"{elements(evaluation):,}",
                f"{slow:.2f} s",
                f"{one * 1e3:.1f} ms",
                f"{fast * 1e3:.1f} ms",
                f"{each:.2f} µs",
            ]
