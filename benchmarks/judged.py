"""One answer of torch judged: with the truth of the whole, as `run` does, and by its links alone, as `check` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from timing import once

from gradaccord.engines.pytorch.engine import prepare
from gradaccord.engines.pytorch.operations import checked_functions
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.emit import emit
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.judging import certificate
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject

HEAD = (
    "what is judged | numbers wanted | truth | its proof | links, R and rows | in all | by its links alone | "
    "times torch's gradcheck, fast mode"
)
Make = Callable[[str], Subject]


def subject(shapes: Mapping[str, tuple[int, ...]], lines: Mapping[str, str], dtype: str, constant: str = "") -> Subject:
    """Numbers from a normal distribution, of weights by the root of what they sum over; `target` has classes."""
    random, builder = np.random.default_rng(0), Builder()
    inputs: dict[str, Any] = {}
    for name, shape in shapes.items():
        if name == "target":
            builder.input(name, shape, "int")
            inputs[name] = random.integers(0, 10, shape)
        else:
            builder.input(name, shape, constant=name == constant)
            summed = 1 if name in ("x", "a", "b") else prod(shape[1:] if len(shape) == 4 else shape[:1])
            inputs[name] = (random.normal(size=shape) / summed**0.5).astype(dtype)
    parser = Parser(builder)
    for name, text in lines.items():
        parser.define(name, text)
    graph = builder.graph([list(lines)[-1]])
    cotangent = np.ones(()) if graph.output.shape == () else random.normal(size=graph.output.shape)
    return Subject("judged", 0, dtype, graph, inputs, cotangent.astype(dtype))


def network(inner: int, hidden: int) -> Make:
    """A classifier of two layers, a batch of 16, with cross entropy."""
    shapes = {"x": (16, inner), "w1": (inner, hidden), "b1": (hidden,), "w2": (hidden, 10), "b2": (10,)}
    shapes |= {"target": (16,)}
    lines = {"h": "tanh(x @ w1 + b1)", "y": "cross_entropy(h @ w2 + b2, target)"}
    return lambda dtype: subject(shapes, lines, dtype, "x")


def block(d: int, length: int = 16, heads: int = 4) -> Make:
    """A transformer's block: attention and two layers, each behind a layer norm."""
    shapes = {"x": (length, d), **dict.fromkeys(("wq", "wk", "wv", "wo"), (d, d)), "w1": (d, 4 * d), "w2": (4 * d, d)}
    shapes |= {**dict.fromkeys(("g1", "c1", "g2", "c2", "b2"), (d,)), "b1": (4 * d,)}
    each = d // heads
    parts = {
        name: f"permute_dims(reshape(n1 @ w{name}, shape=[{length},{heads},{each}]), axes=[1,0,2])" for name in "qkv"
    }
    lines = {"n1": "layer_norm(x, g1, c1)", **parts}
    lines |= {"s": f"softmax(q @ matrix_transpose(k) * {each**-0.5}, axis=-1)"}
    lines |= {"a": f"reshape(permute_dims(s @ v, axes=[1,0,2]), shape=[{length},{d}])", "r": "x + a @ wo"}
    lines |= {"n2": "layer_norm(r, g2, c2)", "m": "gelu(n2 @ w1 + b1) @ w2 + b2", "y": "mean(square(r + m))"}
    return lambda dtype: subject(shapes, lines, dtype)


def residual(channels: int, size: int) -> Make:
    """A residual block: two convolutions of 3 by 3, each with a scale, a shift and relu."""
    shapes = {"x": (1, channels, size, size)}
    for k in "12":
        shapes |= {f"k{k}": (channels, channels, 3, 3), f"g{k}": (1, channels, 1, 1), f"b{k}": (1, channels, 1, 1)}
    lines = {"h1": "conv2d(x, k1, padding=[1,1])", "n1": "relu(h1 * g1 + b1)"}
    lines |= {"h2": "conv2d(n1, k2, padding=[1,1])", "r": "relu(h2 * g2 + b2 + x)", "y": "mean(square(r))"}
    return lambda dtype: subject(shapes, lines, dtype)


def product(n: int) -> Make:
    return lambda dtype: subject({"a": (n, n), "b": (n, n)}, {"y": "a @ b"}, dtype)


JUDGED: Mapping[str, tuple[Make, tuple[str, ...]]] = {
    "64-128-10": (network(64, 128), ("float64", "float32")),
    "784-128-10": (network(784, 128), ("float64", "float32")),
    "784-1258-10": (network(784, 1258), ("float64", "float32")),
    "a transformer's block, 64 wide": (block(64), ("float64", "float32")),
    "a residual block, 64 channels of 32 by 32": (residual(64, 32), ("float32",)),
    "a product, 512 by 512": (product(512), ("float64", "float32")),
}


def gradcheck(asked: Subject) -> Callable[[], Any]:
    """torch's own check in its fast mode, of the same in float64: it refuses most sound float32 functions."""
    graph = asked.graph
    program = emit(graph, checked_functions(graph, "float64"), [graph.output.name])
    wanted = {node.name for node in graph.wanted}
    tensors = [
        torch.tensor(x if x.dtype.kind == "i" else x.astype(np.float64), requires_grad=name in wanted)
        for name, x in ((node.name, asked.inputs[node.name]) for node in graph.inputs)
    ]
    # A difference of a sum of many numbers loses too many digits for torch's own tolerance.
    return lambda: torch.autograd.gradcheck(program, tensors, fast_mode=True, atol=1.0, rtol=1.0, nondet_tol=1e-6)


def judged_rows() -> Iterator[list[str]]:
    torch.set_num_threads(1)
    for name, (make, dtypes) in JUDGED.items():
        for dtype in dtypes:
            asked = make(dtype)
            evaluation = prepare(asked.graph, dtype)(asked.inputs, asked.cotangent)
            times: list[tuple[float, ...]] = []

            def by_links(s: Subject = asked, e: Any = evaluation) -> None:
                chain = Chain(replace(s), e)
                chain.judge()
                if not certificate.certified(chain):
                    raise SystemExit("the links do not prove it")
                certificate.rows(chain, "torch", known=True)

            check = gradcheck(asked)
            for _ in range(4):  # the first compiles the steps
                whole = replace(asked)
                truth, proof = once(lambda s=whole: s.truth), once(lambda s=whole: s.proof)
                rows = once(lambda s=whole, e=evaluation: judge(s, "torch", e))
                times.append((truth, proof, rows, once(by_links), once(check)))
            truth, proof, rows, links, torchs = (min(taken) for taken in zip(*times[1:], strict=True))
            seconds = (truth, proof, rows, truth + proof + rows, links)
            count = sum(int(np.prod(node.shape)) for node in asked.graph.wanted)
            yield [f"{name}, {dtype}", f"{count:,}", *(f"{t:.2f} s" for t in seconds), f"{links / torchs:.0f}"]
